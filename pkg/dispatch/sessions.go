package dispatch

import (
	"context"
	"strings"

	"github.com/vexa-ai/vexa/pkg/internal/sessionid"
)

// FindSession returns the id of the subject's session that a text names: a whole id,
// whether or not there is such a session, or the first letters of one, in any case. Those
// that are kept or held now come before those of which only a dispatch is left. It is
// fault.Invalid where the text is no part of an id, fault.NotFound where no session
// begins with it, and fault.Conflict where several do.
func (m *Manager) FindSession(ctx context.Context, subject, text string) (string, error) {
	if sessionid.Whole(text) {
		return strings.ToLower(text), nil
	}
	if err := sessionid.Check(text); err != nil {
		return "", err
	}
	there, err := m.sessions.IDs(ctx, subject)
	if err != nil {
		return "", err
	}
	held, past := m.sessionsOf(subject)
	return sessionid.Find(text, append(there, held...), past)
}

// sessionsOf returns the sessions of a subject's dispatches: of those that are live, and
// of the others.
func (m *Manager) sessionsOf(subject string) (held, past []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.units {
		switch {
		case e.Unit.Identity.Subject != subject:
		case e.endedAt == nil:
			held = append(held, e.Session)
		default:
			past = append(past, e.Session)
		}
	}
	return held, past
}
