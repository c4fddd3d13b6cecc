package dispatch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv1"
	"github.com/vexa-ai/vexa/pkg/dispatch"
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
		if err := contract.Validate("ws.v1#Frame", data); err != nil {
			t.Errorf("%s: %v", data, err)
		}
	}
	d := done(t, frames)
	if !d.OK || d.Outcome != wsv1.OutcomeCompleted || strings.TrimSpace(d.Reply) != "written" || d.Session != st.Session {
		t.Errorf("turn-done %+v", d)
	}
	commits := body[wsv1.Commit](frames)
	if len(commits) != 1 || !commits[0].Merged || commits[0].Files != 1 || commits[0].Name != "personal" {
		t.Fatalf("commits %+v", commits)
	}
	if got := s.file("note.md"); got != "hello\n" {
		t.Errorf("main holds %q", got)
	}
	accepted := body[wsv1.TurnAccepted](frames)
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
	if second.Unit != first.Unit || body[wsv1.TurnAccepted](a)[0].Container != body[wsv1.TurnAccepted](b)[0].Container {
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
	if body[wsv1.TurnAccepted](a)[0].Container == body[wsv1.TurnAccepted](b)[0].Container {
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

func TestInterruptSealsWhatWasWritten(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	st := s.start(api.StartRequest{Text: "echo half > half.md; echo started; exec sleep 600", Runner: "text", Limits: limits(60)})
	s.waitForWord(st.Unit)
	_, err := s.m.Stop(t.Context(), st.Unit, true)
	must(t, err)
	frames := s.turn(st)
	if d := done(t, frames); d.OK || d.Outcome != wsv1.OutcomeInterrupted {
		t.Errorf("turn-done %+v", d)
	}
	if got := s.file("half.md"); got != "half\n" {
		t.Errorf("what was written is lost: %q", got)
	}
	row, err := s.m.Get(st.Unit)
	must(t, err)
	if row.EndedAt != nil {
		t.Error("the interrupt ended the dispatch")
	}
}

func TestWorkerThatForgesFramesIsEnded(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.driver.Program("/.vexa/bin/vexa", s.forger)
	st := s.start(api.StartRequest{Text: "true", Runner: "text", Limits: limits(60)})
	frames := s.turn(st)
	if d := done(t, frames); d.OK || d.Outcome != wsv1.OutcomeFailed || d.Error == "" {
		t.Errorf("turn-done %+v", d)
	}
	if commits := body[wsv1.Commit](frames); len(commits) != 0 {
		t.Errorf("a forged commit was published: %+v", commits)
	}
	refused := false
	for _, e := range body[wsv1.Error](frames) {
		refused = refused || e.Code == string(fault.Denied)
	}
	if !refused {
		t.Error("nothing says that something was refused")
	}
	if row := s.ended(st.Unit); row.StopReason != runtimev1.ReasonFailed {
		t.Errorf("row %+v", row)
	}
}

func TestContainerKilledUnderATurn(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	st := s.start(api.StartRequest{Text: "echo half > half.md; echo started; exec sleep 600", Runner: "text", Limits: limits(60)})
	s.waitForWord(st.Unit)
	for _, c := range s.driver.All() {
		must(t, s.driver.Remove(t.Context(), c.ID))
	}
	if d := done(t, s.turn(st)); d.OK || d.Outcome != wsv1.OutcomeLost {
		t.Errorf("turn-done %+v", d)
	}
	s.ended(st.Unit)
	if got := s.file("half.md"); got != "half\n" {
		t.Errorf("what was written is lost: %q", got)
	}
}

// A file that changes after its turn was sealed, without a trace in its times,
// is found when the container has ended.
func TestLastSealReadsEveryFile(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	st := s.start(api.StartRequest{Text: "printf aaaa > a.md", Runner: "text", Limits: limits(60)})
	s.turn(st)
	info, err := s.workspaces.Lookup(t.Context(), "personal")
	must(t, err)
	writeMapped(t, filepath.Join(s.home.Unit(st.Unit), "ws", info.ID, "a.md"), "bbbb")
	_, err = s.m.Stop(t.Context(), st.Unit, false)
	must(t, err)
	if got := s.file("a.md"); got != "bbbb" {
		t.Errorf("main holds %q", got)
	}
	row, err := s.m.Get(st.Unit)
	must(t, err)
	if len(row.Commits) != 2 {
		t.Errorf("commits %+v", row.Commits)
	}
}

// writeMapped writes through a mapping that was read first.
func writeMapped(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	m, err := unix.Mmap(int(f.Fd()), 0, len(text), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must(t, err)
	copy(m, text)
	must(t, unix.Munmap(m))
}

func TestFailedTurnIsNeverSilent(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	st := s.start(api.StartRequest{Text: "echo before; exit 7", Runner: "text", Limits: limits(0)})
	d := done(t, s.turn(st))
	if d.OK || d.Outcome != wsv1.OutcomeFailed || d.ExitCode == nil || *d.ExitCode != 7 {
		t.Errorf("turn-done %+v", d)
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

func TestStartFailureIsTold(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	st := s.start(api.StartRequest{Text: "true", Runner: "text", Limits: limits(0), Workspaces: nil})
	s.turn(st)
	s.ended(st.Unit)
	s.driver.Fail(fault.New(fault.Unavailable, "the engine is broken", "repair it"))
	_, err := s.m.Start(t.Context(), jane, api.StartRequest{Text: "true", Runner: "text", Limits: limits(0)})
	if err == nil {
		rows := s.m.List(false)
		if len(rows) != 1 {
			t.Fatalf("rows %+v", rows)
		}
		d := done(t, s.turn(api.Started{Unit: rows[0].ID, Turn: lastTurn(t, s, rows[0].ID)}))
		if d.OK || !strings.Contains(d.Error, "broken") {
			t.Errorf("turn-done %+v", d)
		}
		s.driver.Fail(nil)
		if row := s.ended(rows[0].ID); row.StopReason != runtimev1.ReasonStartFailed {
			t.Errorf("row %+v", row)
		}
	}
	s.driver.Fail(nil)
}

func lastTurn(t *testing.T, s *stack, unit string) string {
	t.Helper()
	var turn string
	s.eventually("a turn to end", func() bool {
		entries, err := s.streams.Read(t.Context(), dispatch.OutTopic(unit), "", 100)
		must(t, err)
		for _, e := range entries {
			var f wsv1.Frame
			must(t, json.Unmarshal(e.Payload, &f))
			if f.Turn != "" {
				turn = f.Turn
			}
		}
		return turn != ""
	})
	return turn
}

func TestReadOnlyGrantIsNeverCommitted(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	st := s.start(api.StartRequest{
		Text: "echo nothing", Runner: "text", Limits: limits(0),
		Workspaces: []api.Grant{{Workspace: "personal", Mode: unitv1.ReadOnly}},
	})
	frames := s.turn(st)
	if !done(t, frames).OK || len(body[wsv1.Commit](frames)) != 0 {
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

func TestNewDaemonAdoptsARunningTurn(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	gate := s.home.State + "/gate"
	st := s.start(api.StartRequest{
		Text:   "echo half > a.md; echo started; while [ ! -e " + gate + " ]; do sleep 0.02; done; echo whole >> a.md; echo finished",
		Runner: "text", Limits: limits(60),
	})
	s.waitForWord(st.Unit)
	s.m.Abandon() // the daemon is gone without a word
	must(t, os.WriteFile(gate, nil, 0o600))
	s.m = s.manager()
	must(t, s.m.Recover(t.Context()))
	frames := s.turn(st)
	d := done(t, frames)
	if !d.OK || strings.Count(d.Reply, "started") != 1 || !strings.Contains(d.Reply, "finished") {
		t.Errorf("turn-done %+v", d)
	}
	var deltas strings.Builder
	for i, f := range frames {
		if f.Seq != uint64(i+1) {
			t.Errorf("frame %d has seq %d", i, f.Seq)
		}
		if m, ok := f.Body.(wsv1.MessageDelta); ok {
			deltas.WriteString(m.Text)
		}
	}
	if strings.Count(deltas.String(), "started") != 1 || strings.Count(deltas.String(), "finished") != 1 {
		t.Errorf("frames miss or repeat something: %q", deltas.String())
	}
	if got := s.file("a.md"); got != "half\nwhole\n" {
		t.Errorf("a.md holds %q", got)
	}
}

func TestNewDaemonSealsWhatADeadContainerWrote(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	st := s.start(api.StartRequest{Text: "echo half > a.md; echo started; exec sleep 600", Runner: "text", Limits: limits(60)})
	s.waitForWord(st.Unit)
	s.m.Abandon()
	for _, c := range s.driver.All() {
		must(t, s.driver.Remove(t.Context(), c.ID))
	}
	s.m = s.manager()
	must(t, s.m.Recover(t.Context()))
	if d := done(t, s.turn(st)); d.OK || d.Outcome != wsv1.OutcomeLost {
		t.Errorf("turn-done %+v", d)
	}
	s.ended(st.Unit)
	if got := s.file("a.md"); got != "half\n" {
		t.Errorf("what was written is lost: %q", got)
	}
}

func TestCloseSealsRunningTurns(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	st := s.start(api.StartRequest{Text: "echo half > a.md; echo started; exec sleep 600", Runner: "text", Limits: limits(60)})
	s.waitForWord(st.Unit)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	must(t, s.m.Close(ctx, false))
	if got := s.file("a.md"); got != "half\n" {
		t.Errorf("what was written is lost: %q", got)
	}
	if d := done(t, s.turn(st)); d.Outcome != wsv1.OutcomeInterrupted {
		t.Errorf("turn-done %+v", d)
	}
	if _, err := s.m.Start(t.Context(), jane, api.StartRequest{Text: "true", Runner: "text"}); !fault.Is(err, fault.Unreachable) {
		t.Errorf("a closed manager took a message: %v", err)
	}
}
