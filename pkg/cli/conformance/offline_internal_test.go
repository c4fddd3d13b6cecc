package conformance

import (
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

// An agent that waits for a network loses time before its first word or after its last.
func TestOffline(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first float64
		tail  time.Duration
		state string
	}{
		"at once":          {0.5, 100 * time.Millisecond, Pass},
		"slow to begin":    {21, 100 * time.Millisecond, Fail},
		"slow to end":      {0.5, 4 * time.Second, Fail},
		"a loaded machine": {15, 2 * time.Second, Pass},
	} {
		r := &run{report: Report{WarmSec: c.first}, turns: []turn{{tail: c.tail, done: wsv2.TurnDone{Outcome: wsv2.OutcomeCompleted}}}}
		if v := r.offline(t.Context()); v.state != c.state {
			t.Errorf("%s: %+v", name, v)
		}
	}
	slow := &run{Options: Options{Load: func() string { return "64000.00 9.00 8.00 3/500 7\n" }}, report: Report{WarmSec: 40}}
	if v := slow.offline(t.Context()); v.state != Pass {
		t.Errorf("a machine that has too much to do: %+v", v)
	}
	slow.Load = func() string { return "nonsense" }
	if v := slow.offline(t.Context()); v.state != Fail {
		t.Errorf("a machine of which nothing is known: %+v", v)
	}
	r := &run{turns: []turn{{tail: time.Minute, done: wsv2.TurnDone{Outcome: wsv2.OutcomeInterrupted}}}}
	if v := r.offline(t.Context()); v.state != Pass {
		t.Errorf("one that was interrupted counts: %+v", v)
	}
}
