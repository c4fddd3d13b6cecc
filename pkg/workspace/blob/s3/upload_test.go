package s3_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/s3"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/s3/s3test"
)

// TestManyCreators: of 32 at once, each with connections of its own, exactly one
// wins, round after round.
func TestManyCreators(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	url := "s3://" + server.Bucket(t) + "/p"
	const creators, rounds = 32, 20
	stores := make([]*s3.Store, creators)
	for i := range stores {
		stores[i] = open(t, server, url, "", nil)
	}
	for round := range rounds {
		name := fmt.Sprintf("log/%d", round)
		var winner atomic.Value
		var won atomic.Int32
		var running sync.WaitGroup
		for i, s := range stores {
			running.Go(func() {
				data := fmt.Sprintf("creator %d", i)
				switch err := s.Create(t.Context(), name, []byte(data)); {
				case err == nil:
					won.Add(1)
					winner.Store(data)
				case !errors.Is(err, blob.ErrExist):
					t.Errorf("creator %d: %v", i, err)
				}
			})
		}
		running.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d of %d made %s", won.Load(), creators, name)
		}
		holds(t, stores[0], name, []byte(winner.Load().(string)))
	}
}

// TestUploadStartsAgain where the server forgot it, for example because another
// machine whose clock is wrong swept it.
func TestUploadStartsAgain(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	url := "s3://" + server.Bucket(t)
	other := open(t, server, url, "", nil)
	s3.Later(other, 48*time.Hour)
	first := times(1)
	endpoint := front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Query().Get("partNumber") == "2" && first() {
			if err := other.Sweep(r.Context()); err != nil {
				t.Error(err)
			}
		}
		next.ServeHTTP(w, r)
	})
	s := open(t, server, url, endpoint, unhurried)
	must(t, commit(t.Context(), s, "pack", filler(large)))
	holds(t, s, "pack", filler(large))
	noUploadsAfterSweep(t, server, url)
}

// TestUploadOfTakenName: a blob that is there is kept, even where it came while
// the parts were sent.
func TestUploadOfTakenName(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	url := "s3://" + server.Bucket(t)
	direct := open(t, server, url, "", nil)
	endpoint := front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Query().Get("partNumber") == "2" {
			if err := direct.Create(r.Context(), "pack", []byte("theirs")); err != nil {
				t.Error(err)
			}
		}
		next.ServeHTTP(w, r)
	})
	s := open(t, server, url, endpoint, unhurried)
	for range 2 {
		must(t, commit(t.Context(), s, "pack", filler(large)))
		holds(t, s, "pack", []byte("theirs"))
	}
	noUploads(t, server, url)
}

// TestSweep removes old uploads under its prefix, and no others.
func TestSweep(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	bucket := server.Bucket(t)
	s, outer := open(t, server, "s3://"+bucket+"/p", "", nil), open(t, server, "s3://"+bucket, "", nil)
	begin := func(s *s3.Store, name string) string {
		id, err := s3.BeginUpload(t.Context(), s, name)
		must(t, err)
		return id
	}
	begin(s, "pack/a")
	begin(s, "pack/b")
	foreign := begin(outer, "q/pack")
	must(t, s.Sweep(t.Context()))
	if got := s3.Uploads(t.Context(), s); len(got) != 3 {
		t.Errorf("%d are left of those that are new", len(got))
	}
	s3.Later(s, 25*time.Hour)
	must(t, s.Probe(t.Context()))
	if got := s3.Uploads(t.Context(), s); len(got) != 1 || got[0] != foreign {
		t.Errorf("left are %q, want %q", got, foreign)
	}
}

// TestFailedCommit keeps what was staged, for another try, and nothing in the
// spool that has a name.
func TestFailedCommit(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	url := "s3://" + server.Bucket(t)
	var down atomic.Bool
	endpoint := front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if down.Load() {
			hangUp()
		}
		next.ServeHTTP(w, r)
	})
	spool := t.TempDir()
	s := open(t, server, url, endpoint, func(o *s3.Options) { o.Budget, o.Stall, o.Spool = stall, stall, spool })
	for _, size := range []int{10, 3 << 20, large} {
		name := fmt.Sprintf("pack/%d", size)
		st, err := s.Stage(t.Context())
		must(t, err)
		_, err = st.Write(filler(size))
		must(t, err)
		if left, err := os.ReadDir(spool); err != nil || len(left) != 0 {
			t.Errorf("the spool has %v, %v", left, err)
		}
		down.Store(true)
		if err := st.Commit(t.Context(), name); !errors.Is(err, blob.ErrUnavailable) {
			t.Errorf("commit: %v", err)
		}
		down.Store(false)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := st.Commit(ctx, name); !errors.Is(err, context.Canceled) {
			t.Errorf("commit: %v", err)
		}
		must(t, st.Commit(t.Context(), name))
		holds(t, s, name, filler(size))
	}
	noUploads(t, server, url)
	s = open(t, server, url, endpoint, func(o *s3.Options) { o.Spool = filepath.Join(spool, "none") })
	if err := commit(t.Context(), s, "pack", filler(3<<20)); err == nil || !strings.Contains(err.Error(), spool) {
		t.Errorf("without a spool: %v", err)
	}
}

// TestRenewedCredentials: where the server says that the credentials are too old
// they are looked up again at once, and no more than once.
func TestRenewedCredentials(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	file := func(token string) string {
		return "[default]\naws_access_key_id=" + s3test.AccessKey + "\naws_secret_access_key=" + s3test.SecretKey + "\naws_session_token=" + token
	}
	dir := home(t, file("old"), "")
	var asked atomic.Int64
	endpoint := front(t, server, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		asked.Add(1)
		if r.Header.Get("X-Amz-Security-Token") != "new" {
			refuse(w, http.StatusBadRequest, "ExpiredToken")
			return
		}
		w.Header().Set("ETag", `"x"`)
	})
	s := open(t, server, "s3://bucket", "", func(o *s3.Options) {
		o.Home, o.Env = dir, env("AWS_ENDPOINT_URL="+endpoint)
	})
	err := s.Create(t.Context(), "a", nil)
	if !errors.Is(err, blob.ErrDenied) || asked.Load() != 2 {
		t.Errorf("%v after %d requests", err, asked.Load())
	}
	tells(t, "create", err, "ExpiredToken")
	must(t, os.WriteFile(filepath.Join(dir, ".aws", "credentials"), []byte(file("new")), 0o600))
	must(t, s.Create(t.Context(), "a", nil))
}

// TestNoMetadataService: without credentials nothing is asked of the network.
func TestNoMetadataService(t *testing.T) {
	t.Parallel()
	start := time.Now()
	if _, err := s3.Open("s3://bucket", s3.Options{}); !errors.Is(err, blob.ErrDenied) {
		t.Errorf("%v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if _, err := s3.Open("s3://bucket", s3.Options{Instance: true}); err != nil {
		t.Errorf("allowed: %v", err)
	}
}

// TestMemory: a blob of 5 GiB, or of 200 MB at reduced scale, is staged, sent and
// read with less than 64 MB of memory in use.
func TestMemory(t *testing.T) {
	size, limit := int64(200<<20), uint64(64<<20)
	if os.Getenv("VEXA_SCALE") == "full" {
		size = 5 << 30
	}
	server := s3test.Start(t)
	s := open(t, server, "s3://"+server.Bucket(t), "", nil)
	piece := filler(1 << 20)
	peak := watchMemory(t)
	st, err := s.Stage(t.Context())
	must(t, err)
	for range size >> 20 {
		_, err := st.Write(piece)
		must(t, err)
	}
	must(t, st.Commit(t.Context(), "pack"))
	r, err := s.Open(t.Context(), "pack")
	must(t, err)
	defer r.Close()
	var got int64
	for {
		n, err := r.Read(piece)
		got += int64(n)
		if err != nil {
			break
		}
	}
	grown := peak()
	if got != size || grown > limit {
		t.Errorf("%d bytes are read; %d MB were in use for %d", got, grown>>20, size>>20)
	}
	t.Logf("%d MB for a blob of %d", grown>>20, size>>20)
}

// watchMemory looks at what the heap occupies until peak is called, which returns
// how much it grew at most.
func watchMemory(t *testing.T) (peak func() uint64) {
	t.Helper()
	debug.FreeOSMemory()
	inUse := func() uint64 {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapInuse
	}
	before := inUse()
	highest := before
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				highest = max(highest, inUse())
			case <-stop:
				return
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-stopped
		return highest - before
	}
}
