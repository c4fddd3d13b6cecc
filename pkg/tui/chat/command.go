package chat

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/tui/command"
	"github.com/vexa-ai/vexa/pkg/tui/picker"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// Command is something that the person can ask of the chat itself, by a line that begins
// with a slash.
type Command struct {
	Name  string   // as it is written, less the slash
	Also  []string // what it is called elsewhere
	Takes string   // what is written behind it, in words; "": nothing
	Does  string   // what it does, in a few words
	Run   func(m *Model, args string) tea.Cmd
}

// builtin are those that there always are.
func builtin() []Command {
	return []Command{
		{"help", nil, "", "list the keys", func(m *Model, _ string) tea.Cmd { m.openHelp(); return nil }},
		{"new", []string{"clear"}, "", "begin another session", func(m *Model, _ string) tea.Cmd { return m.another() }},
		{"sessions", []string{"resume"}, "", "go to another session", func(m *Model, _ string) tea.Cmd { return m.openSessions() }},
		{"rename", nil, "TITLE", "give this session a title", (*Model).rename},
		{"undo", nil, "", "take the newest commit of this session back", func(m *Model, _ string) tea.Cmd {
			t := m.current()
			return m.undo(t, newestCommit(t))
		}},
		{"merge", nil, "", "merge the newest commit that waits for approval", func(m *Model, _ string) tea.Cmd { return m.decideNewest(merge, "") }},
		{"approve", nil, "", "approve the newest that waits, where several have to", func(m *Model, _ string) tea.Cmd { return m.decideNewest(approve, "") }},
		{"reject", nil, "[WHY]", "reject the newest that waits", func(m *Model, why string) tea.Cmd { return m.decideNewest(reject, why) }},
		{"files", nil, "", "look through the files of the workspaces", func(m *Model, _ string) tea.Cmd { return m.openFiles() }},
		{"model", nil, "[NAME]", "use this model in this session, from the next message on", (*Model).useModel},
		{"runner", nil, "[NAME]", "use this runner in this session, from the next message on", (*Model).useRunner},
		{"theme", nil, "light|dark|none|auto", "change the colours", (*Model).setTheme},
		{"sides", nil, "", "show patches with before and after beside each other, or not", func(m *Model, _ string) tea.Cmd { return m.toggleSides() }},
		{"mouse", nil, "", "leave the mouse to the terminal, for selecting text, or take it back", func(m *Model, _ string) tea.Cmd { return m.toggleMouse() }},
		{"edit", nil, "", "write the message in your own editor", func(m *Model, _ string) tea.Cmd { return m.edit() }},
		{"unlock", nil, "", "open the key where Vexa is locked", func(m *Model, _ string) tea.Cmd { return m.askKey() }},
		{"quit", []string{"exit", "q"}, "", "leave; what runs goes on", func(m *Model, _ string) tea.Cmd { return m.goodbye() }},
	}
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// builtIns are the chat's own commands, to be looked up and completed.
func builtIns() *command.Registry {
	var list []command.Command
	for _, c := range builtin() {
		list = append(list, command.Command{Name: c.Name, Aliases: c.Also, Arguments: c.Takes, Help: c.Does})
	}
	r, err := command.New(list...)
	if err != nil {
		panic(err) // what is written above does not change while it runs
	}
	return r
}

// command runs a line that begins with a slash, and reports whether it was one for the
// chat or a workspace's. Two slashes, and a path, are a message.
func (m *Model) command(text, shown string) (tea.Cmd, bool) {
	if strings.TrimSpace(text) == "/" {
		m.openCommands()
		return nil, true
	}
	call, ok := command.Parse(text)
	if !ok {
		return nil, false
	}
	c, err := m.brought.commands.Resolve(call.Name)
	if err != nil {
		return m.unknown(shown, call.Name, err), true
	}
	if c.BuiltIn() {
		return m.run(c.Name, call.Rest), true
	}
	prompt, err := c.Expand(call)
	if err != nil {
		m.editor.SetText(shown)
		return m.fail(err), true
	}
	m.history.Add(shown)
	return m.sendTyped(message{text, shown, prompt}), true
}

// unknown says that there is no such command. The line stays as it was written, and Tab puts
// the name there that was meant, where there is one.
func (m *Model) unknown(text, name string, err error) tea.Cmd {
	m.editor.SetText(text)
	near := m.brought.commands.Near(name)
	if near == "" || !fault.Is(err, fault.NotFound) {
		return m.fail(err)
	}
	return m.mistaken(err, text, "/"+near+text[len("/")+len(name):], "/"+near)
}

// mistaken says what is wrong with a line that is in the editor. Tab puts there what was
// probably meant.
func (m *Model) mistaken(err error, line, instead, near string) tea.Cmd {
	m.meant = meant{line, instead}
	return m.show(err.Error()+" (did you mean "+near+"? Tab writes it)", theme.Error, problemFor)
}

// meant is a line with a mistake in it, and as it was probably meant.
type meant struct{ line, instead string }

// putRight writes what was meant in the place of what is written, where that is still the
// line with the mistake.
func (m *Model) putRight() bool {
	text, at := m.editor.Shown()
	if m.meant.line == "" || text != m.meant.line || at != len(text) {
		return false
	}
	m.editor.SetText(m.meant.instead)
	m.meant, m.notice = meant{}, nil
	return true
}

// run runs a command of the chat itself.
func (m *Model) run(name, args string) tea.Cmd {
	for _, c := range builtin() {
		if c.Name == name {
			return c.Run(m, args)
		}
	}
	return nil
}

func (m *Model) setTheme(args string) tea.Cmd {
	switch t := Theme(args); t {
	case Light, Dark, None:
		m.chosen = t
		m.restyle(t.first())
		return m.say("the theme is " + string(t))
	case Auto:
		m.chosen = t
		return tea.Batch(tea.RequestBackgroundColor, m.say("the theme is the one that the terminal's background asks for"))
	case "":
		return m.say("the theme is " + m.colours() + "; others: /theme " + strings.Join(Themes(), ", "))
	default:
		return m.fail(fault.New(fault.Usage, "there is no theme "+args, "themes: "+strings.Join(Themes(), ", ")))
	}
}

// openCommands lists the commands to choose from. One that needs something behind it, and
// one whose prompt a workspace brings, is written and not run.
func (m *Model) openCommands() {
	all := m.brought.commands.Entries()
	items := make([]picker.Item, len(all))
	for i, e := range all {
		does := e.Help
		if !e.BuiltIn() {
			does = e.Workspace + ": " + does
		}
		items[i] = picker.Item{Title: strings.TrimSpace("/" + e.Call + " " + e.Arguments), Detail: does}
	}
	title := "Commands"
	if p := m.brought.commands.Problems(); len(p) > 0 && m.width >= 80 {
		title += "; " + plural(len(p), "file") + " of no use, see: vexa workspace commands " + p[0].Workspace
	}
	m.choose(picker.Options{Title: title, Enter: "take it"}, items, func(c picker.Choice) tea.Cmd {
		e := all[c.Item]
		if !e.BuiltIn() || e.Arguments != "" && !strings.HasPrefix(e.Arguments, "[") {
			m.focus = onEditor
			m.editor.SetText("/" + e.Call + " ")
			return nil
		}
		return m.run(e.Name, "")
	})
}
