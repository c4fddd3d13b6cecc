package diff

import (
	"fmt"
	"strings"

	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// draw lays rows out, below each other or side by side.
func (p *painter) draw(rows []row) {
	if p.view.Sides && p.view.Width >= MinSides {
		for _, r := range rows {
			p.row(r, func() { p.sides(r) })
		}
		return
	}
	for i := 0; i < len(rows); {
		r := rows[i]
		if r.fold > 0 || r.before.op == ' ' {
			p.row(r, func() { p.unified(r.after, r.before.number) })
			i++
			continue
		}
		j := i
		for j < len(rows) && rows[j].fold == 0 && rows[j].before.op != ' ' {
			j++
		}
		p.change(rows[i:j])
		i = j
	}
}

// change draws everything that went, and then everything that came.
func (p *painter) change(rows []row) {
	for _, r := range rows {
		if r.before.op != 0 {
			p.row(r, func() { p.unified(r.before, r.before.number) })
		}
	}
	for _, r := range rows {
		if r.after.op != 0 {
			p.row(r, func() { p.unified(r.after, 0) })
		}
	}
}

// row draws a row, unless the file has had its lines.
func (p *painter) row(r row, draw func()) {
	switch {
	case p.full():
		p.left += max(r.fold, 1)
	case r.fold > 0:
		p.out = append(p.out, flow.Plain("  ⋯ "+unchanged(r.fold), theme.Muted))
		p.drawn++
	default:
		draw()
		p.drawn++
	}
}

// number is a line number in its column; 0 is none. Of one that no file has,
// the end is shown.
func (p *painter) number(n int) string {
	if n == 0 {
		return strings.Repeat(" ", p.digits)
	}
	s := fmt.Sprintf("%*d", p.digits, n)
	if len(s) > p.digits {
		return "~" + s[len(s)-p.digits+1:]
	}
	return s
}

// roles are those of a line's number and sign, and of the line.
func roles(op byte) (sign theme.Role, line theme.Set) {
	switch op {
	case '+':
		return theme.Added, theme.Of(theme.AddedLine)
	case '-':
		return theme.Removed, theme.Of(theme.RemovedLine)
	}
	return theme.Muted, 0
}

const noEOL = "no line feed at the end"

// unified draws a line behind both its numbers.
func (p *painter) unified(c cell, old int) {
	now := c.number
	if c.op == '-' {
		now = 0
	}
	numbers := p.number(old) + " " + p.number(now) + " "
	p.out = append(p.out, p.lines(c, numbers, p.view.Width)...)
}

// sides draws both sides of a row.
func (p *painter) sides(r row) {
	const bar = 3
	room := (p.view.Width - bar) / 2
	before := p.lines(r.before, p.number(r.before.number)+" ", room)
	after := p.lines(r.after, p.number(r.after.number)+" ", room)
	for i := range max(len(before), len(after)) {
		var l, m flow.Line
		if i < len(before) {
			l = before[i]
		}
		if i < len(after) {
			m = after[i]
		}
		p.out = append(p.out, flow.Join(l.Pad(room, 0), flow.Plain(" │ ", theme.Border), m))
	}
}

// lines draws a cell in so many columns: its numbers, its sign and its text, and
// below that what does not fit. Lines that changed are filled up.
func (p *painter) lines(c cell, numbers string, width int) []flow.Line {
	if c.op == 0 {
		return nil
	}
	sign, fill := roles(c.op)
	head := flow.Line{{Text: numbers, Style: theme.Of(theme.Muted)}, {Text: string(c.op) + " ", Style: theme.Of(sign)}}
	more := flow.Plain(strings.Repeat(" ", len(numbers))+"↪ ", theme.Muted)
	room := max(width-len(numbers)-2, 4)
	lines := c.text.Break(room)
	for i, l := range lines {
		if fill != 0 && !p.plain {
			lines[i] = l.Pad(room, fill)
		}
	}
	lines = flow.Indent(lines, head, more)
	if c.noEOL {
		lines = append(lines, flow.Plain(strings.Repeat(" ", len(numbers))+`\ `+noEOL, theme.Muted).Cut(width))
	}
	return lines
}
