package dir_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/dir"
)

// recorder notes what is flushed and which blobs had names then.
type recorder struct {
	mu      sync.Mutex
	flushes []string // the names of directories; "data" for a file, "own" for one that is empty
	names   []string // the blobs that were there at that time
}

func record(t *testing.T, s *dir.Store, path string) *recorder {
	t.Helper()
	r := &recorder{}
	dir.SetFlush(s, func(f *os.File, flush func() error) error {
		there := strings.Join(namesIn(t, path), " ")
		st, err := f.Stat()
		if err != nil {
			return err
		}
		what := "data"
		if st.IsDir() {
			what = "/" + f.Name()
		} else if st.Size() == 0 {
			what = "own"
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.flushes, r.names = append(r.flushes, what), append(r.names, there)
		return flush()
	})
	return r
}

// take returns what was noted since: each flush with the names at that time.
func (r *recorder) take() (flushes []string, names map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	flushes, names = r.flushes, map[string]string{}
	for i, what := range flushes {
		names[what] += "|" + r.names[i]
	}
	r.flushes, r.names = nil, nil
	slices.Sort(flushes)
	return flushes, names
}

// TestFlushes: a push costs two flushes of data and two of directories, the first
// ones in a store some more, and each name is given when what it needs is durable.
func TestFlushes(t *testing.T) {
	t.Parallel()
	push := func(s *dir.Store, n int) {
		t.Helper()
		must(t, put(s, fmt.Sprintf("pack/%d", n)))
		must(t, s.Create(ctx(), fmt.Sprintf("log/%d", n), nil))
	}
	for _, ordered := range []bool{true, false} {
		path := t.TempDir()
		s := open(t, path, dir.Options{})
		dir.SetOrdered(s, ordered)
		r := record(t, s, path)
		push(s, 1)
		flushes, names := r.take()
		want := "/ / /log /pack data own"
		if ordered {
			want = "/ /log /pack data own"
		}
		if got := strings.Join(flushes, " "); got != want {
			t.Errorf("ordered %v: the first push flushed %s, want %s", ordered, got, want)
		}
		if names["data"] != "|" || strings.Contains(names["own"], "log/1") || strings.Contains(names["/pack"], "log/1") != ordered {
			t.Errorf("ordered %v: there was %q", ordered, names)
		}
		for n := 2; n < 5; n++ {
			push(s, n)
			flushes, _ = r.take()
			if got := strings.Join(flushes, " "); got != "/log /pack data own" {
				t.Errorf("ordered %v: push %d flushed %s", ordered, n, got)
			}
		}
		// A race that is lost costs nothing, whoever would know it only by looking.
		if err := s.Create(ctx(), "log/4", []byte("lost")); !errors.Is(err, blob.ErrExist) {
			t.Error(err)
		}
		if flushes, _ = r.take(); len(flushes) != 0 {
			t.Errorf("ordered %v: a lost race flushed %s", ordered, flushes)
		}
		// Nor does a blob that is there cost any flush of its data.
		must(t, put(s, "pack/4"))
		must(t, s.Create(ctx(), "log/5", nil))
		if flushes, _ = r.take(); strings.Join(flushes, " ") != "/log /pack own" {
			t.Errorf("ordered %v: what was there flushed %s", ordered, flushes)
		}
		must(t, s.Replace(ctx(), "log/head", nil))
		if flushes, _ = r.take(); strings.Join(flushes, " ") != "own" {
			t.Errorf("ordered %v: Replace flushed %s", ordered, flushes)
		}
		// A directory that was made anew is not known to be durable.
		must(t, os.RemoveAll(path+"/log"))
		must(t, s.Create(ctx(), "log/1", nil))
		if flushes, _ = r.take(); strings.Join(flushes, " ") != "/ /log own" {
			t.Errorf("ordered %v: in a new directory it flushed %s", ordered, flushes)
		}
	}
}

// TestManyWait: blobs that are committed wait for their names in bounded number.
func TestManyWait(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	s := open(t, path, dir.Options{})
	dir.SetOrdered(s, true)
	for i := range 200 {
		must(t, put(s, fmt.Sprintf("pack/%d", i)))
	}
	if n := len(namesIn(t, path)); n < 150 || n == 200 {
		t.Errorf("%d of 200 have their names", n)
	}
	must(t, s.Close())
	if n := len(namesIn(t, path)); n != 200 {
		t.Errorf("%d of 200 have their names after Close", n)
	}
}

// TestFlushFails: what could not be flushed is not said to be stored, however
// often it is asked for.
func TestFlushFails(t *testing.T) {
	t.Parallel()
	type failing struct {
		isDir bool
		name  string // of the directory
	}
	for name, which := range map[string]failing{"data": {}, "the directory of what was committed": {isDir: true, name: "pack"}, "its own directory": {isDir: true, name: "log"}} {
		for _, ordered := range []bool{true, false} {
			path := t.TempDir()
			s := open(t, path, dir.Options{})
			dir.SetOrdered(s, ordered)
			must(t, put(s, "pack/0"))
			must(t, s.Create(ctx(), "log/0", nil))
			what := fmt.Sprintf("%s, ordered %v", name, ordered)
			fails := true
			dir.SetFlush(s, func(f *os.File, flush func() error) error {
				st, err := f.Stat()
				if err == nil && fails && st.IsDir() == which.isDir && (!which.isDir || f.Name() == which.name) {
					return syscall.EIO
				}
				return flush()
			})
			if err := errors.Join(put(s, "pack/1"), s.Create(ctx(), "log/1", nil)); err == nil {
				t.Errorf("%s: it was stored", what)
			} else {
				says(t, s.Create(ctx(), "log/1", nil), fault.Failed, path, what, blob.ErrUnavailable, syscall.EIO)
			}
			// The next flush of the same says nothing about the one that failed.
			fails = false
			err := s.Create(ctx(), "log/2", nil)
			if which.isDir || ordered {
				says(t, err, fault.Failed, path, what+", again", blob.ErrUnavailable, syscall.EIO)
				says(t, put(s, "pack/2"), fault.Failed, path, what+", commit", blob.ErrUnavailable, syscall.EIO)
			} else if err != nil { // Commit has said it
				t.Errorf("%s: %v", what, err)
			}
			_ = s.Close()
			s = open(t, path, dir.Options{})
			must(t, put(s, "pack/1"))
			must(t, s.Create(ctx(), "log/3", nil))
		}
	}
}

// TestNoRoomForNames: what waits for its name goes on waiting, and the failure is
// that of the one that has none.
func TestNoRoomForNames(t *testing.T) {
	t.Parallel()
	for _, failure := range []error{syscall.ENOSPC, syscall.EDQUOT} {
		path := t.TempDir()
		s := open(t, path, dir.Options{})
		dir.SetOrdered(s, true)
		must(t, put(s, "pack/1"))
		restore := dir.SetLink(s, failure)
		err := s.Create(ctx(), "log/1", nil)
		says(t, err, fault.Failed, path, "create", blob.ErrUnavailable, failure)
		if !strings.Contains(err.Error(), "pack/1") {
			t.Errorf("%v does not say which", err)
		}
		restore()
		must(t, s.Create(ctx(), "log/2", nil))
		if got := strings.Join(namesIn(t, path), " "); got != "log/2 pack/1" {
			t.Errorf("there is %s", got)
		}
	}
}

// TestFlushOfOwnDataFails: only this Create fails.
func TestFlushOfOwnDataFails(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	s := open(t, path, dir.Options{})
	fails := true
	dir.SetFlush(s, func(_ *os.File, flush func() error) error {
		if fails {
			return syscall.EIO
		}
		return flush()
	})
	says(t, s.Create(ctx(), "log/1", nil), fault.Failed, path, "create", blob.ErrUnavailable, syscall.EIO)
	says(t, s.Replace(ctx(), "head", nil), fault.Failed, path, "replace", blob.ErrUnavailable, syscall.EIO)
	if names := namesIn(t, path); len(names) != 0 {
		t.Errorf("there is %s", names)
	}
	fails = false
	must(t, s.Create(ctx(), "log/1", nil))
}

// TestDirectoriesThatCannotBeFlushed: some network file systems refuse, and do it
// anyway.
func TestDirectoriesThatCannotBeFlushed(t *testing.T) {
	t.Parallel()
	for _, refusal := range []error{syscall.EINVAL, syscall.ENOTSUP} {
		s := open(t, t.TempDir(), dir.Options{})
		dir.SetFlush(s, func(f *os.File, flush func() error) error {
			if st, err := f.Stat(); err != nil || st.IsDir() {
				return refusal
			}
			return flush()
		})
		must(t, everything(s))
	}
}
