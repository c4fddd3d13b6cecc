// Package pages holds what a browser loads: plain HTML, one style sheet and ES
// modules, as they are in this directory. Nothing builds them and nothing of them
// comes from elsewhere; they hold nobody's data and no secret.
package pages

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

//go:embed index.html style.css *.js icon.svg
var files embed.FS

// Index is the page that every address of the pages shows.
const Index = "index.html"

// asset is one file, ready to be sent.
type asset struct {
	plain, packed []byte
	mime, tag     string
}

// Assets are the files by name.
type Assets struct{ byName map[string]asset }

// All returns the files; they are packed when it is first called.
func All() (*Assets, error) { return all() }

var all = sync.OnceValues(load) //nolint:gochecknoglobals // constant: the files are part of the program

func load() (*Assets, error) {
	a := &Assets{byName: map[string]asset{}}
	return a, fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		packed, err := pack(data)
		sum := sha256.Sum256(data)
		a.byName[name] = asset{plain: data, packed: packed, mime: kind(name), tag: `"` + hex.EncodeToString(sum[:12]) + `"`}
		return err
	})
}

func kind(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8" // whatever the machine's tables say
	case ".svg":
		return "image/svg+xml"
	default:
		return mime.TypeByExtension(path.Ext(name))
	}
}

func pack(data []byte) ([]byte, error) {
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	err = w.Close()
	return buf.Bytes(), err
}

// Packed is what all files have compressed, in bytes.
func (a *Assets) Packed() int {
	n := 0
	for _, f := range a.byName {
		n += len(f.packed)
	}
	return n
}

// Serve answers with a file, and reports false where there is none of that name. A name
// is looked up and never taken for a path.
func (a *Assets) Serve(w http.ResponseWriter, r *http.Request, name string) bool {
	f, ok := a.byName[name]
	if !ok {
		return false
	}
	h := w.Header()
	h.Set("Content-Type", f.mime)
	h.Set("Cache-Control", "no-cache") // it is asked for again, and then not sent again
	h.Set("Etag", f.tag)
	h.Set("Vary", "Accept-Encoding")
	if r.Header.Get("If-None-Match") == f.tag {
		w.WriteHeader(http.StatusNotModified)
		return true
	}
	body := f.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = f.packed
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		w.Write(body) //nolint:errcheck // the browser went away
	}
	return true
}
