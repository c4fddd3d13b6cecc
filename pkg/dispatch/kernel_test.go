package dispatch_test

import (
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/failpoint"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// held returns a stack whose next dispatch holds at p, and that dispatch.
func held(t *testing.T, p failpoint.Point) (s *stack, st api.Started, release func()) {
	t.Helper()
	s = newStack(t)
	dir := t.TempDir()
	must(t, failpoint.Arm(dir, p))
	s.restart(func(o *dispatch.Options) { o.Failpoints = failpoint.New(dir) })
	st = s.start(api.StartRequest{Text: "echo here", Runner: "text", Limits: limits(0)})
	s.eventually(string(p), func() bool { return failpoint.Reached(dir, p) })
	return s, st, func() { must(t, failpoint.Release(dir, p)) }
}

// A kernel that was lost before it had made the container is waited for.
func TestKernelLostBeforeTheContainer(t *testing.T) {
	t.Parallel()
	s, st, release := held(t, "dispatch.prepared")
	s.stopKernel()
	<-s.kernelDone
	release()
	s.eventually("the dispatch to miss its kernel", func() bool {
		_, err := s.m.Start(t.Context(), jane, api.StartRequest{Text: "true", Runner: "text"})
		return fault.Is(err, fault.Unavailable)
	})
	s.startKernel()
	if d := done(t, s.turn(st)); !d.OK || !strings.Contains(d.Reply, "here") {
		t.Errorf("turn-done %+v", d)
	}
}

// One that does not come back is not waited for by somebody who stopped the
// dispatch meanwhile.
func TestStoppedWhileTheKernelIsLost(t *testing.T) {
	t.Parallel()
	s, st, release := held(t, "dispatch.prepared")
	s.stopKernel()
	<-s.kernelDone
	release()
	stopped := make(chan error, 1)
	go func() {
		_, err := s.m.Stop(t.Context(), st.Unit, true)
		stopped <- err
	}()
	s.eventually("the dispatch to be stopping", func() bool {
		row, err := s.m.Get(st.Unit)
		must(t, err)
		return row.State == "stopping"
	})
	s.startKernel()
	must(t, <-stopped)
	if d := done(t, s.turn(st)); d.OK || d.Outcome != wsv2.OutcomeInterrupted {
		t.Errorf("turn-done %+v", d)
	}
}
