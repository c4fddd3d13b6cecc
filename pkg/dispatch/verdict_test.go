package dispatch_test

import (
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/runtime/remote"
)

// kernelStops has the kernel end a unit for a limit, as it does by itself.
func (s *stack) kernelStops(unit string, reason runtimev1.StopReason) {
	s.t.Helper()
	_, err := remote.New(s.home.RuntimeSocket()).Stop(s.t.Context(), unit, reason)
	must(s.t, err)
}

const sleeper = "echo half > half.md; echo started; exec sleep 600"

// A turn that the kernel ends for a limit is told as that, whether the worker
// lives to report its signal or the container's end is all that is heard.
func TestKernelLimitIsTheOutcome(t *testing.T) {
	t.Parallel()
	for reason, want := range map[runtimev1.StopReason]string{
		runtimev1.ReasonQuota:       "disk limit of 1024 MB",
		runtimev1.ReasonMaxLifetime: "its time of 3600 seconds",
	} {
		for name, silent := range map[string]bool{"worker first": false, "kernel first": true} {
			t.Run(string(reason)+", "+name, func(t *testing.T) {
				t.Parallel()
				s := newStack(t)
				if silent {
					s.driver.Program("/.vexa/bin/vexa", s.speaker(started))
				}
				st := s.start(api.StartRequest{Text: sleeper, Runner: "text", Limits: limits(60)})
				s.waitForWord(st.Unit)
				s.kernelStops(st.Unit, reason)
				d := done(t, s.turn(st))
				if d.OK || d.Outcome != wsv2.OutcomeLimit || !strings.Contains(d.Error, want) || d.ExitCode != nil {
					t.Errorf("turn-done %+v", d)
				}
				if row := s.ended(st.Unit); row.StopReason != reason {
					t.Errorf("row %+v", row)
				}
				if got := s.file("half.md"); !silent && got != "half\n" {
					t.Errorf("what was written is lost: %q", got)
				}
			})
		}
	}
}

// The verdict waits for a kernel that does not answer at once.
func TestVerdictWaitsForTheKernel(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	kernel := &downRuntime{}
	s.restart(func(o *dispatch.Options) { kernel.Runtime = o.Runtime; o.Runtime = kernel })
	st := s.start(api.StartRequest{Text: sleeper, Runner: "text", Limits: limits(60)})
	s.waitForWord(st.Unit)
	kernel.down.Store(true)
	s.kernelStops(st.Unit, runtimev1.ReasonQuota)
	s.eventually("the daemon to ask", func() bool { return kernel.refused.Load() > 0 })
	kernel.down.Store(false)
	if d := done(t, s.turn(st)); d.Outcome != wsv2.OutcomeLimit {
		t.Errorf("turn-done %+v", d)
	}
}

// A turn whose worker was told to end by nobody the host knows of was
// interrupted, and its container takes the next.
func TestInterruptedByItself(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.driver.Program("/.vexa/bin/vexa", s.speaker(cutOff))
	st := s.start(api.StartRequest{Text: "true", Runner: "text", Limits: limits(60)})
	if d := done(t, s.turn(st)); d.OK || d.Outcome != wsv2.OutcomeInterrupted {
		t.Errorf("turn-done %+v", d)
	}
	row, err := s.m.Get(st.Unit)
	must(t, err)
	if row.State != runtimev1.Running {
		t.Errorf("row %+v", row)
	}
}
