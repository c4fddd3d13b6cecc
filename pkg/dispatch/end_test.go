package dispatch_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/fault"
)

func TestInterruptSealsWhatWasWritten(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	st := s.start(api.StartRequest{Text: "echo half > half.md; echo started; exec sleep 600", Runner: "text", Limits: limits(60)})
	s.waitForWord(st.Unit)
	_, err := s.m.Stop(t.Context(), st.Unit, true)
	must(t, err)
	frames := s.turn(st)
	if d := done(t, frames); d.OK || d.Outcome != wsv2.OutcomeInterrupted {
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
	s.driver.Program("/.vexa/bin/vexa", s.speaker(forge))
	st := s.start(api.StartRequest{Text: "true", Runner: "text", Limits: limits(60)})
	frames := s.turn(st)
	if d := done(t, frames); d.OK || d.Outcome != wsv2.OutcomeFailed || d.Error == "" {
		t.Errorf("turn-done %+v", d)
	}
	if commits := body[wsv2.Commit](frames); len(commits) != 0 {
		t.Errorf("a forged commit was published: %+v", commits)
	}
	refused := false
	for _, e := range body[wsv2.Error](frames) {
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
	if d := done(t, s.turn(st)); d.OK || d.Outcome != wsv2.OutcomeLost {
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
	if d.OK || d.Outcome != wsv2.OutcomeFailed || d.ExitCode == nil || *d.ExitCode != 7 {
		t.Errorf("turn-done %+v", d)
	}
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

// TestAMissingImageIsToldWithItsCommand: making it takes a download, which is
// never a side effect of a message.
func TestAMissingImageIsToldWithItsCommand(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	st := s.start(api.StartRequest{Text: "true", Runner: "unbuilt", Limits: limits(0)})
	frames := s.turn(st)
	if d := done(t, frames); d.OK || d.Outcome != wsv2.OutcomeFailed || d.Error != "the container did not start: the image of runner unbuilt is not made yet" {
		t.Errorf("turn-done %+v", d)
	}
	for _, f := range s.all(st.Unit) {
		if e, ok := f.Body.(wsv2.Error); ok && f.Source == wsv2.Host {
			if e.Code != string(fault.NotFound) || !strings.Contains(e.Hint, "vexa runner build unbuilt") {
				t.Errorf("error %+v", e)
			}
			return
		}
	}
	t.Error("no error frame says so")
}

func lastTurn(t *testing.T, s *stack, unit string) string {
	t.Helper()
	var turn string
	s.eventually("a turn to end", func() bool {
		entries, err := s.streams.Read(t.Context(), dispatch.OutTopic(unit), "", 100)
		must(t, err)
		for _, e := range entries {
			var f wsv2.Frame
			must(t, json.Unmarshal(e.Payload, &f))
			if f.Turn != "" {
				turn = f.Turn
			}
		}
		return turn != ""
	})
	return turn
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
	if d := done(t, s.turn(st)); d.Outcome != wsv2.OutcomeInterrupted {
		t.Errorf("turn-done %+v", d)
	}
	if _, err := s.m.Start(t.Context(), jane, api.StartRequest{Text: "true", Runner: "text"}); !fault.Is(err, fault.Unreachable) {
		t.Errorf("a closed manager took a message: %v", err)
	}
}

// A worker that reports more than a turn may loses its turn, is recorded once,
// and is told of; another dispatch does not notice.
func TestWorkerThatFloodsIsEnded(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	gate := s.home.State + "/gate"
	other := s.start(api.StartRequest{Text: "echo started; while [ ! -e " + gate + " ]; do sleep 0.02; done; echo finished", Runner: "text", Limits: limits(0)})
	s.waitForWord(other.Unit)
	s.driver.Program("/.vexa/bin/vexa", s.speaker(flood))
	st := s.start(api.StartRequest{Text: "true", Runner: "text", Limits: limits(60)})
	frames := s.turn(st)
	if d := done(t, frames); d.OK || d.Outcome != wsv2.OutcomeLimit || !strings.Contains(d.Error, "more than") {
		t.Errorf("turn-done %+v", d)
	}
	told := body[wsv2.Error](frames)
	if len(told) != 1 || told[0].Code != string(fault.Denied) || !strings.Contains(told[0].Message, "flood") {
		t.Errorf("told %+v", told)
	}
	if row := s.ended(st.Unit); row.StopReason != runtimev1.ReasonFailed || !strings.Contains(row.Detail, "more than") {
		t.Errorf("row %+v", row)
	}
	must(t, os.WriteFile(gate, nil, 0o600))
	if d := done(t, s.turn(other)); !d.OK || !strings.Contains(d.Reply, "finished") {
		t.Errorf("the other's turn-done %+v", d)
	}
	s.eventually("the record", func() bool { return s.denials(st.Unit) > 0 })
	if n := s.denials(st.Unit); n != 1 {
		t.Errorf("%d denials are recorded", n)
	}
}

// denials counts what the boundary refused a unit, as it is recorded.
func (s *stack) denials(unit string) (n int) {
	s.t.Helper()
	entries, err := s.trail.Read(1, 1000)
	must(s.t, err)
	for _, e := range entries {
		if e.Unit == unit && e.Effect == audit.Deny {
			n++
		}
	}
	return n
}
