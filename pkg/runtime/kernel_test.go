package runtime_test

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runtime"
	"github.com/vexa-ai/vexa/pkg/runtime/runtimetest"
)

func TestWorkloadIsRunAndItsContainerRemoved(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		script runtimetest.Script
		code   int
		reason runtimev1.StopReason
	}{
		"completed": {func(*runtimetest.Process) {}, 0, runtimev1.ReasonCompleted},
		"failed":    {func(p *runtimetest.Process) { p.Exit(3, false) }, 3, runtimev1.ReasonFailed},
		"oom":       {func(p *runtimetest.Process) { p.Exit(137, true) }, 137, runtimev1.ReasonOOM},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				release := make(chan struct{})
				w.driver.Program("work", func(p *runtimetest.Process) {
					<-release
					test.script(p)
				})
				k, stop := w.run()
				defer stop()
				st := w.create(k, w.spec(unitA, "work"))
				if st.State != runtimev1.Running || st.Container == "" || st.StartedAt == nil || st.Backend != "podman" {
					t.Fatalf("created: %+v", st)
				}
				close(release)
				st = w.get(k, unitA)
				if st.State != runtimev1.Stopped || st.StopReason != test.reason || st.ExitCode == nil || *st.ExitCode != test.code {
					t.Errorf("ended: %+v", st)
				}
				if left := w.driver.All(); len(left) != 0 {
					t.Errorf("containers left: %+v", left)
				}
			})
		})
	}
}

func TestContainerIsAsTheSpecSays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		k, stop := w.run()
		defer stop()
		spec := w.spec(unitA, "sleep")
		spec.Env = map[string]string{"LANG": "C"}
		spec.Labels = map[string]string{"org.example.tag": "x"}
		spec.Limits = &runtimev1.Limits{Processes: 9, DiskMB: 5}
		cpu := 0.5
		spec.Resources = &runtimev1.Resources{CPU: &cpu}
		w.create(k, spec)
		c, ok := w.driver.Spec("vexa-agent-" + strings.ToLower(unitA))
		if !ok {
			t.Fatalf("no container of that name: %+v", w.driver.All())
		}
		if c.Labels[runtime.LabelInstall] != install || c.Labels[runtime.LabelUnit] != unitA || c.Labels["org.example.tag"] != "x" {
			t.Errorf("labels: %v", c.Labels)
		}
		if c.Env["HOME"] != "/home/agent" || c.Env["LANG"] != "C" || c.Env["PATH"] == "" {
			t.Errorf("env: %v", c.Env)
		}
		if c.Limits.Processes != 9 || c.Limits.OpenFiles == 0 || c.Limits.TmpMB == 0 || c.Limits.CPU != 0.5 {
			t.Errorf("limits: %+v", c.Limits)
		}
		want := map[string][2]bool{ // read-only, not executable
			"/workspace": {false, false}, "/workspaces/" + wsRO: {true, false}, "/.vexa/history/" + wsRW: {true, true},
			"/.vexa/session": {false, false}, "/.vexa/run": {true, true}, "/.vexa/bin/vexa": {true, false},
		}
		for _, m := range c.Mounts {
			if got, ok := want[m.Target]; !ok || got != [2]bool{m.ReadOnly, m.NoExec} {
				t.Errorf("mount: %+v", m)
			}
			delete(want, m.Target)
		}
		if len(want) != 0 {
			t.Errorf("not mounted: %v", want)
		}
	})
}

func TestCreateAgainIsATouch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		k, stop := w.run()
		defer stop()
		spec := w.spec(unitA, "sleep")
		spec.IdleTimeoutSec = new(60)
		first := w.create(k, spec)
		time.Sleep(50 * time.Second)
		other := w.spec(unitA, "false") // discarded
		other.Profile = "no such profile"
		if again := w.create(k, other); again.Container != first.Container || again.State != runtimev1.Running {
			t.Fatalf("touched: %+v", again)
		}
		time.Sleep(50 * time.Second) // past the first deadline, before the second
		if st := w.get(k, unitA); st.State != runtimev1.Running {
			t.Fatalf("the idle clock was not set back: %+v", st)
		}
		time.Sleep(11 * time.Second)
		if st := w.get(k, unitA); st.State != runtimev1.Stopped || st.StopReason != runtimev1.ReasonIdle {
			t.Fatalf("got %+v, want stopped as idle", st)
		}
		_, err := k.Create(t.Context(), spec, w.token(unitA))
		wantKind(t, err, fault.Conflict)
		if st, err := k.Delete(t.Context(), unitA); err != nil || st.State != runtimev1.Destroyed {
			t.Fatalf("delete: %+v, %v", st, err)
		}
		w.create(k, spec)
	})
}

func TestConcurrentCreatesMakeOneContainer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		k, stop := w.run()
		defer stop()
		spec, token := w.spec(unitA, "sleep"), w.token(unitA)
		errs := make(chan error, 20)
		for range cap(errs) {
			go func() {
				_, err := k.Create(t.Context(), spec, token)
				errs <- err
			}()
		}
		for range cap(errs) {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if all := w.driver.All(); len(all) != 1 {
			t.Errorf("got %d containers, want 1", len(all))
		}
	})
}

func TestMaximumLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		k, stop := w.run()
		defer stop()
		spec := w.spec(unitA, "stubborn") // ends only when killed
		spec.IdleTimeoutSec, spec.MaxLifetimeSec = new(veryLong), new(100)
		w.create(k, spec)
		time.Sleep(99 * time.Second)
		w.create(k, spec) // a touch does not prolong it
		time.Sleep(2 * time.Second)
		if st := w.get(k, unitA); st.State != runtimev1.Stopping || st.StopReason != runtimev1.ReasonMaxLifetime {
			t.Fatalf("got %+v, want stopping for its age", st)
		}
		_, err := k.Create(t.Context(), spec, w.token(unitA))
		wantKind(t, err, fault.Conflict) // an ending workload cannot be touched
		time.Sleep(10 * time.Second)     // the grace
		if st := w.get(k, unitA); st.State != runtimev1.Stopped || st.StopReason != runtimev1.ReasonMaxLifetime || *st.ExitCode != 137 {
			t.Fatalf("got %+v, want killed for its age", st)
		}
	})
}

func TestStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		k, stop := w.run()
		defer stop()
		w.create(k, w.spec(unitA, "sleep"))
		_, err := k.Stop(t.Context(), unitA, runtimev1.ReasonOOM)
		wantKind(t, err, fault.Invalid)
		st, err := k.Stop(t.Context(), unitA, "")
		if err != nil || st.State != runtimev1.Stopped || st.StopReason != runtimev1.ReasonStopped || *st.ExitCode != 143 {
			t.Fatalf("stop: %+v, %v", st, err)
		}
		again, err := k.Stop(t.Context(), unitA, runtimev1.ReasonQuota)
		if err != nil || again.StopReason != runtimev1.ReasonStopped {
			t.Fatalf("stopping again: %+v, %v", again, err)
		}
		_, err = k.Stop(t.Context(), unitB, "")
		wantKind(t, err, fault.NotFound)
	})
}

func TestStopWhileStarting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		slow := make(chan struct{})
		w.opt.Images = func(name string) (runtime.Image, error) {
			img, err := images(name)
			open := img.Open
			img.Open = func() (io.ReadCloser, error) {
				<-slow
				return open()
			}
			return img, err
		}
		k, stop := w.run()
		defer stop()
		created := make(chan error, 1)
		go func() {
			_, err := k.Create(t.Context(), w.spec(unitA, "sleep"), w.token(unitA))
			created <- err
		}()
		synctest.Wait()
		stopped := make(chan runtimev1.Status, 1)
		go func() {
			st, err := k.Stop(t.Context(), unitA, "")
			if err != nil {
				t.Error(err)
			}
			stopped <- st
		}()
		synctest.Wait()
		close(slow)
		if st := <-stopped; st.State != runtimev1.Stopped || st.StopReason != runtimev1.ReasonStopped {
			t.Errorf("got %+v, want stopped", st)
		}
		if err := <-created; err != nil {
			t.Error(err)
		}
		if left := w.driver.All(); len(left) != 0 {
			t.Errorf("containers left: %+v", left)
		}
	})
}

func TestWhatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		k, stop := w.run()
		defer stop()
		spec := w.spec(unitA, "no-such-program")
		_, err := k.Create(t.Context(), spec, w.token(unitA))
		wantKind(t, err, fault.Unavailable)
		st := w.get(k, unitA)
		if st.State != runtimev1.Stopped || st.StopReason != runtimev1.ReasonStartFailed || !strings.Contains(st.Detail, "no-such-program") {
			t.Errorf("got %+v", st)
		}
		if left := w.driver.All(); len(left) != 0 {
			t.Errorf("containers left: %+v", left)
		}
		spec = w.spec(unitB, "sleep")
		spec.Image = "absent"
		_, err = k.Create(t.Context(), spec, w.token(unitB))
		wantKind(t, err, fault.NotFound) // which somebody can make
		if st := w.get(k, unitB); st.StopReason != runtimev1.ReasonStartFailed || !strings.Contains(st.Detail, "absent") {
			t.Errorf("got %+v", st)
		}
	})
}

func TestAnEngineThatIsAwayEndsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		flaky := &flakyDriver{Memory: w.driver, fail: make(chan struct{})}
		w.opt.Driver = flaky
		k, stop := w.run()
		defer stop()
		spec := w.spec(unitA, "sleep")
		spec.IdleTimeoutSec = new(veryLong)
		w.create(k, spec)
		close(flaky.fail) // the engine's connection breaks while the kernel waits
		time.Sleep(time.Minute)
		if st := w.get(k, unitA); st.State != runtimev1.Running {
			t.Fatalf("got %+v, want running", st)
		}
	})
}

// flakyDriver fails every Wait once fail is closed.
type flakyDriver struct {
	*runtimetest.Memory
	fail chan struct{}
}

func (d *flakyDriver) Wait(ctx context.Context, id string) (runtime.Exit, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-d.fail:
			cancel()
		case <-ctx.Done():
		}
	}()
	exit, err := d.Memory.Wait(ctx, id)
	if errors.Is(err, context.Canceled) {
		err = fault.New(fault.Unavailable, "away", "")
	}
	return exit, err
}

func TestLimitsThatDoNotHoldAreSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.driver.SetInfo(runtime.Info{Backend: "podman", Unenforced: []string{"cpu", "memory", "pids"}, Why: "reasons"})
		k, stop := w.run()
		defer stop()
		spec := w.spec(unitA, "sleep")
		mb := 100
		spec.Resources = &runtimev1.Resources{MemoryMB: &mb}
		if st := w.create(k, spec); st.Detail != "limits not enforced here: memory, pids (reasons)" {
			t.Errorf("detail: %q", st.Detail)
		}
		h, err := k.Health(t.Context())
		if err != nil || len(h.Unenforced) != 3 || h.Live != 1 || h.PID != os.Getpid() || h.Backend != "podman" {
			t.Errorf("health: %+v, %v", h, err)
		}
	})
}

func TestEndedStatusesAreKeptForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.opt.KeepCount = 2
		k, stop := w.run()
		defer stop()
		for i, c := range "ABCD" {
			id := unitA[:len(unitA)-1] + string(c)
			w.create(k, w.spec(id, "true"))
			synctest.Wait()
			time.Sleep(time.Second)
			list, err := k.List(t.Context())
			if err != nil || len(list) != min(i+1, 2) {
				t.Fatalf("after %d: %d statuses, %v", i+1, len(list), err)
			}
		}
		time.Sleep(16 * time.Minute)
		synctest.Wait()
		if list, err := k.List(t.Context()); err != nil || len(list) != 0 {
			t.Errorf("after a while: %+v, %v", list, err)
		}
	})
}

func TestPauseEndsWithTheWorkload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		k, stop := w.run()
		defer stop()
		w.create(k, w.spec(unitA, "sleep"))
		for range 2 {
			if err := k.Pause(t.Context(), unitA); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := k.Resume(t.Context(), unitA); err != nil {
				t.Fatal(err)
			}
		}
		if err := k.Pause(t.Context(), unitA); err != nil {
			t.Fatal(err)
		}
		if st, err := k.Stop(t.Context(), unitA, ""); err != nil || *st.ExitCode != 143 {
			t.Fatalf("a paused workload: %+v, %v", st, err)
		}
		wantKind(t, k.Pause(t.Context(), unitA), fault.Conflict)
	})
}

func TestACreateThatFailedAndTookEffectLeavesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.opt.Driver = lossyDriver{w.driver}
		k, stop := w.run()
		defer stop()
		_, err := k.Create(t.Context(), w.spec(unitA, "sleep"), w.token(unitA))
		wantKind(t, err, fault.Unavailable)
		if left := w.driver.All(); len(left) != 0 {
			t.Errorf("containers left: %+v", left)
		}
	})
}

// lossyDriver loses the answer of every create.
type lossyDriver struct{ *runtimetest.Memory }

func (d lossyDriver) Create(ctx context.Context, c runtime.Container) (string, error) {
	_, err := d.Memory.Create(ctx, c)
	return "", errors.Join(err, errors.New("the answer was lost"))
}
