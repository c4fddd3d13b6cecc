package runtime_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/failpoint"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runtime"
	"github.com/vexa-ai/vexa/pkg/runtime/runtimetest"
)

// states are those of the contract.
func states(tb testing.TB) []runtimev1.State {
	tb.Helper()
	source, err := contract.Source("runtime.v1")
	if err != nil {
		tb.Fatal(err)
	}
	var schema struct {
		Defs struct {
			RuntimeState struct{ Enum []runtimev1.State }
		} `json:"$defs"`
	}
	if err := json.Unmarshal(source, &schema); err != nil {
		tb.Fatal(err)
	}
	if len(schema.Defs.RuntimeState.Enum) < 5 {
		tb.Fatalf("the contract has the states %v", schema.Defs.RuntimeState.Enum)
	}
	return schema.Defs.RuntimeState.Enum
}

// TestKernelEndedAtEachFailpoint ends the kernel at every named instant of
// every state of a workload. The next one knows the workload unless nobody was
// ever told of it or it was deleted, and leaves no container behind.
func TestKernelEndedAtEachFailpoint(t *testing.T) {
	t.Parallel()
	for _, state := range states(t) {
		points := runtime.Failpoints()[state]
		if len(points) == 0 {
			t.Errorf("state %s has no failpoint", state)
		}
		for _, p := range points {
			t.Run(string(p), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				synctest.Test(t, func(t *testing.T) { endedAt(t, dir, p) })
			})
		}
	}
}

func endedAt(t *testing.T, dir string, p failpoint.Point) {
	t.Helper()
	w := newWorld(t)
	w.driver.Program("work", func(p *runtimetest.Process) {
		select {
		case <-p.Term:
			p.Exit(143, false)
		case <-p.Killed:
		}
	})
	if err := failpoint.Arm(dir, p); err != nil {
		t.Fatal(err)
	}
	w.opt.Failpoints = failpoint.New(dir)
	first, stop := w.run()
	spec := w.spec(unitA, "work")
	token := w.token(unitA)
	var told, deleted bool
	client, left := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := first.Create(client, spec, token); err != nil {
			return
		}
		told = true
		if _, err := first.Stop(client, unitA, ""); err != nil {
			return
		}
		_, err := first.Delete(client, unitA)
		deleted = err == nil
	}()
	for range 10_000 {
		if failpoint.Reached(dir, p) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if !failpoint.Reached(dir, p) {
		t.Fatal("no kernel came by")
	}
	left()
	stop()
	<-done

	second, stop := w.run()
	defer stop()
	st, err := second.Get(t.Context(), unitA)
	switch {
	case fault.Is(err, fault.NotFound):
		if told && !deleted && p != "runtime.stopped" && p != "runtime.destroyed" {
			t.Error("a workload that was running was forgotten")
		}
	case err != nil:
		t.Fatal(err)
	case st.State != runtimev1.Running && st.State != runtimev1.Stopped:
		t.Errorf("adopted as %+v", st)
	}
	if _, err := second.Delete(t.Context(), unitA); err != nil && !fault.Is(err, fault.NotFound) {
		t.Error(err)
	}
	if all := w.driver.All(); len(all) > 0 {
		t.Errorf("left behind: %+v", all)
	}
	if st := w.create(second, spec); st.State != runtimev1.Running {
		t.Errorf("its id is not free: %+v", st)
	}
}
