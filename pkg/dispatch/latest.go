package dispatch

import (
	"cmp"
	"context"
	"slices"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/session"
)

// latestSession returns the session whose turn came last. The records know that
// order; when a session was saved says it only as well as the clock was right,
// and is asked where the records know none that can be continued.
func (m *Manager) latestSession(ctx context.Context, subject string) (session.Meta, error) {
	latest, err := m.sessions.Latest(ctx, subject)
	if err != nil {
		return latest, err // there is none
	}
	for _, id := range m.LastSessions(subject) {
		meta, err := m.sessions.Get(ctx, subject, id)
		if fault.Is(err, fault.NotFound) {
			continue // nothing was kept of it
		}
		return meta, err
	}
	return latest, nil
}

// mostSessions is how many sessions are looked for that may not have been kept.
const mostSessions = 64

// LastSessions returns the ids of a subject's newest sessions by their newest turns, the last
// one first, whether or not anything of them was kept.
func (m *Manager) LastSessions(subject string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var mine []*entry
	for _, e := range m.units {
		if e.Unit.Identity.Subject == subject {
			mine = append(mine, e)
		}
	}
	slices.SortFunc(mine, func(a, b *entry) int { return cmp.Compare(b.order.Turn, a.order.Turn) })
	var ids []string
	for _, e := range mine {
		if len(ids) < mostSessions && !slices.Contains(ids, e.Session) {
			ids = append(ids, e.Session)
		}
	}
	return ids
}
