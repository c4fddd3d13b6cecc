package dispatch_test

import (
	"context"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/dispatch"
)

// noMoreRecords is a journal that has no room while it is full.
type noMoreRecords struct {
	dispatch.Records
	full atomic.Bool
}

func (f *noMoreRecords) Write(p []byte) (uint64, error) {
	if f.full.Load() {
		return 0, syscall.ENOSPC
	}
	return f.Records.Write(p)
}

func (f *noMoreRecords) Append(ctx context.Context, p []byte) (uint64, error) {
	if f.full.Load() {
		return 0, syscall.ENOSPC
	}
	return f.Records.Append(ctx, p)
}

// A dispatch that stands still keeps its place: its container still runs. It
// gives it back, once, when that has ended.
func TestADispatchThatStandsStillKeepsItsPlace(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	records := &noMoreRecords{}
	s.restart(func(o *dispatch.Options) {
		oneContainer(0)(o)
		records.Records, o.Records, o.SaveAgain = o.Records, records, 50*time.Millisecond
	})
	gate := s.home.State + "/gate"
	first := s.blocked(gate)
	s.waitForWord(first.Unit)
	second := s.start(api.StartRequest{Text: "echo second", Runner: "text", Limits: limits(0)})
	third := s.start(api.StartRequest{Text: "echo third", Runner: "text", Limits: limits(0)})
	left := s.m.Done(first.Unit)
	records.full.Store(true)
	must(t, os.WriteFile(gate, nil, 0o600))
	<-left
	s.eventually("it to stand still", func() bool { return s.m.Unsaved(first.Unit) != nil })
	for i, st := range []api.Started{second, third} {
		row, err := s.m.Get(st.Unit)
		must(t, err)
		if want := []string{"; 0 before it", "; 1 before it"}[i]; !strings.HasSuffix(row.Detail, want) {
			t.Errorf("while the container of the first runs: %+v", row)
		}
	}
	records.full.Store(false)
	for _, st := range []api.Started{first, second, third} {
		if d := done(t, s.turn(st)); !d.OK {
			t.Errorf("turn-done %+v", d)
		}
	}
	if a, b := s.ended(second.Unit), s.ended(third.Unit); b.EndedAt.Before(*a.EndedAt) {
		t.Error("the third ended before the second")
	}
}
