package runtime_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/runtime"
)

// reader collects events in the background until its context ends.
type reader struct {
	got  []runtime.Event
	stop func()
}

func read(t *testing.T, k *runtime.Kernel, after string) *reader {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &reader{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e := range k.Events(ctx, after) {
			r.got = append(r.got, e)
		}
	}()
	r.stop = func() {
		synctest.Wait()
		cancel()
		<-done
	}
	synctest.Wait()
	return r
}

// story is what happened, as "unit's last letter:state".
func (r *reader) story() []string {
	out := []string{}
	for _, e := range r.got {
		out = append(out, e.WorkloadID[len(e.WorkloadID)-1:]+":"+string(e.State))
	}
	return out
}

func wantStory(t *testing.T, r *reader, want ...string) {
	t.Helper()
	r.stop()
	if diff := cmp.Diff(append([]string{}, want...), r.story()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestEveryStateIsAnEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		k, stop := w.run()
		defer stop()
		r := read(t, k, "")
		w.create(k, w.spec(unitA, "sleep"))
		if _, err := k.Delete(t.Context(), unitA); err != nil {
			t.Fatal(err)
		}
		wantStory(t, r, "A:starting", "A:running", "A:stopping", "A:stopped", "A:destroyed")
		last := r.got[len(r.got)-1]
		if last.StopReason != runtimev1.ReasonStopped || *last.ExitCode != 143 || last.At.IsZero() {
			t.Errorf("the end: %+v", last)
		}
	})
}

func TestAReaderThatComesBackMissesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		k, stop := w.run()
		defer stop()
		whole := read(t, k, "")
		w.create(k, w.spec(unitA, "sleep"))
		w.create(k, w.spec(unitB, "true"))
		if _, err := k.Delete(t.Context(), unitA); err != nil {
			t.Fatal(err)
		}
		whole.stop()
		for i, e := range whole.got {
			rest := read(t, k, e.ID)
			rest.stop()
			if diff := cmp.Diff(whole.got[i+1:], rest.got); diff != "" && len(whole.got[i+1:])+len(rest.got) > 0 {
				t.Errorf("after event %d (-want +got):\n%s", i, diff)
			}
		}
	})
}

func TestAReaderThatWasAwayTooLongGetsThePresent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.opt.Ring = 3
		first, stop := w.run()
		r := read(t, first, "")
		w.create(first, w.spec(unitA, "sleep"))
		w.create(first, w.spec(unitB, "true"))
		r.stop()
		if len(r.got) < 5 {
			t.Fatalf("a reader that keeps up got %v", r.story())
		}
		wantStory(t, read(t, first, r.got[0].ID), "A:running", "B:stopped")
		wantStory(t, read(t, first, "nonsense"), "A:running", "B:stopped")
		last := r.got[len(r.got)-1].ID
		stop()
		second, stop := w.run() // another kernel's ids
		defer stop()
		r = read(t, second, last)
		w.create(second, w.spec(unitA))
		wantStory(t, r, "A:running")
	})
}

func TestASnapshotCutShortBeginsAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		k, stop := w.run()
		defer stop()
		w.create(k, w.spec(unitA, "sleep"))
		w.create(k, w.spec(unitB, "sleep"))
		r := read(t, k, "")
		r.stop()
		ids := []string{r.got[0].ID, r.got[1].ID}
		if ids[0] != "" || !slices.ContainsFunc(ids, func(id string) bool { return id != "" }) {
			t.Errorf("ids %q: only the last of a snapshot may be resumed from", ids)
		}
		wantStory(t, read(t, k, ids[1]))
	})
}
