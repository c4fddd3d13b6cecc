package rehearsal

import (
	"fmt"
	"io"
	"net/http"
	"sync"
)

// RoundTrip serves the request by the handler within this process, as a
// client's transport would over a network: it returns at the header, and the
// body comes in as the handler writes it. The request's context ends both.
func RoundTrip(h http.Handler, req *http.Request) (*http.Response, error) {
	pr, pw := io.Pipe()
	w := &pipeWriter{header: http.Header{}, body: pw, ready: make(chan struct{})}
	if req.Body == nil {
		req = req.Clone(req.Context())
		req.Body = http.NoBody
	}
	go serve(h, w, req)
	select {
	case <-w.ready:
	case <-req.Context().Done():
		_ = pr.CloseWithError(req.Context().Err()) // cannot fail
		return nil, req.Context().Err()
	}
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: pr, ContentLength: -1, Request: req,
	}, nil
}

func serve(h http.Handler, w *pipeWriter, req *http.Request) {
	defer func() {
		err := req.Context().Err() // a body that was cut short does not look complete
		if r := recover(); r != nil {
			err = fmt.Errorf("the rehearsal failed: %v", r)
		}
		w.WriteHeader(http.StatusInternalServerError) // where nothing was sent
		_ = w.body.CloseWithError(err)                // cannot fail
		_ = req.Body.Close()                          // as a transport does
	}()
	h.ServeHTTP(w, req)
	w.WriteHeader(http.StatusOK)
}

// pipeWriter is a ResponseWriter whose header arrives when it is written and
// whose body goes through a pipe.
type pipeWriter struct {
	header http.Header
	body   *io.PipeWriter
	once   sync.Once
	ready  chan struct{}
	status int
	sent   http.Header
}

// Header returns the header to be sent.
func (w *pipeWriter) Header() http.Header { return w.header }

// WriteHeader sends the header; only the first call counts.
func (w *pipeWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.status, w.sent = status, w.header.Clone()
		close(w.ready)
	})
}

// Write sends a piece of the body; it waits until the piece is read.
func (w *pipeWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// Flush does nothing: a pipe holds nothing back.
func (w *pipeWriter) Flush() {}
