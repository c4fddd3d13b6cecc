package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/blobtest"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/s3"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/s3/s3test"
)

// large is more than one part, in bytes.
const large = 35 << 20

// filler is content that is not the same everywhere.
func filler(n int) []byte {
	return bytes.Repeat([]byte("0123456789abcdefghijklmnopqrstuvwxyz\n"), n/37+1)[:n]
}

func commit(ctx context.Context, s blob.Store, name string, data []byte) error {
	st, err := s.Stage(ctx)
	if err != nil {
		return err
	}
	defer st.Abort()
	if _, err := st.Write(data); err != nil {
		return err
	}
	return st.Commit(ctx, name)
}

func holds(t *testing.T, s blob.Store, name string, want []byte) {
	t.Helper()
	got, err := blob.ReadAll(t.Context(), s, name, int64(len(want)))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s holds %d bytes (%v), want %d", name, len(got), err, len(want))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestLostAnswers: the server does each thing, and the first answer to each is
// lost, or the first of every three.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	url := "s3://" + server.Bucket(t) + "/p"
	var n atomic.Int64
	endpoint := front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if n.Add(1)%3 == 1 {
			lose(r, next)
		}
		next.ServeHTTP(w, r)
	})
	s, direct := open(t, server, url, endpoint, unhurried), open(t, server, url, "", nil)
	for i := range 6 {
		name := "log/" + strconv.Itoa(i)
		must(t, s.Create(t.Context(), name, []byte(name)))
		holds(t, direct, name, []byte(name))
		if err := s.Create(t.Context(), name, []byte("other")); !errors.Is(err, blob.ErrExist) {
			t.Errorf("create again: %v", err)
		}
	}
	for i := range 4 {
		must(t, s.Replace(t.Context(), "head", []byte{byte(i)}))
		holds(t, direct, "head", []byte{byte(i)})
	}
	small, big := filler(1000), filler(large)
	must(t, commit(t.Context(), s, "pack/small", small))
	must(t, commit(t.Context(), s, "pack/small", filler(10)))
	holds(t, s, "pack/small", small)
	must(t, commit(t.Context(), s, "pack/big", big))
	holds(t, s, "pack/big", big)
	must(t, s.Remove(t.Context(), "pack/small"))
	must(t, s.Remove(t.Context(), "log/0", "log/1", "none"))
	if _, err := s.Stat(t.Context(), "log/0"); !errors.Is(err, blob.ErrNotExist) {
		t.Errorf("stat: %v", err)
	}
	must(t, s.Probe(t.Context()))
	must(t, s.Sweep(t.Context()))
}

// TestLostEndOfUpload: the parts were put together, and the answer was lost.
func TestLostEndOfUpload(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	url := "s3://" + server.Bucket(t)
	first := times(1)
	endpoint := front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodPost && r.URL.Query().Has("uploadId") && first() {
			lose(r, next)
		}
		next.ServeHTTP(w, r)
	})
	s := open(t, server, url, endpoint, unhurried)
	must(t, commit(t.Context(), s, "pack", filler(large)))
	holds(t, s, "pack", filler(large))
	noUploads(t, server, url)
}

func noUploads(t *testing.T, server *s3test.Server, url string) {
	t.Helper()
	bucket, _, _ := strings.Cut(strings.TrimPrefix(url, "s3://"), "/")
	for u := range server.Client().ListIncompleteUploads(t.Context(), bucket, "", true) {
		t.Errorf("left is an upload of %s (%v)", u.Key, u.Err)
	}
}

// noUploadsAfterSweep is for where parts were under way when an upload was
// aborted: they may have brought it back.
func noUploadsAfterSweep(t *testing.T, server *s3test.Server, url string) {
	t.Helper()
	s := open(t, server, url, "", nil)
	s3.Later(s, 48*time.Hour)
	must(t, s.Sweep(t.Context()))
	noUploads(t, server, url)
}

// TestRefusedForNow: what a server says when it cannot now, a few times, and then
// it can.
func TestRefusedForNow(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	for _, c := range []struct {
		status int
		code   string
	}{
		{500, "InternalError"},
		{503, "SlowDown"},
		{502, "<html>"},
		{429, "TooManyRequests"},
		{504, ""},
		{409, "ConditionalRequestConflict"},
		{409, "OperationAborted"},
		{400, "RequestTimeout"},
		{400, "BadDigest"},
	} {
		t.Run(strconv.Itoa(c.status)+c.code, func(t *testing.T) {
			t.Parallel()
			refusing := times(3)
			endpoint := front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if refusing() {
					refuse(w, c.status, c.code)
					return
				}
				next.ServeHTTP(w, r)
			})
			s := open(t, server, "s3://"+server.Bucket(t), endpoint, impatient)
			must(t, s.Create(t.Context(), "log/1", []byte("one")))
			holds(t, s, "log/1", []byte("one"))
		})
	}
}

// operations are what a store can be asked, by name.
func operations(s blob.Store) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"create":  func(ctx context.Context) error { return s.Create(ctx, "x/create", []byte("x")) },
		"replace": func(ctx context.Context) error { return s.Replace(ctx, "x/replace", []byte("x")) },
		"stat":    func(ctx context.Context) error { _, err := s.Stat(ctx, "x/stat"); return err },
		"list":    func(ctx context.Context) error { return s.List(ctx, "x/", "", func(blob.Info) error { return nil }) },
		"remove":  func(ctx context.Context) error { return s.Remove(ctx, "x/remove") },
		"removes": func(ctx context.Context) error { return s.Remove(ctx, "x/a", "x/b") },
		"commit":  func(ctx context.Context) error { return commit(ctx, s, "x/commit", filler(10)) },
		"large":   func(ctx context.Context) error { return commit(ctx, s, "x/large", filler(large)) },
		"probe":   s.Probe,
		"open": func(ctx context.Context) error {
			r, err := s.Open(ctx, "x/open")
			if err == nil {
				_, err = io.Copy(io.Discard, r)
				r.Close()
			}
			return err
		},
	}
}

// TestUnavailable: a server that fails for ever is given up in time, and the
// error says what it was about, and no secret.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	ways := map[string]func(w http.ResponseWriter, r *http.Request, next http.Handler){
		"500":     func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { refuse(w, 500, "InternalError") },
		"503":     func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { refuse(w, 503, "SlowDown") },
		"hang up": func(http.ResponseWriter, *http.Request, http.Handler) { hangUp() },
		"silence": func(_ http.ResponseWriter, r *http.Request, _ http.Handler) { silence(r) },
		"begin, then silence": func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Length", "1000")
			w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			silence(r)
		},
		"echo": func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprintf(w, "%v %s %s", r.Header, s3test.AccessKey, s3test.SecretKey)
		},
	}
	for way, handle := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			endpoint := front(t, server, handle)
			s := open(t, server, "s3://"+server.Bucket(t)+"/p", endpoint, func(o *s3.Options) { o.Budget, o.Stall = time.Second, stall })
			asked := operations(s)
			if way == "begin, then silence" {
				for _, op := range []string{"create", "stat", "remove", "commit", "large", "probe"} {
					delete(asked, op) // the status alone says that there is a blob, or none any more
				}
			}
			start := time.Now()
			for op, err := range all(t.Context(), asked) {
				if !errors.Is(err, blob.ErrUnavailable) {
					t.Errorf("%s: %v", op, err)
					continue
				}
				tells(t, op, err, s.URL(), strings.TrimPrefix(endpoint, "http://"))
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// all runs operations at once and returns their errors.
func all(ctx context.Context, operations map[string]func(context.Context) error) map[string]error {
	errs := make(map[string]error, len(operations))
	var mu sync.Mutex
	var running sync.WaitGroup
	for op, do := range operations {
		running.Go(func() {
			err := do(ctx)
			mu.Lock()
			defer mu.Unlock()
			errs[op] = err
		})
	}
	running.Wait()
	return errs
}

// tells fails unless an error names what it is about, has a hint and no secret.
func tells(t *testing.T, op string, err error, names ...string) {
	t.Helper()
	text := err.Error()
	for _, name := range names {
		if !strings.Contains(text, name) {
			t.Errorf("%s: %q does not name %s", op, text, name)
		}
	}
	hint := fault.HintOf(err)
	if hint == "" {
		t.Errorf("%s: no hint: %v", op, err)
	}
	for _, secret := range []string{s3test.AccessKey, s3test.SecretKey, "Signature="} {
		if strings.Contains(text+hint, secret) {
			t.Errorf("%s tells a secret: %s (%s)", op, text, hint)
		}
	}
}

// TestNobodyListens: a server that is not there is asked for as long.
func TestNobodyListens(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	var server s3test.Server
	s := open(t, &server, "s3://bucket", closed.URL, impatient)
	start := time.Now()
	err := s.Create(t.Context(), "a", nil)
	if !errors.Is(err, blob.ErrUnavailable) || time.Since(start) < budget/2 || time.Since(start) > 3*budget {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	tells(t, "create", err, "s3://bucket", "refused")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.Create(ctx, "a", nil); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, blob.ErrUnavailable) {
		t.Errorf("with a context that ends: %v", err)
	}
}

// TestSlow: answers that take time, but less than the stall, are waited for, and
// so are blobs that come slowly and readers that take their time.
func TestSlow(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	endpoint := front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		select {
		case <-time.After(unhurriedStall / 5):
		case <-r.Context().Done():
		}
		next.ServeHTTP(w, r)
	})
	s := open(t, server, "s3://"+server.Bucket(t), endpoint, unhurried)
	must(t, s.Create(t.Context(), "a", filler(1<<20)))
	r, err := s.Open(t.Context(), "a")
	must(t, err)
	defer r.Close()
	piece := make([]byte, 1<<18)
	for range 3 {
		time.Sleep(unhurriedStall)
		if _, err := io.ReadFull(r, piece); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSlowOnce: where the first answers take too long they are asked for again.
func TestSlowOnce(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	slow := times(2)
	endpoint := front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if slow() {
			next.ServeHTTP(httptest.NewRecorder(), r) // it was done
			silence(r)
			return
		}
		next.ServeHTTP(w, r)
	})
	s := open(t, server, "s3://"+server.Bucket(t), endpoint, impatient)
	must(t, s.Create(t.Context(), "a", []byte("x")))
	holds(t, s, "a", []byte("x"))
}

// TestDenied: a refusal of the user is final, asked for once, and says what to do.
func TestDenied(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	for _, c := range []struct {
		status     int
		code, hint string
	}{
		{403, "AccessDenied", "s3:ListBucket"},
		{401, "Unauthorized", "s3:PutObject"},
		{403, "SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"},
		{403, "InvalidAccessKeyId", "AWS_PROFILE"},
		{403, "RequestTimeTooSkewed", "clock"},
		{400, "InvalidToken", "AWS_SESSION_TOKEN"},
	} {
		t.Run(c.code, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			endpoint := front(t, server, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
				asked.Add(1)
				refuse(w, c.status, c.code)
			})
			s := open(t, server, "s3://"+server.Bucket(t), endpoint, nil) // it is counted what is asked: nothing is asked again for being slow
			for _, op := range []string{"create", "replace", "list", "remove", "removes", "commit", "large", "open"} {
				asked.Store(0)
				err := operations(s)[op](t.Context())
				if op == "large" && c.status == http.StatusBadRequest {
					continue // it begins with a HEAD, whose answer has no code
				}
				if !errors.Is(err, blob.ErrDenied) || !fault.Is(err, fault.Denied) {
					t.Errorf("%s: %v", op, err)
					continue
				}
				tells(t, op, err, s.URL())
				if op != "large" && !strings.Contains(fault.HintOf(err), c.hint) {
					t.Errorf("%s: hint %q", op, fault.HintOf(err))
				}
				if n := asked.Load(); n != 1 {
					t.Errorf("%s was asked %d times", op, n)
				}
			}
			if err := s.Probe(t.Context()); !errors.Is(err, blob.ErrDenied) {
				t.Errorf("probe: %v", err)
			}
		})
	}
}

// TestWrongSecret and a bucket that is not there, as the real server says it.
func TestWrongSecret(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	env := server.Env("")
	s := open(t, server, "s3://"+server.Bucket(t), "", func(o *s3.Options) {
		o.Env = func(name string) string {
			if name == "AWS_SECRET_ACCESS_KEY" {
				return "another-secret"
			}
			return env(name)
		}
	})
	for op, err := range all(t.Context(), operations(s)) {
		if !errors.Is(err, blob.ErrDenied) || strings.Contains(err.Error(), "another-secret") {
			t.Errorf("%s: %v", op, err)
		}
	}
	none := open(t, server, "s3://no-such-bucket", "", nil)
	for op, err := range all(t.Context(), operations(none)) {
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v", op, err)
		}
		if op != "stat" && errors.Is(err, blob.ErrNotExist) {
			t.Errorf("%s: %v", op, err)
		}
		if op != "stat" {
			tells(t, op, err, "no-such-bucket")
		}
	}
}

// TestForeignClock: the clock of the server, or of what stands before it, may say
// anything.
func TestForeignClock(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	for _, off := range []time.Duration{-366 * 24 * time.Hour, 366 * 24 * time.Hour} {
		bucket := server.Bucket(t)
		endpoint := front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			next.ServeHTTP(&dated{w, off}, r)
		})
		s := open(t, server, "s3://"+bucket, endpoint, impatient)
		must(t, s.Create(t.Context(), "a", []byte("x")))
		holds(t, s, "a", []byte("x"))
		begun, err := s3.BeginUpload(t.Context(), s, "pack")
		must(t, err)
		must(t, s.Probe(t.Context()))
		must(t, s.Sweep(t.Context()))
		if got := s3.Uploads(t.Context(), s); len(got) != 1 || got[0] != begun {
			t.Errorf("uploads that others work on are %q, want %q", got, begun)
		}
	}
}

// dated answers with a clock that is off.
type dated struct {
	http.ResponseWriter
	off time.Duration
}

func (d *dated) WriteHeader(status int) {
	d.Header().Set("Date", time.Now().Add(d.off).UTC().Format(http.TimeFormat))
	d.ResponseWriter.WriteHeader(status)
}

// TestConformanceOfABadNetwork: the whole suite, while one answer in 61 is lost
// and one request in 53 is refused for now.
func TestConformanceOfABadNetwork(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	var n atomic.Int64
	endpoint := front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		switch i := n.Add(1); {
		case i%61 == 0:
			lose(r, next)
		case i%53 == 0:
			refuse(w, 503, "SlowDown")
		default:
			next.ServeHTTP(w, r)
		}
	})
	blobtest.Run(t, func(t *testing.T) (first, second blob.Store) {
		t.Helper()
		url := "s3://" + server.Bucket(t)
		return open(t, server, url, endpoint, nil), open(t, server, url, endpoint, nil)
	}, blobtest.HoldsInMemory) // the answers that are lost
}
