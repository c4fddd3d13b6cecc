package quota

import (
	"slices"
	"sync"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// Gate admits what may run now and has the rest wait, each owner in the order
// of its requests. Its methods may be called concurrently.
type Gate struct {
	policy Policy

	mu     sync.Mutex
	owners map[string]*owner
}

// owner is guarded by Gate.mu.
type owner struct {
	inside int
	queue  []*Place
}

// NewGate returns a gate with nobody inside.
func NewGate(p Policy) *Gate { return &Gate{policy: p, owners: map[string]*owner{}} }

// Place is a container that may run, or a place in the queue for one.
type Place struct {
	gate     *Gate
	owner    string
	admitted chan struct{}
	left     bool // guarded by gate.mu
}

// Enter asks for a container of an owner. It never blocks; whoever has the
// place waits for Admitted. Where too many wait it is fault.Conflict.
func (g *Gate) Enter(name string) (*Place, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	o := g.of(name)
	if limit := g.policy.Waiting; !g.free(o) && limit > 0 && len(o.queue) >= limit {
		return nil, &fault.Error{
			Kind: fault.Conflict,
			Msg:  full(name, o.inside, len(o.queue)),
			Hint: "wait until some of them end, or stop some: vexa ps, vexa stop UNIT; config/" + File + " has the limits",
		}
	}
	return g.enter(name, o), nil
}

// Return is Enter for what was accepted before: it is never refused, however
// many wait.
func (g *Gate) Return(name string) *Place {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.enter(name, g.of(name))
}

// enter lets in or puts in the queue. The caller holds mu.
func (g *Gate) enter(name string, o *owner) *Place {
	p := &Place{gate: g, owner: name, admitted: make(chan struct{})}
	if g.free(o) {
		o.inside++
		close(p.admitted)
	} else {
		o.queue = append(o.queue, p)
	}
	return p
}

// Force is Enter for a container that runs already, whatever the limit.
func (g *Gate) Force(name string) *Place {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.of(name).inside++
	p := &Place{gate: g, owner: name, admitted: make(chan struct{})}
	close(p.admitted)
	return p
}

// Waiting returns how many wait for a container of an owner.
func (g *Gate) Waiting(name string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if o := g.owners[name]; o != nil {
		return len(o.queue)
	}
	return 0
}

// Short returns how many containers of an owner have to end until all that wait
// for one are admitted.
func (g *Gate) Short(name string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	o := g.owners[name]
	if o == nil || len(o.queue) == 0 {
		return 0
	}
	return o.inside + len(o.queue) - g.policy.Containers
}

// Limit returns how many containers an owner may have; 0: any number.
func (g *Gate) Limit() int { return g.policy.Containers }

// Admitted returns a channel that closes when the container may be made.
func (p *Place) Admitted() <-chan struct{} { return p.admitted }

// Ahead returns how many are admitted before this one; it reports false when
// the place is no longer in the queue.
func (p *Place) Ahead() (int, bool) {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	i := slices.Index(p.gate.of(p.owner).queue, p)
	return i, i >= 0
}

// Leave gives the place back, to the first in the queue where there is one.
// Leaving again does nothing.
func (p *Place) Leave() {
	g := p.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.left {
		return
	}
	p.left = true
	o := g.of(p.owner)
	if i := slices.Index(o.queue, p); i >= 0 {
		o.queue = slices.Delete(o.queue, i, i+1)
	} else {
		o.inside--
	}
	for len(o.queue) > 0 && g.free(o) {
		o.inside++
		close(o.queue[0].admitted)
		o.queue = slices.Delete(o.queue, 0, 1)
	}
	if o.inside == 0 && len(o.queue) == 0 {
		delete(g.owners, p.owner)
	}
}

// of returns what is known of an owner. The caller holds mu.
func (g *Gate) of(name string) *owner {
	o := g.owners[name]
	if o == nil {
		o = &owner{}
		g.owners[name] = o
	}
	return o
}

// free reports whether one more may be let in. The caller holds mu.
func (g *Gate) free(o *owner) bool {
	return g.policy.Containers == 0 || o.inside < g.policy.Containers
}
