package broker

import (
	"fmt"
	"sync"

	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/inference"
)

// spent is what one request used, in tokens. Input counts everything the model
// read, what came from a cache too; CacheRead and CacheWrite say how much of it.
type spent struct {
	Input, Output, CacheRead, CacheWrite int64
	Estimated                            bool // the provider did not say
}

func (s spent) cost(p inference.Price) float64 {
	const million = 1e6
	plain := max(s.Input-s.CacheRead-s.CacheWrite, 0)
	return (float64(plain)*p.Input + float64(s.CacheRead)*orPrice(p.CacheRead, p.Input) +
		float64(s.CacheWrite)*orPrice(p.CacheWrite, p.Input) + float64(s.Output)*p.Output) / million
}

func orPrice(p, fallback float64) float64 {
	if p == 0 {
		return fallback
	}
	return p
}

// meter counts what a unit uses against its limits.
type meter struct {
	limits unitv1.Limits

	mu       sync.Mutex
	turn     wsv2.Usage
	unit     wsv2.Usage
	reserved int64 // estimated input of the requests under way
	unpriced bool  // a request was made of a model without a price
}

func newMeter(s Session) *meter {
	m := &meter{limits: s.Limits, unit: s.Used}
	m.unit.Model = s.Unit.Model
	m.turn.Model = s.Unit.Model
	if s.Used.Requests > 0 && s.Used.CostUSD == nil {
		m.unpriced = true
	}
	if s.Used.CostUSD != nil {
		m.unit.CostUSD = new(*s.Used.CostUSD)
	}
	return m
}

func (m *meter) newTurn() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn = wsv2.Usage{Model: m.unit.Model}
}

// exceeded is a limit that leaves no room for another request.
type exceeded struct {
	reason Denial
	msg    string
}

// admit takes a request in, or says which limit it would break. The estimate
// of its input counts until settle, so that requests at the same time cannot
// pass a limit together that each of them alone would not.
func (m *meter) admit(estimate int64, priced bool) (release func(), err *exceeded) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if limit := m.limits.Tokens; limit != nil {
		used := m.unit.InputTokens + m.unit.OutputTokens
		if used+m.reserved >= *limit {
			return nil, &exceeded{DeniedTokens, fmt.Sprintf("the dispatch has used %d of its %d tokens (limits.tokens)", used, *limit)}
		}
	}
	if limit := m.limits.CostUSD; limit != nil {
		switch {
		case !priced:
			return nil, &exceeded{DeniedCost, "the dispatch has a limit of cost (limits.costUsd), but the model's price is not known (vexa model price), so the limit cannot be held"}
		case m.unpriced:
			return nil, &exceeded{DeniedCost, "the dispatch has a limit of cost (limits.costUsd), but what it has used already has no price"}
		case m.unit.CostUSD != nil && *m.unit.CostUSD >= *limit:
			return nil, &exceeded{DeniedCost, fmt.Sprintf("the dispatch has cost %.4f of its %.4f USD (limits.costUsd)", *m.unit.CostUSD, *limit)}
		}
	}
	m.reserved += estimate
	return sync.OnceFunc(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.reserved -= estimate
	}), nil
}

// settle adds what a request used and returns the new counts.
func (m *meter) settle(s spent, model string, price inference.Price, priced bool) (turn, unit wsv2.Usage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unpriced = m.unpriced || !priced
	for _, u := range []*wsv2.Usage{&m.turn, &m.unit} {
		u.Model = model
		u.Requests++
		u.InputTokens += s.Input
		u.OutputTokens += s.Output
		u.CacheReadTokens += s.CacheRead
		u.CacheWriteTokens += s.CacheWrite
		switch {
		case !priced, u == &m.unit && m.unpriced:
			u.CostUSD = nil
		case u.Requests == 1:
			u.CostUSD = new(s.cost(price))
		case u.CostUSD != nil:
			u.CostUSD = new(*u.CostUSD + s.cost(price))
		}
	}
	return m.turn, m.unit
}

func (m *meter) usage() (turn, unit wsv2.Usage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.turn, m.unit
}
