package dispatch_test

import (
	"os"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/quota"
)

func oneContainer(waiting int) func(*dispatch.Options) {
	return func(o *dispatch.Options) {
		o.Quota = quota.NewGate(quota.Policy{Containers: 1, Waiting: waiting})
	}
}

// blocked is a dispatch whose turn lasts until the file gate is there.
func (s *stack) blocked(gate string) api.Started {
	s.t.Helper()
	st := s.start(api.StartRequest{
		Text: "echo started; while [ ! -e " + gate + " ]; do sleep 0.02; done; echo finished", Runner: "text", Limits: limits(0),
	})
	return st
}

func TestBeyondTheQuotaADispatchWaits(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.restart(oneContainer(2))
	gate := s.home.State + "/gate"
	first := s.blocked(gate)
	s.waitForWord(first.Unit)
	second := s.start(api.StartRequest{Text: "echo second", Runner: "text", Limits: limits(0)})
	third := s.start(api.StartRequest{Text: "echo third", Runner: "text", Limits: limits(0)})

	row, err := s.m.Get(third.Unit)
	must(t, err)
	if row.State != runtimev1.Starting || !strings.Contains(row.Detail, "waits for one of the 1 containers of u_jane; 1 before it") {
		t.Errorf("row %+v", row)
	}
	if _, err := s.m.Start(t.Context(), jane, api.StartRequest{Text: "true", Runner: "text"}); !fault.Is(err, fault.Conflict) || fault.HintOf(err) == "" {
		t.Errorf("a full queue answers %v", err)
	}
	if n := len(s.driver.All()); n != 1 {
		t.Errorf("%d containers, want 1", n)
	}

	must(t, os.WriteFile(gate, nil, 0o600))
	for unit, reply := range map[api.Started]string{first: "finished", second: "second", third: "third"} {
		frames := s.turn(unit)
		if d := done(t, frames); !d.OK || !strings.Contains(d.Reply, reply) {
			t.Errorf("turn-done %+v, want %q", d, reply)
		}
		waited := body[wsv2.State](frames)[0].Detail != ""
		if waited == (unit == first) {
			t.Errorf("%q: its topic says that it waited: %v", reply, waited)
		}
	}
	if a, b := s.ended(second.Unit), s.ended(third.Unit); b.EndedAt.Before(*a.EndedAt) {
		t.Errorf("the third ended before the second")
	}
}

func TestAnIdleContainerMakesRoom(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.restart(oneContainer(0))
	idle := s.start(api.StartRequest{Text: "echo first", Runner: "text", Limits: limits(600)})
	s.turn(idle)
	next := s.start(api.StartRequest{Text: "echo second", Runner: "text", Limits: limits(0)})
	if d := done(t, s.turn(next)); !d.OK {
		t.Errorf("turn-done %+v", d)
	}
	s.ended(idle.Unit)
}

// A container that becomes idle while others wait leaves, too.
func TestAContainerThatBecomesIdleMakesRoom(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.restart(oneContainer(0))
	gate := s.home.State + "/gate"
	busy := s.start(api.StartRequest{
		Text: "echo started; while [ ! -e " + gate + " ]; do sleep 0.02; done", Runner: "text", Limits: limits(600),
	})
	s.waitForWord(busy.Unit)
	next := s.start(api.StartRequest{Text: "echo second", Runner: "text", Limits: limits(0)})
	must(t, os.WriteFile(gate, nil, 0o600))
	if d := done(t, s.turn(next)); !d.OK {
		t.Errorf("turn-done %+v", d)
	}
}

func TestStoppedWhileItWaits(t *testing.T) {
	t.Parallel()
	for name, interrupt := range map[string]bool{"stop": false, "interrupt": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			s.restart(oneContainer(0))
			gate := s.home.State + "/gate"
			first := s.blocked(gate)
			s.waitForWord(first.Unit)
			waits := s.start(api.StartRequest{Text: "echo never > never.md", Runner: "text", Limits: limits(0)})
			last := s.start(api.StartRequest{Text: "echo last", Runner: "text", Limits: limits(0)})
			if _, err := s.m.Stop(t.Context(), waits.Unit, interrupt); err != nil {
				t.Fatal(err)
			}
			if d := done(t, s.turn(waits)); d.OK || d.Outcome != wsv2.OutcomeInterrupted {
				t.Errorf("turn-done %+v", d)
			}
			must(t, os.WriteFile(gate, nil, 0o600))
			if d := done(t, s.turn(last)); !d.OK {
				t.Errorf("the one behind it: %+v", d)
			}
			if got := s.file("never.md"); got != "" {
				t.Errorf("the stopped one ran: %q", got)
			}
		})
	}
}
