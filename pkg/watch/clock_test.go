package watch_test

import (
	"errors"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/vexa-ai/vexa/pkg/watch"
)

// told is a source whose events a test makes, so that time can be the test's, too.
type told struct {
	events chan fsnotify.Event
	errs   chan error
	fails  atomic.Bool // the kernel watches no more
}

func (s *told) Add(string) error {
	if s.fails.Load() {
		return syscall.ENOSPC
	}
	return nil
}

func (*told) Remove(string) error { return nil }

func (s *told) Close() error {
	close(s.events)
	close(s.errs)
	return nil
}

// inTime runs a test with a source and a watch of root in a time of its own.
func inTime(t *testing.T, test func(t *testing.T, s *told, root string, x *watch.Watch)) {
	t.Helper()
	root := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &told{events: make(chan fsnotify.Event), errs: make(chan error)}
		w := watch.Start(s, s.events, s.errs)
		x, err := w.Dir(root, watch.Options{})
		must(t, err)
		test(t, s, root, x)
		must(t, w.Close())
	})
}

// taken reports whether a change was told by now.
func taken(x *watch.Watch) bool {
	synctest.Wait()
	select {
	case _, ok := <-x.Changed():
		return ok
	default:
		return false
	}
}

// TestQuiet: a change is told once it was quiet for a moment, and once.
func TestQuiet(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T, s *told, root string, x *watch.Watch) {
		t.Helper()
		s.events <- fsnotify.Event{Name: filepath.Join(root, "a")}
		time.Sleep(150 * time.Millisecond)
		s.events <- fsnotify.Event{Name: filepath.Join(root, "a")}
		time.Sleep(150 * time.Millisecond)
		if taken(x) {
			t.Error("it was told while more followed")
		}
		time.Sleep(100 * time.Millisecond)
		if !taken(x) {
			t.Error("it was not told")
		}
		time.Sleep(time.Minute)
		if taken(x) {
			t.Error("it was told twice")
		}
	})
}

// TestStormIsBounded: what is told of a storm is bounded by its time, and who does not
// take it is told once.
func TestStormIsBounded(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T, s *told, root string, x *watch.Watch) {
		t.Helper()
		told := 0
		for range 100_000 { // 100 s of an event each millisecond
			s.events <- fsnotify.Event{Name: filepath.Join(root, "a")}
			time.Sleep(time.Millisecond)
			if taken(x) {
				told++
			}
		}
		if told < 45 || told > 51 {
			t.Errorf("100 s of a storm were told %d times", told)
		}
		for range 10_000 {
			s.events <- fsnotify.Event{Name: filepath.Join(root, "a")}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		if !taken(x) || taken(x) {
			t.Error("who took nothing is told more than once, or never")
		}
	})
}

// TestOthersAreNotTold: what happens elsewhere is none of a watch.
func TestOthersAreNotTold(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T, s *told, root string, x *watch.Watch) {
		t.Helper()
		s.events <- fsnotify.Event{Name: filepath.Join(filepath.Dir(root), "other")}
		s.events <- fsnotify.Event{Name: filepath.Join(root, "a/b")}
		time.Sleep(time.Minute)
		if taken(x) {
			t.Error("it was told")
		}
	})
}

// TestLostEvents: where events are lost everything counts as changed.
func TestLostEvents(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T, s *told, _ string, x *watch.Watch) {
		t.Helper()
		s.errs <- fsnotify.ErrEventOverflow
		time.Sleep(time.Second)
		if !taken(x) {
			t.Error("it was not told")
		}
	})
}

// TestLimits: where the kernel watches no more the watch ends, and says why.
func TestLimits(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T, s *told, root string, x *watch.Watch) {
		t.Helper()
		s.fails.Store(true)
		s.events <- fsnotify.Event{Name: filepath.Join(root, "a")}
		time.Sleep(time.Second)
		synctest.Wait()
		if _, ok := <-x.Changed(); ok || !errors.Is(x.Err(), syscall.ENOSPC) {
			t.Errorf("it goes on, or ended with %v", x.Err())
		}
	})
}
