package chat

import (
	tea "charm.land/bubbletea/v2"
)

// wheelLines is how far one step of the wheel scrolls.
const wheelLines = 3

// toggleMouse leaves the mouse to the terminal, or takes it back.
func (m *Model) toggleMouse() tea.Cmd {
	if m.mouse = !m.mouse; m.mouse {
		return m.say("the mouse scrolls and unfolds; /mouse leaves it to the terminal")
	}
	return m.say("the mouse is the terminal's, for selecting text; /mouse takes it back")
}

// wheel scrolls the transcript, or what lies over it.
func (m *Model) wheel(msg tea.MouseWheelMsg) tea.Cmd {
	if m.over != nil {
		return m.overUpdate(msg)
	}
	t := m.current()
	t.pane.Scroll(m.blocks(t), wheelLines*turned(msg))
	return nil
}

// turned is a step of the wheel: -1 up, 1 down.
func turned(msg tea.MouseWheelMsg) int {
	if msg.Button == tea.MouseWheelUp {
		return -1
	}
	if msg.Button == tea.MouseWheelDown {
		return 1
	}
	return 0
}

// click folds the item whose first line was clicked, or unfolds it.
func (m *Model) click(msg tea.MouseClickMsg) tea.Cmd {
	if m.over != nil {
		return m.overUpdate(msg)
	}
	l := m.layout()
	if msg.Button == tea.MouseLeft && m.question == nil {
		if cmd, ok := m.clickPopup(msg, l); ok {
			return cmd
		}
	}
	if msg.Button != tea.MouseLeft || m.question != nil || msg.Y < 0 || msg.Y >= l.body {
		return nil
	}
	t := m.current()
	t.pane.Resize(m.paneWidth(), l.body)
	_, places := t.pane.View(m.blocks(t))
	place := places[msg.Y]
	if place.Block < 0 || place.Line > 0 && !t.reading.Opens(place.Block, place.Line) {
		return nil
	}
	t.selected = place.Block
	return m.toggle(t, place.Block)
}
