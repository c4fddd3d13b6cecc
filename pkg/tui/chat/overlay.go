package chat

import (
	tea "charm.land/bubbletea/v2"
)

// Overlay lies over the transcript and has every key while it does. It is done when Done
// says so; what was chosen the overlay itself knows, and whoever opened it asks it then.
type Overlay interface {
	// Update takes a key, a paste, or what a command of its own returned.
	Update(msg tea.Msg) tea.Cmd
	// View is at most height painted lines of at most width columns.
	View(width, height int) []string
	// Done reports whether it is to be closed.
	Done() bool
}

// over is the overlay that is open, and what comes after it.
type over struct {
	Overlay
	then func() tea.Cmd
}

// Open opens an overlay in the place of any other; then is called once it is done, nil:
// nothing is.
func (m *Model) Open(o Overlay, then func() tea.Cmd) { m.over = &over{o, then} }

// overUpdate gives a message to the overlay, and closes it where it is done.
func (m *Model) overUpdate(msg tea.Msg) tea.Cmd {
	open := m.over
	cmd := open.Update(msg)
	if !open.Done() {
		return cmd
	}
	if m.over == open {
		m.over = nil
	}
	if open.then == nil {
		return cmd
	}
	return tea.Batch(cmd, open.then())
}
