package dispatch

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// Stop ends a dispatch, or with interrupt only its running turn; what the
// agent wrote is sealed either way. It returns when the unit, or the turn, has
// ended. Stopping what has ended is no error.
func (m *Manager) Stop(ctx context.Context, id string, interrupt bool) (api.Dispatch, error) {
	m.mu.Lock()
	full, err := m.find(id)
	r := m.runs[full]
	m.mu.Unlock()
	if err != nil {
		return api.Dispatch{}, err
	}
	if r == nil && m.Unsaved(full) != nil {
		if err := m.adopt(ctx, full); err != nil {
			return api.Dispatch{}, err
		}
		m.mu.Lock()
		r = m.runs[full]
		m.mu.Unlock()
	}
	if r != nil {
		end := func() <-chan struct{} { return r.stop(runtimev1.ReasonStopped) }
		if interrupt {
			end = r.interrupt
		}
		select {
		case <-end():
		case <-r.done:
		case <-ctx.Done():
			return api.Dispatch{}, fault.Wrap(fault.Timeout, "unit "+full+" is still stopping", ctx.Err())
		}
		if why := m.Unsaved(full); why != nil {
			return api.Dispatch{}, why
		}
	}
	return m.Get(full)
}

// Close stops every dispatch, seals what they wrote and waits for that; those
// that could not be saved when they ended are tried again. It refuses, naming
// them, when some could not be saved; with force it gives up on those, and
// their checkouts stay for the next start.
func (m *Manager) Close(ctx context.Context, force bool) error {
	m.refuse()
	m.mu.Lock()
	var left []string
	for _, id := range m.order {
		if m.units[id].endedAt == nil && m.runs[id] == nil {
			left = append(left, id)
		}
	}
	m.mu.Unlock()

	var unsaved []string
	for _, id := range left {
		if err := m.adopt(ctx, id); err != nil {
			unsaved = append(unsaved, fmt.Sprintf("%s (%v)", id, err))
		}
	}
	runs := m.live()
	for _, r := range runs {
		r.stop(runtimev1.ReasonStopped)
	}
	for _, r := range runs {
		select {
		case <-r.done:
			if r.unsaved != nil {
				unsaved = append(unsaved, fmt.Sprintf("%s (%v)", r.id(), r.unsaved))
			}
		case <-ctx.Done():
			unsaved = append(unsaved, r.id()+" (still stopping)")
		}
	}
	if len(unsaved) > 0 && !force {
		m.mu.Lock()
		m.closed = false
		m.mu.Unlock()
		slices.Sort(unsaved)
		return fault.New(fault.Conflict, "cannot save what these units wrote: "+strings.Join(unsaved, ", "),
			"free space and try again, or vexa daemon stop --force: the checkouts stay until the machine restarts")
	}
	m.cancel()
	m.wait.Wait()
	return nil
}

// refuse has nothing more accepted, and returns when what was being accepted is
// in the table.
func (m *Manager) refuse() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.retain.accepting.Lock()
	defer m.retain.accepting.Unlock()
}

// open reports whether dispatches are accepted. The answer holds for as long as
// the caller holds retain.accepting.
func (m *Manager) open() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return fault.New(fault.Unreachable, "the daemon is stopping", "try again")
	}
	return nil
}

// live returns the dispatches that have an owner.
func (m *Manager) live() []*run {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.runs))
}

// Done returns a channel that closes when the dispatch has ended; id is whole.
func (m *Manager) Done(id string) <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.runs[id]; r != nil {
		return r.done
	}
	closed := make(chan struct{})
	close(closed)
	return closed
}
