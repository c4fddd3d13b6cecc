package podman_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/require"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/pkg/runner/image"
	"github.com/vexa-ai/vexa/pkg/runner/image/imagetest"
	"github.com/vexa-ai/vexa/pkg/runner/image/store"
	"github.com/vexa-ai/vexa/pkg/runtime"
)

// forget removes images at the end of a test.
func forget(tb testing.TB, refs ...string) {
	tb.Helper()
	program := require.Tool(tb, "podman")
	tb.Cleanup(func() {
		if out, err := exec.Command(program, append([]string{"rmi", "-f", "-i"}, refs...)...).CombinedOutput(); err != nil {
			tb.Logf("rmi: %v: %s", err, out) // -i is not known to Podman 4
			_ = exec.Command(program, append([]string{"rmi", "-f"}, refs...)...).Run()
		}
	})
}

// acme makes the image of a made-up runner whose program is a busybox.
func acme(tb testing.TB, tail string) (*imagetest.World, image.Options) {
	tb.Helper()
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		require.Missing(tb, "busybox", err.Error())
	}
	w := imagetest.NewWorld(tb, goruntime.GOARCH, append(busybox, tail...))
	w.Lock.Program.Links["usr/bin/env"] = "/opt/tool/bin/tool"
	w.Lock.System.Busybox, w.Lock.System.Links = "", nil
	return w, image.Options{Arch: goruntime.GOARCH, Cache: store.Cache{Dir: filepath.Join(tb.TempDir(), "cache")}, Sources: w.Sources()}
}

// TestARunnersImageIsLoadedAndRuns: what is made without a registry has the
// digest in Podman that it had before, and its program runs in the boundary.
func TestARunnersImageIsLoadedAndRuns(t *testing.T) {
	t.Parallel()
	const install, unit, ref = "f1257f1257f2", "01JDXKF1RSTVSE000000000002", "localhost/vexa/runner-test-acme:1"
	d := open(t)
	forget(t, ref)
	clean(t, d, install)
	w, o := acme(t, t.Name())
	made, err := image.Make(t.Context(), "acme", w.Lock, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := made.Close(); err != nil {
			t.Error(err)
		}
	}()
	for range 2 { // the second time is nothing new
		if err := d.LoadImage(t.Context(), func(w io.Writer) error { return made.WriteArchive(w, ref) }); err != nil {
			t.Fatal(err)
		}
	}
	info, err := d.Image(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	if info.Digest != made.Digest() || "sha256:"+info.ID != made.ID() || info.Arch != goruntime.GOARCH || info.Labels[image.LabelRunner] != "acme" {
		t.Errorf("%+v, want digest %s", info, made.Digest())
	}
	if err := d.Warm(t.Context(), ref, install); err != nil {
		t.Fatal(err)
	}
	if list, err := d.List(t.Context(), install); err != nil || len(list) != 0 {
		t.Errorf("warming leaves %d containers, %v", len(list), err)
	}
	if exit, err := d.Try(t.Context(), ref, install, []string{"/usr/bin/env", "sh", "-c", "exit 7"}, time.Minute); err != nil || exit.Code != 7 {
		t.Errorf("a program that is there: %+v, %v", exit, err)
	}
	if exit, err := d.Try(t.Context(), ref, install, []string{"/bin/absent"}, time.Minute); err != nil || exit.Code != runtime.ExitNoProgram {
		t.Errorf("a program that is not there: %+v, %v", exit, err)
	}
	s := newStack(t, d, install)
	spec := s.spec(t, unit, "/usr/bin/env", "sh", "-c", "test -r /etc/passwd && test -d /usr/lib && ! test -w /usr")
	spec.Image = ref
	if _, err := s.kernel.Create(t.Context(), spec, "any"); err != nil {
		t.Fatal(err)
	}
	if st := s.ended(t, unit); *st.ExitCode != 0 {
		t.Errorf("exit code %d", *st.ExitCode)
	}
}

// TestAnImageByItsDigest: who gives its name to another image changes nothing for whoever
// asks by the digest, and a name that is forgotten is no image.
func TestAnImageByItsDigest(t *testing.T) {
	t.Parallel()
	const install, unit, ref = "f1257f1257f4", "01JDXKF1RSTVSE000000000004", "localhost/vexa/runner-test-digest:1"
	d := open(t)
	forget(t, ref)
	clean(t, d, install)
	var digests []string
	for _, which := range []string{"the first one", "another one"} {
		w, o := acme(t, t.Name()+which)
		made, err := image.Make(t.Context(), "acme", w.Lock, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(d.LoadImage(t.Context(), func(w io.Writer) error { return made.WriteArchive(w, ref) }), made.Close()); err != nil {
			t.Fatal(err)
		}
		digests = append(digests, made.Digest())
	}
	byDigest, _, _ := strings.Cut(ref, ":")
	byDigest += "@" + digests[0]
	forget(t, byDigest)
	if info, err := d.Image(t.Context(), ref); err != nil || info.Digest != digests[1] {
		t.Fatalf("%+v, %v", info, err)
	}
	s := newStack(t, d, install)
	spec := s.spec(t, unit, "/usr/bin/env", "sh", "-c", "grep -q 'the first one' /opt/tool/bin/tool && ! grep -q 'another one' /opt/tool/bin/tool")
	spec.Image = byDigest
	if _, err := s.kernel.Create(t.Context(), spec, "any"); err != nil {
		t.Fatal(err)
	}
	if st := s.ended(t, unit); *st.ExitCode != 0 {
		t.Errorf("exit code %d", *st.ExitCode)
	}
	for range 2 {
		if err := d.Forget(t.Context(), ref); err != nil {
			t.Error(err)
		}
	}
	if err := d.EnsureImage(t.Context(), runtime.Image{Ref: ref}); !fault.Is(err, fault.NotFound) {
		t.Errorf("a name that was forgotten: %v", err)
	}
}

// TestAnImageOfAnotherMachine is refused before a container is made of it.
func TestAnImageOfAnotherMachine(t *testing.T) {
	t.Parallel()
	const ref = "localhost/vexa/runner-test-arch:1"
	arch := map[string]string{"amd64": "arm64", "arm64": "amd64"}[goruntime.GOARCH]
	d := open(t)
	forget(t, ref)
	w := imagetest.NewWorld(t, arch, []byte("no program"))
	made, err := image.Make(t.Context(), "acme", w.Lock, image.Options{Arch: arch, Cache: store.Cache{Dir: filepath.Join(t.TempDir(), "cache")}, Sources: w.Sources()})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.LoadImage(t.Context(), func(w io.Writer) error { return made.WriteArchive(w, ref) }), made.Close()); err != nil {
		t.Fatal(err)
	}
	if err := d.EnsureImage(t.Context(), runtime.Image{Ref: ref}); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "is for "+arch) {
		t.Errorf("%v", err)
	}
}

// TestALoadThatFailsLeavesNothing: an archive that breaks off is no image.
func TestALoadThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	const ref = "localhost/vexa/runner-test-broken:1"
	d := open(t)
	w, o := acme(t, t.Name())
	made, err := image.Make(t.Context(), "acme", w.Lock, o)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err = d.LoadImage(t.Context(), func(w io.Writer) error {
		var buf bytes.Buffer
		if err := made.WriteArchive(&buf, ref); err != nil {
			return err
		}
		_, err := w.Write(buf.Bytes()[:buf.Len()/2])
		return errors.Join(err, broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if err := made.Close(); err != nil {
		t.Error(err)
	}
	if _, err := d.Image(t.Context(), ref); !fault.Is(err, fault.NotFound) {
		t.Errorf("there is an image: %v", err)
	}
	if err := d.LoadImage(t.Context(), func(w io.Writer) error { _, err := io.WriteString(w, "no archive"); return err }); err == nil {
		t.Error("what is no archive was loaded")
	}
}

func TestAnImageIsBuiltFromAContainerfile(t *testing.T) {
	t.Parallel()
	const ref = "localhost/vexa/runner-test-built:1"
	d := open(t)
	forget(t, ref)
	dir := t.TempDir()
	path := filepath.Join(dir, "Containerfile")
	for name, text := range map[string]string{"Containerfile": "FROM scratch\nCOPY tool /tool\nLABEL made=here\n", "tool": t.Name()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file, err := image.OpenContainerfile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.BuildImage(t.Context(), ref, file.Name(), file.WriteContext); err != nil {
		t.Fatal(err)
	}
	if info, err := d.Image(t.Context(), ref); err != nil || info.Labels["made"] != "here" {
		t.Errorf("%+v, %v", info, err)
	}
	if err := os.WriteFile(path, []byte("FROM scratch\nCOPY none /none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.BuildImage(t.Context(), ref, file.Name(), file.WriteContext); !fault.Is(err, fault.Failed) || !strings.Contains(err.Error(), "none") {
		t.Errorf("a build that fails: %v", err)
	}
}

// TestTheRealClaudeCode is made of what the registries have, and says its
// version in the boundary.
func TestTheRealClaudeCode(t *testing.T) {
	t.Parallel()
	const install, unit, ref = "f1257f1257f3", "01JDXKF1RSTVSE000000000003", "localhost/vexa/runner-test-claude-code:1"
	if !slices.Contains(strings.Split(os.Getenv(require.Env), ","), "registries") {
		require.Missing(t, "registries", "it downloads 91 MB; name registries in "+require.Env)
	}
	d := open(t)
	forget(t, ref)
	clean(t, d, install)
	data, err := os.ReadFile("../../../runners/claude-code/" + runner.LockFile)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := image.ParseLock(data)
	if err != nil {
		t.Fatal(err)
	}
	sources, err := image.Find(image.Sources{NPM: npmRegistry(t)}, os.Getenv, t.TempDir(), "/")
	if err != nil {
		t.Fatal(err)
	}
	made, err := image.Make(t.Context(), "claude-code", lock, image.Options{
		Arch: goruntime.GOARCH, Cache: store.Cache{Dir: filepath.Join(t.TempDir(), "cache")}, Sources: sources,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.LoadImage(t.Context(), func(w io.Writer) error { return made.WriteArchive(w, ref) }), made.Close()); err != nil {
		t.Fatal(err)
	}
	s := newStack(t, d, install)
	spec := s.spec(t, unit, "/bin/sh", "-c", `test "$(claude --version)" = "`+lock.Program.Packages[0].Version+` (Claude Code)" && git --version && rm -f /tmp/x`)
	spec.Image = ref
	if _, err := s.kernel.Create(t.Context(), spec, "any"); err != nil {
		t.Fatal(err)
	}
	if st := s.ended(t, unit); *st.ExitCode != 0 {
		t.Errorf("exit code %d", *st.ExitCode)
	}
}

// npmRegistry is the one that npm of this machine uses.
func npmRegistry(t *testing.T) string {
	t.Helper()
	if at := os.Getenv(image.EnvNPM); at != "" {
		return at
	}
	out, err := exec.Command(require.Tool(t, "npm"), "config", "get", "registry").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// BenchmarkBuild compares making an image from the cache, and loading it, with
// a bare "podman load" of the same archive, in turns.
func BenchmarkBuild(b *testing.B) {
	const ref = "localhost/vexa/runner-bench-acme:1"
	program := require.Tool(b, "podman")
	d := open(b)
	forget(b, ref)
	// 64 MB that compress about as programs do.
	var body strings.Builder
	for i := 0; body.Len() < 64<<20; i++ {
		line, err := json.Marshal(store.SHA256([]byte{byte(i), byte(i >> 8), byte(i >> 16)}))
		if err != nil {
			b.Fatal(err)
		}
		body.Write(line)
	}
	w, o := acme(b, body.String())
	archive := filepath.Join(b.TempDir(), "image.tar")
	build := func() {
		made, err := image.Make(b.Context(), "acme", w.Lock, o)
		if err != nil {
			b.Fatal(err)
		}
		if err := errors.Join(d.LoadImage(b.Context(), func(w io.Writer) error { return made.WriteArchive(w, ref) }), made.Close()); err != nil {
			b.Fatal(err)
		}
	}
	drop := func() {
		if out, err := exec.Command(program, "rmi", "-f", ref).CombinedOutput(); err != nil {
			b.Fatalf("rmi: %v: %s", err, out)
		}
	}
	save(b, w, o, archive, ref)
	var through, floor []time.Duration
	for b.Loop() {
		began := time.Now()
		build()
		through = append(through, time.Since(began))
		b.StopTimer()
		drop()
		began = time.Now()
		if out, err := exec.Command(program, "load", "-q", "-i", archive).CombinedOutput(); err != nil {
			b.Fatalf("load: %v: %s", err, out)
		}
		floor = append(floor, time.Since(began))
		drop()
		b.StartTimer()
	}
	p50, base := at(through, 50), at(floor, 50)
	b.ReportMetric(float64(p50)/float64(base), "x-floor")
	b.ReportMetric(float64(p50)/1e6, "ms/build")
	b.ReportMetric(float64(base)/1e6, "ms/floor")
}

// save fills the cache and writes the archive to a file.
func save(b *testing.B, w *imagetest.World, o image.Options, path, ref string) {
	b.Helper()
	made, err := image.Make(b.Context(), "acme", w.Lock, o)
	if err != nil {
		b.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	if err := errors.Join(made.WriteArchive(f, ref), f.Close(), made.Close()); err != nil {
		b.Fatal(err)
	}
}
