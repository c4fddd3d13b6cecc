package tree_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner/image/tree"
)

// entry is one of a made-up archive.
type entry struct {
	name, link, data string
	kind             byte
	mode             int64
}

// pack makes a tar of entries.
func pack(t *testing.T, entries ...entry) io.Reader {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Linkname: e.link, Typeflag: e.kind, Mode: e.mode, Size: int64(len(e.data)), Format: tar.FormatGNU}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &buf
}

func newTree(t *testing.T) *tree.Tree {
	t.Helper()
	spool, err := tree.NewSpool(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := spool.Close(); err != nil {
			t.Error(err)
		}
	})
	return tree.New(spool)
}

func all(name string) string { return name }

// layer lists a layer: type, mode, name, link and contents of each entry.
func layer(t *testing.T, tr *tree.Tree, n int) (lines []string, digest [32]byte) {
	t.Helper()
	var buf bytes.Buffer
	if err := tr.WriteLayer(&buf, n); err != nil {
		t.Fatal(err)
	}
	digest = sha256.Sum256(buf.Bytes())
	for r := tar.NewReader(&buf); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return lines, digest
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.ModTime.Unix() != 0 {
			t.Errorf("%s is of %d:%d %q at %v", h.Name, h.Uid, h.Gid, h.Uname, h.ModTime)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%c %o %s %s %s", h.Typeflag, h.Mode, h.Name, h.Linkname, data)))
	}
}

func TestLayersAreReproducible(t *testing.T) {
	t.Parallel()
	first := []entry{{name: "./", kind: tar.TypeDir, mode: 0o755}, {name: "./bin/b", data: "B", mode: 0o4755}, {name: "./usr/lib/x", data: "X"}, {name: "usr/lib/y", kind: tar.TypeLink, link: "./usr/lib/x"}}
	second := []entry{{name: "./lib/l", kind: tar.TypeSymlink, link: "../lib/x"}, {name: "./tmp", kind: tar.TypeDir, mode: 0o1777}, {name: "./dropped", data: "D"}}
	build := func(swap bool) *tree.Tree {
		tr := newTree(t)
		order := [][]entry{first, second}
		if swap {
			slices.Reverse(order)
		}
		for _, entries := range order {
			if err := tr.Extract("p", pack(t, entries...), func(name string) string { return strings.TrimPrefix(name, "dropped") }); err != nil {
				t.Fatal(err)
			}
		}
		if err := tr.MergeUsr("p"); err != nil {
			t.Fatal(err)
		}
		tr.NextLayer()
		if err := tr.File("p", "opt/tool", 0o755, []byte("T")); err != nil {
			t.Fatal(err)
		}
		return tr
	}
	want := []string{
		"2 777 bin usr/bin", "2 777 lib usr/lib", "5 1777 tmp/", "5 755 usr/", "5 755 usr/bin/", "0 755 usr/bin/b  B",
		"5 755 usr/lib/", "2 777 usr/lib/l ../lib/x", "0 644 usr/lib/x  X", "1 644 usr/lib/y usr/lib/x",
	}
	a, b := build(false), build(true)
	got, one := layer(t, a, 0)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if _, other := layer(t, b, 0); one != other {
		t.Error("the order in which packages come changes the layer")
	}
	if top, _ := layer(t, a, 1); !slices.Equal(top, []string{"5 755 opt/", "0 755 opt/tool  T"}) {
		t.Errorf("the second layer holds %q", top)
	}
}

// TestHostileArchives attacks with everything a tar can say.
func TestHostileArchives(t *testing.T) {
	t.Parallel()
	for name, entries := range map[string][]entry{
		"absolute name":              {{name: "/etc/passwd", data: "x"}},
		"name that climbs":           {{name: "../x", data: "x"}},
		"name that climbs inside":    {{name: "usr/../../x", data: "x"}},
		"name with a dot element":    {{name: "usr/./x", data: "x"}},
		"name with an empty element": {{name: "usr//x", data: "x"}},
		"name with a newline":        {{name: "a\nb", data: "x"}},
		"name with an escape":        {{name: "a\x1b[31m", data: "x"}},
		"name that is no UTF-8":      {{name: "a\xff", data: "x"}},
		"long name":                  {{name: strings.Repeat("a", 256), data: "x"}},
		"long path":                  {{name: strings.Repeat("a/", 600) + "a", data: "x"}},
		"whiteout":                   {{name: "etc/.wh.passwd", data: "x"}},
		"opaque whiteout":            {{name: "etc/.wh..wh..opq", data: "x"}},
		"character device":           {{name: "null", kind: tar.TypeChar}},
		"block device":               {{name: "sda", kind: tar.TypeBlock}},
		"pipe":                       {{name: "fifo", kind: tar.TypeFifo}},
		"unknown type":               {{name: "x", kind: 'Q'}},
		"link that climbs":           {{name: "a/l", kind: tar.TypeSymlink, link: "../../etc/shadow"}},
		"absolute link that climbs":  {{name: "l", kind: tar.TypeSymlink, link: "/../etc/shadow"}},
		"link that climbs inside":    {{name: "l", kind: tar.TypeSymlink, link: "a/../../b"}},
		"empty link":                 {{name: "l", kind: tar.TypeSymlink, link: ""}},
		"link with a control":        {{name: "l", kind: tar.TypeSymlink, link: "a\x01"}},
		"file below a link":          {{name: "l", kind: tar.TypeSymlink, link: "/etc"}, {name: "l/passwd", data: "x"}},
		"file below a file":          {{name: "f", data: "x"}, {name: "f/g", data: "x"}},
		"link over a directory":      {{name: "d/f", data: "x"}, {name: "d", kind: tar.TypeSymlink, link: "/etc"}},
		"directory over a link":      {{name: "d", kind: tar.TypeSymlink, link: "/etc"}, {name: "d", kind: tar.TypeDir}},
		"file twice":                 {{name: "f", data: "x"}, {name: "f", data: "y"}},
		"same file by another name":  {{name: "bin/f", data: "x"}, {name: "usr/bin/f", data: "y"}},
		"hard link to nothing":       {{name: "h", kind: tar.TypeLink, link: "none"}},
		"hard link out":              {{name: "h", kind: tar.TypeLink, link: "../etc/shadow"}},
		"absolute hard link":         {{name: "h", kind: tar.TypeLink, link: "/etc/shadow"}},
		"hard link to a link":        {{name: "l", kind: tar.TypeSymlink, link: "/etc/shadow"}, {name: "h", kind: tar.TypeLink, link: "l"}},
		"link where usr is merged":   {{name: "bin", kind: tar.TypeSymlink, link: "/etc"}, {name: "usr/bin/x", data: "x"}},
	} {
		err := newTree(t).Extract("the package", pack(t, entries...), all)
		if !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "the package") || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (strings.ContainsAny(err.Error(), "\n\x1b") || !utf8.ValidString(err.Error())) {
			t.Errorf("%s: the message carries it on: %q", name, err)
		}
	}
}

// TestNothingIsTakenOver: what an entry says of owners and setuid bits is not.
func TestNothingIsTakenOver(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	if err := tr.Extract("p", pack(t, entry{name: "su", data: "x", mode: 0o6755}, entry{name: "d", kind: tar.TypeDir, mode: 0o7777}), all); err != nil {
		t.Fatal(err)
	}
	if got, _ := layer(t, tr, 0); !slices.Equal(got, []string{"5 1777 d/", "0 755 su  x"}) {
		t.Errorf("%q", got)
	}
}

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// sparse is what "tar --format=pax --sparse" makes of a file that is a hole of
// 3 GiB: gzip, base64.
const sparse = "H4sIAAAAAAACA+2UTW7CMBCFvfYpcgJnZvwTssgWWCEkxAGs1lJT5QfZQYo4PQ4rSFVYFCFV+NuM9d4sbI+fRb6149rZT+dD/tU3jj0fiBilLjUyryDjGrUEMgUVaBggokaWjewFHMNgfdwKe0+IstVmL8LB+uBEa797XyGfqXUXVeCkrtXOtq6aXgyXN7p3tgn1yVWSCIm0KohLyNqhjv1YlLpEicYIvSiNlLRQk2vvuh+/uyzxJ0QeR7e7TG5ZN05gvFT95I/gQf4RfuRfo1Ysg1fm3/f9cK/vkT8/3D8B+VVMIcUpkUgk3oUzevU0dwAMAAA="

// TestHugeSizes: an archive that says, or is, too much is refused before the
// disk has it.
func TestHugeSizes(t *testing.T) {
	t.Parallel()
	header := func(h *tar.Header) io.Reader {
		var buf bytes.Buffer
		if err := tar.NewWriter(&buf).WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		return io.MultiReader(&buf, zeros{})
	}
	err := newTree(t).Extract("p", header(&tar.Header{Name: "huge", Size: tree.MaxBytes + 1}), all)
	if !fault.Is(err, fault.Denied) {
		t.Errorf("a huge file: %v", err)
	}
	err = newTree(t).Extract("p", header(&tar.Header{Name: "huge", Size: 1 << 62}), func(string) string { return "" })
	if !fault.Is(err, fault.Denied) {
		t.Errorf("a huge file that is left out: %v", err)
	}
	hole, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(sparse)))
	if err != nil {
		t.Fatal(err)
	}
	if err := newTree(t).Extract("p", hole, all); !fault.Is(err, fault.Denied) {
		t.Errorf("a file of holes: %v", err)
	}
	many := func() io.Reader {
		r, w := io.Pipe()
		go func() {
			tw := tar.NewWriter(w)
			for i := 0; ; i++ {
				if tw.WriteHeader(&tar.Header{Name: fmt.Sprint(i), Typeflag: tar.TypeDir, Mode: 0o755}) != nil {
					return
				}
			}
		}()
		t.Cleanup(func() { _ = r.Close() })
		return r
	}
	if err := newTree(t).Extract("p", many(), all); !fault.Is(err, fault.Denied) {
		t.Errorf("endless names: %v", err)
	}
}

func TestBrokenArchives(t *testing.T) {
	t.Parallel()
	whole, err := io.ReadAll(pack(t, entry{name: "f", data: strings.Repeat("x", 2000)}))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{100, 600, 1500} {
		if err := newTree(t).Extract("p", bytes.NewReader(whole[:n]), all); !fault.Is(err, fault.Invalid) {
			t.Errorf("cut off at %d: %v", n, err)
		}
	}
	err = newTree(t).Extract("p", pack(t, entry{name: "a", data: "x"}, entry{name: "b", kind: tar.TypeLink, link: "a"}), func(name string) string {
		return strings.TrimPrefix(name, "a")
	})
	if !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
		t.Errorf("a hard link to what is left out: %v", err)
	}
}

// FuzzExtract: whatever an archive says, the tree stays one.
func FuzzExtract(f *testing.F) {
	for _, name := range []string{"a/b", "../x", "bin", "usr/bin/x", "/x"} {
		var buf bytes.Buffer
		w := tar.NewWriter(&buf)
		_ = w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: name})
		_ = w.Close()
		f.Add(buf.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tr := newTree(t)
		_ = tr.Extract("p", bytes.NewReader(data), all) // what was taken before an error is looked at, too
		if err := tr.MergeUsr("p"); err != nil {
			t.Fatal(err)
		}
		var buf bytes.Buffer
		if err := tr.WriteLayer(&buf, 0); err != nil {
			t.Fatal(err)
		}
		kinds := map[string]byte{}
		for r := tar.NewReader(&buf); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			name := strings.TrimSuffix(h.Name, "/")
			if strings.HasPrefix(name, "/") || slices.Contains(strings.Split(name, "/"), "..") || kinds[name] != 0 {
				t.Fatalf("%q is in a layer", h.Name)
			}
			kinds[name] = h.Typeflag
			if i := strings.LastIndexByte(name, '/'); i >= 0 && kinds[name[:i]] != tar.TypeDir {
				t.Fatalf("%q lies below what is no directory", name)
			}
		}
	})
}
