package broker

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/vexa-ai/vexa/pkg/inference"
)

// adaptations remembers how models want to be asked where that differs from their
// protocol. Each dispatch learns it anew, at the price of one request that is
// refused: what one provokes must not change the requests of another. It is safe
// for concurrent use.
type adaptations struct {
	mu    sync.Mutex
	known map[asked]inference.Adaptation
}

// asked is a model as it is asked: one behind another URL is another one.
type asked struct {
	provider, url string
	protocol      inference.Protocol
	model         string
}

func (a *adaptations) of(m asked) inference.Adaptation {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.known[m]
}

func (a *adaptations) learn(m asked, how inference.Adaptation) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known == nil {
		a.known = map[asked]inference.Adaptation{}
	}
	a.known[m] = how
}

func (x *exchange) asked() asked {
	return asked{x.provider.Name, x.provider.URL, x.provider.Protocol, x.model}
}

// adapt makes the body ready for the model as it is known.
func (x *exchange) adapt() {
	x.plain = x.body
	x.adaptation = x.socket.adaptations.of(x.asked())
	x.body = x.adaptation.Apply(x.plain)
}

// adaptTo takes a refusal at its word, and reports whether there is another form
// of the request that it may be about. None is tried twice.
func (x *exchange) adaptTo(ctx context.Context, status int, refusal []byte) bool {
	const most = 4 // two names of the bound, and two members
	next, ok := x.adaptation.Learn(x.provider.Protocol, x.body, status, refusal)
	if !ok || len(x.outworn) == most || slices.Contains(x.outworn, next) {
		return false
	}
	x.outworn = append(x.outworn, x.adaptation)
	x.adaptation = next
	x.body = next.Apply(x.plain)
	x.socket.log.InfoContext(ctx, "a provider refuses members of a request", "provider", x.provider.Name, "model", x.model, "adapted", x.adapted())
	return true
}

// remember keeps what was learned, now that the provider has taken it.
func (x *exchange) remember() {
	if len(x.outworn) > 0 {
		x.socket.adaptations.learn(x.asked(), x.adaptation)
	}
}

// adapted names what differs from the request as it was to be sent.
func (x *exchange) adapted() string {
	return strings.Join(x.adaptation.Changed(x.plain), ", ")
}
