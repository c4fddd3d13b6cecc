package runtime_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/failpoint"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// An engine that goes away between a container's creation and its start is
// waited for. One that stays away fails the start, and what is left of that is
// removed when it is back.
func TestEngineLostWhileStarting(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]time.Duration{"briefly": 10 * time.Second, "for long": 10 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				if err := failpoint.Arm(dir, "runtime.created"); err != nil {
					t.Fatal(err)
				}
				w.opt.Failpoints = failpoint.New(dir)
				k, stop := w.run()
				defer stop()
				spec, token := w.spec(unitA, "sleep"), w.token(unitA)
				created := make(chan error, 1)
				go func() {
					_, err := k.Create(t.Context(), spec, token)
					created <- err
				}()
				for !failpoint.Reached(dir, "runtime.created") {
					time.Sleep(time.Millisecond)
				}
				w.driver.Fail(fault.New(fault.Unavailable, "it does not answer", ""))
				if err := failpoint.Release(dir, "runtime.created"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(away)
				w.driver.Fail(nil)
				time.Sleep(time.Minute)
				err := <-created
				st := w.get(k, unitA)
				switch name {
				case "briefly":
					if err != nil || st.State != runtimev1.Running {
						t.Errorf("create: %v; the workload: %+v", err, st)
					}
				default:
					if !fault.Is(err, fault.Unavailable) || st.StopReason != runtimev1.ReasonStartFailed {
						t.Errorf("create: %v; the workload: %+v", err, st)
					}
					if all := w.driver.All(); len(all) > 0 {
						t.Errorf("left behind: %+v", all)
					}
				}
			})
		})
	}
}

// A container that ended while the engine was away is removed when it is back.
func TestEngineLostWhileRemoving(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		if err := failpoint.Arm(dir, "runtime.ended"); err != nil {
			t.Fatal(err)
		}
		w.opt.Failpoints = failpoint.New(dir)
		k, stop := w.run()
		defer stop()
		w.create(k, w.spec(unitA, "sleep"))
		stopped := make(chan error, 1)
		go func() {
			_, err := k.Stop(t.Context(), unitA, "")
			stopped <- err
		}()
		for !failpoint.Reached(dir, "runtime.ended") {
			time.Sleep(time.Millisecond)
		}
		w.driver.Fail(fault.New(fault.Unavailable, "it does not answer", ""))
		if err := failpoint.Release(dir, "runtime.ended"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.driver.Fail(nil)
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		if all := w.driver.All(); len(all) > 0 {
			t.Errorf("left behind: %+v", all)
		}
	})
}
