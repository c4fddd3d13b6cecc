package chat

import (
	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/tui/feed"
)

// Armed reports whether the question that is open takes answers.
func (m *Model) Armed() bool { return m.question != nil && m.question.armed }

// Reading reports whether what the workspaces bring is being read.
func (m *Model) Reading() bool { return m.brought.reading }

// Ended is why the chat could not go on.
func (m *Model) Ended() error { return m.ended }

// Busy reports whether a message has to wait.
func (m *Model) Busy() bool { return m.current().busy() }

// Early reports whether a turn of a unit ended while a message is on its way.
func (m *Model) Early(unit, turn string) bool {
	s := m.current().starting
	return s != nil && s.early[turnOf{unit, turn}].over
}

// Take has the thread that is shown take frames of a unit.
func (m *Model) Take(unit string, list []client.Entry) {
	m.current().apply(unit, feed.Batch{Entries: list})
}

// ExecHere has what leaves the screen run where there is none.
func (m *Model) ExecHere() {
	m.exec = func(c tea.ExecCommand, done tea.ExecCallback) tea.Cmd {
		return func() tea.Msg { return done(c.Run()) }
	}
}
