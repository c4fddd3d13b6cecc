package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/daemon"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/journal"
	"github.com/vexa-ai/vexa/pkg/retention"
)

// deadRecords is a journal that takes nothing.
type deadRecords struct{ dispatch.Records }

func (deadRecords) Append(context.Context, []byte) (uint64, error) {
	return 0, fmt.Errorf("flush: %w", journal.ErrStopped)
}

// TestDaemonEndsWithItsJournal: a daemon that can record nothing any more does
// not go on in silence.
func TestDaemonEndsWithItsJournal(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	f.options.Kernel = daemon.NewKernel(t.Context(), daemon.KernelOptions{
		Command: func() (*exec.Cmd, error) { return nil, errors.New("there is none") },
		PID:     func(context.Context) (int, error) { return 0, errors.New("there is none") },
		Log:     slog.New(slog.DiscardHandler),
	})
	f.change = func(o *dispatch.Options) {
		o.Records = deadRecords{o.Records}
		o.Retention.Dispatches = retention.Dispatches{Age: time.Nanosecond}
	}
	ended := make(chan error, 1)
	server := daemon.New(t.Context(), f.options)
	go func() { ended <- server.Serve(t.Context()) }()
	select {
	case err := <-ended:
		if !errors.Is(err, journal.ErrStopped) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it goes on")
	}
	// Its socket is free, and its journals are closed: another one can begin.
	f.change = nil
	ctx, stop := context.WithCancel(t.Context())
	next := daemon.New(ctx, f.options)
	go func() { ended <- next.Serve(ctx) }()
	for deadline := time.Now().Add(20 * time.Second); f.opened.Load() < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no other one can begin")
		}
	}
	stop()
	must(t, <-ended)
}
