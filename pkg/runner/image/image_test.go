package image_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner/image"
	"github.com/vexa-ai/vexa/pkg/runner/image/imagetest"
	"github.com/vexa-ai/vexa/pkg/runner/image/oci"
	"github.com/vexa-ai/vexa/pkg/runner/image/store"
)

const arch = "amd64"

func options(t *testing.T, w *imagetest.World) image.Options {
	t.Helper()
	return image.Options{Arch: arch, Cache: store.Cache{Dir: filepath.Join(t.TempDir(), "cache")}, Sources: w.Sources(), Stall: 5 * time.Second}
}

// archive makes an image and returns its archive.
func archive(t *testing.T, w *imagetest.World, o image.Options) ([]byte, *image.Made) {
	t.Helper()
	made, err := image.Make(t.Context(), "acme", w.Lock, o)
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if err := errors.Join(made.WriteArchive(&buf, "localhost/acme:1"), made.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes(), made
}

// members reads a tar.
func members(t *testing.T, data []byte) (out map[string][]byte, names []string) {
	t.Helper()
	out = map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, names
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if out[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		if h.Linkname != "" {
			out[h.Name] = []byte("-> " + h.Linkname)
		}
	}
}

func TestTheSameLockIsTheSameImage(t *testing.T) {
	t.Parallel()
	w := imagetest.NewWorld(t, arch, []byte("tool"))
	one, made := archive(t, w, options(t, w))
	two, again := archive(t, w, options(t, w))
	if !bytes.Equal(one, two) || made.Digest() != again.Digest() {
		t.Errorf("%s and %s", made.Digest(), again.Digest())
	}
	w.Lock.System.Links["usr/bin/other"] = "busybox"
	if _, other := archive(t, w, options(t, w)); other.Digest() == made.Digest() {
		t.Error("another lock makes the same image")
	}
	img, err := oci.Read(bytes.NewReader(one), int64(len(one)), arch)
	if err != nil || img.Digest() != made.Digest() || len(img.Blobs) != 3 {
		t.Fatalf("read back: %v, %s", err, img.Digest())
	}
	var system, program bytes.Buffer
	if err := errors.Join(img.Blobs[1].Write(&system), img.Blobs[2].Write(&program)); err != nil {
		t.Fatal(err)
	}
	files, names := members(t, system.Bytes())
	for name, want := range map[string]string{
		"bin": "-> usr/bin", "lib": "-> usr/lib", "usr/bin/busybox": "#busybox", "usr/bin/sh": "-> busybox", "usr/bin/ls": "-> /usr/bin/busybox",
		"usr/lib/ld.so": "loader", "etc/ssl/certs/ca-certificates.crt": "A\nB\n", "workspace/": "", ".vexa/bin/vexa": "", "tmp/": "",
	} {
		if got, ok := files[name]; !ok || string(got) != want {
			t.Errorf("%s holds %q (%v), want %q", name, got, ok, want)
		}
	}
	if !slices.IsSorted(names) || slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, "doc/") }) {
		t.Errorf("names: %q", names)
	}
	if files, _ = members(t, program.Bytes()); string(files["opt/tool/bin/tool"]) != "tool" || files["opt/tool/extra"] != nil || string(files["usr/local/bin/tool"]) != "-> /opt/tool/bin/tool" {
		t.Errorf("the program's layer holds %q", files)
	}
}

func TestTheCacheServesTheSecondBuild(t *testing.T) {
	t.Parallel()
	w := imagetest.NewWorld(t, arch, []byte("tool"))
	o := options(t, w)
	_, first := archive(t, w, o)
	if first.Fetched == 0 || first.Cached != 0 || w.Asked.Load() != 3 {
		t.Errorf("fetched %d, cached %d, asked %d times", first.Fetched, first.Cached, w.Asked.Load())
	}
	o.Offline = true
	_, second := archive(t, w, o)
	if second.Fetched != 0 || second.Cached != first.Fetched || w.Asked.Load() != 3 || second.Digest() != first.Digest() {
		t.Errorf("fetched %d, cached %d, asked %d times", second.Fetched, second.Cached, w.Asked.Load())
	}
	// An entry that rots is fetched again, and offline is missing.
	damage(t, o.Cache.Dir)
	if _, err := image.Make(t.Context(), "acme", w.Lock, o); !fault.Is(err, fault.NotFound) || fault.HintOf(err) == "" {
		t.Errorf("offline: %v", err)
	}
	o.Offline = false
	if _, third := archive(t, w, o); third.Digest() != first.Digest() {
		t.Error("a damaged input got into the image")
	}
}

// TestTheCacheIsTrimmed: what no lock names stays for a month without use; what one
// names, and what was used since, stays.
func TestTheCacheIsTrimmed(t *testing.T) {
	t.Parallel()
	older, newer := imagetest.NewWorld(t, arch, []byte("tool")), imagetest.NewWorld(t, arch, []byte("a newer tool"))
	o := options(t, older)
	archive(t, older, o)
	fetched := 0 // images for which something was
	build := func(age time.Duration, keep ...image.Lock) (freed int64, kept bool) {
		t.Helper()
		paths, err := filepath.Glob(filepath.Join(o.Cache.Dir, "sha*", "*"))
		then := time.Now().Add(-age)
		for _, path := range paths {
			err = errors.Join(err, os.Chtimes(path, then, then))
		}
		if err != nil {
			t.Fatal(err)
		}
		n := o
		n.Sources, n.Keep = newer.Sources(), keep
		_, made := archive(t, newer, n)
		if made.Fetched > 0 {
			fetched++
		}
		n = o
		n.Offline = true
		again, err := image.Make(t.Context(), "acme", older.Lock, n)
		if err == nil {
			err = again.Close()
		} else if fault.Is(err, fault.NotFound) {
			return made.Freed, false
		}
		if err != nil {
			t.Fatal(err)
		}
		return made.Freed, true
	}
	const month = 30 * 24 * time.Hour
	for name, test := range map[string]struct {
		age  time.Duration
		keep []image.Lock
	}{"young": {month - time.Hour, nil}, "of a lock": {2 * month, []image.Lock{older.Lock}}} {
		if freed, kept := build(test.age, test.keep...); freed != 0 || !kept {
			t.Errorf("%s: freed %d bytes, kept: %t", name, freed, kept)
		}
	}
	if freed, kept := build(month + time.Hour); freed == 0 || kept {
		t.Errorf("of no lock: freed %d bytes, kept: %t", freed, kept)
	}
	if fetched != 1 {
		t.Errorf("what was old and needed again just before was fetched for %d images", fetched)
	}
}

// damage changes one byte of every input.
func damage(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == "lock" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		data[len(data)/2] ^= 1
		return os.WriteFile(path, data, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWithoutANetwork(t *testing.T) {
	t.Parallel()
	w := imagetest.NewWorld(t, arch, []byte("tool"))
	stick := filepath.Join(t.TempDir(), "stick")
	fetched, cached, err := image.Download(t.Context(), w.Lock, options(t, w), stick)
	if err != nil || fetched == 0 || cached != 0 {
		t.Fatalf("%d, %d, %v", fetched, cached, err)
	}
	asked := w.Asked.Load()
	o := options(t, w)
	o.Import = stick
	if _, made := archive(t, w, o); w.Asked.Load() != asked || made.Fetched != 0 {
		t.Error("an import asked the network")
	}
	// What is damaged on either side is replaced by what is good on the other.
	damage(t, o.Cache.Dir)
	if _, made := archive(t, w, o); w.Asked.Load() != asked || made.Fetched != 0 {
		t.Error("an import asked the network")
	}
	damage(t, stick)
	without := o
	without.Import, without.Offline = "", true
	if _, _, err := image.Download(t.Context(), w.Lock, without, stick); err != nil {
		t.Error(err)
	}
	without.Cache, without.Import = options(t, w).Cache, stick
	archive(t, w, without)
	damage(t, stick)
	o = options(t, w)
	o.Import = stick
	if _, err := image.Make(t.Context(), "acme", w.Lock, o); !fault.Is(err, fault.NotFound) {
		t.Errorf("a damaged import: %v", err)
	}
	o.Import = filepath.Join(stick, "none")
	if _, err := image.Make(t.Context(), "acme", w.Lock, o); !fault.Is(err, fault.NotFound) || fault.HintOf(err) == "" {
		t.Errorf("no import: %v", err)
	}
}

// TestWhatServersGetWrong: whatever a mirror does, the error says what could
// not be had and from where, and nothing of it stays in the cache.
func TestWhatServersGetWrong(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(t *testing.T, w *imagetest.World)
		kind  fault.Kind
		words []string
	}{
		"other bytes": {func(_ *testing.T, w *imagetest.World) {
			data := bytes.Clone(w.Files["/debian/pool/base_1.deb"])
			data[len(data)-1] ^= 1
			w.Files["/debian/pool/base_1.deb"] = data
		}, fault.Invalid, []string{"Debian's base 1", "the lock says sha256:", "has the digest sha256:"}},
		"more bytes": {func(_ *testing.T, w *imagetest.World) {
			w.Files["/npm/@acme/tool/-/tool-1.2.3.tgz"] = append(bytes.Clone(w.Files["/npm/@acme/tool/-/tool-1.2.3.tgz"]), 0)
		}, fault.Invalid, []string{"npm's @acme/tool 1.2.3", "longer"}},
		"another npm package": {func(_ *testing.T, w *imagetest.World) {
			w.Files["/npm/@acme/tool/-/tool-1.2.3.tgz"] = bytes.Repeat([]byte{1}, len(w.Files["/npm/@acme/tool/-/tool-1.2.3.tgz"]))
		}, fault.Invalid, []string{"@acme/tool", "sha512:"}},
		"nothing there": {func(_ *testing.T, w *imagetest.World) { delete(w.Files, "/debian/pool/base_1.deb") }, fault.NotFound, []string{"base 1", "404"}},
		"refused": {func(_ *testing.T, w *imagetest.World) {
			w.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
		}, fault.Denied, []string{"403"}},
		"out of order": {func(_ *testing.T, w *imagetest.World) {
			w.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		}, fault.Timeout, []string{"502"}},
		"cut off": {func(_ *testing.T, w *imagetest.World) {
			w.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "100")
				_, _ = w.Write([]byte("short"))
			})
		}, fault.Timeout, []string{"unexpected EOF"}},
		"silent": {func(t *testing.T, w *imagetest.World) {
			t.Helper()
			done := make(chan struct{})
			t.Cleanup(func() { close(done) })
			w.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = w.Write([]byte("!<arch>\n"))
				_ = http.NewResponseController(w).Flush()
				select {
				case <-r.Context().Done():
				case <-done:
				}
			})
		}, fault.Timeout, []string{"sends nothing"}},
		"gone": {func(_ *testing.T, w *imagetest.World) { w.Server.Close() }, fault.Timeout, []string{"refused"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := imagetest.NewWorld(t, arch, []byte("tool"))
			test.spoil(t, w)
			o := options(t, w)
			o.Stall = 100 * time.Millisecond
			_, err := image.Make(t.Context(), "acme", w.Lock, o)
			if !fault.Is(err, test.kind) || fault.HintOf(err) == "" {
				t.Fatalf("%v (%s), want %s with a hint", err, fault.KindOf(err), test.kind)
			}
			for _, word := range test.words {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %q", err, word)
				}
			}
			parts, _ := filepath.Glob(filepath.Join(o.Cache.Dir, "*", ".*"))
			spools, _ := filepath.Glob(filepath.Join(o.Cache.Dir, ".*"))
			if len(parts)+len(spools) > 0 {
				t.Errorf("left behind: %q %q", parts, spools)
			}
		})
	}
}

// TestHostilePackages: digests that match make no package harmless.
func TestHostilePackages(t *testing.T) {
	t.Parallel()
	for name, deb := range map[string][]byte{
		"climbs":   imagetest.Deb(t, ".gz", imagetest.Entry{Name: "../../root/.ssh/authorized_keys", Data: "x"}),
		"device":   imagetest.Deb(t, "", imagetest.Entry{Name: "./dev/mem", Kind: tar.TypeChar}),
		"link out": imagetest.Deb(t, ".xz", imagetest.Entry{Name: "./l", Link: "../../etc"}),
		"mounts":   imagetest.Deb(t, "", imagetest.Entry{Name: "./.vexa/bin/vexa", Data: "x"}),
		"passwd":   imagetest.Deb(t, "", imagetest.Entry{Name: "./etc/passwd", Data: "root::0:0::/:/bin/sh"}),
	} {
		w := imagetest.NewWorld(t, arch, []byte("tool"))
		w.Files["/debian/pool/base_1.deb"] = deb
		pin := &w.Lock.Locked[arch].Debian[0]
		pin.Size, pin.SHA256 = int64(len(deb)), store.SHA256(deb)
		if _, err := image.Make(t.Context(), "acme", w.Lock, options(t, w)); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "Debian's base 1") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSecondMirror(t *testing.T) {
	t.Parallel()
	w := imagetest.NewWorld(t, arch, []byte("tool"))
	o := options(t, w)
	o.Sources.Debian = append([]string{w.Server.URL + "/old/debian"}, o.Sources.Debian...)
	archive(t, w, o)
	o = options(t, w)
	o.Sources = image.Sources{}
	if _, err := image.Make(t.Context(), "acme", w.Lock, o); !fault.Is(err, fault.NotFound) || !strings.Contains(fault.HintOf(err), "MIRROR") && !strings.Contains(fault.HintOf(err), "REGISTRY") {
		t.Errorf("without sources: %v, %s", err, fault.HintOf(err))
	}
	o.Arch = "riscv64"
	if _, err := image.Make(t.Context(), "acme", w.Lock, o); !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), "riscv64") || !strings.Contains(fault.HintOf(err), arch) {
		t.Errorf("another architecture: %v", err)
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	w := imagetest.NewWorld(t, arch, []byte("tool"))
	ctx, cancel := context.WithCancel(t.Context())
	w.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	if _, err := image.Make(ctx, "acme", w.Lock, options(t, w)); !fault.Is(err, fault.Interrupted) {
		t.Errorf("%v", err)
	}
}
