package s3_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"

	"github.com/vexa-ai/vexa/pkg/workspace/blob/s3"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/s3/s3test"
)

// The time that a test has patience for.
const (
	budget = 2 * time.Second
	stall  = 400 * time.Millisecond
)

// impatient is for tests of what fails.
func impatient(o *s3.Options) { o.Budget, o.Stall = budget, stall }

// unhurried is for tests of what succeeds in the end, on machines that are busy besides.
func unhurried(o *s3.Options) { o.Budget, o.Stall = 10*budget, unhurriedStall }

const unhurriedStall = 5 * stall

// front starts a proxy before the server. handle may answer itself, or call next
// with w or with another writer.
func front(t *testing.T, server *s3test.Server, handle func(w http.ResponseWriter, r *http.Request, next http.Handler)) (endpoint string) {
	t.Helper()
	target, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	next := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // it is signed
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	ended, end := context.WithCancel(context.Background())
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(ended, cancel)()
		handle(w, r.WithContext(ctx), next)
	}))
	t.Cleanup(func() {
		end()
		proxy.Close()
	})
	return proxy.URL
}

// hangUp ends the connection without an answer.
func hangUp() { panic(http.ErrAbortHandler) }

// silence reads what is asked and never answers.
func silence(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // only then is it told that the client left
	<-r.Context().Done()
}

// lose lets the server do what is asked, and loses its answer.
func lose(r *http.Request, next http.Handler) {
	next.ServeHTTP(httptest.NewRecorder(), r)
	hangUp()
}

// refuse answers like S3.
func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>no %s</Message></Error>`, code, s3test.SecretKey)
}

// times counts down: it reports true the first n times.
func times(n int64) func() bool {
	var left atomic.Int64
	left.Store(n)
	return func() bool { return left.Add(-1) >= 0 }
}

// resign signs a request again after it was changed.
func resign(r *http.Request) {
	for name := range r.Header {
		switch {
		case strings.HasPrefix(name, "X-Amz-Content-"), name == "Content-Type":
		default:
			r.Header.Del(name)
		}
	}
	r.URL.Host, r.URL.Scheme = r.Host, "http"
	*r = *signer.SignV4(*r, s3test.AccessKey, s3test.SecretKey, "", s3test.Region)
	r.URL.Host, r.URL.Scheme = "", ""
}

// changed gives a request another body of the same or another length.
func changed(r *http.Request, change func([]byte) []byte) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		hangUp()
	}
	data = change(data)
	r.Body = io.NopCloser(strings.NewReader(string(data)))
}
