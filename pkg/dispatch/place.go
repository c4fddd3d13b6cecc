package dispatch

import (
	"cmp"
	"context"
	"fmt"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv1"
)

// enter brings a new dispatch up as soon as its owner may have one more
// container, and says so where it has to wait.
func (r *run) enter(ctx context.Context) {
	select {
	case <-r.place.Admitted():
		r.begin(ctx)
		return
	default:
	}
	r.publish(ctx, "", wsv1.State{State: string(runtimev1.Starting), Detail: r.waiting()})
	r.m.makeRoom(r.plan.Unit.Identity.Subject)
	go func() {
		select {
		case <-r.place.Admitted():
			r.post(func(ctx context.Context) {
				if r.asked == "" {
					r.begin(ctx)
				}
			})
		case <-r.done:
		}
	}()
}

// waiting says what the dispatch waits for, "" where it waits for nothing.
func (r *run) waiting() string {
	ahead, ok := r.place.Ahead()
	if !ok {
		return ""
	}
	limit := r.m.quota.Limit()
	return fmt.Sprintf("waits for one of the %d containers of %s; %d before it", limit, r.plan.Unit.Identity.Subject, ahead)
}

// makeRoom has the container of an owner leave that has been idle longest, so
// that what waits need not wait for its idle time to pass. Each call finds
// another one, since each that waits needs one.
func (m *Manager) makeRoom(subject string) {
	m.mu.Lock()
	var longest *run
	for _, r := range m.runs {
		if r.plan.Unit.Identity.Subject != subject || r.busy || r.retired || r.yields {
			continue
		}
		if longest == nil || cmp.Compare(r.entry.last.id, longest.entry.last.id) < 0 {
			longest = r
		}
	}
	if longest != nil {
		longest.yields = true
	}
	m.mu.Unlock()
	if longest != nil {
		longest.yield()
	}
}

// yield has an idle container leave for another. One that has got something to
// do meanwhile goes on, and leaves after that where others still wait.
func (r *run) yield() {
	r.post(func(ctx context.Context) {
		if r.idle() {
			r.askStop(ctx, runtimev1.ReasonStopped)
			return
		}
		r.show(func() { r.yields = false })
	})
}

// crowded reports whether others wait for the place of this dispatch.
func (r *run) crowded() bool { return r.m.quota.Waiting(r.plan.Unit.Identity.Subject) > 0 }
