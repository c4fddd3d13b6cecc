package chat

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/fuzzy"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// row is an entry of a list: what it is searched by, and what is said beside it.
type row struct{ text, note string }

// list is an overlay to choose one of several from.
type list struct {
	title  string
	rows   []row
	index  *fuzzy.Index
	find   string
	hits   []int // of rows, the best first
	at     int   // of hits
	height int
	chosen int // of rows; -1: none
	done   bool
	style  func() theme.Theme
}

func newList(title string, rows []row, m *Model) *list {
	l := &list{title: title, rows: rows, chosen: -1, style: func() theme.Theme { return m.theme }, height: 1}
	texts := make([]string, len(rows))
	for i, r := range rows {
		texts[i] = plain.Line(r.text)
	}
	l.index = fuzzy.New(texts)
	l.search()
	return l
}

func (l *list) search() {
	l.hits, l.at = l.hits[:0], 0
	if l.find == "" {
		for i := range l.rows {
			l.hits = append(l.hits, i)
		}
		return
	}
	for _, hit := range l.index.Find(l.find, len(l.rows)) {
		l.hits = append(l.hits, hit.Index)
	}
}

// Done implements Overlay.
func (l *list) Done() bool { return l.done }

// Update implements Overlay.
func (l *list) Update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.KeyPressMsg:
		l.press(msg)
	case tea.PasteMsg:
		l.find += plain.Line(msg.Content)
		l.search()
	case tea.MouseWheelMsg:
		l.move(turned(msg))
	case tea.MouseClickMsg:
		if i := l.top() + msg.Y - 2; msg.Y >= 2 && i < len(l.hits) {
			l.at = i
			l.choose()
		}
	}
	return nil
}

func (l *list) press(msg tea.KeyPressMsg) {
	switch key := msg.String(); key {
	case "esc":
		l.done = true
	case "enter":
		l.choose()
	case "up", "ctrl+p", "shift+tab":
		l.move(-1)
	case "down", "ctrl+n", "tab":
		l.move(1)
	case "pgup":
		l.move(-l.height)
	case "pgdown":
		l.move(l.height)
	case "backspace":
		if r := []rune(l.find); len(r) > 0 {
			l.find = string(r[:len(r)-1])
			l.search()
		}
	case "ctrl+u":
		l.find = ""
		l.search()
	default:
		if msg.Text != "" {
			l.find += plain.Line(msg.Text)
			l.search()
		}
	}
}

func (l *list) move(by int) { l.at = max(min(l.at+by, len(l.hits)-1), 0) }

func (l *list) choose() {
	if l.at < len(l.hits) {
		l.chosen, l.done = l.hits[l.at], true
	}
}

// top is the first hit that is seen.
func (l *list) top() int {
	return max(0, min(l.at-l.height/2, len(l.hits)-l.height))
}

// View implements Overlay.
func (l *list) View(width, height int) []string {
	th := l.style()
	l.height = max(height-2, 1)
	head := flow.Join(flow.Plain(l.title, theme.Heading), flow.Plain("  "), flow.Plain("> ", theme.Prompt), flow.Plain(l.find), flow.Plain("▏", theme.Accent))
	lines := []string{
		head.Cut(width).Paint(th),
		flow.Plain(fmt.Sprintf("%d of %d · type to search · Enter goes there · Esc closes", len(l.hits), len(l.rows)), theme.Muted).Cut(width).Paint(th),
	}
	for i := l.top(); i < len(l.hits) && len(lines) < height; i++ {
		r := l.rows[l.hits[i]]
		mark, role := flow.Plain("  "), theme.Text
		if i == l.at {
			mark, role = flow.Plain("▸ ", theme.Accent), theme.Selection
		}
		line := flow.Join(mark, flow.Plain(plain.Line(r.text), role))
		if note := plain.Line(r.note); note != "" && line.Width()+3 < width {
			line = flow.Join(line, flow.Plain("  "+note, theme.Muted))
		}
		lines = append(lines, line.Cut(width).Paint(th))
	}
	if len(l.hits) == 0 && len(lines) < height {
		lines = append(lines, flow.Plain("  nothing matches", theme.Muted).Cut(width).Paint(th))
	}
	return lines
}

var _ Overlay = (*list)(nil)
