package watch_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/watch"
)

// patience is how long a change may take to be told on a busy machine.
const patience = 20 * time.Second

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newWatcher(t *testing.T) *watch.Watcher {
	t.Helper()
	w, err := watch.New()
	must(t, err)
	t.Cleanup(func() { must(t, w.Close()) })
	return w
}

func write(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(t, os.WriteFile(path, []byte(text), 0o600))
}

// follow waits until the watch told of a change after which look is true: one that
// was told before says nothing of what came later.
func follow(t *testing.T, x *watch.Watch, what string, look func() bool) {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case _, ok := <-x.Changed():
			if !ok {
				t.Fatalf("%s: the watch has ended: %v", what, x.Err())
			}
			if look() {
				return
			}
		case <-late:
			t.Fatalf("%s: it was never told", what)
		}
	}
}

func isThere(path string) func() bool {
	return func() bool { _, err := os.Stat(path); return err == nil }
}

func holds(path, text string) func() bool {
	return func() bool { data, err := os.ReadFile(path); return err == nil && string(data) == text }
}

// TestChanges: whatever happens to files below a directory is told, however they are
// written and whatever became of the directories meanwhile.
func TestChanges(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "root")
	x, err := newWatcher(t).Dir(root, watch.Options{Depth: 1, Quiet: time.Millisecond})
	must(t, err)
	at := func(name string) string { return filepath.Join(root, name) }
	steps := []struct {
		what string
		do   func()
		then func() bool
	}{
		{"the directory comes", func() { must(t, os.Mkdir(root, 0o700)) }, isThere(root)},
		{"a file", func() { write(t, at("a"), "1") }, holds(at("a"), "1")},
		{"it is written", func() { write(t, at("a"), "2") }, holds(at("a"), "2")},
		{"it is replaced", func() { write(t, at("b"), "3"); must(t, os.Rename(at("b"), at("a"))) }, holds(at("a"), "3")},
		{"a directory with a file", func() { write(t, at("d/f"), "1") }, holds(at("d/f"), "1")},
		{"the file in it", func() { write(t, at("d/f"), "2") }, holds(at("d/f"), "2")},
		{"two directories are exchanged", func() {
			write(t, at("e/f"), "3")
			must(t, unix.Renameat2(unix.AT_FDCWD, at("d"), unix.AT_FDCWD, at("e"), unix.RENAME_EXCHANGE))
			must(t, os.RemoveAll(at("e")))
		}, holds(at("d/f"), "3")},
		{"the one that came", func() { write(t, at("d/f"), "4") }, holds(at("d/f"), "4")},
		{"a directory that went away and came back", func() {
			must(t, os.Rename(at("d"), at("z")))
			must(t, os.Rename(at("z"), at("d")))
			write(t, at("d/f"), "5")
		}, holds(at("d/f"), "5")},
		{"what is in it", func() { write(t, at("d/f"), "6") }, holds(at("d/f"), "6")},
		{"a file goes", func() { must(t, os.Remove(at("d/f"))) }, func() bool { return !isThere(at("d/f"))() }},
		{"everything goes", func() { must(t, os.RemoveAll(filepath.Dir(root))) }, func() bool { return !isThere(root)() }},
		{"everything comes back", func() { write(t, at("d/f"), "7") }, holds(at("d/f"), "7")},
		{"and changes", func() { write(t, at("d/f"), "8") }, holds(at("d/f"), "8")},
		{"another one in its place", func() {
			other := root + "-other"
			write(t, filepath.Join(other, "d/f"), "9")
			must(t, unix.Renameat2(unix.AT_FDCWD, other, unix.AT_FDCWD, root, unix.RENAME_EXCHANGE))
		}, holds(at("d/f"), "9")},
		{"which changes", func() { write(t, at("d/f"), "10") }, holds(at("d/f"), "10")},
	}
	for _, s := range steps {
		s.do()
		follow(t, x, s.what, s.then)
	}
}

// TestLinksAreNotFollowed: a link below the directory leads out of it.
func TestLinksAreNotFollowed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	outside, root := filepath.Join(dir, "outside"), filepath.Join(dir, "root")
	write(t, filepath.Join(outside, "f"), "1")
	write(t, filepath.Join(root, "f"), "1")
	must(t, os.Symlink(outside, filepath.Join(root, "link")))
	w := newWatcher(t)
	x, err := w.Dir(root, watch.Options{Depth: 3})
	must(t, err)
	if got := fmt.Sprint(watch.Watched(x)); got != "["+root+"]" {
		t.Errorf("watched is %s", got)
	}
}

// TestOnly: what is not asked for is not watched.
func TestOnly(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, name := range []string{"a/b/c/f", "a/x/f", "z/f"} {
		write(t, filepath.Join(root, name), "")
	}
	x, err := newWatcher(t).Dir(root, watch.Options{Depth: 2, Only: func(dir string) bool { return dir != "z" && dir != "a/x" }})
	must(t, err)
	if got, want := fmt.Sprint(watch.Watched(x)), fmt.Sprint([]string{root, root + "/a", root + "/a/b"}); got != want {
		t.Errorf("watched is %s, want %s", got, want)
	}
}

// TestTooMany: a tree of more directories than are allowed is not watched, and one
// that becomes so is watched no more; both are said.
func TestTooMany(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	w := newWatcher(t)
	x, err := w.Dir(root, watch.Options{Depth: 1, Dirs: 3, Quiet: time.Millisecond})
	must(t, err)
	for i := range 3 {
		must(t, os.Mkdir(filepath.Join(root, fmt.Sprint(i)), 0o700))
	}
	late := time.After(patience)
	for ended := false; !ended; {
		select {
		case _, ok := <-x.Changed():
			ended = !ok
		case <-late:
			t.Fatal("the watch goes on")
		}
	}
	if err := x.Err(); !errors.Is(err, watch.ErrTooMany) {
		t.Errorf("the watch ended with %v", err)
	}
	if _, err := w.Dir(root, watch.Options{Depth: 1, Dirs: 3}); !errors.Is(err, watch.ErrTooMany) {
		t.Errorf("another one: %v", err)
	}
	if n := watch.Added(w); n != 0 {
		t.Errorf("%d directories are watched for nobody", n)
	}
}

// TestTwoOfOne: two watches of a directory are told of the same, and the end of one is
// none of the other.
func TestTwoOfOne(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	w := newWatcher(t)
	x, err := w.Dir(root, watch.Options{Quiet: time.Millisecond})
	must(t, err)
	y, err := w.Dir(root, watch.Options{Quiet: time.Millisecond})
	must(t, err)
	write(t, filepath.Join(root, "a"), "")
	follow(t, x, "the one", isThere(filepath.Join(root, "a")))
	follow(t, y, "the other", isThere(filepath.Join(root, "a")))
	x.Close()
	x.Close()
	if _, ok := <-x.Changed(); ok || !errors.Is(x.Err(), watch.ErrClosed) {
		t.Errorf("a closed watch tells of a change, or ended with %v", x.Err())
	}
	write(t, filepath.Join(root, "b"), "")
	follow(t, y, "the other, alone", isThere(filepath.Join(root, "b")))
}

// TestClose: with the Watcher its watches end, none can be had, and nothing of it runs
// any more.
func TestClose(t *testing.T) {
	t.Parallel()
	w, err := watch.New()
	must(t, err)
	root := t.TempDir()
	x, err := w.Dir(root, watch.Options{})
	must(t, err)
	write(t, filepath.Join(root, "a"), "")
	for !runs(w) { // or else what is below would find nothing whatever happens
		runtime.Gosched()
	}
	must(t, w.Close())
	must(t, w.Close())
	for range x.Changed() { // what was told before may be there
	}
	if _, err := w.Dir(root, watch.Options{}); !errors.Is(err, watch.ErrClosed) {
		t.Errorf("a watch of a closed one: %v", err)
	}
	if runs(w) {
		t.Error("something of it runs")
	}
}

// runs reports whether a goroutine of w does.
func runs(w *watch.Watcher) bool {
	stacks := make([]byte, 4<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	return strings.Contains(string(stacks), fmt.Sprintf("watch.(*Watcher).loop(%p", w))
}

// TestStorm: however much happens, the last state is told, and nobody waits for the
// one who is told.
func TestStorm(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	x, err := newWatcher(t).Dir(root, watch.Options{Depth: 1, Quiet: 10 * time.Millisecond, AtMost: 50 * time.Millisecond})
	must(t, err)
	told := make(chan int)
	stop := make(chan struct{})
	go func() {
		n := 0
		for {
			select {
			case <-x.Changed():
				n++
			case <-stop:
				told <- n
				return
			}
		}
	}()
	const events = 5000
	for i := range events {
		dir := filepath.Join(root, fmt.Sprint(i%50))
		write(t, filepath.Join(dir, fmt.Sprint(i)), "x")
		if i%100 == 99 {
			must(t, os.RemoveAll(dir))
		}
	}
	close(stop)
	if n := <-told; n > events/10 {
		t.Errorf("%d events were told %d times", events, n)
	}
	last := filepath.Join(root, "last/file")
	write(t, last, "1")
	follow(t, x, "what came last", isThere(last))
	write(t, last, "2")
	follow(t, x, "what comes after", holds(last, "2"))
}

// TestNotYet: a directory that is a file, and one that may not be read, are waited for.
func TestNotYet(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "root")
	write(t, root, "a file")
	x, err := newWatcher(t).Dir(filepath.Join(root, "deeper"), watch.Options{Quiet: time.Millisecond})
	must(t, err)
	must(t, os.Remove(root))
	file := filepath.Join(root, "deeper/f")
	write(t, file, "1")
	follow(t, x, "it is a directory", isThere(file))
	write(t, file, "2")
	follow(t, x, "and changes", holds(file, "2"))
}

func TestLocal(t *testing.T) {
	t.Parallel()
	for dir, want := range map[string]bool{t.TempDir(): true, "/proc": true} {
		if got, err := watch.Local(dir); err != nil || got != want {
			t.Errorf("%s: %t, %v", dir, got, err)
		}
	}
	if _, err := watch.Local("/nonexistent"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
}
