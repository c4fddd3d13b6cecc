package runtime_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// What was refused is told until its reader says that it has recorded it, and
// then no more; who asks before there is anything waits.
func TestRefusalsAreToldUntilTheyAreRecorded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		k, stop := w.run()
		defer stop()
		waited := make(chan string)
		go func() { waited <- k.Refusals(t.Context(), "")[0].ID }()
		synctest.Wait()
		if err := k.Refuse(t.Context(), unitA, fault.New(fault.Denied, "one", "")); !fault.Is(err, fault.Denied) {
			t.Errorf("refuse: %v", err)
		}
		first := <-waited
		if err := k.Refuse(t.Context(), "../x", fault.New(fault.Invalid, "two", "")); !fault.Is(err, fault.Denied) {
			t.Errorf("refuse: %v", err)
		}
		list := k.Refusals(t.Context(), "") // a reader that was killed comes back
		if len(list) != 2 || list[0].ID != first || list[0].Unit != unitA || list[0].Reason != "one" || list[0].At.IsZero() || list[1].Unit != "" {
			t.Fatalf("got %+v", list)
		}
		if again := k.Refusals(t.Context(), first); len(again) != 1 || again[0].ID != list[1].ID {
			t.Errorf("after the first is recorded: %+v", again)
		}
		if again := k.Refusals(t.Context(), "another-kernels-7"); len(again) != 1 {
			t.Errorf("with an id of another kernel: %+v", again)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if none := k.Refusals(ctx, list[1].ID); none != nil {
			t.Errorf("all is recorded, and yet: %+v", none)
		}
	})
}

// A flood uses bounded memory; what did not fit is counted.
func TestFloodOfRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.opt.Refused = 2
	k, stop := w.run()
	defer stop()
	for range 7 {
		if err := k.Refuse(t.Context(), unitA, fault.New(fault.Denied, "no", "")); err == nil {
			t.Fatal("refuse: no error")
		}
	}
	list := k.Refusals(t.Context(), "")
	if len(list) != 2 {
		t.Fatalf("%d are kept, want 2", len(list))
	}
	rest := k.Refusals(t.Context(), list[1].ID)
	if len(rest) != 1 || !strings.HasPrefix(rest[0].Reason, "5 more ") {
		t.Errorf("of those that did not fit: %+v", rest)
	}
}
