package dispatch_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace"
)

func TestMessageBecomesFramesAndACommit(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	st := s.start(api.StartRequest{Text: "echo written; echo hello > note.md", Runner: "text", Limits: limits(0)})
	frames := s.turn(st)
	for i, f := range frames {
		if f.Seq != uint64(i+1) || f.Unit != st.Unit {
			t.Errorf("frame %d has seq %d, unit %s", i, f.Seq, f.Unit)
		}
		data, err := json.Marshal(f)
		must(t, err)
		if err := contract.Validate("ws.v2#Frame", data); err != nil {
			t.Errorf("%s: %v", data, err)
		}
	}
	d := done(t, frames)
	if !d.OK || d.Outcome != wsv2.OutcomeCompleted || strings.TrimSpace(d.Reply) != "written" || d.Session != st.Session {
		t.Errorf("turn-done %+v", d)
	}
	commits := body[wsv2.Commit](frames)
	if len(commits) != 1 || !commits[0].Merged || commits[0].Files != 1 || commits[0].Name != "personal" {
		t.Fatalf("commits %+v", commits)
	}
	if got := s.file("note.md"); got != "hello\n" {
		t.Errorf("main holds %q", got)
	}
	accepted := body[wsv2.TurnAccepted](frames)
	if len(accepted) != 1 || accepted[0].Container == "" || accepted[0].Text != "echo written; echo hello > note.md" {
		t.Errorf("turn-accepted %+v", accepted)
	}

	row := s.ended(st.Unit)
	if row.StopReason != runtimev1.ReasonCompleted || row.Turns != 1 || row.Container != accepted[0].Container || row.State != runtimev1.Destroyed {
		t.Errorf("row %+v", row)
	}
	if _, err := os.Stat(s.home.Unit(st.Unit)); !os.IsNotExist(err) {
		t.Errorf("the unit's directory is still there: %v", err)
	}
	if live := s.driver.All(); len(live) != 0 {
		t.Errorf("containers are left: %+v", live)
	}
	log, err := s.workspaces.Log(t.Context(), row.Workspaces[0].ID, workspace.LogQuery{Unit: st.Unit})
	must(t, err)
	if len(log) == 0 || log[0].Subject != jane.Subject || log[0].Launcher != jane.Launcher || log[0].Session != st.Session || log[0].Runner != "text" {
		t.Errorf("log %+v", log)
	}
}

func TestLiveContainerTakesTheNextTurn(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	req := api.StartRequest{Text: "echo one > one.md", Runner: "notebook", Limits: limits(60)}
	first := s.start(req)
	a := s.turn(first)
	req.Text, req.Session = "two", first.Session
	second := s.start(req)
	b := s.turn(second)
	if second.Unit != first.Unit || body[wsv2.TurnAccepted](a)[0].Container != body[wsv2.TurnAccepted](b)[0].Container {
		t.Error("the live container was not used")
	}
	if b[0].Seq != a[len(a)-1].Seq+1 {
		t.Errorf("the second turn begins at %d after %d", b[0].Seq, a[len(a)-1].Seq)
	}
	d, err := s.m.Stop(t.Context(), first.Unit, false)
	must(t, err)
	if d.EndedAt == nil || d.StopReason != runtimev1.ReasonStopped || d.Turns != 2 {
		t.Errorf("stopped %+v", d)
	}
}

func TestFreshContainerContinuesTheConversation(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	first := s.start(api.StartRequest{Text: "the launch code is 4711", Runner: "notebook", Limits: limits(0)})
	a := s.turn(first)
	second := s.start(api.StartRequest{Text: "what was it?", Continue: true, Limits: limits(0)})
	b := s.turn(second)
	if second.Unit == first.Unit || second.Session != first.Session {
		t.Fatalf("units %s and %s, sessions %s and %s", first.Unit, second.Unit, first.Session, second.Session)
	}
	if body[wsv2.TurnAccepted](a)[0].Container == body[wsv2.TurnAccepted](b)[0].Container {
		t.Error("both turns ran in one container")
	}
	if d := done(t, b); !strings.Contains(d.Reply, "the launch code is 4711") {
		t.Errorf("the second container does not know the first message: %q", d.Reply)
	}
	if _, err := s.m.Start(t.Context(), jane, api.StartRequest{Text: "x", Session: first.Session, Runner: "text"}); !fault.Is(err, fault.Conflict) {
		t.Errorf("another runner continued the session: %v", err)
	}
}

func TestContinueWithoutASession(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	_, err := s.m.Start(t.Context(), jane, api.StartRequest{Text: "x", Continue: true})
	if !fault.Is(err, fault.NotFound) || fault.HintOf(err) == "" {
		t.Fatalf("got %v", err)
	}
}

func TestRuntimeDownRefusesBeforeAnythingIsWritten(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.stopKernel()
	<-s.kernelDone
	_, err := s.m.Start(t.Context(), jane, api.StartRequest{Text: "true", Runner: "text"})
	if !fault.Is(err, fault.Unavailable) || fault.HintOf(err) == "" {
		t.Fatalf("got %v", err)
	}
	if rows := s.m.List(true); len(rows) != 0 {
		t.Errorf("a unit exists: %+v", rows)
	}
	s.startKernel() // for the clean-up
}

func TestReadOnlyGrantIsNeverCommitted(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	st := s.start(api.StartRequest{
		Text: "echo nothing", Runner: "text", Limits: limits(0),
		Workspaces: []api.Grant{{Workspace: "personal", Mode: unitv1.ReadOnly}},
	})
	frames := s.turn(st)
	if !done(t, frames).OK || len(body[wsv2.Commit](frames)) != 0 {
		t.Errorf("frames %+v", frames)
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	for name, c := range map[string]struct {
		req  api.StartRequest
		kind fault.Kind
	}{
		"nothing said":      {api.StartRequest{Runner: "text"}, fault.Invalid},
		"text and plan":     {api.StartRequest{Text: "a", Plan: "b", Runner: "text"}, fault.Invalid},
		"a long text":       {api.StartRequest{Text: strings.Repeat("é", 1<<20+1), Runner: "text"}, fault.Invalid},
		"no such workspace": {api.StartRequest{Text: "a", Runner: "text", Workspaces: []api.Grant{{Workspace: "nope"}}}, fault.NotFound},
		"granted twice":     {api.StartRequest{Text: "a", Runner: "text", Workspaces: []api.Grant{{Workspace: "personal"}, {Workspace: "personal"}}}, fault.Invalid},
		"no such runner":    {api.StartRequest{Text: "a", Runner: "nope"}, fault.NotFound},
		"no such session":   {api.StartRequest{Text: "a", Runner: "text", Session: "11111111-2222-4333-8444-555555555555"}, fault.NotFound},
		"malformed session": {api.StartRequest{Text: "a", Runner: "text", Session: "../x"}, fault.Invalid},
		"model for text":    {api.StartRequest{Text: "a", Runner: "text", Model: "m"}, fault.Invalid},
		"no such plan":      {api.StartRequest{Plan: "plan/none.md", Runner: "text"}, fault.NotFound},
		"bad mode":          {api.StartRequest{Text: "a", Runner: "text", Workspaces: []api.Grant{{Workspace: "personal", Mode: "rwx"}}}, fault.Invalid},
	} {
		if _, err := s.m.Start(t.Context(), jane, c.req); !fault.Is(err, c.kind) {
			t.Errorf("%s: %v, want %s", name, err, c.kind)
		}
	}
	if rows := s.m.List(true); len(rows) != 0 {
		t.Errorf("units exist: %+v", rows)
	}
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	req := api.StartRequest{Text: "echo once >> log.md", Runner: "text", Limits: limits(0), Key: "k1"}
	first := s.start(req)
	again := s.start(req)
	if again != first {
		t.Fatalf("two units for one key: %s and %s", first.Unit, again.Unit)
	}
	s.turn(first)
	if got := s.file("log.md"); got != "once\n" {
		t.Errorf("log.md holds %q", got)
	}
}

func TestParallelDispatchesKeepEachChange(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	const n = 8
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			st := s.start(api.StartRequest{Text: fmt.Sprintf("echo %d > file-%d.md", i, i), Runner: "text", Limits: limits(0)})
			if d := done(t, s.turn(st)); !d.OK {
				t.Errorf("turn-done %+v", d)
			}
		})
	}
	wg.Wait()
	for i := range n {
		if got := s.file(fmt.Sprintf("file-%d.md", i)); got != fmt.Sprintf("%d\n", i) {
			t.Errorf("change %d is lost: %q", i, got)
		}
	}
}
