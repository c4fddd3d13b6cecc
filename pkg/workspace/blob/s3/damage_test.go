package s3_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/s3"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/s3/s3test"
)

// cut lets through so many bytes of an answer, and hangs up.
type cut struct {
	http.ResponseWriter
	left int
}

func (c *cut) Write(p []byte) (int, error) {
	if len(p) > c.left {
		_, _ = c.ResponseWriter.Write(p[:c.left])
		_ = http.NewResponseController(c.ResponseWriter).Flush()
		hangUp()
	}
	c.left -= len(p)
	return c.ResponseWriter.Write(p)
}

// TestCutAnswers: what breaks off goes on, or is asked for again.
func TestCutAnswers(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	url := "s3://" + server.Bucket(t)
	var n atomic.Int64
	endpoint := front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		switch {
		case r.Method != http.MethodGet:
		case r.URL.Query().Has("list-type"):
			if n.Add(1)%2 == 1 {
				w = &cut{w, 300}
			}
		default:
			w = &cut{w, 1_000_000}
		}
		next.ServeHTTP(w, r)
	})
	s, direct := open(t, server, url, endpoint, impatient), open(t, server, url, "", nil)
	data := filler(5_500_000)
	must(t, commit(t.Context(), direct, "pack", data))
	holds(t, s, "pack", data)
	for _, name := range []string{"log/1", "log/2", "log/3"} {
		must(t, s.Create(t.Context(), name, nil))
	}
	var got []string
	must(t, s.List(t.Context(), "log/", "", func(i blob.Info) error { got = append(got, i.Name); return nil }))
	if strings.Join(got, " ") != "log/1 log/2 log/3" {
		t.Errorf("listed are %q", got)
	}
	// A comparison cannot go on where it was, so that it does not end here.
	if err := s.Create(t.Context(), "pack", data); !errors.Is(err, blob.ErrUnavailable) {
		t.Errorf("create: %v", err)
	}
}

// TestAnswersThatDoNotGoOn: a download that gets no further is given up.
func TestAnswersThatDoNotGoOn(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	url := "s3://" + server.Bucket(t)
	endpoint := front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodGet {
			w = &cut{w, 0}
		}
		next.ServeHTTP(w, r)
	})
	s := open(t, server, url, endpoint, impatient)
	must(t, s.Create(t.Context(), "a", filler(1000)))
	_, err := blob.ReadAll(t.Context(), s, "a", 1000)
	if !errors.Is(err, blob.ErrUnavailable) {
		t.Errorf("read: %v", err)
	}
	tells(t, "read", err, "a", s.URL())
}

// TestChangedUnderDownload: what goes on with another blob is an error.
func TestChangedUnderDownload(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	url := "s3://" + server.Bucket(t)
	first := times(1)
	direct := open(t, server, url, "", nil)
	endpoint := front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodGet && first() {
			w = &cut{w, 500_000}
		}
		next.ServeHTTP(w, r)
	})
	s := open(t, server, url, endpoint, impatient)
	must(t, direct.Replace(t.Context(), "head", filler(1_000_000)))
	r, err := s.Open(t.Context(), "head")
	must(t, err)
	defer r.Close()
	must(t, direct.Replace(t.Context(), "head", bytes.ToUpper(filler(1_000_000))))
	got, err := io.ReadAll(r)
	if !fault.Is(err, fault.Conflict) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// flip changes one bit in the middle.
func flip(data []byte) []byte {
	if len(data) > 0 {
		data[len(data)/2] ^= 1
	}
	return data
}

// TestFlippedUploads: the server refuses what changed on its way, which is sent
// again; where everything changes nothing is stored.
func TestFlippedUploads(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	url := "s3://" + server.Bucket(t)
	flipping := times(3)
	var always atomic.Bool
	endpoint := front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodPut && (always.Load() || flipping()) {
			changed(r, flip)
		}
		next.ServeHTTP(w, r)
	})
	s, calm, direct := open(t, server, url, endpoint, impatient), open(t, server, url, endpoint, unhurried), open(t, server, url, "", nil)
	must(t, calm.Create(t.Context(), "a", filler(1000)))
	holds(t, direct, "a", filler(1000))
	flipping = times(3)
	must(t, commit(t.Context(), calm, "pack", filler(large)))
	holds(t, direct, "pack", filler(large))
	always.Store(true)
	for op, err := range all(t.Context(), map[string]func(context.Context) error{
		"create":  func(ctx context.Context) error { return s.Create(ctx, "b", filler(1000)) },
		"replace": func(ctx context.Context) error { return s.Replace(ctx, "b", filler(1000)) },
		"commit":  func(ctx context.Context) error { return commit(ctx, s, "b", filler(1000)) },
		"whole":   func(ctx context.Context) error { return commit(ctx, s, "b", filler(2<<20)) },
		"parts":   func(ctx context.Context) error { return commit(ctx, s, "b", filler(large)) },
	}) {
		if !errors.Is(err, blob.ErrUnavailable) {
			t.Errorf("%s: %v", op, err)
		}
	}
	if _, err := direct.Stat(t.Context(), "b"); !errors.Is(err, blob.ErrNotExist) {
		t.Errorf("something was stored: %v", err)
	}
	noUploadsAfterSweep(t, server, url)
}

// TestCutUploads: what arrives in part is not stored.
func TestCutUploads(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	url := "s3://" + server.Bucket(t)
	cutting := times(2)
	endpoint := front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodPut && cutting() {
			length := r.ContentLength
			changed(r, func(data []byte) []byte { return data[:len(data)/2] })
			r.ContentLength = length
		}
		next.ServeHTTP(w, r)
	})
	s := open(t, server, url, endpoint, impatient)
	must(t, s.Create(t.Context(), "a", filler(1000)))
	holds(t, s, "a", filler(1000))
}

// flipped changes one bit of an answer.
type flipped struct {
	http.ResponseWriter
	once sync.Once
}

func (f *flipped) Write(p []byte) (int, error) {
	f.once.Do(func() { p = flip(bytes.Clone(p)) })
	return f.ResponseWriter.Write(p)
}

// TestFlippedDownloads: a blob that changed on its way is an error at its end
// where the server keeps checksums, and no reason to say that another is there.
func TestFlippedDownloads(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	url := "s3://" + server.Bucket(t)
	flipping := times(1)
	endpoint := front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodGet && flipping() {
			w = &flipped{ResponseWriter: w}
		}
		next.ServeHTTP(w, r)
	})
	s := open(t, server, url, endpoint, impatient)
	must(t, s.Create(t.Context(), "a", filler(100_000)))
	if _, err := blob.ReadAll(t.Context(), s, "a", 100_000); !errors.Is(err, blob.ErrUnavailable) {
		t.Errorf("read: %v", err)
	}
	holds(t, s, "a", filler(100_000))
	flipping = times(1)
	must(t, s.Create(t.Context(), "a", filler(100_000)))
}

// TestNotS3: something that answers every request with a page is not a store.
func TestNotS3(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	endpoint := front(t, server, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html><body>Welcome to the hotel</body></html>")
	})
	s := open(t, server, "s3://"+server.Bucket(t), endpoint, impatient)
	asked := operations(s)
	delete(asked, "remove") // which is as good as done where the answer is 200
	for op, err := range all(t.Context(), asked) {
		if !errors.Is(err, blob.ErrUnavailable) {
			t.Errorf("%s: %v", op, err)
		}
	}
}

// TestOtherOrder: a server that lists in another order, or what was not asked
// for, is refused rather than believed.
func TestOtherOrder(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	for _, keys := range []string{"b a", "a a", "c"} {
		endpoint := front(t, server, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Content-Type", "application/xml")
			_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>x</Name><IsTruncated>false</IsTruncated>`)
			for key := range strings.FieldsSeq(keys) {
				_, _ = io.WriteString(w, "<Contents><Key>p/"+key+"</Key><Size>1</Size></Contents>")
			}
			_, _ = io.WriteString(w, "</ListBucketResult>")
		})
		s := open(t, server, "s3://"+server.Bucket(t)+"/p", endpoint, impatient)
		prefix := ""
		if keys == "c" {
			prefix = "d"
		}
		if err := s.List(t.Context(), prefix, "", func(blob.Info) error { return nil }); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", keys, err)
		}
	}
}

// TestRefusedInPart: where some of many are not removed, for good or for now.
func TestRefusedInPart(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	for _, code := range []string{"AccessDenied", "InternalError"} {
		first := times(1)
		endpoint := front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if r.URL.Query().Has("delete") && first() {
				w.Header().Set("Content-Type", "application/xml")
				_, _ = io.WriteString(w, `<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Code>`+code+`</Code></Error></DeleteResult>`)
				return
			}
			next.ServeHTTP(w, r)
		})
		s := open(t, server, "s3://"+server.Bucket(t), endpoint, impatient)
		must(t, s.Create(t.Context(), "b", nil))
		err := s.Remove(t.Context(), "a", "b", "c")
		_, left := s.Stat(t.Context(), "b")
		switch code {
		case "AccessDenied":
			if !errors.Is(err, blob.ErrDenied) || left != nil {
				t.Errorf("%s: %v, %v", code, err, left)
			}
		default:
			if err != nil || !errors.Is(left, blob.ErrNotExist) {
				t.Errorf("%s: %v, %v", code, err, left)
			}
		}
	}
}

// TestEndOfUploadRefused: the end of an upload in parts may fail after it was
// said to succeed.
func TestEndOfUploadRefused(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	for code, want := range map[string]error{"InternalError": nil, "PreconditionFailed": nil, "AccessDenied": blob.ErrDenied} {
		first := times(1)
		endpoint := front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if r.Method == http.MethodPost && r.URL.Query().Has("uploadId") && first() {
				refuse(w, http.StatusOK, code)
				return
			}
			next.ServeHTTP(w, r)
		})
		s := open(t, server, "s3://"+server.Bucket(t), endpoint, impatient)
		if err := commit(t.Context(), s, "pack", filler(large)); !errors.Is(err, want) {
			t.Errorf("%s: %v", code, err)
		}
	}
}

// TestForeignKeys: what others put into the bucket is not listed.
func TestForeignKeys(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	bucket := server.Bucket(t)
	outer := open(t, server, "s3://"+bucket, "", nil)
	s := open(t, server, "s3://"+bucket+"/p", "", nil)
	must(t, outer.Create(t.Context(), "q/a", nil))
	must(t, outer.Create(t.Context(), "p2/a", nil))
	must(t, s.Create(t.Context(), "a", nil))
	for _, key := range []string{"p/.hidden", "p/white space", "p/ä"} {
		must(t, s3.PutKey(t.Context(), s, key))
	}
	var got []string
	must(t, s.List(t.Context(), "", "", func(i blob.Info) error { got = append(got, i.Name); return nil }))
	if strings.Join(got, " ") != "a" {
		t.Errorf("listed are %q", got)
	}
}
