package dispatch_test

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// fullRecords is a journal on a disk that is full for a while.
type fullRecords struct {
	dispatch.Records
	full *atomic.Bool
}

func (f fullRecords) Append(ctx context.Context, p []byte) (uint64, error) {
	if f.full.Load() {
		return 0, fmt.Errorf("append: %w", syscall.ENOSPC)
	}
	return f.Records.Append(ctx, p)
}

// What was stopped while it waited for a container, and could not be recorded as
// ended, gets none when there is room again.
func TestStoppedWhileItWaitsAndTheDiskIsFull(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	full := &atomic.Bool{}
	s.restart(func(o *dispatch.Options) {
		oneContainer(0)(o)
		again(o)
		o.Records = fullRecords{o.Records, full}
	})
	gate := s.home.State + "/gate"
	first := s.blocked(gate)
	s.waitForWord(first.Unit)
	waits := s.start(api.StartRequest{Text: "echo never > never.md", Runner: "text", Limits: limits(0)})
	full.Store(true)
	if _, err := s.m.Stop(t.Context(), waits.Unit, false); err == nil {
		t.Error("it was stopped, which cannot have been recorded")
	}
	full.Store(false)
	if row := s.ended(waits.Unit); row.StopReason != runtimev1.ReasonStopped {
		t.Errorf("row %+v", row)
	}
	if d := done(t, s.turn(waits)); d.OK || d.Outcome != wsv2.OutcomeInterrupted {
		t.Errorf("turn-done %+v", d)
	}
	must(t, os.WriteFile(gate, nil, 0o600))
	s.ended(first.Unit)
	if got := s.file("never.md"); got != "" {
		t.Errorf("the stopped one ran: %q", got)
	}
}

// deafRuntime is a kernel that answers nobody for a while.
type deafRuntime struct{ downRuntime }

func (d *deafRuntime) Stop(ctx context.Context, id string, reason runtimev1.StopReason) (runtimev1.Status, error) {
	if d.down.Load() {
		return runtimev1.Status{}, fault.New(fault.Unavailable, "the kernel is down", "")
	}
	return d.Runtime.Stop(ctx, id, reason)
}

// A container whose start was not recorded, and whose dispatch was stopped
// before the kernel answered, is stopped as soon as it does.
func TestStoppedBeforeTheStartWasRecorded(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	st := s.blocked(s.home.State + "/never")
	s.waitForWord(st.Unit)
	kernel := &deafRuntime{}
	kernel.down.Store(true)
	s.restart(func(o *dispatch.Options) {
		o.Records, kernel.Runtime = withoutStart{o.Records}, o.Runtime
		o.Runtime = kernel
	})
	stopped := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	go func() {
		_, err := s.m.Stop(ctx, st.Unit, false)
		stopped <- err
	}()
	s.eventually("the dispatch to be stopping", func() bool {
		row, err := s.m.Get(st.Unit)
		must(t, err)
		return row.State == runtimev1.Stopping
	})
	kernel.down.Store(false)
	must(t, <-stopped)
	if d := done(t, s.turn(st)); d.OK || d.Outcome != wsv2.OutcomeInterrupted {
		t.Errorf("turn-done %+v", d)
	}
}
