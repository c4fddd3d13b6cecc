// Package flow lays styled text out in lines of a terminal.
//
// Widths are columns: wide characters have two, combining ones none, and what a
// reader takes for one character (a grapheme cluster, such as an emoji of several)
// is never cut. Terminals disagree on the width of such a cluster: some count it as
// one character, others each code point of it. What is laid out here counts as the
// one that needs more room, so that neither loses what stands at the end of a line;
// [Line.Paint] and [Columns] count as the one that there is. Text stays in the order in
// which it was written: turning right-to-left text is the terminal's business.
// Nothing here holds state; text that is foreign is stripped where it is painted
// (theme.Paint), and has to be before it is measured.
package flow

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// Run is text in one style.
type Run struct {
	Text  string
	Style theme.Set
}

// Line is what stands beside each other.
type Line []Run

// Plain is a line of one run.
func Plain(text string, roles ...theme.Role) Line {
	return Line{{text, theme.Of(roles...)}}
}

// Width is how many columns s takes at most, whatever terminal it is on.
func Width(s string) int {
	n := 0
	for s != "" {
		size, w := next(s)
		s, n = s[size:], n+w
	}
	return n
}

// Columns is how many columns s takes on the terminal that a theme is for.
func Columns(s string, th theme.Theme) int {
	n := 0
	for s != "" {
		size, one, each := measure(s)
		if th.Clusters() {
			n += one
		} else {
			n += each
		}
		s = s[size:]
	}
	return n
}

// next returns the size in bytes and the width in columns of the first grapheme
// cluster of s, which is the larger of the two that it has.
func next(s string) (size, width int) {
	size, one, each := measure(s)
	return size, max(one, each)
}

// measure returns the size in bytes of the first grapheme cluster of s, and its widths
// in columns: as one character, and as the sum of its code points. Two ASCII characters
// in a row never belong to one.
func measure(s string) (size, one, each int) {
	if s[0] >= ' ' && s[0] < utf8.RuneSelf && (len(s) == 1 || s[1] < utf8.RuneSelf) {
		return 1, 1, 1
	}
	cluster, one := ansi.FirstGraphemeCluster(s, ansi.GraphemeWidth)
	if cluster == "" {
		return 1, one, one
	}
	return len(cluster), one, ansi.WcWidth.StringWidth(cluster)
}

// Trim returns s without its last grapheme cluster: what backspace takes.
func Trim(s string) string {
	n := 0
	for rest := s; rest != ""; {
		size, _ := next(rest)
		if rest = rest[size:]; rest != "" {
			n += size
		}
	}
	return s[:n]
}

// Head returns the whole grapheme clusters at the begin of s that have at most size bytes
// together. What comes behind them is not read, however long it is.
func Head(s string, size int) string {
	if len(s) <= size {
		return s
	}
	s = s[:max(min(len(s), size+utf8.UTFMax), 0)] // and one character more: it may belong to the last cluster
	n := 0
	for n < len(s) {
		cluster, _ := next(s[n:])
		if n+cluster > size {
			break
		}
		n += cluster
	}
	return s[:n]
}

// Width is how many columns the line takes.
func (l Line) Width() int {
	n := 0
	for _, r := range l {
		n += Width(r.Text)
	}
	return n
}

// Text is the line without its styles.
func (l Line) Text() string {
	var b strings.Builder
	for _, r := range l {
		b.WriteString(r.Text)
	}
	return b.String()
}

// Paint returns the line for the screen. Neighbours of one style are painted
// as one.
func (l Line) Paint(th theme.Theme) string {
	l = l.filled(th)
	dst := make([]byte, 0, 64+32*len(l))
	for i := 0; i < len(l); {
		text, j := l[i].Text, i+1
		for ; j < len(l) && l[j].Style == l[i].Style; j++ {
			text += l[j].Text
		}
		dst = th.AppendPaint(dst, text, l[i].Style)
		i = j
	}
	return string(dst)
}

// filled is the line with blanks where what stands before a fill takes fewer columns on
// this terminal than were counted, so that what stands behind it is in its column.
func (l Line) filled(th theme.Theme) Line {
	if !slices.ContainsFunc(l, func(r Run) bool { return r.Style.Has(theme.Fill) }) {
		return l
	}
	out, missing := slices.Clone(l), 0
	for i, r := range out {
		missing += Width(r.Text) - Columns(r.Text, th)
		if r.Style.Has(theme.Fill) {
			out[i] = Run{r.Text + strings.Repeat(" ", missing), r.Style.Without(theme.Fill)} // it is painted as what is beside it
			missing = 0
		}
	}
	return out
}

// Fill is so many blanks up to a column, in style s.
func Fill(width int, s theme.Set) Run {
	return Run{strings.Repeat(" ", max(width, 0)), s.With(theme.Fill)}
}

// Join returns the runs of all lines as one line.
func Join(lines ...Line) Line {
	n := 0
	for _, l := range lines {
		n += len(l)
	}
	out := make(Line, 0, n)
	for _, l := range lines {
		out = append(out, l...)
	}
	return out
}

// Over returns the line with s added to the style of every run.
func (l Line) Over(s theme.Set) Line {
	out := make(Line, len(l))
	for i, r := range l {
		out[i] = Run{r.Text, r.Style | s}
	}
	return out
}

// Indent puts first before the first of the lines and rest before the others.
func Indent(lines []Line, first, rest Line) []Line {
	for i, l := range lines {
		if i == 0 {
			lines[i] = Join(first, l)
		} else {
			lines[i] = Join(rest, l)
		}
	}
	return lines
}

// Cut returns the line in at most width columns, the last of which is then "…".
func (l Line) Cut(width int) Line {
	if l.Width() <= width {
		return l
	}
	if width < 1 {
		return nil
	}
	var out Line
	left := width - 1
	for _, r := range l {
		n := 0
		for n < len(r.Text) {
			size, w := next(r.Text[n:])
			if w > left {
				return append(out, Run{r.Text[:n], r.Style}, Run{"…", r.Style})
			}
			n, left = n+size, left-w
		}
		out = append(out, r)
	}
	return out
}

// CutStart returns the line in at most width columns, the first of which is then
// "…": of a path its end says most.
func (l Line) CutStart(width int) Line {
	over := l.Width() - width
	if over <= 0 {
		return l
	}
	if width < 1 {
		return nil
	}
	over++ // for the mark
	for i, r := range l {
		n := 0
		for n < len(r.Text) && over > 0 {
			size, w := next(r.Text[n:])
			n, over = n+size, over-w
		}
		if over <= 0 {
			return append(Line{{"…", r.Style}, {r.Text[n:], r.Style}}, l[i+1:]...)
		}
	}
	return Line{{"…", 0}}
}

// Pad returns the line with spaces of style s after it, up to width columns.
func (l Line) Pad(width int, s theme.Set) Line {
	if n := width - l.Width(); n >= 0 {
		return Join(l, Line{Fill(n, s)})
	}
	return l
}

// Tabs returns s with each tab as spaces up to the next multiple of four
// columns; s begins at column from.
func Tabs(s string, from int) string {
	if !strings.Contains(s, "\t") {
		return s
	}
	const stop = 4
	var b strings.Builder
	for col := from; s != ""; {
		if s[0] == '\t' {
			n := stop - col%stop
			b.WriteString("    "[:n])
			s, col = s[1:], col+n
			continue
		}
		size, w := next(s)
		b.WriteString(s[:size])
		s, col = s[size:], col+w
	}
	return b.String()
}
