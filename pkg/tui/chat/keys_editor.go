package chat

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/tui/editor"
)

// pressEditor takes a key while something is being written.
func (m *Model) pressEditor(msg tea.KeyPressMsg, key string) tea.Cmd {
	if m.chord(key) {
		return m.edit()
	}
	switch key {
	case "enter":
		if text, at := m.editor.Shown(); at == len(text) && strings.HasSuffix(text, "\\") {
			m.editor.Replace(at-1, at, "\n")
			return nil
		}
		return m.submit()
	case "shift+enter", "alt+enter", "ctrl+j":
		m.editor.Type("\n")
	case "esc":
		return m.interrupt()
	case "ctrl+d":
		if m.editor.Empty() {
			return m.goodbye()
		}
		m.editor.Delete()
	case "ctrl+g":
		return m.edit()
	case "tab", "shift+tab":
		return m.tab()
	case "up":
		m.older()
	case "down":
		m.newer()
	case "?":
		if m.editor.Empty() {
			m.openHelp()
			return nil
		}
		m.typed = true
		m.editor.Type("?")
	default:
		if move(&m.editor, key) {
			return nil
		}
		m.typed = true
		if !erase(&m.editor, key) && msg.Text != "" && msg.Mod&(tea.ModCtrl|tea.ModAlt) == 0 {
			m.editor.Type(msg.Text)
		}
	}
	return nil
}

// chord reports the second key of Ctrl-X Ctrl-E.
func (m *Model) chord(key string) bool {
	was := m.chorded
	m.chorded = key == "ctrl+x"
	return was && key == "ctrl+e"
}

// older goes a row up, and from the first to what was said before: first of all to what
// waits to be sent.
func (m *Model) older() {
	if m.editor.Up(m.editorWidth()) || m.editQueued() {
		return
	}
	if text, ok := m.history.Older(m.editor.Folded()); ok {
		m.editor.SetText(text)
	}
}

func (m *Model) newer() {
	if m.editor.Down(m.editorWidth()) {
		return
	}
	if text, ok := m.history.Newer(m.editor.Folded()); ok {
		m.editor.SetText(text)
	}
}

// move takes the keys that move the cursor.
func move(e *editor.Editor, key string) bool {
	switch key {
	case "left", "ctrl+b":
		e.Left()
	case "right", "ctrl+f":
		e.Right()
	case "ctrl+left", "alt+left", "alt+b":
		e.WordLeft()
	case "ctrl+right", "alt+right", "alt+f":
		e.WordRight()
	case "home", "ctrl+a":
		e.LineStart()
	case "end", "ctrl+e":
		e.LineEnd()
	case "alt+<":
		e.Start()
	case "alt+>":
		e.End()
	default:
		return false
	}
	return true
}

// erase takes the keys that delete, and the one that brings back.
func erase(e *editor.Editor, key string) bool {
	switch key {
	case "backspace", "ctrl+h", "shift+backspace":
		e.Backspace()
	case "delete":
		e.Delete()
	case "ctrl+w", "alt+backspace", "ctrl+backspace":
		e.DeleteWord()
	case "ctrl+u":
		e.DeleteToStart()
	case "ctrl+k":
		e.DeleteToEnd()
	case "ctrl+y":
		e.Yank()
	default:
		return false
	}
	return true
}
