package chat

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// retitledMsg answers a title that was given to a session.
type retitledMsg struct {
	session, title string
	sessions       sessionsMsg
}

// rename gives the session a title.
func (m *Model) rename(title string) tea.Cmd {
	t := m.current()
	switch {
	case title == "":
		return m.say("as in: /rename The otters")
	case t.session == "":
		return m.say("a session has a title once something was said in it")
	}
	return m.retitle(t.session, title, false)
}

// retitle gives any session a title, and lists them again where it was done there.
func (m *Model) retitle(id, title string, listed bool) tea.Cmd {
	return m.do(func(ctx context.Context) tea.Msg {
		if _, err := m.daemon.RenameSession(ctx, id, api.RenameSession{Title: title}); err != nil {
			return retitledMsg{id, title, sessionsMsg{open: listed, err: err}}
		}
		list, err := m.daemon.Sessions(ctx)
		return retitledMsg{id, title, sessionsMsg{list, listed, err}}
	})
}

// retitled shows the title. A session that is not kept yet has it here, and is given it at
// the end of the turn.
func (m *Model) retitled(msg retitledMsg) tea.Cmd {
	i := m.threadIn(msg.session)
	if i < 0 || !fault.Is(msg.sessions.err, fault.NotFound) {
		if i >= 0 && msg.sessions.err == nil {
			m.threads[i].called = ""
		}
		return m.listed(msg.sessions)
	}
	t := m.threads[i]
	t.title, t.called = msg.title, msg.title
	if msg.sessions.open && m.over == nil {
		m.openSessions()
	}
	if runner := m.runnerOf(t); m.fleeting(runner) {
		return m.say("it has this title here alone: runner " + runner + " keeps no session")
	}
	return nil
}

// callAgain gives a session the title that it was given before it was kept.
func (m *Model) callAgain(t *thread) tea.Cmd {
	if t.called == "" || m.fleeting(m.runnerOf(t)) {
		return nil
	}
	return m.retitle(t.session, t.called, false)
}
