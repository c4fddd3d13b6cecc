package gitref_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// together has two who ask for a forge's refs, to push, be told them when both
// were looked up.
func together() func(r *http.Request) {
	var mu sync.Mutex
	var waiting chan struct{}
	return func(r *http.Request) {
		if !strings.HasSuffix(r.URL.RequestURI(), "service=git-receive-pack") {
			return
		}
		mu.Lock()
		if waiting != nil {
			close(waiting)
			waiting = nil
			mu.Unlock()
			return
		}
		mine := make(chan struct{})
		waiting = mine
		mu.Unlock()
		select {
		case <-mine:
		case <-time.After(2 * time.Second): // the third
			mu.Lock()
			if waiting == mine {
				waiting = nil
			}
			mu.Unlock()
		}
	}
}

// TestProbeSeesThroughIt: a remote that lets later pushes win is no place for a
// bucket.
func TestProbeSeesThroughIt(t *testing.T) {
	t.Parallel()
	for name, honest := range map[string]bool{"honest": true, "not": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newForge(t)
			var one sync.Mutex
			meet := together()
			f.on(func(_ http.ResponseWriter, r *http.Request) bool {
				if isPush(r) && !honest { // whatever was there does not count
					one.Lock()
					if refs := plainGit(t, f.dir, "for-each-ref", "--format=delete %(refname)"); refs != "" {
						plainGitIn(t, f.dir, refs+"\n", "update-ref", "--stdin")
					}
				}
				return false
			}, func(_ http.ResponseWriter, r *http.Request, _ *httptest.ResponseRecorder) bool {
				if isPush(r) && !honest {
					one.Unlock()
				}
				meet(r)
				return false
			})
			err := store(t, f.url(""), options(t)).Probe(t.Context())
			if honest && err != nil || !honest && (!fault.Is(err, fault.Denied) || fault.HintOf(err) == "") {
				t.Errorf("%v", err)
			}
			if refs := plainGit(t, f.dir, "for-each-ref"); refs != "" {
				t.Errorf("left is %s", refs)
			}
		})
	}
}

// TestProbeCleansUp: the tag goes, also where something else fails.
func TestProbeCleansUp(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	var mu sync.Mutex
	meet, pushes := together(), 0
	f.on(func(w http.ResponseWriter, r *http.Request) bool {
		if !isPush(r) {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		if pushes++; pushes == 2 {
			w.WriteHeader(http.StatusInternalServerError)
			return true
		}
		return false
	}, func(_ http.ResponseWriter, r *http.Request, _ *httptest.ResponseRecorder) bool {
		meet(r)
		return false
	})
	s := store(t, f.url(""), options(t))
	if err := s.Probe(t.Context()); !errors.Is(err, blob.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	if refs := plainGit(t, f.dir, "for-each-ref"); refs != "" {
		t.Errorf("left is %s", refs)
	}
	if err := s.Probe(t.Context()); err != nil {
		t.Error(err)
	}
}
