package chat

import (
	"context"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// Command is something that the person can ask of the chat itself, by a line that begins
// with a slash.
type Command struct {
	Name  string // as it is written, less the slash
	Takes string // what is written behind it, in words; "": nothing
	Does  string // what it does, in a few words
	Run   func(m *Model, args string) tea.Cmd
}

// commands are those that there are now: the chat's own, then the others.
func (m *Model) commands() []Command {
	list := builtin()
	if m.more != nil {
		list = append(list, m.more()...)
	}
	return list
}

// builtin are those that there always are.
func builtin() []Command {
	return []Command{
		{"help", "", "list the keys", func(m *Model, _ string) tea.Cmd { m.openHelp(); return nil }},
		{"new", "", "begin another session", func(m *Model, _ string) tea.Cmd { m.add(""); return nil }},
		{"sessions", "", "go to another session", func(m *Model, _ string) tea.Cmd { return m.openSessions() }},
		{"rename", "TITLE", "give this session a title", (*Model).rename},
		{"undo", "", "take the newest commit of this session back", func(m *Model, _ string) tea.Cmd {
			t := m.current()
			return m.undo(t, newestCommit(t))
		}},
		{"model", "NAME", "use this model from the next message on", func(m *Model, args string) tea.Cmd {
			m.request.Model = args
			return m.say("from the next message on: " + orDefault(args, "the session's model"))
		}},
		{"runner", "NAME", "use this runner from the next message on", func(m *Model, args string) tea.Cmd {
			m.request.Runner = args
			return m.say("from the next message on: " + orDefault(args, "the session's runner"))
		}},
		{"theme", "light|dark|none|auto", "change the colours", (*Model).setTheme},
		{"sides", "", "show patches with before and after beside each other, or not", func(m *Model, _ string) tea.Cmd { m.toggleSides(); return nil }},
		{"mouse", "", "leave the mouse to the terminal, for selecting text, or take it back", func(m *Model, _ string) tea.Cmd {
			m.mouse = !m.mouse
			return nil
		}},
		{"edit", "", "write the message in your own editor", func(m *Model, _ string) tea.Cmd { return m.edit() }},
		{"unlock", "", "open the key where Vexa is locked", func(m *Model, _ string) tea.Cmd { return m.askKey() }},
		{"quit", "", "leave; what runs goes on", func(m *Model, _ string) tea.Cmd { return m.goodbye() }},
	}
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// command runs a line that begins with a slash, and reports whether it was for the chat.
// Two slashes, and a path, are a message.
func (m *Model) command(text string) (tea.Cmd, bool) {
	name, args, _ := strings.Cut(strings.TrimPrefix(text, "/"), " ")
	if !strings.HasPrefix(text, "/") || strings.ContainsAny(name, "/.\n") || name == "" {
		return nil, false
	}
	for _, c := range m.commands() {
		if c.Name == name {
			return c.Run(m, strings.TrimSpace(args)), true
		}
	}
	m.editor.SetText(text)
	return m.fail(fault.New(fault.NotFound, "there is no command /"+name, "Ctrl-P lists them; a blank before it makes it a message")), true
}

func (m *Model) setTheme(args string) tea.Cmd {
	switch t := Theme(args); t {
	case Light, Dark, None:
		m.chosen = t
		m.restyle(t.first())
		return nil
	case Auto:
		m.chosen = t
		return tea.RequestBackgroundColor
	default:
		return m.say("there are the themes " + strings.Join(Themes(), ", "))
	}
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
	id := t.session
	return m.do(func(ctx context.Context) tea.Msg {
		if _, err := m.daemon.RenameSession(ctx, id, api.RenameSession{Title: title}); err != nil {
			return sessionsMsg{err: err}
		}
		list, err := m.daemon.Sessions(ctx)
		return sessionsMsg{list, err}
	})
}

// openCommands lists the commands to choose from.
func (m *Model) openCommands() {
	var rows []row
	all := m.commands()
	for _, c := range all {
		rows = append(rows, row{text: strings.TrimSpace("/" + c.Name + " " + c.Takes), note: c.Does})
	}
	l := newList("commands", rows, m)
	m.Open(l, func() tea.Cmd {
		if l.chosen < 0 {
			return nil
		}
		c := all[l.chosen]
		if c.Takes != "" {
			m.focus = onEditor
			m.editor.SetText("/" + c.Name + " ")
			return nil
		}
		return c.Run(m, "")
	})
}
