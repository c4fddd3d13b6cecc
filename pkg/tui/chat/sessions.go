package chat

import (
	"context"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/api"
)

// sessionsMsg are the sessions that are kept.
type sessionsMsg struct {
	list []api.Session
	err  error
}

// listSessions asks for them.
func (m *Model) listSessions() tea.Cmd {
	return m.do(func(ctx context.Context) tea.Msg {
		list, err := m.daemon.Sessions(ctx)
		return sessionsMsg{list, err}
	})
}

// listed notes them, and with them the titles of those that are open.
func (m *Model) listed(msg sessionsMsg) tea.Cmd {
	if msg.err != nil {
		return m.fail(msg.err)
	}
	m.sessions = msg.list
	for _, s := range msg.list {
		for _, t := range m.threads {
			if t.session == s.ID && s.Title != "" {
				t.title = s.Title
			}
		}
	}
	return nil
}

// place is where a row of the list of sessions leads: to a thread, or to a session that is
// not open.
type place struct {
	thread  int // -1: none
	session api.Session
}

// openSessions lists the sessions, those that are open first.
func (m *Model) openSessions() tea.Cmd {
	var rows []row
	var places []place
	for i, t := range m.threads {
		note := "open"
		switch {
		case i == m.shown:
			note = "shown"
		case t.busy():
			note = "working"
		case t.news:
			note = "has news"
		}
		rows, places = append(rows, row{titleOf(t), note}), append(places, place{thread: i})
	}
	list := slices.Clone(m.sessions)
	slices.SortStableFunc(list, func(a, b api.Session) int { return b.UpdatedAt.Compare(a.UpdatedAt) })
	for _, s := range list {
		if m.threadIn(s.ID) < 0 {
			rows = append(rows, row{orDefault(s.Title, s.ID), ago(m.now().Sub(s.UpdatedAt))})
			places = append(places, place{-1, s})
		}
	}
	l := newList("sessions", rows, m)
	m.Open(l, func() tea.Cmd {
		if l.chosen < 0 {
			return nil
		}
		p := places[l.chosen]
		if p.thread >= 0 {
			m.switchTo(p.thread)
			return nil
		}
		return m.openSession(p.session)
	})
	return m.listSessions()
}

// openSession shows a session that is kept, in the place of an empty thread where that is
// what is shown.
func (m *Model) openSession(s api.Session) tea.Cmd {
	if i := m.threadIn(s.ID); i >= 0 {
		m.switchTo(i)
		return nil
	}
	t := m.current()
	if t.session != "" || t.busy() {
		t = m.add(s.ID)
	}
	t.session, t.title = s.ID, s.Title
	return m.resume(t)
}

// threadIn is the thread of a session, -1 where it is not open.
func (m *Model) threadIn(session string) int {
	return slices.IndexFunc(m.threads, func(t *thread) bool { return t.session == session })
}

func titleOf(t *thread) string { return orDefault(t.title, "new session") }

// ago says how long ago something was, roughly.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return plural(int(d/time.Minute), "minute") + " ago"
	case d < 48*time.Hour:
		return plural(int(d/time.Hour), "hour") + " ago"
	default:
		return plural(int(d/(24*time.Hour)), "day") + " ago"
	}
}
