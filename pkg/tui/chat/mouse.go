package chat

import (
	tea "charm.land/bubbletea/v2"
)

// wheelLines is how far one step of the wheel scrolls.
const wheelLines = 3

// wheel scrolls the transcript, or what lies over it.
func (m *Model) wheel(msg tea.MouseWheelMsg) tea.Cmd {
	if m.over != nil {
		return m.overUpdate(msg)
	}
	t := m.current()
	switch msg.Button {
	case tea.MouseWheelUp:
		t.pane.Scroll(m.blocks(t), -wheelLines)
	case tea.MouseWheelDown:
		t.pane.Scroll(m.blocks(t), wheelLines)
	}
	return nil
}

// click folds the item whose first line was clicked, or unfolds it.
func (m *Model) click(msg tea.MouseClickMsg) tea.Cmd {
	if m.over != nil {
		return m.overUpdate(msg)
	}
	l := m.layout()
	if msg.Button != tea.MouseLeft || m.question != nil || msg.Y < 0 || msg.Y >= l.body {
		return nil
	}
	t := m.current()
	t.pane.Resize(m.paneWidth(), l.body)
	_, places := t.pane.View(m.blocks(t))
	place := places[msg.Y]
	if place.Block < 0 || place.Line > 0 {
		return nil
	}
	t.selected = place.Block
	return m.toggle(t, place.Block)
}
