package dispatch_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/failpoint"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/againtest"
	"github.com/vexa-ai/vexa/pkg/journal"
	streamjournal "github.com/vexa-ai/vexa/pkg/stream/journal"
)

// small is a stack whose disk and whose memory for what is open are file
// systems of their own, of a few megabytes each. It begins with a daemon that
// keeps its topics on that disk.
type small struct {
	*stack
	points string
}

func newSmall(t *testing.T) *small {
	t.Helper()
	root, err := os.MkdirTemp("", "vx")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	for _, dir := range []string{"h", "p"} {
		path := filepath.Join(root, dir)
		must(t, os.Mkdir(path, 0o700))
		must(t, syscall.Mount("small", path, "tmpfs", 0, "size=24m"))
		t.Cleanup(func() { _ = syscall.Unmount(path, syscall.MNT_DETACH) })
	}
	s := &small{points: t.TempDir()}
	t.Cleanup(func() { // once its manager is closed
		if s.stack != nil {
			_ = s.streams.Close()
		}
	})
	s.stack = newStackIn(t, root)
	s.again()
	return s
}

// again is the daemon killed, and started anew from what is on the disk.
func (s *small) again() {
	s.t.Helper()
	s.m.Abandon()
	must(s.t, s.records.Close())
	must(s.t, s.streams.Close())
	var err error
	s.records, err = journal.Open(journal.Options{
		Dir: filepath.Join(s.home.State, "dispatches"), Checkpoint: filepath.Join(s.home.State, "check"), Key: make([]byte, 32), Name: "dispatches",
	})
	must(s.t, err)
	streams, err := streamjournal.Open(streamjournal.Options{Root: filepath.Join(s.home.State, "streams"), Key: make([]byte, 32), Now: time.Now})
	must(s.t, err)
	s.streams = streams
	s.change = func(o *dispatch.Options) {
		o.Failpoints, o.SaveAgain = failpoint.New(s.points), 50*time.Millisecond
	}
	s.m = s.manager()
	must(s.t, s.m.Recover(s.t.Context()))
}

// fill leaves no room on a file system, and returns what makes it again.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	return func() { must(t, os.Remove(path)) }
}

// long is more than a page of a file system, so that no record or frame with it
// fits into what is left of one.
const pageful = 3 * 4096

// write is a turn that writes a file and says much.
func write(name string) string {
	return fmt.Sprintf("echo kept > %s; head -c %d /dev/zero | tr '\\0' x; echo here", name, pageful)
}

// steps are the points before which there is no room, and the durable steps
// that come after them.
var steps = []failpoint.Point{
	"dispatch.begun",     // its first frame, and all that comes after it
	"dispatch.delivered", // the frames of the agent, and how the turn ended
	"dispatch.turn-end",  // the session, the objects, the branch, main
	"dispatch.session",
	"dispatch.sealed", // the commit, the end of the turn
	"dispatch.told",   // the record of it
	"dispatch.turn-done",
	"dispatch.releasing",
	"dispatch.released",
}

// TestFullDisk: the disk is full from some step of a turn on. The dispatch says
// so, and nothing of it is lost: as soon as there is room it is finished, by
// the same daemon or by the next one.
func TestFullDisk(t *testing.T) {
	if !againtest.Mounting(t) {
		return
	}
	for _, p := range steps {
		for _, restarted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restarted %v", p, restarted), func(t *testing.T) { fullAt(t, p, restarted) })
		}
	}
}

func fullAt(t *testing.T, p failpoint.Point, restarted bool) {
	t.Helper()
	s := newSmall(t)
	must(t, failpoint.Arm(s.points, p))
	st := s.start(api.StartRequest{Text: write("kept.md"), Runner: "text", Limits: limits(0)})
	s.eventually(string(p), func() bool { return failpoint.Reached(s.points, p) })
	free := fill(t, filepath.Dir(s.home.State))
	must(t, failpoint.Release(s.points, p))
	s.eventually("the dispatch to say that the disk is full, or to end", func() bool {
		row, err := s.m.Get(st.Unit)
		must(t, err)
		told := s.m.Unsaved(st.Unit)
		return row.EndedAt != nil || told != nil && fault.HintOf(told) != "" && strings.Contains(row.Detail, "no space left")
	})
	refused := api.StartRequest{Text: write("refused.md") + strings.Repeat(" ", pageful), Runner: "text", Limits: limits(0)}
	if _, err := s.m.Start(t.Context(), jane, refused); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(fault.HintOf(err), s.home.State) {
		t.Errorf("a start while the disk is full: %v (%q)", err, fault.HintOf(err))
	}
	free()
	if restarted {
		s.again()
	}
	s.ended(st.Unit)
	s.whole(st)
	next := s.start(api.StartRequest{Text: write("next.md"), Runner: "text", Limits: limits(0)})
	if d := done(t, s.turn(next)); !d.OK {
		t.Errorf("the next turn: %+v", d)
	}
	s.ended(next.Unit)
	s.again()
	s.whole(st)
	s.whole(next)
	if s.file("kept.md") != "kept\n" || s.file("next.md") != "kept\n" || s.file("refused.md") != "" {
		t.Errorf("main holds %q, %q and %q", s.file("kept.md"), s.file("next.md"), s.file("refused.md"))
	}
}

// whole checks that a unit's topic has neither gap nor repeat, and says that its
// turn and its commit were good.
func (s *small) whole(st api.Started) {
	s.t.Helper()
	frames := s.all(st.Unit)
	commits := body[wsv2.Commit](frames)
	var said bytes.Buffer
	for i, f := range frames {
		if f.Seq != uint64(i)+1 {
			s.t.Errorf("frame %d has the number %d", i+1, f.Seq)
		}
		if d, ok := f.Body.(wsv2.MessageDelta); ok {
			said.WriteString(d.Text)
		}
	}
	if n := strings.Count(said.String(), "x"); n != pageful || !strings.Contains(said.String(), "here") {
		s.t.Errorf("the agent said %d of %d bytes", n, pageful)
	}
	if d := done(s.t, frames); !d.OK || len(body[wsv2.TurnAccepted](frames)) != 1 {
		s.t.Errorf("turn-done %+v", d)
	}
	if len(commits) != 1 || !commits[0].Merged {
		s.t.Errorf("commits %+v", commits)
	}
	row, err := s.m.Get(st.Unit)
	must(s.t, err)
	if len(row.Commits) != 1 || row.Turns != 1 {
		s.t.Errorf("row %+v", row)
	}
}

// TestFullTopics: there is no room for the frames, and there is for the
// records: a turn is not over that its topic does not end.
func TestFullTopics(t *testing.T) {
	if !againtest.Mounting(t) {
		return
	}
	for _, p := range []failpoint.Point{"dispatch.begun", "dispatch.delivered", "dispatch.sealed"} {
		t.Run(string(p), func(t *testing.T) {
			s := &small{stack: newStack(t), points: t.TempDir()}
			dir := filepath.Join(s.home.State, "streams")
			must(t, os.MkdirAll(dir, 0o700))
			must(t, syscall.Mount("small", dir, "tmpfs", 0, "size=2m"))
			t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
			s.again()
			must(t, failpoint.Arm(s.points, p))
			st := s.start(api.StartRequest{Text: write("kept.md"), Runner: "text", Limits: limits(0)})
			s.eventually(string(p), func() bool { return failpoint.Reached(s.points, p) })
			free := fill(t, dir)
			must(t, failpoint.Release(s.points, p))
			s.eventually("the dispatch to stand still", func() bool { return s.m.Unsaved(st.Unit) != nil })
			free()
			s.ended(st.Unit)
			s.whole(st)
			s.again()
			s.whole(st)
		})
	}
}

// TestFullRepository: there is no room for what the agent wrote, and there is
// for the frames that say so. It is sealed as soon as there is.
func TestFullRepository(t *testing.T) {
	if !againtest.Mounting(t) {
		return
	}
	root, err := os.MkdirTemp("", "vx")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	buckets := filepath.Join(root, "h", "data", "buckets")
	must(t, os.MkdirAll(buckets, 0o700))
	must(t, syscall.Mount("small", buckets, "tmpfs", 0, "size=8m"))
	t.Cleanup(func() { _ = syscall.Unmount(buckets, syscall.MNT_DETACH) })
	s := newStackIn(t, root)
	points := t.TempDir()
	s.restart(func(o *dispatch.Options) {
		o.Failpoints, o.SaveAgain = failpoint.New(points), 50*time.Millisecond
	})
	must(t, failpoint.Arm(points, "dispatch.turn-end"))
	st := s.start(api.StartRequest{Text: "echo kept > kept.md; head -c 100000 /dev/urandom > big", Runner: "text", Limits: limits(0)})
	s.eventually("the end of the turn", func() bool { return failpoint.Reached(points, "dispatch.turn-end") })
	free := fill(t, s.home.Buckets())
	must(t, failpoint.Release(points, "dispatch.turn-end"))
	frames := s.turn(st)
	if d := done(t, frames); d.OK || !strings.Contains(d.Error, "no space left") {
		t.Errorf("turn-done %+v", d)
	}
	if e := body[wsv2.Error](frames); len(e) != 1 || !strings.Contains(e[0].Message, "no space left") || !strings.Contains(e[0].Hint, "free space") {
		t.Errorf("error frames %+v", e)
	}
	s.eventually("the dispatch to stand still", func() bool { return s.m.Unsaved(st.Unit) != nil })
	free()
	if row := s.ended(st.Unit); len(row.Commits) != 1 || !row.Commits[0].Merged {
		t.Errorf("row %+v", row)
	}
	if commits := body[wsv2.Commit](s.all(st.Unit)); len(commits) != 1 || s.file("kept.md") != "kept\n" {
		t.Errorf("commits %+v, main holds %q", commits, s.file("kept.md"))
	}
}

// TestStopWithAFullDisk: who stops a dispatch is told that it could not be
// saved; it is, as soon as there is room.
func TestStopWithAFullDisk(t *testing.T) {
	if !againtest.Mounting(t) {
		return
	}
	s := newSmall(t)
	st := s.start(api.StartRequest{
		Text: fmt.Sprintf("head -c %d /dev/urandom > big; echo started; exec sleep 600", pageful), Runner: "text", Limits: limits(60),
	})
	s.waitForWord(st.Unit)
	free := fill(t, filepath.Dir(s.home.State))
	for range 2 { // while it has an owner, and when it may have none
		if _, err := s.m.Stop(t.Context(), st.Unit, false); !strings.Contains(fmt.Sprint(err), "stands still") || fault.HintOf(err) == "" {
			t.Errorf("stop: %v", err)
		}
	}
	free()
	if row := s.ended(st.Unit); row.StopReason != runtimev1.ReasonStopped {
		t.Errorf("it ended as %s: %s", row.StopReason, row.Detail)
	}
	stopped := 0
	for _, state := range body[wsv2.State](s.all(st.Unit)) {
		if state.State == string(runtimev1.Stopped) {
			stopped++
		}
	}
	if stopped != 1 {
		t.Errorf("its topic says %d times that it stopped", stopped)
	}
	info, err := s.workspaces.Lookup(t.Context(), "personal")
	must(t, err)
	if data, err := s.workspaces.ReadFile(t.Context(), info.ID, "main", "big"); err != nil || len(data) != pageful {
		t.Errorf("what it wrote: %d bytes, %v", len(data), err)
	}
}

// TestFullMemory: what is open does not fit. The turn is refused and says which
// variable moves it elsewhere.
func TestFullMemory(t *testing.T) {
	if !againtest.Mounting(t) {
		return
	}
	s := newSmall(t)
	free := fill(t, filepath.Dir(filepath.Dir(s.home.Units())))
	st := s.start(api.StartRequest{Text: write("refused.md"), Runner: "text", Limits: limits(0)})
	frames := s.turn(st)
	if d := done(t, frames); d.OK || d.Outcome != wsv2.OutcomeFailed {
		t.Errorf("turn-done %+v", d)
	}
	if e := body[wsv2.Error](frames); len(e) == 0 || !strings.Contains(e[0].Hint, "VEXA_PLAINTEXT_DIR") {
		t.Errorf("error frames %+v", e)
	}
	s.ended(st.Unit)
	free()
	next := s.start(api.StartRequest{Text: write("next.md"), Runner: "text", Limits: limits(0)})
	if d := done(t, s.turn(next)); !d.OK {
		t.Errorf("the next turn: %+v", d)
	}
}
