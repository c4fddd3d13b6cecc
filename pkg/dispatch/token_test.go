package dispatch_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/link"
	"github.com/vexa-ai/vexa/pkg/runtime/remote"
)

// The token that a container reads works on its own socket and on no other: not
// another dispatch's, and not the kernel's, where its mounts would be asked for.
func TestTokenWorksOnNoOtherSocket(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	gate := s.home.State + "/gate"
	wait := api.StartRequest{Text: "echo started; while [ ! -e " + gate + " ]; do sleep 0.02; done; echo finished", Runner: "text", Limits: limits(0)}
	thief, victim := s.start(wait), s.start(wait)
	s.waitForWord(thief.Unit)
	s.waitForWord(victim.Unit)
	run := func(unit string) string { return filepath.Join(s.home.Unit(unit), "run") }
	token, err := os.ReadFile(filepath.Join(run(thief.Unit), "token"))
	must(t, err)

	dial := link.UnixDialer(filepath.Join(run(victim.Unit), "broker.sock"))
	if _, err := link.Dial(t.Context(), dial, string(token)); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "wrong-unit") {
		t.Errorf("the other's socket: %v", err)
	}
	s.eventually("the record", func() bool { return s.denials(victim.Unit) == 1 })
	entries, err := s.trail.Read(1, 1000)
	must(t, err)
	for _, e := range entries {
		if e.Effect == audit.Deny && e.Unit == victim.Unit && e.Boundary != audit.Runtime && (e.Boundary != audit.Stream || e.Reason != "token" || e.Detail["detail"] != "wrong-unit") {
			t.Errorf("recorded %+v", e)
		}
	}

	kernel := remote.New(s.home.RuntimeSocket())
	for _, unit := range []string{thief.Unit, victim.Unit} {
		_, err := kernel.Create(t.Context(), runtimev1.Spec{WorkloadID: unit, Profile: "agent", Image: "builtin:shell", Argv: []string{"/bin/sh"}}, string(token))
		if !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "wrong-audience") {
			t.Errorf("the kernel, for %s: %v", unit, err)
		}
		// Refused and recorded, although it was not the daemon that asked.
		s.eventually("the kernel's record", func() bool { return s.refusedByKernel(unit) == 1 })
	}

	own, err := link.Dial(t.Context(), link.UnixDialer(filepath.Join(run(thief.Unit), "broker.sock")), string(token))
	must(t, err)
	must(t, own.Close()) // without a hello it is nobody's, and costs no turn
	s.eventually("the record", func() bool { return s.denials(thief.Unit) == 1+s.refusedByKernel(thief.Unit) })
	must(t, os.WriteFile(gate, nil, 0o600))
	for _, st := range []api.Started{thief, victim} {
		if d := done(t, s.turn(st)); !d.OK || d.Outcome != wsv2.OutcomeCompleted {
			t.Errorf("turn-done %+v", d)
		}
	}
}

// A daemon that was away records what the kernel refused meanwhile, and one
// that comes after it does not record that again.
func TestRefusalsWhileTheDaemonWasAway(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.m.Abandon()
	kernel := remote.New(s.home.RuntimeSocket())
	const unit = "01JZZZZZZZZZZZZZZZZZZZZZZY"
	if _, err := kernel.Create(t.Context(), runtimev1.Spec{WorkloadID: unit, Profile: "agent"}, "forged"); !fault.Is(err, fault.Denied) {
		t.Fatalf("create: %v", err)
	}
	for _, want := range []int{1, 0} {
		s.restart(nil)
		s.eventually("the record", func() bool { return s.refusedByKernel(unit) == want })
		s.eventually("the kernel to be told", func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := kernel.Refusals(ctx, "")
			return err != nil // it waits: there is nothing that is not recorded
		})
		if n := s.refusedByKernel(unit); n != want {
			t.Errorf("%d records, want %d", n, want)
		}
	}
}

// refusedByKernel counts what the kernel refused, as it is recorded.
func (s *stack) refusedByKernel(unit string) (n int) {
	s.t.Helper()
	entries, err := s.trail.Read(1, 1000)
	must(s.t, err)
	for _, e := range entries {
		if e.Unit == unit && e.Effect == audit.Deny && e.Boundary == audit.Runtime && e.Detail["by"] == "kernel" {
			n++
		}
	}
	return n
}
