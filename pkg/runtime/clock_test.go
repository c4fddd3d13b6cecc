package runtime_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
)

// TestClockThatIsSet: neither a day forward nor an hour back ends a workload,
// or lets it live for ever, or has the kernel forget how it ended.
func TestClockThatIsSet(t *testing.T) {
	t.Parallel()
	for name, jump := range map[string]time.Duration{"a day forward": 24 * time.Hour, "an hour back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				var moved atomic.Int64
				moved.Store(int64(100 * time.Hour)) // it was never right
				w.opt.Now = func() time.Time { return time.Now().Round(0).Add(time.Duration(moved.Load())) }
				k, stop := w.run()
				defer stop()
				idle, life := w.spec(unitA, "sleep"), w.spec(unitB, "sleep")
				idle.IdleTimeoutSec, life.MaxLifetimeSec, life.IdleTimeoutSec = new(60), new(60), new(veryLong)
				w.create(k, idle)
				w.create(k, life)
				time.Sleep(50 * time.Second)
				moved.Add(int64(jump))
				time.Sleep(9 * time.Second)
				for _, unit := range []string{unitA, unitB} {
					if st := w.get(k, unit); st.State != runtimev1.Running {
						t.Errorf("before its time: %+v", st)
					}
				}
				time.Sleep(2 * time.Second)
				if st := w.get(k, unitA); st.StopReason != runtimev1.ReasonIdle {
					t.Errorf("idle: %+v", st)
				}
				if st := w.get(k, unitB); st.StopReason != runtimev1.ReasonMaxLifetime {
					t.Errorf("its lifetime: %+v", st)
				}
				moved.Add(-2 * int64(jump))
				time.Sleep(time.Minute)
				w.get(k, unitA) // is remembered
			})
		})
	}
}

// TestKernelThatDidNotRun: the time in which kernel and daemon stood still ends
// no workload; what comes after it counts again.
func TestKernelThatDidNotRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var stood atomic.Int64
		w.opt.Ticks = func() time.Time { return time.Now().Add(time.Duration(stood.Load())) }
		k, stop := w.run()
		defer stop()
		spec := w.spec(unitA, "sleep")
		spec.IdleTimeoutSec, spec.MaxLifetimeSec = new(60), new(100)
		w.create(k, spec)
		time.Sleep(12 * time.Second)
		stood.Store(int64(10 * time.Minute))
		time.Sleep(40 * time.Second)
		if st := w.get(k, unitA); st.State != runtimev1.Running {
			t.Fatalf("after it stood still: %+v", st)
		}
		time.Sleep(15 * time.Second)
		if st := w.get(k, unitA); st.StopReason != runtimev1.ReasonIdle {
			t.Errorf("idle at last: %+v", st)
		}
	})
}
