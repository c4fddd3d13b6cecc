package dispatch_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/retention"
	"github.com/vexa-ai/vexa/pkg/workspace/session"
)

// jumps makes the time of day one that is set by hand; what nobody sets goes on.
func (c *clock) jumps(o *dispatch.Options) { o.Now = func() time.Time { return c.now().Round(0) } }

// jumps are how far a clock is set.
var jumps = map[string]time.Duration{"a day forward": 24 * time.Hour, "an hour back": -time.Hour, "ten years forward": 87600 * time.Hour}

// TestClockIsSetDuringATurn: the turn goes on, and the next one comes to the
// same container.
func TestClockIsSetDuringATurn(t *testing.T) {
	t.Parallel()
	for name, jump := range jumps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			var c clock
			s.keep(retention.Default().Dispatches, c.jumps)
			gate := s.home.State + "/gate"
			st := s.start(api.StartRequest{
				Text: "echo started; while [ ! -e " + gate + " ]; do sleep 0.02; done; echo kept > a.md", Runner: "text", Limits: limits(60),
			})
			s.waitForWord(st.Unit)
			c.move(jump)
			must(t, s.m.Retain(t.Context()))
			s.once("touch " + gate)
			if d := done(t, s.turn(st)); !d.OK {
				t.Errorf("turn-done %+v", d)
			}
			frames := s.all(st.Unit)
			for i, f := range frames {
				if f.Seq != uint64(i)+1 {
					t.Errorf("frame %d has the number %d", i+1, f.Seq)
				}
			}
			if _, err := s.m.Stop(t.Context(), st.Unit, false); err != nil {
				t.Error(err)
			}
			if row := s.ended(st.Unit); row.StopReason != runtimev1.ReasonStopped || s.file("a.md") != "kept\n" {
				t.Errorf("row %+v", row)
			}
		})
	}
}

// TestOrderWhenTheClockIsPutBack: dispatches are listed, kept and continued in
// the order in which they came, whatever the time of day was, also by the next
// daemon, and when their records are carried.
func TestOrderWhenTheClockIsPutBack(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	var c clock
	jumps := func(o *dispatch.Options) {
		c.jumps(o)
		o.Sessions = session.New(session.Options{Store: s.workspaces, Sealer: s.id, Now: o.Now})
	}
	s.keep(retention.Dispatches{}, jumps)
	var units []string
	sessions := map[string]string{}
	for range 4 {
		st := s.start(api.StartRequest{Text: "noted", Runner: "notebook", Limits: limits(0)})
		s.turn(st)
		s.ended(st.Unit)
		units = append(units, st.Unit)
		sessions[st.Unit] = st.Session
		c.move(-25 * time.Hour)
	}
	newestFirst := slices.Clone(units)
	slices.Reverse(newestFirst)
	check := func(when string) {
		t.Helper()
		if got := s.ids(); !slices.Equal(got, newestFirst) {
			t.Errorf("%s: listed as %v, not %v", when, got, newestFirst)
		}
		st := s.start(api.StartRequest{Text: "more", Continue: true, Limits: limits(0)})
		if want := sessions[newestFirst[0]]; st.Session != want {
			t.Errorf("%s: continued %s, not the last one %s", when, st.Session, want)
		}
		s.turn(st)
		s.ended(st.Unit)
		newestFirst = append([]string{st.Unit}, newestFirst...)
		sessions[st.Unit] = st.Session
	}
	check("at once")
	s.keep(retention.Dispatches{}, jumps)
	check("by the next daemon")
	s.m.SetCarryGap(1)
	must(t, s.m.Retain(t.Context()))
	s.keep(retention.Dispatches{}, jumps)
	check("carried")
	newestFirst = newestFirst[:3]
	s.keep(retention.Dispatches{Count: 3}, jumps)
	s.eventually("the others to go", func() bool { return len(s.ids()) <= 3 })
	check("kept by number")
}

// TestClockTenYearsAhead: for a while nothing is removed for that, also by a
// daemon that starts then; and put right, nothing was lost.
func TestClockTenYearsAhead(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	var c clock
	policy := retention.Dispatches{Age: 48 * time.Hour}
	s.keep(policy, c.jumps)
	var units []string
	for i := range 2 {
		units = append(units, s.once(fmt.Sprintf("echo %d > a.md", i)))
	}
	c.move(87600 * time.Hour)
	must(t, s.m.Retain(t.Context()))
	units = append(units, s.once("echo ahead > a.md"))
	must(t, s.m.Retain(t.Context()))
	s.hasOnly("ten years ahead", slices.Clone(units)...)
	s.keep(policy, c.jumps)
	must(t, s.m.Retain(t.Context()))
	s.hasOnly("by a daemon that starts then", slices.Clone(units)...)
	c.move(-87600 * time.Hour)
	must(t, s.m.Retain(t.Context()))
	s.keep(policy, c.jumps)
	must(t, s.m.Retain(t.Context()))
	units = append(units, s.once("echo right > a.md"))
	s.hasOnly("put right", slices.Clone(units)...)
}
