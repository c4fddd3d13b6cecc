package dispatch

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
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
	r.publish(ctx, "", wsv2.State{State: string(runtimev1.Starting), Detail: r.waiting()})
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

// makeRoom has those containers of an owner leave that have been idle longest,
// so that what waits need not wait for their idle time to pass: as many as are
// needed for all that wait, those counted that are about to leave for it.
func (m *Manager) makeRoom(subject string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	need := m.quota.Short(subject)
	var idle []*run
	for _, r := range m.runs {
		switch {
		case r.plan.Unit.Identity.Subject != subject:
		case r.yields:
			need--
		case !r.busy && !r.retired:
			idle = append(idle, r)
		}
	}
	slices.SortFunc(idle, func(a, b *run) int { return cmp.Compare(a.entry.last.id, b.entry.last.id) })
	for _, r := range idle[:max(0, min(need, len(idle)))] {
		r.yields = true
		r.yield()
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
		r.m.makeRoom(r.plan.Unit.Identity.Subject) // perhaps another is idle
	})
}

// crowded reports whether others wait for the place of this dispatch.
func (r *run) crowded() bool { return r.m.quota.Waiting(r.plan.Unit.Identity.Subject) > 0 }
