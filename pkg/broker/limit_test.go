package broker_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/broker"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/inference"
)

func limits(tokens int64, cost float64) func(*broker.Session) {
	return func(s *broker.Session) {
		if tokens > 0 {
			s.Limits.Tokens = &tokens
		}
		if cost > 0 {
			s.Limits.CostUSD = &cost
		}
	}
}

// Once a limit is used up nothing more is sent, and the answer says why.
func TestLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		session func(*broker.Session)
		path    string
		model   string
		passed  int
		denial  broker.Denial
		want    string
	}{
		"tokens":                    {limits(120, 0), messages, "claude/m1", 3, broker.DeniedTokens, "used 150 of its 120 tokens"},
		"cost":                      {limits(0, 0.0001), messages, "claude/m1", 2, broker.DeniedCost, "has cost 0.0002 of its 0.0001 USD"},
		"cost of what has no price": {limits(0, 1), chat, "local/m2", 0, broker.DeniedCost, "price is not known"},
		"what was used before a restart": {func(s *broker.Session) {
			limits(120, 0)(s)
			s.Used = wsv2.Usage{Requests: 5, InputTokens: 70, OutputTokens: 30}
		}, messages, "claude/m1", 1, broker.DeniedTokens, "used 150 of its 120"},
		"a cost that is not known any more": {func(s *broker.Session) {
			limits(0, 1)(s)
			s.Used = wsv2.Usage{Requests: 5}
		}, messages, "claude/m1", 0, broker.DeniedCost, "has no price"},
		"both": {limits(1000, 0.0001), messages, "claude/m1", 2, broker.DeniedCost, "USD"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up := &provider{}
			s := open(t, config{upstream: up, session: c.session})
			for i := range c.passed {
				if a := s.post(c.path, say(c.model, "x", i%2 == 0)); a.status != http.StatusOK {
					t.Fatalf("request %d: %d %s", i, a.status, a.body)
				}
			}
			for range 2 {
				a := s.post(c.path, say(c.model, "x", true))
				if a.status != http.StatusBadRequest || !strings.Contains(a.message(), c.want) {
					t.Fatalf("%d %s", a.status, a.body)
				}
			}
			if up.count() != c.passed {
				t.Errorf("the provider was asked %d times; want %d", up.count(), c.passed)
			}
			if d := s.owner.denials(); len(d) != 2 || !strings.HasPrefix(d[0], string(c.denial)+":") {
				t.Errorf("the owner heard %q", d)
			}
		})
	}
}

// What is said of a model's price while a dispatch runs counts from its next request on.
func TestPricesWhileADispatchRuns(t *testing.T) {
	t.Parallel()
	up := &provider{}
	var prices *inference.Table
	s := open(t, config{upstream: up, session: limits(0, 1), options: func(o *broker.Options) {
		prices = o.Providers.(*inference.Table)
	}})
	if a := s.post(chat, say("local/m2", "x", false)); a.status != http.StatusBadRequest || !strings.Contains(a.message(), "vexa model price") {
		t.Fatalf("without a price: %d %s", a.status, a.body)
	}
	for i, usd := range []float64{1, 1000, 1e6} { // of 20 tokens and 30
		if err := prices.SetPrices(t.Context(), "local", map[string]*inference.Price{"m2": {Input: usd}}); err != nil {
			t.Fatal(err)
		}
		if a := s.post(chat, say("local/m2", "x", false)); a.status != http.StatusOK {
			t.Fatalf("request %d: %d %s", i, a.status, a.body)
		}
	}
	if turn, _ := s.owner.used(); turn.CostUSD == nil || *turn.CostUSD < 20 || *turn.CostUSD > 20.1 {
		t.Errorf("used %+v", turn)
	}
	if a := s.post(chat, say("local/m2", "x", false)); a.status != http.StatusBadRequest || up.count() != 3 {
		t.Errorf("beyond the limit: %d after %d requests", a.status, up.count())
	}
}

// Requests at the same time cannot pass a limit together.
func TestLimitHoldsAcrossRequests(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	up := &provider{answer: func(w http.ResponseWriter, r *http.Request, body map[string]json.RawMessage) {
		<-hold
		good(w, r, body)
	}}
	s := open(t, config{upstream: up, session: limits(200, 0)})
	first := make(chan answer, 1)
	go func() { first <- s.post(messages, say("claude/m1", strings.Repeat("x", 900), false)) }()
	await(t, "the first request", func() bool { return up.count() == 1 })
	if a := s.post(messages, say("claude/m1", "x", false)); a.status != http.StatusBadRequest {
		t.Errorf("beside it: %d %s", a.status, a.body)
	}
	close(hold)
	if a := <-first; a.status != http.StatusOK {
		t.Errorf("the first: %d %s", a.status, a.body)
	}
	if a := s.post(messages, say("claude/m1", "x", false)); a.status != http.StatusOK {
		t.Errorf("after it, when less was used than reserved: %d %s", a.status, a.body)
	}
}

// The count of a turn begins anew with its input; the unit's goes on.
func TestTurns(t *testing.T) {
	t.Parallel()
	s := open(t, config{upstream: &provider{}})
	s.worker("")
	await(t, "the worker", s.socket.Attached)
	for i := 1; i <= 2; i++ {
		id := fmt.Sprint("t", i)
		for range i { // the second is sent again, as after a reconnect
			if err := s.socket.Send(t.Context(), wsv2.Input{Type: wsv2.InputTurn, Turn: id, Text: "x"}); err != nil {
				t.Fatal(err)
			}
		}
		s.post(messages, say("claude/m1", "x", true))
		await(t, "the audit record", func() bool { return len(s.trail.all()) == i })
		if e := s.trail.all()[i-1]; e.Detail["turn"] != id {
			t.Errorf("recorded %+v", e)
		}
		turn, all := s.socket.Usage()
		if turn.Requests != 1 || turn.OutputTokens != 30 || all.Requests != i || all.OutputTokens != int64(30*i) {
			t.Errorf("turn %d: used %+v, %+v", i, turn, all)
		}
	}
}

// Beyond the number of requests at once a further one waits its turn.
func TestRequestsAtOnce(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	up := &provider{answer: func(w http.ResponseWriter, r *http.Request, body map[string]json.RawMessage) {
		<-hold
		good(w, r, body)
	}}
	s := open(t, config{upstream: up, options: func(o *broker.Options) { o.Rates.Requests = 2 }})
	answers := make(chan answer, 3)
	for range 3 {
		go func() { answers <- s.post(messages, say("claude/m1", "x", false)) }()
	}
	await(t, "two requests", func() bool { return up.count() == 2 })
	close(hold)
	for range 3 {
		if a := <-answers; a.status != http.StatusOK {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}

// The records of a flood of refusals are bounded, and say how many are missing.
func TestDenialsAreBounded(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := time.Now()
	s := open(t, config{upstream: never(t), options: func(o *broker.Options) {
		o.Rates.DenialsPerHour = 3
		o.Now = func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return now
		}
	}})
	for range 10 {
		s.post(chat, "{")
	}
	if n, d := len(s.trail.all()), len(s.owner.denials()); n != 3 || d != 3 {
		t.Fatalf("%d records, %d told", n, d)
	}
	mu.Lock()
	now = now.Add(time.Hour)
	mu.Unlock()
	s.post(chat, "{")
	if e := s.trail.all(); len(e) != 4 || e[3].Detail["unrecorded"] != "7" {
		t.Fatalf("recorded %+v", e)
	}
}
