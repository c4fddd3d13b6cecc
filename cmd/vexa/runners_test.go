package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/runner/image/imagetest"
)

const acmeImage = "localhost/vexa/runner-test-build:1"

// acmeHome is a home with a runner of the person's own, and the world that has
// what its image is made of.
func acmeHome(t *testing.T, ref string) (home.Home, *imagetest.World, factory.RunnerBuild) {
	t.Helper()
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		missing(t, "busybox", err.Error())
	}
	dir, err := os.MkdirTemp("", "vx") // short, for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	env := map[string]string{"VEXA_HOME": filepath.Join(dir, "home"), "XDG_RUNTIME_DIR": dir}
	h, err := home.Open(func(name string) string { return env[name] }, os.Getuid())
	if err != nil {
		t.Fatal(err)
	}
	w := imagetest.NewWorld(t, goruntime.GOARCH, append(busybox, t.Name()...))
	w.Lock.Program.Links["usr/local/bin/echo"] = "/opt/tool/bin/tool"
	manifest := `{"name":"acme","title":"x","image":{"ref":"` + ref + `"},"argv":{"new":["/opt/tool/bin/tool","sh","-s"]},
		"prompt":"stdin","stream":{"dialect":"text","deltas":true},"session":{"id":"none"},"exit":{"ok":[0]}}`
	for name, data := range map[string][]byte{"runner.json": []byte(manifest), "image.json": w.LockJSON(t)} {
		file := filepath.Join(h.Runners(), "acme", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := w.Sources()
	return h, w, factory.RunnerBuild{Name: "acme", Debian: s.Debian, NPM: s.NPM, Notice: func(string) {}}
}

func TestRunnersThatAreNotBuilt(t *testing.T) {
	t.Parallel()
	h, _, b := acmeHome(t, "docker.example/acme:1")
	for name, test := range map[string]struct {
		build factory.RunnerBuild
		kind  fault.Kind
	}{
		"unknown":       {factory.RunnerBuild{Name: "nobody"}, fault.NotFound},
		"built in":      {factory.RunnerBuild{Name: "vexa"}, fault.Invalid},
		"of a registry": {b, fault.Invalid},
	} {
		if _, err := buildRunner(t.Context(), h, test.build); !fault.Is(err, test.kind) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	h, _, b = acmeHome(t, acmeImage)
	b.From = filepath.Join(t.TempDir(), "none.tar")
	if _, err := buildRunner(t.Context(), h, b); !fault.Is(err, fault.NotFound) {
		t.Errorf("an archive that is not there: %v", err)
	}
	if err := os.WriteFile(b.From, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := buildRunner(t.Context(), h, b); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), b.From) {
		t.Errorf("an archive that is none: %v", err)
	}
	if err := os.Remove(filepath.Join(h.Runners(), "acme", "image.json")); err != nil {
		t.Fatal(err)
	}
	b.From = ""
	if _, err := buildRunner(t.Context(), h, b); !fault.Is(err, fault.NotFound) || !strings.Contains(fault.HintOf(err), "--from") {
		t.Errorf("a runner without a lock: %v", err)
	}
}

// TestNoRunnerTakesAnothersImage: neither one that ships nor one that is built in,
// whichever way the manifest got here.
func TestNoRunnerTakesAnothersImage(t *testing.T) {
	t.Parallel()
	for _, ref := range []string{"localhost/vexa/runner-claude-code:2.1.197", "localhost/vexa/shell:0123456789ab", "localhost/vexa/empty"} {
		h, _, b := acmeHome(t, ref)
		b.Download = filepath.Join(t.TempDir(), "stick")
		if _, err := buildRunner(t.Context(), h, b); !fault.Is(err, fault.Conflict) || !strings.Contains(fault.HintOf(err), "vexa runner add") {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

// TestDownloadOnly needs no Podman.
func TestDownloadOnly(t *testing.T) {
	t.Parallel()
	h, _, b := acmeHome(t, acmeImage)
	b.Download = filepath.Join(t.TempDir(), "stick")
	out, err := buildRunner(t.Context(), h, b)
	if err != nil || out.Image != "" || out.Downloaded == 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	if files, _ := filepath.Glob(filepath.Join(b.Download, "sha*", "*")); len(files) != 3 {
		t.Errorf("the download has %q", files)
	}
	b.Arch = "riscv64"
	if _, err := buildRunner(t.Context(), h, b); !fault.Is(err, fault.NotFound) {
		t.Errorf("another architecture: %v", err)
	}
}

// TestRunnerBuild makes an image each way there is; each of them runs.
func TestRunnerBuild(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("podman")
	if err != nil {
		missing(t, "podman", err.Error())
	}
	if os.Getuid() == 0 {
		missing(t, "podman", "the tests run as root; rootless Podman needs an ordinary user")
	}
	h, w, b := acmeHome(t, acmeImage)
	t.Cleanup(func() { _ = exec.Command(program, "rmi", "-f", acmeImage).Run() })
	podman := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(program, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("podman %q: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	runs := func(how string, out factory.RunnerImage, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", how, err)
		}
		if got := podman("run", "--rm", "--pull=never", "--network=none", "--log-driver=none", acmeImage, "/usr/local/bin/echo", "it runs"); !strings.HasSuffix(got, "it runs") {
			t.Errorf("%s: %s", how, got)
		}
		if out.Image != acmeImage || out.Digest != podman("image", "inspect", "--format", "{{.Digest}}", acmeImage) || out.Warm == 0 {
			t.Errorf("%s: %+v", how, out)
		}
	}
	made, err := buildRunner(t.Context(), h, b)
	runs("from packages", made, err)
	asked := w.Asked.Load()
	again, err := buildRunner(t.Context(), h, b)
	runs("again", again, err)
	if w.Asked.Load() != asked || again.Digest != made.Digest {
		t.Errorf("the second build asked %d times and made %s of %s", w.Asked.Load()-asked, again.Digest, made.Digest)
	}
	for _, format := range []string{"oci-archive", "docker-archive"} {
		b.From = filepath.Join(t.TempDir(), format+".tar")
		podman("save", "-q", "--format", format, "-o", b.From, acmeImage)
		podman("rmi", "-f", acmeImage)
		out, err := buildRunner(t.Context(), h, b)
		runs("from "+format, out, err)
	}
	b.From = ""
	dir := t.TempDir()
	b.Containerfile = filepath.Join(dir, "Containerfile")
	for name, data := range map[string]string{"Containerfile": "FROM scratch\nCOPY --chmod=755 tool /usr/local/bin/echo\n", "tool": read(t, "/bin/busybox")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	podman("rmi", "-f", acmeImage)
	out, err := buildRunner(t.Context(), h, b)
	runs("from a Containerfile", out, err)
	if left, _ := filepath.Glob(filepath.Join(h.Run, "build-*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
	if data := podman("ps", "-a", "--format", "json", "--filter", "label=io.vexa.install="+h.InstallID); data != "[]" {
		var list []json.RawMessage
		if err := json.Unmarshal([]byte(data), &list); err != nil || len(list) != 0 {
			t.Errorf("containers are left: %s", data)
		}
	}
}

// missing is require.Missing, which is internal to pkg.
func missing(t *testing.T, name, why string) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv("VEXA_TEST_REQUIRE"), ","), name) {
		t.Fatalf("VEXA_TEST_REQUIRE requires %s: %s", name, why)
	}
	t.Skipf("needs %s: %s", name, why)
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
