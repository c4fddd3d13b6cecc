package dispatch_test

import (
	"testing"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/quota"
)

// An idle container of an earlier daemon makes room like any other.
func TestAnAdoptedContainerIsIdle(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	idle := s.start(api.StartRequest{Text: "echo first", Runner: "text", Limits: limits(600)})
	s.turn(idle)
	s.restart(oneContainer(0))
	next := s.start(api.StartRequest{Text: "echo second", Runner: "text", Limits: limits(0)})
	if d := done(t, s.turn(next)); !d.OK {
		t.Errorf("turn-done %+v", d)
	}
	s.ended(idle.Unit)
}

// All of them leave where that many are needed, also for one that was taken up
// before them.
func TestAdoptedContainersMakeRoom(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.restart(func(o *dispatch.Options) { o.Quota = quota.NewGate(quota.Policy{Containers: 3}) })
	gate := s.home.State + "/gate"
	var idle, busy []api.Started
	for range 2 {
		idle = append(idle, s.start(api.StartRequest{Text: "echo idle", Runner: "text", Limits: limits(600)}))
	}
	busy = append(busy, s.blocked(gate))
	for _, st := range idle {
		s.turn(st)
	}
	s.waitForWord(busy[0].Unit)
	s.restart(oneContainer(0))
	_ = s.start(api.StartRequest{Text: "echo waits", Runner: "text", Limits: limits(0)})
	for _, st := range idle {
		s.ended(st.Unit)
	}
	row, err := s.m.Get(busy[0].Unit)
	must(t, err)
	if row.EndedAt != nil {
		t.Errorf("the busy one ended: %+v", row)
	}
}

// A conversation goes on with other workspaces after its idle container was
// adopted.
func TestAnAdoptedContainerIsNotInUse(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	idle := s.start(api.StartRequest{Text: "echo first", Runner: "notebook", Limits: limits(600)})
	s.turn(idle)
	s.restart(nil)
	next := s.start(api.StartRequest{
		Text: "again", Session: idle.Session, Limits: limits(0),
		Workspaces: []api.Grant{{Workspace: "personal", Mode: unitv1.ReadOnly}},
	})
	if next.Unit == idle.Unit {
		t.Error("the container with other rights was given the turn")
	}
	s.turn(next)
}
