package broker_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/broker"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/link"
)

func frame(seq uint64, text string) wsv2.Report {
	body, err := json.Marshal(map[string]string{"type": "message-delta", "text": text})
	if err != nil {
		panic(err)
	}
	return wsv2.Report{Type: wsv2.ReportFrame, AgentSeq: seq, Turn: "t1", Frame: body}
}

func turnEnd(seq uint64) wsv2.Report {
	return wsv2.Report{Type: wsv2.ReportTurnEnd, AgentSeq: seq, Turn: "t1", End: &wsv2.TurnEnd{Outcome: wsv2.OutcomeCompleted, Reply: "done"}}
}

// send writes the reports at once, so that an answer to the first finds the
// others on their way.
func send(t *testing.T, c *link.Conn, reports ...wsv2.Report) {
	t.Helper()
	lines := make([][]byte, 0, len(reports))
	for _, r := range reports {
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if err := c.SendLine(lines...); err != nil {
		t.Fatal(err)
	}
}

// acked reads until a receipt of seq, which must be the next that are sent.
func acked(t *testing.T, c *link.Conn, seq uint64) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for {
		var in wsv2.Input
		if err := c.Receive(&in); err != nil {
			t.Fatalf("waiting for the receipt of %d: %v", seq, err)
		}
		if in.Type != wsv2.InputAck || in.AgentSeq > seq {
			t.Fatalf("got %+v while waiting for the receipt of %d", in, seq)
		}
		if in.AgentSeq == seq {
			return
		}
	}
}

// ended waits for the host to close the connection.
func ended(t *testing.T, c *link.Conn) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := c.ReceiveLine(); err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				t.Fatal("the connection was not closed")
			}
			return
		}
	}
}

// Reports arrive once each and in order, and are acknowledged when stored.
func TestReports(t *testing.T) {
	t.Parallel()
	s := open(t, config{})
	c := s.worker("")
	for i := uint64(1); i <= 500; i++ {
		send(t, c, frame(i, fmt.Sprint("piece ", i)))
	}
	send(t, c, turnEnd(501), wsv2.Report{Type: wsv2.ReportIdle})
	acked(t, c, 501)
	await(t, "the idle report", func() bool { return strings.HasSuffix(s.owner.history(), "idle 0") })
	s.owner.mu.Lock()
	reports := s.owner.reports
	s.owner.mu.Unlock()
	if len(reports) != 502 {
		t.Fatalf("%d reports", len(reports))
	}
	for i, r := range reports[:500] {
		if r.AgentSeq != uint64(i+1) || !strings.Contains(string(r.Frame), fmt.Sprint("piece ", i+1, `"`)) {
			t.Fatalf("report %d is %+v", i, r)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	await(t, "the end", func() bool { return strings.HasSuffix(s.owner.history(), "disconnected true") })
	if s.socket.Attached() {
		t.Error("a worker that has gone is attached")
	}
}

// A worker that comes back is told what is stored; what it repeats is dropped.
func TestReconnect(t *testing.T) {
	t.Parallel()
	s := open(t, config{})
	first := s.worker("")
	send(t, first, frame(1, "a"), frame(2, "b"))
	acked(t, first, 2)
	second := s.worker("t1") // the newer one takes over
	ended(t, first)
	acked(t, second, 2)
	send(t, second, frame(1, "a"), frame(2, "b"), frame(3, "c"), frame(3, "c"), frame(4, "d"))
	acked(t, second, 4)
	if got, want := s.owner.history(), "connected , frame 1, frame 2, disconnected false, connected t1, frame 3, frame 4"; got != want {
		t.Errorf("the owner heard %q; want %q", got, want)
	}
	await(t, "the note of it", func() bool { return strings.Contains(s.log.String(), "the link ended") })
	if log := s.log.String(); strings.Contains(log, "level=INFO") || strings.Contains(log, "level=WARN") {
		t.Errorf("an end that is nothing special is logged:\n%s", log)
	}
}

// Of several that come at once the last one stays; another goes at once, though
// the one that is served has not ended yet.
func TestNewestStays(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	o := &owner{}
	o.refuse = func(r wsv2.Report) error {
		if r.AgentSeq == 1 {
			<-hold
		}
		return nil
	}
	s := open(t, config{owner: o})
	first := s.worker("a")
	send(t, first, frame(1, "x"))
	await(t, "the first", s.socket.Attached)
	second, third := s.worker("b"), s.worker("c") // both wait for the first to end
	ended(t, first)
	gone := make(chan *link.Conn, 2)
	for _, c := range []*link.Conn{second, third} {
		go func() {
			for {
				if _, err := c.ReceiveLine(); err != nil {
					gone <- c
					return
				}
			}
		}()
	}
	left := third
	select { // whichever said hello first is sent away
	case c := <-gone:
		if c == third {
			left = second
		}
	case <-time.After(10 * time.Second):
		t.Error("two connections wait for one that is served")
	}
	close(hold)
	send(t, left, frame(2, "y"))
	await(t, "the report", func() bool { return strings.HasSuffix(o.history(), "frame 2") })
}

// After a restart of the daemon the numbers go on where they were.
func TestResume(t *testing.T) {
	t.Parallel()
	s := open(t, config{session: func(q *broker.Session) { q.LastAgentSeq = 7 }})
	c := s.worker("t1")
	acked(t, c, 7)
	send(t, c, frame(7, "old"), frame(8, "new"))
	acked(t, c, 8)
	if got := s.owner.history(); got != "connected t1, frame 8" {
		t.Errorf("the owner heard %q", got)
	}
}

// What is not stored is not acknowledged, and comes again.
func TestNotStored(t *testing.T) {
	t.Parallel()
	failures := 1
	o := &owner{refuse: func(r wsv2.Report) error {
		if r.AgentSeq == 2 && failures > 0 {
			failures--
			return errors.New("disk full")
		}
		return nil
	}}
	s := open(t, config{owner: o})
	c := s.worker("t1")
	send(t, c, frame(1, "a"), frame(2, "b"))
	ended(t, c)
	c = s.worker("t1")
	acked(t, c, 1)
	send(t, c, frame(2, "b"))
	acked(t, c, 2)
	if got, want := s.owner.history(), "connected t1, frame 1, disconnected false, connected t1, frame 2"; got != want {
		t.Errorf("the owner heard %q; want %q", got, want)
	}
	if d := o.denials(); len(d) != 0 {
		t.Errorf("our own failure was taken for an attack: %q", d)
	}
}

// A worker that the owner does not take is sent away.
func TestNotTaken(t *testing.T) {
	t.Parallel()
	s := open(t, config{owner: &owner{hello: func(wsv2.Report) error { return errors.New("ended") }}})
	ended(t, s.worker(""))
	await(t, "the worker to be let go", func() bool { return !s.socket.Attached() })
	if got := s.owner.history(); got != "connected " {
		t.Errorf("the owner heard %q", got)
	}
}

// What a container may not say is refused, recorded, and ends the connection.
func TestReportsRefused(t *testing.T) {
	t.Parallel()
	raw := func(s string) string { return strings.ReplaceAll(s, "\n", "") }
	for name, c := range map[string]struct {
		line   string
		denial broker.Denial
	}{
		"no JSON":                 {"{", broker.DeniedReport},
		"an unknown type":         {`{"type":"commit"}`, broker.DeniedReport},
		"a second hello":          {`{"type":"hello"}`, broker.DeniedReport},
		"a gap":                   {`{"type":"frame","agentSeq":2,"turn":"t1","frame":{"type":"message","text":"x"}}`, broker.DeniedReport},
		"no number":               {`{"type":"frame","turn":"t1","frame":{"type":"message","text":"x"}}`, broker.DeniedReport},
		"number 0":                {`{"type":"frame","agentSeq":0,"turn":"t1","frame":{"type":"message","text":"x"}}`, broker.DeniedReport},
		"a negative number":       {`{"type":"frame","agentSeq":-1,"turn":"t1","frame":{"type":"message","text":"x"}}`, broker.DeniedReport},
		"a commit":                {`{"type":"frame","agentSeq":1,"turn":"t1","frame":{"type":"commit","workspace":"w","sha":"0000000000000000000000000000000000000000","branch":"main","merged":true,"files":1}}`, broker.DeniedReport},
		"a turn's end as a frame": {`{"type":"frame","agentSeq":1,"turn":"t1","frame":{"type":"turn-done","ok":true,"session":"s","reply":"","outcome":"completed"}}`, broker.DeniedReport},
		"usage":                   {`{"type":"frame","agentSeq":1,"turn":"t1","frame":{"type":"usage","model":"m","requests":0,"inputTokens":0,"outputTokens":0}}`, broker.DeniedReport},
		"turn-accepted":           {`{"type":"frame","agentSeq":1,"turn":"t1","frame":{"type":"turn-accepted","session":"s","runner":"r","resumed":false,"text":"x"}}`, broker.DeniedReport},
		"state":                   {`{"type":"frame","agentSeq":1,"turn":"t1","frame":{"type":"state","state":"stopped"}}`, broker.DeniedReport},
		"rejected":                {`{"type":"frame","agentSeq":1,"turn":"t1","frame":{"type":"rejected","workspace":"w","path":"p","reason":"r"}}`, broker.DeniedReport},
		"card":                    {`{"type":"frame","agentSeq":1,"turn":"t1","frame":{"type":"card","card":{}}}`, broker.DeniedReport},
		"in the host's name":      {`{"type":"frame","agentSeq":1,"turn":"t1","frame":{"type":"message","text":"x","source":"host"}}`, broker.DeniedReport},
		"in another unit's name":  {`{"type":"frame","agentSeq":1,"turn":"t1","frame":{"type":"message","text":"x","unit":"` + other + `"}}`, broker.DeniedReport},
		"with its own seq":        {`{"type":"frame","agentSeq":1,"turn":"t1","frame":{"type":"message","text":"x","seq":1}}`, broker.DeniedReport},
		"a type twice":            {`{"type":"frame","agentSeq":1,"turn":"t1","frame":{"type":"message","type":"commit","text":"x"}}`, broker.DeniedReport},
		"an end that is none":     {`{"type":"turn-end","agentSeq":1,"turn":"t1","end":{"outcome":"won","exitCode":0,"reply":""}}`, broker.DeniedReport},
		"an idle with a number":   {`{"type":"idle","agentSeq":1}`, broker.DeniedReport},
		"far too long":            {`{"type":"frame","agentSeq":1,"turn":"t1","frame":{"type":"message","text":"` + strings.Repeat("x", 1<<20) + `"}}`, broker.DeniedFlood},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, config{options: func(o *broker.Options) { o.Rates.ReportBytes = 1 << 20 }})
			conn := s.worker("")
			if err := conn.SendLine([]byte(raw(c.line))); err != nil {
				t.Fatal(err)
			}
			ended(t, conn)
			await(t, "the end", func() bool { return s.owner.history() == "connected , disconnected false" })
			events := s.trail.all()
			if len(events) != 1 || events[0].Boundary != audit.Stream || events[0].Effect != audit.Deny || events[0].Reason != string(c.denial) {
				t.Errorf("recorded %+v", events)
			}
			if d := s.owner.denials(); len(d) != 1 || !strings.HasPrefix(d[0], string(c.denial)) {
				t.Errorf("the owner heard %q", d)
			}
		})
	}
}

// A worker beyond its rate is made to wait, and loses nothing.
func TestPace(t *testing.T) {
	t.Parallel()
	s := open(t, config{options: func(o *broker.Options) { o.Rates.ReportsPerSec = 50 }})
	c := s.worker("")
	begin := time.Now()
	for i := uint64(1); i <= 70; i++ {
		send(t, c, frame(i, "x"))
	}
	acked(t, c, 70)
	if d := time.Since(begin); d < 500*time.Millisecond {
		t.Errorf("70 reports at 50 a second took %s", d)
	}
}

func TestHello(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"a frame": `{"type":"idle"}`, "rubbish": "x", "nothing": "",
		"a long one": `{"type":"hello"` + strings.Repeat(" ", 8<<10) + "}",
	} {
		s := open(t, config{})
		c, err := link.Dial(t.Context(), s.dial, s.token)
		if err != nil {
			t.Fatal(err)
		}
		if line == "" {
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		} else if err := c.SendLine([]byte(line)); err != nil {
			t.Fatal(err)
		} else {
			ended(t, c)
		}
		await(t, "the record", func() bool { return len(s.trail.all()) == 1 })
		if got := s.owner.history(); got != "" || s.socket.Attached() {
			t.Errorf("%s: the owner heard %q", name, got)
		}
	}
}

func TestNoUpgrade(t *testing.T) {
	t.Parallel()
	s := open(t, config{})
	req := s.request(t.Context(), link.Path, "")
	req.Method = http.MethodGet
	if a := s.do(req); a.status != http.StatusUpgradeRequired {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestSend(t *testing.T) {
	t.Parallel()
	s := open(t, config{})
	in := wsv2.Input{Type: wsv2.InputTurn, Turn: "t1", Text: "hello"}
	if err := s.socket.Send(t.Context(), in); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("without a worker: %v", err)
	}
	c := s.worker("")
	await(t, "the worker", s.socket.Attached)
	if err := s.socket.Send(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	var got wsv2.Input
	if err := c.Receive(&got); err != nil || got != in {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := s.socket.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReceiveLine(); !errors.Is(err, io.EOF) {
		t.Fatalf("after Close: %v", err)
	}
	if err := s.socket.Send(t.Context(), in); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("after Close: %v", err)
	}
}
