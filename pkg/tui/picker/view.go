package picker

import (
	"fmt"
	"strings"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/rows"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// Where a preview stands: beside the list, or below it, or nowhere.
const (
	wide   = 100 // columns from which it is beside
	tall   = 20  // rows from which it is below
	gap    = 2   // columns between what stands beside each other
	margin = "  "
	prompt = "> "
)

// frame is how the room is shared.
type frame struct {
	width, list        int // columns, of all and of the list
	filter             int // in which row is what is typed
	first, rows        int // where the list's rows begin, and how many there are
	beside             int // columns of the preview beside; 0: it is not there
	below              int // rows of the preview below, with its rule; 0: likewise
	head, rule, footer bool
}

// View returns height lines of exactly width columns.
func (p *Picker) View(width, height int) []string {
	width, height = max(width, 1), max(height, 1)
	p.frame = p.layout(width, height)
	p.scroll()
	var lines []flow.Line
	if p.frame.head {
		lines = append(lines, p.head(width))
	}
	lines = append(lines, p.filter(width))
	if p.frame.rule {
		lines = append(lines, rule(width))
	}
	lines = append(lines, p.middle()...)
	if p.frame.below > 0 {
		lines = append(append(lines, rule(width)), p.preview(width, p.frame.below-1)...)
	}
	if p.frame.footer {
		lines = append(lines, p.footer(width))
	}
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = l.Cut(width).Pad(width, 0).Paint(p.theme)
	}
	return out
}

// Cursor is where the next letter comes to, in cells of what View returned last.
func (p *Picker) Cursor() (x, y int) {
	x = flow.Width(prompt) + flow.Columns(flow.Plain(p.pattern).CutStart(p.frame.width-flow.Width(prompt)-1).Text(), p.theme)
	return min(x, max(p.frame.width-1, 0)), p.frame.filter
}

func (p *Picker) layout(width, height int) frame {
	f := frame{width: width, list: width, head: height >= 3, rule: height >= 6, footer: height >= 5}
	if f.head {
		f.filter = 1
	}
	f.first = f.filter + 1
	if f.rule {
		f.first++
	}
	f.rows = height - f.first
	if f.footer {
		f.rows--
	}
	switch {
	case p.o.Preview == nil || p.list.rows() == 0:
	case width >= wide:
		f.beside = width * 2 / 5
		f.list = width - f.beside - gap
	case height >= tall:
		f.below = f.rows * 2 / 5
		f.rows -= f.below
	}
	return f
}

// scroll keeps the chosen row in sight, and no room empty that rows could fill.
func (p *Picker) scroll() {
	p.at = max(min(p.at, p.list.rows()-1), 0)
	p.top = max(min(p.top, p.at), p.at-p.frame.rows+1)
	p.top = max(min(p.top, p.list.rows()-p.frame.rows), 0)
}

func rule(width int) flow.Line { return flow.Plain(strings.Repeat("─", width), theme.Border) }

// head is the title, and how much there is.
func (p *Picker) head(width int) flow.Line {
	count := fmt.Sprint(p.list.total)
	switch n := p.list.rows(); {
	case p.list.total == 0 && p.loading:
		return flow.Plain(plain.Line(p.o.Title), theme.Heading).Cut(width)
	case p.list.all:
	case n == most:
		count = fmt.Sprintf("the best %d of %d", n, p.list.total)
	default:
		count = fmt.Sprintf("%d of %d", n, p.list.total)
	}
	if p.loading {
		count += ", more come"
	}
	return apart(flow.Plain(plain.Line(p.o.Title), theme.Heading), flow.Plain(count, theme.Muted), width)
}

// apart puts two lines at the ends of one; where there is no room for both, the
// first stays.
func apart(left, right flow.Line, width int) flow.Line {
	n := width - right.Width()
	if left.Width()+gap > n {
		return left.Cut(width)
	}
	return flow.Join(left.Pad(n, 0), right)
}

func (p *Picker) filter(width int) flow.Line {
	mark := flow.Plain(prompt, theme.Prompt)
	if p.pattern == "" {
		text := "type to search"
		if p.theme.Plain() { // nothing else tells it from what was typed
			text = "(" + text + ")"
		}
		return flow.Join(mark, flow.Plain(text, theme.Muted))
	}
	return flow.Join(mark, flow.Plain(p.pattern).CutStart(width-mark.Width()-1))
}

func (p *Picker) footer(width int) flow.Line {
	keys := []string{"↑↓ move", "enter " + p.o.Enter}
	if p.o.Tab != "" {
		keys = append(keys, "tab "+p.o.Tab)
	}
	if p.list.rows() == 0 {
		keys = nil
	}
	line := flow.Plain(plain.Line(strings.Join(append(keys, "esc back"), " · ")), theme.Muted)
	if line.Width() > width && len(keys) > 0 { // everybody tries the arrows
		line = flow.Plain(plain.Line(strings.Join(append(keys[1:], "esc back"), " · ")), theme.Muted)
	}
	return line.Cut(width)
}

// middle is the rows, with a preview beside them.
func (p *Picker) middle() []flow.Line {
	list := p.rowLines()
	if p.frame.beside == 0 {
		return list
	}
	for i, l := range p.preview(p.frame.beside-1, p.frame.rows) {
		list[i] = flow.Join(list[i].Pad(p.frame.list, 0), flow.Plain(" │ ", theme.Border), l)
	}
	return list
}

// rowLines are as many lines as there are rows.
func (p *Picker) rowLines() []flow.Line {
	if p.list.rows() == 0 {
		return fill(p.nothing(), p.frame.rows)
	}
	var shown []rows.Row
	for n := p.top; n < min(p.top+p.frame.rows, p.list.rows()); n++ {
		h := p.list.at(n)
		shown = append(shown, rows.Row{Title: h.title, Positions: h.positions, Detail: h.detail})
	}
	return fill(rows.Lines(shown, rows.Layout{Width: p.frame.list, Chosen: p.at - p.top, Paths: p.o.Paths}), p.frame.rows)
}

// nothing says why there is nothing.
func (p *Picker) nothing() []flow.Line {
	text := p.o.Empty
	switch {
	case p.list.total > 0:
		text = "nothing matches; ctrl+u searches anew"
	case p.loading:
		text = "looking…"
	case text == "":
		text = "there is nothing here"
	}
	lines := flow.Plain(plain.Line(text), theme.Muted).Wrap(p.frame.list - len(margin))
	return flow.Indent(lines, flow.Plain(margin), flow.Plain(margin))
}

// preview is what is shown of the chosen item, in as many lines as there is room.
func (p *Picker) preview(width, height int) []flow.Line {
	var lines []flow.Line
	for _, l := range p.o.Preview(p.Item(), width) {
		if len(lines) == height {
			break
		}
		safe := make(flow.Line, len(l))
		for i, r := range l {
			safe[i] = flow.Run{Text: plain.Line(flow.Tabs(r.Text, 0)), Style: r.Style}
		}
		lines = append(lines, safe.Cut(width))
	}
	return fill(lines, height)
}

// fill makes lines as many as there is room.
func fill(lines []flow.Line, height int) []flow.Line {
	if len(lines) > height {
		return lines[:height]
	}
	return append(lines, make([]flow.Line, height-len(lines))...)
}
