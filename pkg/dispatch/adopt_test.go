package dispatch_test

import (
	"os"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

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
		if m, ok := f.Body.(wsv2.MessageDelta); ok {
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
	if d := done(t, s.turn(st)); d.OK || d.Outcome != wsv2.OutcomeLost {
		t.Errorf("turn-done %+v", d)
	}
	s.ended(st.Unit)
	if got := s.file("a.md"); got != "half\n" {
		t.Errorf("what was written is lost: %q", got)
	}
}
