package chat

import (
	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/pane"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// binding is a key, or several, and what it does; one without keys is a heading.
type binding struct{ keys, does string }

// bindings are all keys, as the help lists them.
func bindings() []binding {
	return []binding{
		{"", "Writing"},
		{"Enter", "send; during a turn it waits; Enter again stops, sends now"},
		{"Shift-Enter", "a new line; so do Alt-Enter, Ctrl-J, and a \\ before Enter"},
		{"↑ ↓", "what you said before, from the first and the last line"},
		{"Ctrl-G", "write in your own editor; Ctrl-X Ctrl-E, too"},
		{"Ctrl-W -U -K", "delete a word, to the start, to the end; Ctrl-Y brings it back"},
		{"Ctrl-Z", "undo what was typed"},
		{"@", "a file of a workspace; ↑ ↓ and Tab choose, as behind a /"},
		{"@/ @~/", "a file of this machine: what it holds is sent with the message"},
		{"Esc", "stop the turn; what was written is saved"},
		{"Ctrl-C", "stop the turn, or empty the editor; twice: leave"},
		{"Ctrl-D", "leave, where nothing is written; what runs goes on"},
		{"", "Reading"},
		{"PgUp PgDn", "scroll; so does the wheel, and Shift-↑ Shift-↓ by lines"},
		{"Ctrl-Home -End", "the beginning, the end"},
		{"Ctrl-O", "unfold the newest call, thought, commit, long message"},
		{"Tab", "go to what was said; Ctrl-↑ Ctrl-↓ from item to item"},
		{"Enter", "there: fold or unfold; a click does, too"},
		{"u", "there: undo a commit, which is asked once"},
		{"a p r", "there: merge, approve, reject a commit that waits for approval"},
		{"s", "there: patches with before and after side by side"},
		{"y", "there: copy the item"},
		{"", "Sessions"},
		{"Ctrl-N", "begin another; those that run go on"},
		{"Ctrl-S", "list them, search, go there; Tab there gives one a title"},
		{"Alt-1 … Alt-9", "go to an open one"},
		{"Ctrl-P", "list the commands, which / begins as well"},
		{"/files", "look through the files of the workspaces"},
	}
}

// help is the overlay that lists the keys.
type help struct {
	pane  pane.Pane
	style func() theme.Theme
	width int
	done  bool
}

func (m *Model) openHelp() {
	h := &help{style: func() theme.Theme { return m.theme }}
	m.Open(h, nil)
	h.pane.Resize(m.width, m.layout().body)
	h.width = m.width
	h.pane.Home(h)
}

// First implements pane.Blocks.
func (*help) First() int { return 0 }

// Len implements pane.Blocks.
func (*help) Len() int { return len(bindings()) }

// Lines implements pane.Blocks.
func (h *help) Lines(block, width int) []string {
	const column = 16
	th, b := h.style(), bindings()[block]
	if b.keys == "" {
		out := []string{flow.Plain(b.does, theme.Heading).Cut(width).Paint(th)}
		if block > 0 {
			out = append([]string{""}, out...)
		}
		return out
	}
	var out []string
	first := flow.Join(flow.Plain("  "), flow.Plain(b.keys, theme.Accent).Pad(column, theme.Of()))
	for _, l := range flow.Indent(flow.Plain(b.does).Wrap(max(width-column-2, 1)), first, flow.Plain("                  ")) {
		out = append(out, l.Cut(width).Paint(th))
	}
	return out
}

// Done implements Overlay.
func (h *help) Done() bool { return h.done }

// Update implements Overlay: what scrolls, scrolls; any other key closes it.
func (h *help) Update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.KeyPressMsg:
		switch msg.String() {
		case "up", "k":
			h.pane.Scroll(h, -1)
		case "down", "j":
			h.pane.Scroll(h, 1)
		case "pgup":
			h.pane.Scroll(h, -10)
		case "pgdown", "space":
			h.pane.Scroll(h, 10)
		default:
			h.done = true
		}
	case tea.MouseWheelMsg:
		h.pane.Scroll(h, wheelLines*turned(msg))
	}
	return nil
}

// View implements Overlay.
func (h *help) View(width, height int) []string {
	h.pane.Resize(width, max(height-1, 1))
	lines, _ := h.pane.View(h)
	note := flow.Plain("↑ ↓ scroll · any other key closes", theme.Muted)
	return append(lines, note.Cut(width).Paint(h.style()))
}

var _ Overlay = (*help)(nil)
