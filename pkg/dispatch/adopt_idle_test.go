package dispatch_test

import (
	"os"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/failpoint"
	"github.com/vexa-ai/vexa/pkg/fault"
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

// All of them leave where that many are needed.
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
	waits := s.start(api.StartRequest{Text: "echo waits", Runner: "text", Limits: limits(0)})
	for _, st := range idle {
		s.ended(st.Unit)
	}
	row, err := s.m.Get(busy[0].Unit)
	must(t, err)
	if row.EndedAt != nil {
		t.Errorf("the busy one ended: %+v", row)
	}
	must(t, os.WriteFile(gate, nil, 0o600))
	s.turn(waits)
}

// A conversation goes on with other workspaces after its idle container was
// adopted.
func TestAnAdoptedContainerIsNotInUse(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	idle := s.start(api.StartRequest{Text: "echo first", Runner: "notebook", Limits: limits(600)})
	s.turn(idle)
	s.restart(nil)
	// The turn's end may not have been recorded yet: then it is in use until it is.
	var next api.Started
	s.eventually("its session to be free", func() bool {
		var err error
		next, err = s.m.Start(t.Context(), jane, api.StartRequest{
			Text: "again", Session: idle.Session, Limits: limits(0),
			Workspaces: []api.Grant{{Workspace: "personal", Mode: unitv1.ReadOnly}},
		})
		if err != nil && !fault.Is(err, fault.Conflict) {
			t.Fatal(err)
		}
		return err == nil
	})
	if next.Unit == idle.Unit {
		t.Error("the container with other rights was given the turn")
	}
	s.turn(next)
}

// lateRunner finds the runner notebook once it may.
type lateRunner struct {
	dispatch.Runners
	may func()
}

func (l lateRunner) Get(name string) (runnerv2.Manifest, error) {
	if name == "notebook" {
		l.may()
	}
	return l.Runners.Get(name)
}

// An idle container makes room also where it is adopted when what waits for it
// has been taken up already.
func TestAContainerThatIsAdoptedLateMakesRoom(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	points := t.TempDir()
	s.restart(func(o *dispatch.Options) { o.Failpoints = failpoint.New(points) })
	gate := s.home.State + "/gate"
	busy := s.blocked(gate)
	s.waitForWord(busy.Unit)
	must(t, failpoint.Arm(points, "dispatch.begun"))
	waits := s.start(api.StartRequest{Text: "echo waits", Runner: "text", Limits: limits(0)})
	s.eventually("dispatch.begun", func() bool { return failpoint.Reached(points, "dispatch.begun") })
	idle := s.start(api.StartRequest{Text: "echo idle", Runner: "notebook", Limits: limits(600)})
	s.turn(idle)
	s.restart(func(o *dispatch.Options) {
		oneContainer(0)(o)
		o.Runners = lateRunner{o.Runners, func() {
			s.eventually("the other to wait", func() bool {
				states := body[wsv2.State](s.all(waits.Unit))
				return len(states) > 0 && strings.HasPrefix(states[len(states)-1].Detail, "waits for")
			})
		}}
	})
	s.ended(idle.Unit)
	must(t, os.WriteFile(gate, nil, 0o600))
	s.ended(busy.Unit)
	if d := done(t, s.turn(waits)); !d.OK {
		t.Errorf("turn-done %+v", d)
	}
}
