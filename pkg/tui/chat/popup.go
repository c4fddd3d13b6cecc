package chat

import (
	"context"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/tui/attach"
	"github.com/vexa-ai/vexa/pkg/tui/complete"
)

// pressPopup takes a key for the popup that completes, where it is one.
func (m *Model) pressPopup(msg tea.KeyPressMsg) (tea.Cmd, bool) {
	if m.focus != onEditor || !m.popup.Open() {
		return nil, false
	}
	edit, taken := m.popup.Key(msg)
	return m.accepted(edit), taken
}

// accepted puts what was chosen into what is being written; nil: nothing was.
func (m *Model) accepted(e *complete.Edit) tea.Cmd {
	if e == nil {
		return nil
	}
	text, _ := m.editor.Shown()
	m.editor.Replace(0, len(text), e.Text)
	m.editor.To(e.Cursor)
	m.typed = e.On
	if e.Run {
		return m.submit()
	}
	return nil
}

// watch has the popup know what was written: by typed, where it opens, or by anything
// else, where it closes.
func (m *Model) watch(before string, at int) {
	text, cursor := m.editor.Shown()
	typed := m.typed
	m.typed = false
	switch {
	case m.focus != onEditor || m.over != nil || m.question != nil:
		m.popup.Close()
	case text == before && cursor == at:
	case typed && text != before:
		m.popup.Edited(text, cursor)
		if begins := text[:cursor]; begins == "/" || strings.HasSuffix(begins, "@") {
			m.brought.stale = true // somebody may have pushed
		}
	default:
		m.popup.Close()
	}
}

// locatedMsg is what a directory of this machine holds.
type locatedMsg struct{ dir *complete.Dir }

// locate looks into a directory of this machine, where the popup is to offer of it. What
// cannot be read has nothing to offer.
func (m *Model) locate() tea.Cmd {
	dir, ok := m.popup.Lacks()
	if !ok || dir == m.locating {
		return nil
	}
	m.locating = dir
	home := m.home
	return m.do(func(context.Context) tea.Msg {
		names, _ := attach.List(dir, home)
		return locatedMsg{complete.NewDir(dir, names)}
	})
}

func (m *Model) located(msg locatedMsg) {
	m.locating = ""
	m.popup.SetDir(msg.dir)
}

// popupLines draws the popup, which lies over what is above the editor.
func (m *Model) popupLines(l layout) []string {
	room := l.body + l.above
	if !m.popup.Open() || room < 1 {
		return nil
	}
	return m.popup.View(m.width, min(room, complete.Rows))
}

// clickPopup takes a click where there is a popup.
func (m *Model) clickPopup(msg tea.MouseClickMsg, l layout) (tea.Cmd, bool) {
	rows := len(m.popupLines(l))
	top := l.body + l.above - rows
	if rows == 0 || msg.Y < top || msg.Y >= top+rows {
		return nil, false
	}
	return m.accepted(m.popup.Click(msg.Y - top)), true
}
