package dispatch_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/failpoint"
	"github.com/vexa-ai/vexa/pkg/retention"
)

// abandon arms a point, has lead come by it, and ends the daemon there.
func (s *stack) abandon(p failpoint.Point, keep retention.Dispatches, prepare, lead func()) {
	s.t.Helper()
	dir := s.t.TempDir()
	s.keep(keep, func(o *dispatch.Options) { o.Failpoints = failpoint.New(dir) })
	prepare()
	must(s.t, failpoint.Arm(dir, p))
	led := make(chan struct{})
	go func() {
		defer close(led)
		lead()
	}()
	s.eventually(string(p), func() bool { return failpoint.Reached(dir, p) })
	s.m.Abandon()
	<-led
	s.keep(keep)
}

// told checks that nothing is on a unit's topic twice, or missing.
func (s *stack) told(unit string, turns, commits int) {
	s.t.Helper()
	frames := s.all(unit)
	said := map[string]int{}
	for i, f := range frames {
		if f.Seq != uint64(i)+1 {
			s.t.Errorf("frame %d has the number %d", i+1, f.Seq)
		}
		switch b := f.Body.(type) {
		case wsv2.TurnAccepted:
			said["accepted "+f.Turn]++
		case wsv2.TurnDone:
			said["done "+f.Turn]++
		case wsv2.Commit:
			said["commit "+b.SHA]++
		}
	}
	for what, n := range said {
		if n != 1 {
			s.t.Errorf("%s is on the topic %d times", what, n)
		}
	}
	row, err := s.m.Get(unit)
	must(s.t, err)
	if len(said) != 2*turns+commits || row.Turns != turns || len(row.Commits) != commits {
		s.t.Errorf("topic %v, row %+v; %d turns and %d commits were made", said, row, turns, commits)
	}
}

// TestAbandonedWhenResealed: the daemon ends when the last seal of a container
// found something more, which is recorded.
func TestAbandonedWhenResealed(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	info, err := s.workspaces.Lookup(t.Context(), "personal")
	must(t, err)
	var st api.Started
	s.abandon("dispatch.resealed", retention.Dispatches{}, func() {
		st = s.start(api.StartRequest{Text: "printf aaaa > a.md", Runner: "text", Limits: limits(60)})
		s.turn(st)
		writeMapped(t, filepath.Join(s.home.Unit(st.Unit), "ws", info.ID, "a.md"), "bbbb")
	}, func() { _, _ = s.m.Stop(t.Context(), st.Unit, false) })
	s.ended(st.Unit)
	s.told(st.Unit, 1, 2)
	if got := s.file("a.md"); got != "bbbb" {
		t.Errorf("main holds %q", got)
	}
}

// TestAbandonedWhenCarried: the daemon ends when the records of a live dispatch
// are there twice.
func TestAbandonedWhenCarried(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	var old api.Started
	var others []string
	apart := s.apart()
	keep := retention.Dispatches{Count: 2}
	s.abandon("dispatch.carried", keep, func() {
		s.m.SetCarryGap(1)
		old = s.start(api.StartRequest{Text: "echo noted", Runner: "notebook", Limits: limits(600), Key: "k", Workspaces: apart})
		s.turn(old)
		for range 2 {
			others = append(others, s.once("echo 1 >> a.md"))
		}
	}, func() { _ = s.m.Retain(t.Context()) })
	want := []string{others[1], others[0], old.Unit}
	if got := s.ids(); !slices.Equal(got, want) {
		t.Errorf("rows %v, not %v", got, want)
	}
	again := s.start(api.StartRequest{Text: "echo noted", Runner: "notebook", Limits: limits(600), Key: "k", Workspaces: apart})
	if again.Unit != old.Unit || again.Turn != old.Turn {
		t.Errorf("the idempotency key is forgotten: %+v, not %+v", again, old)
	}
	next := s.start(api.StartRequest{Text: "more", Session: old.Session, Limits: limits(600)})
	if d := done(t, s.turn(next)); next.Unit != old.Unit || !d.OK {
		t.Errorf("its next turn: %+v, %+v", next, d)
	}
	s.told(old.Unit, 2, 0)
	s.m.SetCarryGap(1)
	must(t, s.m.Retain(t.Context()))
	s.keep(keep)
	if got := s.ids(); !slices.Equal(got, want) {
		t.Errorf("carried again: rows %v, not %v", got, want)
	}
	_, err := s.m.Stop(t.Context(), old.Unit, false)
	must(t, err)
}

// TestAbandonedWhenRemoved: the daemon ends when the topics of an old dispatch
// are gone, and its records are not.
func TestAbandonedWhenRemoved(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	var units []string
	keep := retention.Dispatches{Count: 1}
	s.abandon("dispatch.removed", keep, func() {
		units = append(units, s.once("echo 1 >> a.md"))
	}, func() { units = append(units, s.once("echo 1 >> a.md")) })
	s.eventually("the old one to be gone for good", func() bool { return len(s.ids()) == 1 })
	must(t, s.m.Retain(t.Context()))
	s.hasOnly("after it was removed", units[1])
	s.told(units[1], 1, 1)
	s.keep(keep)
	s.hasOnly("after another start", units[1])
	if got := s.file("a.md"); got != "1\n1\n" {
		t.Errorf("main holds %q", got)
	}
}
