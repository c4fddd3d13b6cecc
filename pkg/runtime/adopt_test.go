package runtime_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/runtime"
	"github.com/vexa-ai/vexa/pkg/runtime/runtimetest"
)

func TestARestartedKernelAdoptsWhatLives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		release := make(chan struct{})
		w.driver.Program("work", func(p *runtimetest.Process) {
			select {
			case <-release:
				p.Exit(3, false)
			case <-p.Killed:
			}
		})
		first, stop := w.run()
		a, b := w.spec(unitA, "sleep"), w.spec(unitB, "work")
		a.IdleTimeoutSec, a.MaxLifetimeSec = new(veryLong), new(1000)
		b.IdleTimeoutSec = new(60)
		running := w.create(first, a)
		w.create(first, b)
		time.Sleep(500 * time.Second / 10)
		stop()

		close(release) // b ends while no kernel is there
		time.Sleep(500 * time.Second)
		second, stop := w.run()
		defer stop()
		st := w.get(second, unitA)
		if st.State != runtimev1.Running || st.Container != running.Container || !st.StartedAt.Equal(*running.StartedAt) || st.Profile != "agent" {
			t.Errorf("adopted: %+v", st)
		}
		st = w.get(second, unitB)
		if st.State != runtimev1.Stopped || st.StopReason != runtimev1.ReasonFailed || *st.ExitCode != 3 {
			t.Errorf("ended meanwhile: %+v", st)
		}
		if all := w.driver.All(); len(all) != 1 {
			t.Errorf("containers: %+v, want one", all)
		}
		if again := w.create(second, a); again.Container != running.Container {
			t.Errorf("touched: %+v", again)
		}
		time.Sleep(500 * time.Second) // its age counts from its start, not from the adoption
		if st := w.get(second, unitA); st.State != runtimev1.Stopped || st.StopReason != runtimev1.ReasonMaxLifetime {
			t.Errorf("after its maximum life: %+v", st)
		}
	})
}

func TestAnAdoptedWorkloadKeepsItsQuota(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first, stop := w.run()
		spec := w.spec(unitA, "sleep")
		spec.IdleTimeoutSec = new(veryLong)
		spec.Limits = &runtimev1.Limits{DiskMB: 1}
		w.fill(spec.Mounts[3].Source, "before", 3<<20)
		w.create(first, spec)
		stop()
		second, stop := w.run()
		defer stop()
		time.Sleep(10 * time.Second)
		if st := w.get(second, unitA); st.State != runtimev1.Running {
			t.Fatalf("got %+v, want running", st)
		}
		w.fill(spec.Mounts[3].Source, "session", 2<<20) // the session counts as well
		time.Sleep(10 * time.Second)
		if st := w.get(second, unitA); st.StopReason != runtimev1.ReasonQuota {
			t.Fatalf("got %+v, want stopped for its quota", st)
		}
	})
}

func TestOtherInstallationsAreNotTouched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx := t.Context()
		img, err := images("x")
		if err != nil {
			t.Fatal(err)
		}
		if err := w.driver.EnsureImage(ctx, img); err != nil {
			t.Fatal(err)
		}
		put := func(name, install, unit string, start bool) string {
			t.Helper()
			id, err := w.driver.Create(ctx, runtime.Container{Name: name, Image: img.Ref, Argv: []string{"sleep"}, Labels: map[string]string{
				runtime.LabelInstall: install, runtime.LabelUnit: unit,
			}})
			if err == nil && start {
				err = w.driver.Start(ctx, id)
			}
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		foreign := map[string]bool{
			put("vexa-agent-theirs", "ffffffffffff", unitB, true):   true,
			put("vexa-agent-created", "ffffffffffff", unitB, false): true,
			put("a-persons-own", "", "", true):                      true,
		}
		put("vexa-agent-halfmade", install, unitA, false)  // a create that was never started
		put("vexa-agent-unlabelled", install, unitA, true) // ours, but not as this kernel makes them
		lying := &lyingDriver{Memory: w.driver}
		w.opt.Driver = lying
		k, stop := w.run()
		w.create(k, w.spec(unitB, "sleep"))
		if _, err := k.Delete(ctx, unitB); err != nil {
			t.Fatal(err)
		}
		stop()
		left := w.driver.All()
		if len(left) != len(foreign) {
			t.Errorf("left: %+v, want the foreign ones alone", left)
		}
		for _, c := range left {
			if !foreign[c.ID] {
				t.Errorf("%s is left", c.Name)
			}
		}
	})
}

// lyingDriver lists the containers of everybody.
type lyingDriver struct{ *runtimetest.Memory }

func (d *lyingDriver) List(ctx context.Context, _ string) ([]runtime.Instance, error) {
	return d.All(), ctx.Err()
}
