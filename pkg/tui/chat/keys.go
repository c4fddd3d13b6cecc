package chat

import (
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/tui/attach"
	"github.com/vexa-ai/vexa/pkg/tui/editor"
)

// leaveWithin is how soon Ctrl-C has to be pressed again to leave: while it is said.
const leaveWithin = noticeFor

// press takes a key: a question has it first, then what lies over the transcript, then
// what has the focus.
func (m *Model) press(msg tea.KeyPressMsg) tea.Cmd {
	key := msg.String()
	switch {
	case m.question != nil:
		return m.answer(key)
	case key == "ctrl+c" && m.over != nil:
		m.over = nil
		return nil
	case key == "ctrl+c":
		return m.ctrlC()
	}
	m.leaving = time.Time{}
	if acts(msg) {
		m.done()
	}
	switch {
	case m.over != nil:
		return m.overUpdate(msg)
	}
	if cmd, ok := m.pressPopup(msg); ok {
		return cmd
	}
	if cmd, ok := m.anywhere(key); ok {
		return cmd
	}
	if m.focus == onTranscript {
		return m.pressTranscript(key)
	}
	return m.pressEditor(msg, key)
}

// acts reports whether a key does more than to write, and to move in what is written.
func acts(msg tea.KeyPressMsg) bool {
	var none editor.Editor
	return (msg.Text == "" || msg.Mod&(tea.ModCtrl|tea.ModAlt) != 0) && !move(&none, msg.String()) && !erase(&none, msg.String())
}

// ctrlC stops what runs, else empties the editor. Pressed again, with no other key between
// and nothing in the editor, it leaves.
func (m *Model) ctrlC() tea.Cmd {
	again := !m.leaving.IsZero() && m.now().Sub(m.leaving) < leaveWithin
	m.leaving = time.Time{}
	switch t := m.current(); {
	case again && m.editor.Empty():
		return m.goodbye()
	case t.busy() && !t.stopping:
		m.leaving = m.now()
		return m.interrupt()
	case !m.editor.Empty():
		m.editor.Clear()
		return m.say("emptied; Ctrl-Z brings it back")
	}
	m.leaving = m.now()
	return m.say("Ctrl-C again leaves; what runs goes on")
}

// goodbye leaves; where something was written and not sent it asks first.
func (m *Model) goodbye() tea.Cmd {
	messages, drafts := 0, 0
	for _, t := range m.threads {
		messages += len(t.queue)
		if t == m.current() && !m.editor.Empty() || t != m.current() && strings.TrimSpace(t.draft) != "" {
			drafts++
		}
	}
	var what []string
	if messages > 0 {
		what = append(what, plural(messages, "message"))
	}
	if drafts > 0 {
		what = append(what, plural(drafts, "draft"))
	}
	if len(what) == 0 {
		return m.leave()
	}
	return m.ask("Leave? Not sent yet: "+strings.Join(what, ", ")+".", m.leave)
}

// leave ends the chat, and says how to come back.
func (m *Model) leave() tea.Cmd {
	var lines []string
	for _, t := range m.threads {
		fleeting := m.fleeting(m.runnerOf(t)) // there is no session to come back to, and the dispatch tells what came of it
		switch {
		case t.busy() && fleeting && t.follow != nil:
			lines = append(lines, "the agent goes on; what it says: vexa logs "+t.follow.unit)
		case t.busy() && t.session != "":
			lines = append(lines, "the agent goes on; come back with: vexa chat --session "+t.session)
		case t.session != "" && t.conversation.Len() > 0 && !fleeting:
			lines = append(lines, "come back with: vexa chat --session "+t.session)
		}
		if n := len(t.queue); n > 0 {
			lines = append(lines, "not sent: "+plural(n, "message")+" that waited")
		}
	}
	m.left = strings.Join(lines, "\n")
	return tea.Quit
}

// Left is what there is to say once the chat has ended: how to come back. It may be empty.
func (m *Model) Left() string { return m.left }

// anywhere takes the keys that do the same wherever the focus is.
func (m *Model) anywhere(key string) (tea.Cmd, bool) {
	t := m.current()
	page := max(m.layout().body-2, 1)
	switch key {
	case "pgup":
		t.pane.Scroll(m.blocks(t), -page)
	case "pgdown":
		t.pane.Scroll(m.blocks(t), page)
	case "shift+up":
		t.pane.Scroll(m.blocks(t), -1)
	case "shift+down":
		t.pane.Scroll(m.blocks(t), 1)
	case "ctrl+home":
		t.pane.Home(m.blocks(t))
	case "ctrl+end":
		t.pane.Follow()
	case "ctrl+up", "alt+up":
		m.jump(-1)
	case "ctrl+down", "alt+down":
		m.jump(1)
	case "ctrl+n":
		return m.another(), true
	case "ctrl+s":
		return m.openSessions(), true
	case "ctrl+p":
		m.openCommands()
	case "ctrl+o":
		return m.toggleLatest(), true
	case "ctrl+z":
		m.editor.Undo()
	case "alt+1", "alt+2", "alt+3", "alt+4", "alt+5", "alt+6", "alt+7", "alt+8", "alt+9":
		if i := int(key[len(key)-1] - '1'); i < len(m.threads) {
			m.switchTo(i)
		}
	case "f1":
		m.openHelp()
	default:
		return nil, false
	}
	return nil, true
}

// paste inserts what was pasted, where something is being written.
func (m *Model) paste(msg tea.PasteMsg) tea.Cmd {
	switch {
	case m.question != nil:
		return m.waitQuiet()
	case m.over != nil:
		return m.overUpdate(msg)
	}
	m.focus, m.typed, m.leaving = onEditor, true, time.Time{}
	m.editor.Paste(attach.Pasted(msg.Content, m.home))
	return nil
}
