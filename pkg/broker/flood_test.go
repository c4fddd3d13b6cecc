package broker_test

import (
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/broker"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/link"
)

// The reports of one turn are bounded in all, over whatever number of
// connections they come; a new turn has room again.
func TestTurnBytes(t *testing.T) {
	t.Parallel()
	s := open(t, config{options: func(o *broker.Options) { o.Rates.TurnBytes = 1000 }})
	c := s.worker("")
	await(t, "the worker", s.socket.Attached)
	send(t, c, frame(1, strings.Repeat("x", 700)))
	acked(t, c, 1)
	if err := s.socket.Send(t.Context(), wsv2.Input{Type: wsv2.InputTurn, Turn: "t2", Text: "x"}); err != nil {
		t.Fatal(err)
	}
	var in wsv2.Input
	if err := c.Receive(&in); err != nil || in.Turn != "t2" {
		t.Fatalf("%+v, %v", in, err)
	}
	send(t, c, frame(2, strings.Repeat("x", 700)))
	acked(t, c, 2)
	again := s.worker("t2")
	acked(t, again, 2)
	send(t, again, frame(3, strings.Repeat("x", 700)))
	ended(t, again)
	await(t, "the denial", func() bool { return len(s.owner.denials()) > 0 })
	if d := s.owner.denials(); len(d) != 1 || !strings.HasPrefix(d[0], "flood: the reports of one turn") {
		t.Errorf("the owner heard %q", d)
	}
}

// A worker whose link was broken off is not let in again, and is recorded once
// however often it tries.
func TestBrokenOff(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"flood":   `{"type":"frame","agentSeq":1,"turn":"t1","frame":{"type":"message","text":"` + strings.Repeat("x", 1<<12) + `"}}`,
		"forgery": `{"type":"hello"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, config{options: func(o *broker.Options) { o.Rates.ReportBytes = 1 << 12 }})
			c := s.worker("")
			if err := c.SendLine([]byte(line)); err != nil {
				t.Fatal(err)
			}
			ended(t, c)
			for range 3 {
				if _, err := link.Dial(t.Context(), s.dial, s.token); !fault.Is(err, fault.Denied) {
					t.Errorf("another connection: %v", err)
				}
			}
			if events := s.trail.all(); len(events) != 1 {
				t.Errorf("recorded %+v", events)
			}
			if d := s.owner.denials(); len(d) != 1 {
				t.Errorf("the owner heard %q", d)
			}
		})
	}
}

// What ends a dispatch is told its owner, whatever was refused before.
func TestBrokenOffAfterManyRefusals(t *testing.T) {
	t.Parallel()
	s := open(t, config{upstream: never(t), options: func(o *broker.Options) {
		o.Rates.DenialsPerHour, o.Rates.TurnBytes = 2, 1000
	}})
	for range 5 {
		s.post(chat, "{")
	}
	c := s.worker("")
	await(t, "the worker", s.socket.Attached)
	send(t, c, frame(1, strings.Repeat("x", 2000)))
	ended(t, c)
	await(t, "the end to be told", func() bool {
		d := s.owner.denials()
		return strings.HasPrefix(d[len(d)-1], "flood:")
	})
}
