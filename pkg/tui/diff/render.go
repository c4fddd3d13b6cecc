package diff

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/syntax"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// MinSides is how many columns there are to be for two sides.
const MinSides = 72

// Widths, in columns.
const (
	minWidth = 24 // nothing gets narrower
	maxDigit = 7  // of a line number
)

// View is how a diff is shown.
type View struct {
	Width   int  // columns
	Sides   bool // before and after beside each other, where there is room
	Context int  // unchanged lines that stay beside a change; 0: all that the patch has
	Most    int  // lines of a file; 0: all
}

// Render returns the lines of the screen, and for each file at which of them it
// begins. No line holds a line feed, or a control sequence that is not the
// theme's.
func Render(files []File, th theme.Theme, v View) (lines []string, starts []int) {
	v.Width = max(v.Width, minWidth)
	for i, f := range files {
		if i > 0 {
			lines = append(lines, "")
		}
		starts = append(starts, len(lines))
		p := painter{file: f, view: v, plain: th.Plain(), language: syntax.Language(f.Path())}
		p.render()
		for _, l := range p.out {
			lines = append(lines, l.Paint(th))
		}
	}
	return lines, starts
}

// Title is what happened to the file, on one line of at most width columns.
func (f File) Title(width int) flow.Line {
	role := map[Status]theme.Role{Added: theme.Added, Deleted: theme.Removed}[f.Status]
	if role == theme.Text {
		role = theme.Changed
	}
	name := shown(f.Path())
	if f.Old != "" && f.New != "" && f.Old != f.New {
		name = shown(f.Old) + " → " + shown(f.New)
	}
	tail := flow.Line{}
	if f.Added+f.Removed > 0 {
		tail = flow.Line{
			{Text: " +" + strconv.Itoa(f.Added), Style: theme.Of(theme.Added)},
			{Text: " -" + strconv.Itoa(f.Removed), Style: theme.Of(theme.Removed)},
		}
	}
	head := flow.Plain(string(f.Status)+" ", role)
	room := max(width-head.Width()-tail.Width(), 1)
	return flow.Join(head, flow.Plain(tailOf(name, room), theme.Accent), tail).Cut(width)
}

// tailOf returns the end of a path in at most width columns: the name says more
// than the folders.
func tailOf(path string, width int) string {
	if flow.Width(path) <= width {
		return path
	}
	for i := range path {
		if flow.Width(path[i:]) < width {
			return "…" + path[i:]
		}
	}
	return "…"
}

// painter renders one file.
type painter struct {
	file     File
	view     View
	plain    bool // no background to fill lines up with
	language string
	digits   int
	out      []flow.Line
	drawn    int // lines of hunks
	left     int // lines of hunks that were not drawn
}

func (p *painter) note(text string, role theme.Role) {
	for _, l := range flow.Plain(text, role).Wrap(p.view.Width - 2) {
		p.out = append(p.out, flow.Join(flow.Plain("  "), l))
	}
}

func (p *painter) render() {
	f := p.file
	p.out = append(p.out, f.Title(p.view.Width))
	if f.OldMode != f.NewMode {
		p.note("mode "+plain.Line(f.OldMode)+" → "+plain.Line(f.NewMode), theme.Changed)
	}
	switch {
	case f.Binary:
		p.note("a binary file: its contents are not shown", theme.Muted)
	case len(f.Hunks) == 0 && (f.Status == Added || f.Status == Deleted):
		p.note("an empty file", theme.Muted)
	case len(f.Hunks) == 0 && f.Status == Renamed:
		p.note("the contents are the same", theme.Muted)
	}
	p.digits = digits(f.Hunks)
	end := 1 // the line after what was shown
	for _, h := range f.Hunks {
		p.between(h, h.New-end)
		rows := p.rows(h)
		p.draw(rows)
		for _, l := range h.Lines {
			if l.Op != '-' {
				h.New++
			}
		}
		end = h.New
	}
	if p.left > 0 {
		p.note(fmt.Sprintf("⋯ %d more lines", p.left), theme.Muted)
	}
}

// digits is how wide the greatest line number is.
func digits(hunks []Hunk) int {
	most := 0
	for _, h := range hunks {
		most = max(most, h.Old+len(h.Lines), h.New+len(h.Lines))
	}
	return min(len(strconv.Itoa(most)), maxDigit)
}

// between says how many unchanged lines are not in the patch.
func (p *painter) between(h Hunk, n int) {
	if p.full() || n <= 0 && h.Section == "" {
		return
	}
	text := "⋯"
	if n > 0 {
		text += " " + unchanged(n)
	}
	if h.Section != "" {
		text += " · " + plain.Line(h.Section)
	}
	p.out = append(p.out, flow.Plain("  "+text, theme.Muted).Cut(p.view.Width))
}

func unchanged(n int) string {
	if n == 1 {
		return "1 unchanged line"
	}
	return strconv.Itoa(n) + " unchanged lines"
}

func (p *painter) full() bool { return p.view.Most > 0 && p.drawn >= p.view.Most }

// cell is one side of a row: a line with its number. The zero value is none.
type cell struct {
	op     byte
	number int
	text   flow.Line
	noEOL  bool
}

// row is what stands beside each other. Where fold is not 0, it stands for that
// many unchanged rows.
type row struct {
	before, after cell
	fold          int
}

// rows pairs the lines of a hunk: what went with what came in its place.
func (p *painter) rows(h Hunk) []row {
	before, after := syntax.New(p.language), syntax.New(p.language)
	var out []row
	old, now := h.Old, h.New
	for i := 0; i < len(h.Lines); {
		if h.Lines[i].Op == ' ' {
			l := h.Lines[i]
			text := p.text(l, &after, nil)
			p.text(l, &before, nil) // for what it opens
			out = append(out, row{before: cell{' ', old, text, l.NoEOL}, after: cell{' ', now, text, l.NoEOL}})
			old, now, i = old+1, now+1, i+1
			continue
		}
		var gone, come []Line
		for ; i < len(h.Lines) && h.Lines[i].Op == '-'; i++ {
			gone = append(gone, h.Lines[i])
		}
		for ; i < len(h.Lines) && h.Lines[i].Op == '+'; i++ {
			come = append(come, h.Lines[i])
		}
		pairs := pair(gone, come)
		for j, c := range pairs {
			if j < len(gone) {
				c.before = cell{'-', old + j, p.text(gone[j], &before, c.gone), gone[j].NoEOL}
			}
			if j < len(come) {
				c.after = cell{'+', now + j, p.text(come[j], &after, c.come), come[j].NoEOL}
			}
			out = append(out, c.row)
		}
		old, now = old+len(gone), now+len(come)
	}
	return p.fold(out)
}

// change is a row that is to be, and what of its two lines differs.
type change struct {
	row

	gone, come []stretch
}

// pair compares what went with what came in its place.
func pair(gone, come []Line) []change {
	out := make([]change, max(len(gone), len(come)))
	for j := range min(len(gone), len(come)) {
		out[j].gone, out[j].come = changed(visible(gone[j].Text), visible(come[j].Text))
	}
	return out
}

// visible is a line's text as it is shown, on one line.
func visible(text string) string {
	return flow.Tabs(strings.ReplaceAll(plain.Text(strings.TrimSuffix(text, "\r")), "\n", returned), 0)
}

// returned stands for a carriage return.
const returned = "␍"

// text returns a line coloured by its language, with what changed of it marked.
func (p *painter) text(l Line, lexer *syntax.Lexer, marked []stretch) flow.Line {
	base, word := theme.Set(0), theme.Text
	switch l.Op {
	case '+':
		base, word = theme.Of(theme.AddedLine), theme.AddedWord
	case '-':
		base, word = theme.Of(theme.RemovedLine), theme.RemovedWord
	}
	line := mark(lexer.Line(visible(l.Text), base), marked, word)
	bare := strings.TrimSuffix(l.Text, "\r")
	if bare != l.Text {
		line = append(line, flow.Run{Text: returned, Style: base.With(theme.Muted)})
	}
	if plain.Text(bare) != bare {
		line = append(line, flow.Run{Text: " [hidden characters]", Style: base.With(theme.Warning)})
	}
	return line
}

// mark adds a role to stretches of a line.
func mark(l flow.Line, stretches []stretch, r theme.Role) flow.Line {
	if len(stretches) == 0 {
		return l
	}
	var out flow.Line
	at := 0
	for _, run := range l {
		for run.Text != "" {
			for len(stretches) > 0 && stretches[0].to <= at {
				stretches = stretches[1:]
			}
			n, style := len(run.Text), run.Style
			if len(stretches) > 0 {
				if s := stretches[0]; s.from > at {
					n = min(n, s.from-at)
				} else {
					n, style = min(n, s.to-at), style.With(r)
				}
			}
			out = append(out, flow.Run{Text: run.Text[:n], Style: style})
			run.Text, at = run.Text[n:], at+n
		}
	}
	return out
}

// fold replaces long stretches of unchanged rows.
func (p *painter) fold(rows []row) []row {
	if p.view.Context <= 0 {
		return rows
	}
	var out []row
	for i := 0; i < len(rows); {
		j := i
		for j < len(rows) && rows[j].before.op == ' ' {
			j++
		}
		head, tail := p.view.Context, p.view.Context
		if i == 0 {
			head = 0
		}
		if j == len(rows) {
			tail = 0
		}
		if hidden := j - i - head - tail; hidden > 1 {
			out = append(append(out, rows[i:i+head]...), row{fold: hidden})
			i = j - tail
		}
		for ; i < j; i++ {
			out = append(out, rows[i])
		}
		for ; i < len(rows) && rows[i].before.op != ' '; i++ {
			out = append(out, rows[i])
		}
	}
	return out
}
