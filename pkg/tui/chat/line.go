package chat

import (
	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/tui/editor"
	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// maxLine bounds what is written into one, in bytes.
const maxLine = 1024

// line is an overlay that asks for one line.
type line struct {
	title  string
	theme  theme.Theme
	editor editor.Editor
	x, y   int
	done   bool
	taken  bool
}

// askLine opens it; then is called with what was written, and not where nothing was.
func (m *Model) askLine(title, text string, then func(text string) tea.Cmd) {
	l := &line{title: title, theme: m.theme}
	l.editor.SetText(plain.Line(text))
	m.Open(l, func() tea.Cmd {
		if !l.taken || l.editor.Empty() {
			return nil
		}
		return then(plain.Line(l.editor.Text()))
	})
}

// Done implements Overlay.
func (l *line) Done() bool { return l.done }

// Restyle draws in another theme.
func (l *line) Restyle(th theme.Theme) { l.theme = th }

// Cursor is where the next letter comes to.
func (l *line) Cursor() (x, y int) { return l.x, l.y }

// Update implements Overlay.
func (l *line) Update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.PasteMsg:
		l.write(msg.Content)
	case tea.KeyPressMsg:
		switch key := msg.String(); key {
		case "esc":
			l.done = true
		case "enter":
			l.done, l.taken = true, true
		default:
			if !move(&l.editor, key) && !erase(&l.editor, key) && msg.Text != "" {
				l.write(msg.Text)
			}
		}
	}
	return nil
}

// write inserts what there is room for.
func (l *line) write(text string) {
	l.editor.Type(flow.Head(plain.Line(text), maxLine-len(l.editor.Text())))
}

// View implements Overlay.
func (l *line) View(width, height int) []string {
	lines, x, y := l.editor.View(l.theme, max(width-prompt, 1), max(height-2, 1))
	l.x, l.y = min(x+prompt, width-1), y+1
	out := []string{flow.Plain(l.title, theme.Heading).Cut(width).Paint(l.theme)}
	for i, text := range lines {
		mark := "  "
		if i == 0 {
			mark = "> "
		}
		out = append(out, l.theme.Paint(mark, theme.Of(theme.Prompt))+text)
	}
	return append(out, flow.Plain("enter takes it · esc back", theme.Muted).Cut(width).Paint(l.theme))
}

var _ Overlay = (*line)(nil)
