package runtime_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/runtime"
)

const (
	unitC = "01JDXK0000000000000000000C"
	roomy = 10 << 30 // bytes of the file system in these tests
)

// fakeSpace is a file system whose free space a test sets.
type fakeSpace struct {
	mu    sync.Mutex
	space runtime.Space
}

func (w *world) space(s runtime.Space) *fakeSpace {
	f := &fakeSpace{space: s}
	w.opt.Space = func(string) (runtime.Space, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.space, nil
	}
	return f
}

func (f *fakeSpace) set(s runtime.Space) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.space = s
}

// trio runs three workloads, the second of which is the largest in files.
func (w *world) trio(k *runtime.Kernel) {
	for id, size := range map[string]int{unitA: 100 << 10, unitB: 600 << 10, unitC: 300 << 10} {
		spec := w.limited(id)
		w.create(k, spec)
		w.fill(spec.Mounts[0].Source, "some", size)
	}
	time.Sleep(time.Second)
}

// order returns the workloads in the order in which they were stopped.
func (w *world) order(k *runtime.Kernel) string {
	w.t.Helper()
	var ids []string
	var last time.Time
	left := map[string]time.Time{}
	for _, id := range []string{unitA, unitB, unitC} {
		if st := w.get(k, id); st.State == runtimev1.Stopped {
			if st.StopReason != runtimev1.ReasonQuota || !strings.Contains(st.Detail, "free ") {
				w.t.Errorf("got %+v, want stopped for its quota, saying what ran out", st)
			}
			left[id] = *st.StoppedAt
		}
	}
	for len(left) > 0 {
		next := ""
		for id, at := range left {
			if next == "" || at.Before(left[next]) {
				next = id
			}
		}
		if left[next].Equal(last) {
			w.t.Errorf("%s was stopped at the same time as the one before", next)
		}
		last = left[next]
		delete(left, next)
		ids = append(ids, next[len(next)-1:])
	}
	return strings.Join(ids, "")
}

// TestLowWater: when the file system runs out the largest workload goes, then,
// if that was not enough, the next.
func TestLowWater(t *testing.T) {
	t.Parallel()
	full := runtime.Space{Bytes: roomy, FreeBytes: roomy / 30}
	for name, c := range map[string]struct {
		low  runtime.Space
		wait time.Duration
		want string
	}{
		"one is enough":       {full, time.Second, "B"},
		"and the next":        {full, 3 * time.Second, "BC"},
		"until all are gone":  {full, time.Minute, "BCA"},
		"no inodes left":      {runtime.Space{Bytes: roomy, FreeBytes: roomy, Files: 1000, FreeFiles: 40}, time.Second, "B"},
		"there is enough yet": {runtime.Space{Bytes: roomy, FreeBytes: roomy / 19, Files: 1000, FreeFiles: 60}, time.Minute, ""},
		"a small one":         {runtime.Space{Bytes: 64 << 20, FreeBytes: 17 << 20}, time.Minute, ""},
		"a small one, full":   {runtime.Space{Bytes: 64 << 20, FreeBytes: 15 << 20}, time.Second, "B"},
		"64 MB stay":          {runtime.Space{Bytes: 1 << 30, FreeBytes: 63 << 20}, time.Second, "B"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				space := w.space(runtime.Space{Bytes: roomy, FreeBytes: roomy})
				k, stop := w.run()
				defer stop()
				w.trio(k)
				space.set(c.low)
				time.Sleep(c.wait)
				if got := w.order(k); got != c.want {
					t.Errorf("stopped %q, want %q", got, c.want)
				}
			})
		})
	}
}

// TestLowWaterKillsAtOnce: what fills the file system is given no grace.
func TestLowWaterKillsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		space := w.space(runtime.Space{Bytes: roomy, FreeBytes: roomy})
		k, stop := w.run()
		defer stop()
		spec := w.limited(unitA)
		spec.Argv = []string{"stubborn"}
		w.create(k, spec)
		space.set(runtime.Space{Bytes: roomy})
		time.Sleep(300 * time.Millisecond)
		if st := w.get(k, unitA); st.State != runtimev1.Stopped || st.StopReason != runtimev1.ReasonQuota {
			t.Errorf("got %+v, want stopped for its quota", st)
		}
	})
}

// TestWhoHidesGoesFirst: no size is told of a descriptor that is on its way
// through a socket. It does not stop a workload, but is why it is the first to
// go when space runs out.
func TestWhoHidesGoesFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		space := w.space(runtime.Space{Bytes: roomy, FreeBytes: roomy})
		k, stop := w.run()
		defer stop()
		w.trio(k)
		end := w.holder(unitA, holdFlight, filepath.Join(w.root, unitA, "ws", wsRW))
		defer end()
		time.Sleep(time.Second)
		if got := w.order(k); got != "" {
			t.Fatalf("stopped %q, want none", got)
		}
		space.set(runtime.Space{Bytes: roomy, FreeBytes: roomy / 30})
		time.Sleep(time.Second)
		if got := w.order(k); got != "A" {
			t.Errorf("stopped %q, want the one that hides", got)
		}
	})
}

// TestDiskIsLookedAtSoon: a fast writer is seen within a second of its start.
func TestDiskIsLookedAtSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		k, stop := w.run()
		defer stop()
		spec := w.limited(unitA)
		w.driver.SetProcesses(runtime.ContainerName(unitA))
		w.create(k, spec)
		w.fill(spec.Mounts[0].Source, "big", 2<<20)
		time.Sleep(time.Second)
		if st := w.get(k, unitA); st.StopReason != runtimev1.ReasonQuota {
			t.Errorf("got %+v, want stopped for its quota", st)
		}
	})
}

// TestWhenToMeasure: however long measuring takes, it is done every ten seconds,
// and early when something grows.
func TestWhenToMeasure(t *testing.T) {
	t.Parallel()
	const room = 1 << 20
	for name, c := range map[string]struct {
		took, since time.Duration
		grown       runtime.Space
		want        bool
	}{
		"cheap":                  {time.Millisecond, 20 * time.Millisecond, runtime.Space{}, true},
		"a twentieth":            {100 * time.Millisecond, 1900 * time.Millisecond, runtime.Space{}, false},
		"a twentieth, later":     {100 * time.Millisecond, 2 * time.Second, runtime.Space{}, true},
		"ten seconds at most":    {time.Minute, 10 * time.Second, runtime.Space{}, true},
		"growth within the room": {time.Second, 2 * time.Second, runtime.Space{Bytes: room, Files: room}, false},
		"growth beyond it":       {time.Second, 2 * time.Second, runtime.Space{Bytes: room + 1}, true},
		"empty files beyond it":  {time.Second, 2 * time.Second, runtime.Space{Files: room + 1}, true},
		"but half of the time":   {time.Second, 1900 * time.Millisecond, runtime.Space{Bytes: room + 1}, false},
	} {
		if got := runtime.Due(c.took, c.since, room, c.grown); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

// TestTooManyNames: empty files take memory of the host, and time to count.
func TestTooManyNames(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, after int
		want          runtimev1.State
	}{
		"as many as it may":                    {0, 100, runtimev1.Running},
		"one too many":                         {0, 101, runtimev1.Stopped},
		"what was there before does not count": {500, 100, runtimev1.Running},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.opt.DiskNames = 100
				k, stop := w.run()
				defer stop()
				spec := w.limited(unitA)
				w.empties(spec.Mounts[0].Source, "before", c.before)
				w.create(k, spec)
				w.empties(spec.Mounts[0].Source, "after", c.after)
				time.Sleep(10 * time.Second)
				if st := w.get(k, unitA); st.State != c.want {
					t.Errorf("got %+v, want %s", st, c.want)
				}
			})
		})
	}
}

func (w *world) empties(dir, name string, n int) {
	w.t.Helper()
	for i := range n {
		w.fill(dir, fmt.Sprint(name, i), 0)
	}
}
