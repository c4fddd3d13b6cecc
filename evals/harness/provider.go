package harness

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/vexa-ai/vexa/pkg/inference/rehearsal"
)

// cmdProvider starts a provider of models on a port of this machine, until the
// script ends. It speaks every protocol of inference and answers what the
// cassette says; FILE gets each request as it came in: provider VAR CASSETTE FILE.
func cmdProvider(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 3, "provider VAR CASSETTE FILE")
	file, err := os.Create(ts.MkAbs(args[2]))
	ts.Check(err)
	srv := httptest.NewServer(&recorder{file: file, next: rehearsal.New(ts.MkAbs(args[1]))})
	ts.Defer(func() {
		srv.Close()
		_ = file.Close() // what was written was checked
	})
	ts.Logf("%s=%s", args[0], srv.URL)
	ts.Setenv(args[0], srv.URL)
}

// recorder writes down the requests that it passes on, one line of JSON each.
type recorder struct {
	next http.Handler

	mu   sync.Mutex
	file *os.File
}

// asked is a request as the recorder writes it.
type asked struct {
	Method string      `json:"method"`
	Path   string      `json:"path"`
	Header http.Header `json:"header"`
}

// ServeHTTP answers one request.
func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if err := r.record(asked{Method: req.Method, Path: req.URL.Path, Header: req.Header}); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	r.next.ServeHTTP(w, req)
}

func (r *recorder) record(a asked) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return json.NewEncoder(r.file).Encode(a)
}
