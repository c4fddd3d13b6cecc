package gitref_test

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/vexa-ai/vexa/pkg/internal/require"
)

// forge serves a bare repository over http with git's own CGI program.
type forge struct {
	*httptest.Server
	dir string // of the repository

	mu     sync.Mutex
	asked  []string // method and path of each request
	before before
	after  after
}

// before may answer a request itself, and then returns true.
type before func(w http.ResponseWriter, r *http.Request) bool

// after may answer in the place of the program, which has done its work.
type after func(w http.ResponseWriter, r *http.Request, answer *httptest.ResponseRecorder) bool

// on sets what the forge does instead of what it should.
func (f *forge) on(b before, a after) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before, f.after = b, a
}

// begin notes a request.
func (f *forge) begin(r *http.Request) (before, after) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, r.Method+" "+r.URL.RequestURI())
	return f.before, f.after
}

func newForge(tb testing.TB) *forge {
	tb.Helper()
	out, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		tb.Fatal(err)
	}
	backend := filepath.Join(strings.TrimSpace(string(out)), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		require.Missing(tb, "git-http-backend", err.Error())
	}
	f := &forge{dir: remote(tb)}
	program := &cgi.Handler{
		Path: backend,
		Env: []string{
			"GIT_PROJECT_ROOT=" + filepath.Dir(f.dir), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=somebody", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
			"HOME=" + tb.TempDir(),
		},
		Stderr: io.Discard,
	}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		instead, then := f.begin(r)
		if instead != nil && instead(w, r) {
			return
		}
		// The CGI of the standard library takes no body in chunks.
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
		if then == nil {
			program.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		program.ServeHTTP(answer, r)
		if then(w, r, answer) {
			return
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}))
	tb.Cleanup(f.Close)
	return f
}

// url is where the repository is, for somebody with a password or nobody.
func (f *forge) url(who string) string {
	if who != "" {
		who += "@"
	}
	return "http://" + who + strings.TrimPrefix(f.URL, "http://") + "/remote.git"
}

// requests returns what was asked since the last time.
func (f *forge) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	asked := f.asked
	f.asked = nil
	return asked
}

func isPush(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/git-receive-pack") && r.ContentLength != 4 // a flush, to see whether it may
}
