package relock_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner/image"
	"github.com/vexa-ai/vexa/pkg/runner/image/imagetest"
	"github.com/vexa-ai/vexa/pkg/runner/image/relock"
)

// registries are a mirror and a registry.
func registries(t *testing.T) (files map[string]string, r relock.Resolver, lock image.Lock) {
	t.Helper()
	index := "Package: app\nVersion: 2\nDepends: lib, extra\nFilename: pool/app.deb\nSize: 7\nSHA256: " + strings.Repeat("0a", 32) + "\n\n" +
		"Package: lib\nVersion: 1\nFilename: pool/lib.deb\nSize: 8\nSHA256: " + strings.Repeat("0b", 32) + "\n"
	packed := imagetest.Compress(t, ".xz", []byte(index))
	tarball := imagetest.Tgz(t, imagetest.Entry{Name: "x"})
	files = map[string]string{
		"/debian/dists/stable/InRelease":                     fmt.Sprintf("signed\nSHA256:\n %x %d main/binary-amd64/Packages.xz\n", sha256.Sum256(packed), len(packed)),
		"/debian/dists/stable/main/binary-amd64/Packages.xz": string(packed),
		"/npm/@acme%2ftool-x64/1.0.0":                        `{"name":"@acme/tool-x64","version":"1.0.0","dist":{"integrity":"` + imagetest.Integrity(tarball) + `"}}`,
		"/npm/@acme/tool-x64/-/tool-x64-1.0.0.tgz":           string(tarball),
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, ok := files[r.URL.EscapedPath()]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		if r.Method == http.MethodGet {
			_, _ = w.Write([]byte(data))
		}
	}))
	t.Cleanup(srv.Close)
	r = relock.Resolver{
		Client: srv.Client(), Sources: image.Sources{Debian: []string{srv.URL + "/debian"}, NPM: srv.URL + "/npm"},
		Verify: func(signed []byte) ([]byte, error) {
			text, ok := bytes.CutPrefix(signed, []byte("signed"))
			if !ok {
				return nil, errors.New("not signed")
			}
			return text, nil
		},
	}
	lock = image.Lock{
		Version: 1,
		System:  image.System{Suites: []image.Suite{{Archive: "debian", Suite: "stable"}}, Packages: map[string][]string{"app": {}}, Without: []string{"extra"}},
		Program: image.Program{Packages: []image.NPMPackage{{Name: "@acme/tool-{{cpu}}", Version: "1.0.0", To: "opt/x"}}},
	}
	return files, r, lock
}

func TestResolve(t *testing.T) {
	t.Parallel()
	files, r, lock := registries(t)
	in, err := r.Resolve(t.Context(), lock, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	if len(in.Debian) != 2 || in.Debian[0].Package != "app" || in.Debian[1].Version != "1" || in.Debian[0].Size != 7 ||
		len(in.NPM) != 1 || in.NPM[0].Size != int64(len(files["/npm/@acme/tool-x64/-/tool-x64-1.0.0.tgz"])) || in.NPM[0].Tarball != "@acme/tool-x64/-/tool-x64-1.0.0.tgz" {
		t.Errorf("%+v", in)
	}
}

func TestNothingUnverifiedIsPinned(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]struct {
		path, old, new string
		kind           fault.Kind
	}{
		"not signed":         {"/debian/dists/stable/InRelease", "signed", "", fault.Denied},
		"another index":      {"/debian/dists/stable/InRelease", "SHA256:\n ", "SHA256:\n " + strings.Repeat("0", 64) + " 1 main/binary-amd64/Packages.xz\n ", fault.Invalid},
		"no index":           {"/debian/dists/stable/InRelease", "binary-amd64", "binary-arm64", fault.NotFound},
		"another version":    {"/npm/@acme%2ftool-x64/1.0.0", `"1.0.0"`, `"1.0.1"`, fault.Invalid},
		"no such package":    {"/npm/@acme%2ftool-x64/1.0.0", "", "", fault.NotFound},
		"an older integrity": {"/npm/@acme%2ftool-x64/1.0.0", "sha512-", "sha1-", fault.Internal},
	} {
		files, r, lock := registries(t)
		if change.old == "" {
			delete(files, change.path)
		} else {
			files[change.path] = strings.Replace(files[change.path], change.old, change.new, 1)
		}
		if _, err := r.Resolve(t.Context(), lock, "amd64"); err == nil || fault.KindOf(err) != change.kind {
			t.Errorf("%s: %v (%s)", name, err, fault.KindOf(err))
		}
	}
}
