package runtime_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runtime"
	"github.com/vexa-ai/vexa/pkg/runtime/runtimetest"
)

// slowEngine takes its time for each start.
type slowEngine struct {
	*runtimetest.Memory
	each time.Duration

	mu        sync.Mutex
	now, most int
	order     []string // names, as they were made
}

func (e *slowEngine) Create(ctx context.Context, c runtime.Container) (string, error) {
	e.mu.Lock()
	e.now++
	e.most = max(e.most, e.now)
	e.order = append(e.order, c.Name)
	e.mu.Unlock()
	return e.Memory.Create(ctx, c)
}

func (e *slowEngine) Start(ctx context.Context, id string) error {
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.now--
	}()
	select {
	case <-time.After(e.each):
		return e.Memory.Start(ctx, id)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// asker creates workloads in the background, one after the other.
type asker struct {
	w      *world
	k      *runtime.Kernel
	wait   sync.WaitGroup
	errors sync.Map // by unit
}

func (a *asker) ask(id string) {
	spec, token := a.w.spec(id, "sleep"), a.w.token(id)
	spec.IdleTimeoutSec, spec.MaxLifetimeSec = new(90), new(400)
	a.wait.Go(func() {
		_, err := a.k.Create(a.w.t.Context(), spec, token)
		a.errors.Store(id, err)
	})
	synctest.Wait() // it stands in the queue before the next comes
}

func (a *asker) errorOf(id string) error {
	v, _ := a.errors.Load(id)
	err, _ := v.(error)
	return err
}

func queued(i int) string { return fmt.Sprintf("01JDXK%020d", i) }

// Twelve starts of a minute each, two at a time, take six minutes: none fails
// for the two that a start may take, and none is idle, or too old, before it runs.
func TestManyStartsTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n, atOnce = 12, 2
		w := newWorld(t)
		slow := &slowEngine{Memory: w.driver, each: time.Minute}
		w.opt.Driver, w.opt.Starts, w.opt.DiskEvery = slow, atOnce, time.Hour
		k, stop := w.run()
		defer stop()
		a := &asker{w: w, k: k}
		var want []string
		for i := range n {
			a.ask(queued(i))
			want = append(want, runtime.ContainerName(queued(i)))
		}
		begun := time.Now()
		a.wait.Wait()
		if took := time.Since(begun); took != n/atOnce*time.Minute {
			t.Errorf("it took %s", took)
		}
		for i := range n {
			if err := a.errorOf(queued(i)); err != nil {
				t.Errorf("workload %d: %v", i, err)
			}
		}
		if slow.most != atOnce {
			t.Errorf("%d were started at once, not %d", slow.most, atOnce)
		}
		for pair := range slices.Chunk(slow.order, atOnce) {
			slices.Sort(pair) // of those that begin at the same moment either may be first
		}
		if !slices.Equal(slow.order, want) {
			t.Errorf("they were started in another order:\n%v\n%v", slow.order, want)
		}
		last := w.get(k, queued(n-1))
		if last.State != runtimev1.Running || time.Since(*last.StartedAt) > time.Second {
			t.Errorf("the last: %+v at %s", last, time.Now())
		}
		time.Sleep(89 * time.Second)
		if st := w.get(k, queued(n-1)); st.State != runtimev1.Running {
			t.Errorf("its idle time ran before it did: %+v", st)
		}
	})
}

func TestStoppedBeforeItsTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		slow := &slowEngine{Memory: w.driver, each: time.Minute}
		w.opt.Driver, w.opt.Starts = slow, 1
		k, stop := w.run()
		defer stop()
		a := &asker{w: w, k: k}
		for i := range 3 {
			a.ask(queued(i))
		}
		begun := time.Now()
		st, err := k.Stop(t.Context(), queued(1), runtimev1.ReasonStopped)
		if err != nil || st.State != runtimev1.Stopped || st.StopReason != runtimev1.ReasonStopped || time.Since(begun) != 0 {
			t.Errorf("stopped: %+v, %v, after %s", st, err, time.Since(begun))
		}
		a.wait.Wait()
		wantKind(t, a.errorOf(queued(1)), fault.Conflict)
		if took := time.Since(begun); took != 2*time.Minute || a.errorOf(queued(0)) != nil || a.errorOf(queued(2)) != nil {
			t.Errorf("the others took %s: %v, %v", took, a.errorOf(queued(0)), a.errorOf(queued(2)))
		}
		if len(slow.order) != 2 {
			t.Errorf("made: %v", slow.order)
		}
	})
}

// A start that fails, and a kernel that stops, leave nothing waiting.
func TestAFailedStartGivesItsTurnOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		slow := &slowEngine{Memory: w.driver, each: 3 * time.Minute} // longer than a start may take
		w.opt.Driver, w.opt.Starts = slow, 1
		k, stop := w.run()
		a := &asker{w: w, k: k}
		a.ask(unitA)
		a.ask(unitB)
		time.Sleep(2*time.Minute + time.Second)
		synctest.Wait()
		wantKind(t, a.errorOf(unitA), fault.Unavailable)
		if len(slow.order) != 2 {
			t.Errorf("made: %v", slow.order)
		}
		a.ask(queued(0)) // it waits when the kernel ends
		stop()
		a.wait.Wait()
		wantKind(t, a.errorOf(queued(0)), fault.Unavailable)
	})
}
