package chat

import (
	"context"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/tui/attach"
	"github.com/vexa-ai/vexa/pkg/tui/mention"
)

// message is what is said to an agent.
type message struct {
	typed string // by the person
	shown string // that, with what was pasted folded
	text  string // as it is sent: with files behind it, and commands expanded
}

// attachedMsg are the files of a message, as they were read.
type attachedMsg struct {
	thread  int
	message message
	files   []attach.File
	err     error
}

// sendTyped sends what was typed, or what a command made of it: with the files that what
// was typed names, and with what it says of workspaces as agents know it.
func (m *Model) sendTyped(msg message) tea.Cmd {
	t := m.current()
	msg.text = mention.Place(msg.text, m.dirs(t))
	names := attach.Find(msg.typed)
	if len(names) == 0 {
		return m.sendTo(t, msg)
	}
	t.attaching = true
	id, home := t.id, m.home
	return m.do(func(context.Context) tea.Msg {
		files, err := attach.Load(names, home)
		return attachedMsg{id, msg, files, err}
	})
}

// attached sends a message with its files, and gives it back where one cannot be read.
func (m *Model) attached(msg attachedMsg) tea.Cmd {
	t := m.threadOf(msg.thread)
	if t == nil {
		return nil
	}
	t.attaching = false
	if msg.err != nil {
		m.giveBack(t, msg.message.shown)
		return m.fail(msg.err)
	}
	msg.message.text = attach.Compose(msg.message.text, msg.files)
	return m.sendTo(t, msg.message)
}

func shownOf(list []message) string {
	texts := make([]string, len(list))
	for i, one := range list {
		texts[i] = one.shown
	}
	return strings.Join(texts, "\n\n")
}
