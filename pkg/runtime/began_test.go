package runtime_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/runtime"
	"github.com/vexa-ai/vexa/pkg/steady"
)

// TestClockSetAndKernelRestarted: the next kernel counts a life from its start
// by a clock that nobody sets.
func TestClockSetAndKernelRestarted(t *testing.T) {
	t.Parallel()
	for name, jump := range map[string]time.Duration{"a day forward": 24 * time.Hour, "a day back": -24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				first, stop := w.run()
				spec := w.spec(unitA, "sleep")
				spec.MaxLifetimeSec, spec.IdleTimeoutSec = new(3600), new(veryLong)
				w.create(first, spec)
				time.Sleep(10 * time.Minute)
				stop()
				w.opt.Now = func() time.Time { return time.Now().Round(0).Add(jump) }
				second, stop := w.run()
				defer stop()
				time.Sleep(49 * time.Minute)
				if st := w.get(second, unitA); st.State != runtimev1.Running {
					t.Errorf("before its time: %+v", st)
				}
				time.Sleep(2 * time.Minute)
				if st := w.get(second, unitA); st.StopReason != runtimev1.ReasonMaxLifetime {
					t.Errorf("after its time: %+v", st)
				}
			})
		})
	}
}

// TestStartedBeforeTheMachine: what the engine takes for running though the
// machine was started since is removed.
func TestStartedBeforeTheMachine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first, stop := w.run()
		w.create(first, w.spec(unitA, "sleep"))
		stop()
		w.opt.Moment = func() (steady.Moment, error) { return steady.Moment{Boot: "boot-2"}, nil }
		_, stop = w.run()
		defer stop()
		synctest.Wait()
		if all := w.driver.All(); len(all) > 0 {
			t.Errorf("left: %+v", all)
		}
	})
}

// TestUndatedGoesByTheTimeOfDay: a container of an earlier version has no date.
func TestUndatedGoesByTheTimeOfDay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		moment := w.opt.Moment
		w.opt.Moment = func() (steady.Moment, error) { return steady.Moment{}, errors.New("no clock") }
		first, stop := w.run()
		spec := w.spec(unitA, "sleep")
		spec.MaxLifetimeSec, spec.IdleTimeoutSec = new(3600), new(veryLong)
		w.create(first, spec)
		if c, _ := w.driver.Spec(runtime.ContainerName(unitA)); c.Labels[runtime.LabelBegan] != "" {
			t.Errorf("dated: %v", c.Labels)
		}
		stop()
		time.Sleep(50 * time.Minute)
		w.opt.Moment = moment
		second, stop := w.run()
		defer stop()
		if st := w.get(second, unitA); st.State != runtimev1.Running {
			t.Errorf("before its time: %+v", st)
		}
		time.Sleep(11 * time.Minute)
		if st := w.get(second, unitA); st.StopReason != runtimev1.ReasonMaxLifetime {
			t.Errorf("after its time: %+v", st)
		}
	})
}
