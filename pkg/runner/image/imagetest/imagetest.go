// Package imagetest makes small packages, a lock of them and a server that has
// them, for tests of runners' images without a network.
package imagetest

import (
	"archive/tar"
	"bytes"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/vexa-ai/vexa/pkg/runner/image"
	"github.com/vexa-ai/vexa/pkg/runner/image/store"
)

// Entry is a file of a package: a directory where Name ends in /, a symbolic
// link where Link is set.
type Entry struct {
	Name, Link, Data string
	Mode             int64 // default: 0644
	Kind             byte  // overrides the kind
}

// Tar makes a tar.
func Tar(tb testing.TB, entries ...Entry) []byte {
	tb.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		h := &tar.Header{Name: e.Name, Linkname: e.Link, Mode: e.Mode, Size: int64(len(e.Data)), Typeflag: tar.TypeReg}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		switch {
		case e.Kind != 0:
			h.Typeflag = e.Kind
		case e.Link != "":
			h.Typeflag = tar.TypeSymlink
		case strings.HasSuffix(e.Name, "/"):
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		}
		must(tb, w.WriteHeader(h))
		_, err := w.Write([]byte(e.Data))
		must(tb, err)
	}
	must(tb, w.Close())
	return buf.Bytes()
}

// Deb makes a Debian package whose data are compressed as the suffix says: "",
// ".gz", ".xz" or ".zst".
func Deb(tb testing.TB, suffix string, entries ...Entry) []byte {
	tb.Helper()
	var buf bytes.Buffer
	buf.WriteString("!<arch>\n")
	for _, m := range []struct {
		name string
		data []byte
	}{{"debian-binary", []byte("2.0\n")}, {"control.tar.gz", Compress(tb, ".gz", Tar(tb))}, {"data.tar" + suffix, Compress(tb, suffix, Tar(tb, entries...))}} {
		fmt.Fprintf(&buf, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", m.name, 0, 0, 0, "100644", len(m.data))
		buf.Write(m.data)
		if len(m.data)%2 == 1 {
			buf.WriteByte('\n')
		}
	}
	return buf.Bytes()
}

// Tgz makes a tarball of npm: entries lie below package/.
func Tgz(tb testing.TB, entries ...Entry) []byte {
	tb.Helper()
	for i := range entries {
		entries[i].Name = "package/" + entries[i].Name
	}
	return Compress(tb, ".gz", Tar(tb, entries...))
}

// Compress compresses data as a suffix says.
func Compress(tb testing.TB, suffix string, data []byte) []byte {
	tb.Helper()
	var buf bytes.Buffer
	var err error
	switch suffix {
	case "":
		return data
	case ".gz":
		w := gzip.NewWriter(&buf)
		_, err = w.Write(data)
		must(tb, err)
		must(tb, w.Close())
	case ".xz":
		w, newErr := xz.NewWriter(&buf)
		must(tb, newErr)
		_, err = w.Write(data)
		must(tb, err)
		must(tb, w.Close())
	case ".zst":
		w, newErr := zstd.NewWriter(&buf)
		must(tb, newErr)
		_, err = w.Write(data)
		must(tb, err)
		must(tb, w.Close())
	default:
		tb.Fatalf("compress as %q", suffix)
	}
	return buf.Bytes()
}

// Integrity is what npm calls the bytes.
func Integrity(data []byte) string {
	sum := sha512.Sum512(data)
	return "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
}

// World is a mirror and a registry, and a lock of what they have.
type World struct {
	Lock    image.Lock
	Arch    string
	Server  *httptest.Server
	Files   map[string][]byte // by path; may be changed before requests are made
	Asked   atomic.Int64      // requests that were answered
	Handler http.Handler      // where it is set, it answers instead
}

// NewWorld serves two packages of Debian and one of npm for an architecture.
// The program of the image is tool, a static program.
func NewWorld(tb testing.TB, arch string, tool []byte) *World {
	tb.Helper()
	base := Deb(tb, ".xz", Entry{Name: "./"}, Entry{Name: "./bin/"}, Entry{Name: "./bin/busybox", Data: "#busybox", Mode: 0o4755},
		Entry{Name: "./lib/ld.so", Data: "loader"}, Entry{Name: "./usr/share/doc/base/readme", Data: "left out"})
	certs := Deb(tb, ".zst", Entry{Name: "./usr/share/ca-certificates/b.crt", Data: "B\n"}, Entry{Name: "./usr/share/ca-certificates/a.crt", Data: "A\n"})
	program := Tgz(tb, Entry{Name: "bin/tool", Data: string(tool), Mode: 0o755}, Entry{Name: "extra", Data: "left out"})
	w := &World{Arch: arch, Files: map[string][]byte{
		"/debian/pool/base_1.deb": base, "/debian-security/pool/certs_2.deb": certs, "/npm/@acme/tool/-/tool-1.2.3.tgz": program,
	}}
	w.Lock = image.Lock{
		Version: 1,
		System: image.System{
			Packages: map[string][]string{"base": {}, "certs": {}}, Drop: []string{"usr/share/doc/**"},
			Links: map[string]string{"usr/bin/sh": "busybox"}, Busybox: "usr/bin/busybox", Certificates: true,
		},
		Program: image.Program{
			Packages: []image.NPMPackage{{Name: "@acme/tool", Version: "1.2.3", To: "opt/tool", Keep: []string{"bin/**"}}},
			Links:    map[string]string{"usr/local/bin/tool": "/opt/tool/bin/tool"},
		},
		Locked: map[string]image.Inputs{arch: {
			Debian: []image.Debian{
				{Package: "base", Version: "1", Archive: "debian", File: "pool/base_1.deb", Size: int64(len(base)), SHA256: store.SHA256(base)},
				{Package: "certs", Version: "2", Archive: "debian-security", File: "pool/certs_2.deb", Size: int64(len(certs)), SHA256: store.SHA256(certs)},
			},
			NPM: []image.NPM{{Package: "@acme/tool", Version: "1.2.3", Tarball: "@acme/tool/-/tool-1.2.3.tgz", Size: int64(len(program)), Integrity: Integrity(program)}},
		}},
	}
	w.Server = httptest.NewServer(http.HandlerFunc(w.serve))
	tb.Cleanup(w.Server.Close)
	return w
}

func (w *World) serve(rw http.ResponseWriter, r *http.Request) {
	w.Asked.Add(1)
	if w.Handler != nil {
		w.Handler.ServeHTTP(rw, r)
		return
	}
	data, ok := w.Files[r.URL.Path]
	if !ok {
		http.NotFound(rw, r)
		return
	}
	_, _ = rw.Write(data) // the client may have left
}

// Sources are the world's.
func (w *World) Sources() image.Sources {
	return image.Sources{Debian: []string{w.Server.URL + "/debian", w.Server.URL + "/debian-security"}, NPM: w.Server.URL + "/npm"}
}

// LockJSON is the lock as a file.
func (w *World) LockJSON(tb testing.TB) []byte {
	tb.Helper()
	data, err := json.MarshalIndent(w.Lock, "", "  ")
	must(tb, err)
	return data
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
