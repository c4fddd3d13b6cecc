package s3_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/s3/s3test"
)

// alone is how long the first of several waits for the second.
const alone = stall / 2

// TestProbeRefuses servers on which one of two pushes at once would be lost, and
// leaves nothing there.
func TestProbeRefuses(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	second := inPairs()
	for name, c := range map[string]struct {
		handle func(w http.ResponseWriter, r *http.Request, next http.Handler)
		kind   fault.Kind
		says   string
	}{
		"ignores": {func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if r.Header.Get("If-None-Match") != "" {
				resign(r)
			}
			next.ServeHTTP(w, r)
		}, fault.Denied, "two pushes at once"},
		// It looks first and writes then, as a careless one does; and it is slow in between.
		"races": {func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if r.Header.Get("If-None-Match") != "" {
				head := httptest.NewRecorder()
				look := r.Clone(r.Context())
				look.Method, look.Body, look.ContentLength = http.MethodHead, nil, 0
				look.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
				resign(look)
				next.ServeHTTP(head, look)
				if head.Code == http.StatusOK {
					refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
					return
				}
				second(r.URL.Path)
				resign(r)
			}
			next.ServeHTTP(w, r)
		}, fault.Denied, "several at once"},
		"lacks": {func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if r.Header.Get("If-None-Match") != "" {
				refuse(w, http.StatusNotImplemented, "NotImplemented")
				return
			}
			next.ServeHTTP(w, r)
		}, fault.Internal, "refuses"},
		"cached": {func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if r.Method == http.MethodGet && !r.URL.Query().Has("list-type") {
				refuse(w, http.StatusNotFound, "NoSuchKey")
				return
			}
			next.ServeHTTP(w, r)
		}, fault.Invalid, "not there when it is read"},
		"lists late": {func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if r.URL.Query().Has("list-type") {
				w.Header().Set("Content-Type", "application/xml")
				_, _ = w.Write([]byte("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"))
				return
			}
			next.ServeHTTP(w, r)
		}, fault.Invalid, "not in the list"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := "s3://" + server.Bucket(t) + "/p"
			s := open(t, server, url, front(t, server, c.handle), impatient)
			err := s.Probe(t.Context())
			if !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%v", err)
			}
			tells(t, "probe", err, url)
			direct := open(t, server, url, "", nil)
			must(t, direct.List(t.Context(), "", "", func(i blob.Info) error {
				t.Errorf("left is %s", i.Name)
				return nil
			}))
		})
	}
}

// inPairs returns what lets the first who comes with a name go on when the second has
// come, or when nobody else does for a while.
func inPairs() func(name string) {
	var mu sync.Mutex
	waits := map[string]chan struct{}{}
	return func(name string) {
		mu.Lock()
		first, ok := waits[name]
		if !ok {
			first = make(chan struct{})
			waits[name] = first
		} else if first != nil {
			close(first)
			waits[name] = nil
		}
		mu.Unlock()
		if ok {
			return
		}
		select {
		case <-first:
		case <-time.After(alone):
		}
	}
}

// TestProbeWithoutUploads: a user who may not see uploads, or a server without
// them, is good enough.
func TestProbeWithoutUploads(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	for status, code := range map[int]string{403: "AccessDenied", 501: "NotImplemented", 405: "MethodNotAllowed"} {
		endpoint := front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if r.URL.Query().Has("uploads") {
				refuse(w, status, code)
				return
			}
			next.ServeHTTP(w, r)
		})
		s := open(t, server, "s3://"+server.Bucket(t), endpoint, impatient)
		if err := s.Probe(t.Context()); err != nil {
			t.Errorf("%d: %v", status, err)
		}
	}
}
