package chat

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

const (
	margin = 1 // columns before the transcript, where the selection is marked
	prompt = 2 // columns before what is being written

	// What is shown of a message that was not taken yet, in bytes and in lines.
	mostPending  = 4000
	pendingLines = 8
)

// layout is how many lines each part of the screen has.
type layout struct {
	body   int // the transcript, or what lies over it
	above  int // what is going on
	rule   int
	editor int
	status int
}

// layout shares the lines out: the editor has what it needs up to a third, the transcript
// what is left.
func (m *Model) layout() layout {
	l := layout{status: 1, rule: 1, above: len(m.above())}
	if m.height < 6 {
		l.rule = 0
	}
	if m.height < 3 {
		l.status = 0
	}
	l.editor = min(m.editor.Height(m.editorWidth()), max(m.height/3, 1))
	l.above = min(l.above, max(m.height-l.status-l.rule-l.editor-1, 0))
	l.body = max(m.height-l.above-l.rule-l.editor-l.status, 0)
	return l
}

func (m *Model) paneWidth() int   { return max(m.width-margin, 1) }
func (m *Model) editorWidth() int { return max(m.width-prompt, 1) }

// View implements tea.Model.
func (m *Model) View() tea.View {
	l := m.layout()
	lines := make([]string, 0, m.height)
	if m.over != nil {
		lines = append(lines, fit(m.over.View(m.width, l.body), l.body)...)
	} else {
		lines = append(lines, m.transcript(l.body)...)
	}
	lines = append(lines, m.above()[:l.above]...)
	if popup := m.popupLines(l); len(popup) > 0 {
		copy(lines[len(lines)-len(popup):], popup)
	}
	if l.rule > 0 {
		lines = append(lines, m.rule())
	}
	written, x, y := m.editor.View(m.theme, m.editorWidth(), l.editor)
	top := len(lines)
	lines = append(lines, m.written(written)...)
	if l.status > 0 {
		lines = append(lines, m.status())
	}
	v := tea.NewView(strings.Join(lines, "\n"))
	v.AltScreen, v.ReportFocus = true, true
	v.WindowTitle = plain.Line("vexa: " + titleOf(m.current()))
	if m.mouse {
		v.MouseMode = tea.MouseModeCellMotion
	}
	if at, shown := m.cursor(min(x+prompt, m.width-1), top+y); shown {
		v.Cursor = tea.NewCursor(at.X, at.Y)
		v.Cursor.Shape = tea.CursorBar
	}
	return v
}

// cursor is where the next letter comes to: in the overlay that is open, else in the
// editor, whose is given.
func (m *Model) cursor(x, y int) (tea.Position, bool) {
	if m.question != nil {
		return tea.Position{}, false
	}
	if m.over == nil {
		return tea.Position{X: x, Y: y}, m.focus == onEditor
	}
	o, ok := m.over.Overlay.(interface{ Cursor() (x, y int) })
	if !ok {
		return tea.Position{}, false
	}
	x, y = o.Cursor()
	return tea.Position{X: x, Y: y}, true
}

// fit cuts lines to a height, or fills them up to it.
func fit(lines []string, height int) []string {
	if len(lines) > height {
		return lines[:height]
	}
	return append(lines, make([]string, height-len(lines))...)
}

// blocks are what the pane of a thread shows.
func (m *Model) blocks(t *thread) blocks {
	b := blocks{Reading: t.reading}
	t.reading.Printed(m.unmodelled(m.runnerOf(t)))
	if t.starting != nil {
		b.pending = append(b.pending, m.pending("> ", t.starting.request.Text, ""))
	} else if t.expected != "" && t.said.text != "" { // its turn has not begun
		b.pending = append(b.pending, m.pending("> ", t.said.text, ""))
	}
	for i, msg := range t.queue {
		note := ""
		if i == len(t.queue)-1 {
			note = "(sent at the end of the turn)"
		}
		b.pending = append(b.pending, m.pending("· ", msg.text, note))
	}
	return b
}

// pending draws a message that was not taken yet.
func (m *Model) pending(mark, text, note string) []string {
	var lines []flow.Line
	for line := range strings.SplitSeq(plain.Text(text[:min(len(text), mostPending)]), "\n") {
		lines = append(lines, flow.Plain(flow.Tabs(line, 0), theme.Muted).Wrap(max(m.paneWidth()-2, 1))...)
	}
	if len(lines) > pendingLines {
		lines = append(lines[:pendingLines], flow.Plain("…", theme.Muted))
	}
	if note != "" {
		lines = append(lines, flow.Plain(note, theme.Muted).Wrap(max(m.paneWidth()-2, 1))...)
	}
	var out []string
	for _, l := range flow.Indent(lines, flow.Plain(mark, theme.Muted), flow.Plain("  ")) {
		out = append(out, l.Paint(m.theme))
	}
	return append(out, "")
}

// transcript draws what was said, with a mark before what is selected.
func (m *Model) transcript(height int) []string {
	t := m.current()
	b := m.blocks(t)
	if b.Len() == b.First() && !t.past {
		return fit(m.welcome(m.width, height), height)
	}
	t.pane.Resize(m.paneWidth(), height)
	lines, places := t.pane.View(b)
	out := make([]string, len(lines))
	bar := m.theme.Paint("▌", theme.Of(theme.Accent))
	for i, line := range lines {
		mark := " "
		if m.focus == onTranscript && places[i].Block == t.selected && line != "" {
			mark = bar
		}
		if line != "" {
			out[i] = mark + line
		}
	}
	return out
}

// written draws what is being written behind its prompt.
func (m *Model) written(lines []string) []string {
	role := theme.Prompt
	if m.focus != onEditor || m.question != nil {
		role = theme.Muted
	}
	out := make([]string, len(lines))
	for i, line := range lines {
		mark := "  "
		if i == 0 {
			mark = "> "
		}
		out[i] = m.theme.Paint(mark, theme.Of(role)) + line
	}
	if text, _ := m.editor.Shown(); text == "" && len(out) > 0 {
		out[0] += flow.Plain(m.aside(fitting(m.invitations(), m.editorWidth()-2)), theme.Muted).Cut(m.editorWidth()).Paint(m.theme)
	}
	return out
}

// invitations say what the empty editor is for, the longest first.
func (m *Model) invitations() []string {
	t := m.current()
	switch {
	case m.focus == onTranscript:
		return itemKeys(t)
	case len(t.queue) > 0:
		return []string{"↑ takes the last that waits back · Enter stops, and sends it now", "↑ takes it back · Enter: send it now", "↑ takes it back"}
	case t.busy():
		return []string{"write on: it waits for the end of the turn", "write on: it waits its turn", "write on"}
	default:
		return []string{"a message · ? keys · / commands", "a message · ? keys", "a message"}
	}
}

// itemKeys say what can be done to the item that is selected.
func itemKeys(t *thread) []string {
	switch {
	case !waits(t, t.selected):
		return []string{
			"Enter folds · u undoes a commit · s sides · y copies · Esc goes back",
			"Enter folds · u undoes · Esc back", "Esc goes back",
		}
	case len(commitOf(t, t.selected).Conflicts) > 0:
		return []string{"Enter folds · r rejects · s sides · y copies · Esc goes back", "Enter folds · r rejects · Esc back", "r rejects"}
	default:
		return []string{
			"Enter folds · a merges · p approves · r rejects · y copies · Esc goes back",
			"a merges · p approves · r rejects", "Esc goes back",
		}
	}
}

// fitting is the first of several texts that has room, else the last.
func fitting(texts []string, width int) string {
	for _, text := range texts {
		if flow.Width(text) <= width {
			return text
		}
	}
	return texts[len(texts)-1]
}

// aside marks what nobody wrote, where no colour tells it from what was.
func (m *Model) aside(text string) string {
	if m.theme.Plain() {
		return "(" + text + ")"
	}
	return text
}

// rule is the line between what was said and what is being written. It has the session's
// title, and how many others there are.
func (m *Model) rule() string {
	t := m.current()
	var parts []string
	if more := m.below(t); more != "" {
		parts = append(parts, more)
	}
	if len(m.threads) > 1 {
		parts = append(parts, m.others())
	}
	left := strings.Join(parts, " · ")
	title := ""
	if t.title != "" {
		title = plain.Line(t.title)
	}
	room := m.width - 6
	line := flow.Plain("─", theme.Border)
	if left != "" {
		line = flow.Join(line, flow.Plain(" "+left+" ", theme.Accent))
	}
	end := flow.Line{}
	if title != "" && room-line.Width() > 8 {
		end = flow.Join(flow.Plain(" "), flow.Plain(title, theme.Muted).Cut(min(room-line.Width(), m.width/2)), flow.Plain(" "), flow.Plain("─", theme.Border))
	}
	fill := max(m.width-line.Width()-end.Width(), 0)
	return flow.Join(line, flow.Plain(strings.Repeat("─", fill), theme.Border), end).Cut(m.width).Paint(m.theme)
}

// below says that there is more of the transcript than is shown, and how to get there; ""
// where there is not.
func (m *Model) below(t *thread) string {
	switch {
	case m.over != nil || !t.pane.Below(m.blocks(t)):
		t.fresh = false
		return ""
	case t.fresh:
		return "↓ new · Ctrl-End"
	}
	return "↓ more · Ctrl-End"
}

// others says how many sessions are open, and what the others do.
func (m *Model) others() string {
	working, news := 0, 0
	for i, t := range m.threads {
		switch {
		case i == m.shown:
		case t.busy():
			working++
		case t.news:
			news++
		}
	}
	parts := []string{itoa(m.shown+1) + "/" + itoa(len(m.threads))}
	if news > 0 {
		parts = append(parts, "● "+itoa(news)+" with news")
	}
	if working > 0 {
		parts = append(parts, itoa(working)+" working")
	}
	return strings.Join(parts, " · ")
}
