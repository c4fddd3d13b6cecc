package dispatch_test

import (
	"os"
	"testing"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

// A container that leaves after its idle time ended for that; TestMessageBecomesFramesAndACommit
// has one without an idle time, which is complete when its turn is.
func TestIdleTimeIsTheReason(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	st := s.start(api.StartRequest{Text: "true", Runner: "text", Limits: limits(1)})
	if d := done(t, s.turn(st)); !d.OK {
		t.Errorf("turn-done %+v", d)
	}
	if row := s.ended(st.Unit); row.StopReason != runtimev1.ReasonIdle {
		t.Errorf("row %+v", row)
	}
	frames := s.all(st.Unit)
	if last, ok := frames[len(frames)-1].Body.(wsv2.State); !ok || last.StopReason != string(runtimev1.ReasonIdle) {
		t.Errorf("the last frame is %+v", frames[len(frames)-1])
	}
}

// What the container says of its idle time counts for nothing.
func TestIdleTimeIsTheHosts(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.driver.Program("/.vexa/bin/vexa", s.hurry)
	st := s.start(api.StartRequest{Text: "true", Runner: "text", Limits: limits(60)})
	s.turn(st)
	if row := s.ended(st.Unit); row.StopReason != runtimev1.ReasonCompleted {
		t.Errorf("row %+v", row)
	}
}

// The idle time goes on across a restart of the daemon.
func TestIdleTimeOutlivesTheDaemon(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	st := s.start(api.StartRequest{Text: "true", Runner: "text", Limits: limits(2)})
	s.turn(st)
	s.restart(nil)
	if row := s.ended(st.Unit); row.StopReason != runtimev1.ReasonIdle {
		t.Errorf("row %+v", row)
	}
}

// A container is busy as long as it has a turn; then it runs, and waits for the next.
func TestWhoWaitsIsNotBusy(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	gate := s.home.State + "/gate"
	st := s.start(api.StartRequest{Text: "echo started; while [ ! -e " + gate + " ]; do sleep 0.02; done", Runner: "text", Limits: limits(60)})
	s.waitForWord(st.Unit)
	row, err := s.m.Get(st.Unit)
	must(t, err)
	if row.State != runtimev1.Running || !row.Busy {
		t.Errorf("at its turn: %+v", row)
	}
	must(t, os.WriteFile(gate, nil, 0o600))
	s.turn(st)
	s.eventually("no turn", func() bool {
		row, err := s.m.Get(st.Unit)
		must(t, err)
		return row.State == runtimev1.Running && !row.Busy
	})
}
