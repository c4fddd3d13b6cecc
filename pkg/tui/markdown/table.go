package markdown

import (
	"strings"

	"github.com/yuin/goldmark/ast"

	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// Widths of columns: what parts them, and what a column is at least given where
// there is not room for all of it.
const (
	gutter  = 3 // " │ "
	minimum = 8
)

// table renders a table: as columns, which wrap where they are too wide, and as
// a list of its rows where the screen is too narrow for columns.
func (r *renderer) table(t *table, width int, base theme.Set) []flow.Line {
	r.inCell = true
	defer func() { r.inCell = false }()
	var rows [][]flow.Line
	natural := make([]int, len(t.align))
	for n := t.FirstChild(); n != nil; n = n.NextSibling() {
		style := base
		if len(rows) == 0 {
			style = base.With(theme.TableHead)
		}
		var cells []flow.Line
		for c := n.FirstChild(); c != nil; c = c.NextSibling() {
			l := r.inline(c, style)
			natural[len(cells)] = max(natural[len(cells)], l.Width(), 1)
			cells = append(cells, l)
		}
		rows = append(rows, cells)
	}
	widths := share(natural, width-gutter*(len(natural)-1))
	if widths == nil {
		return records(rows, width)
	}
	var out []flow.Line
	for i, cells := range rows {
		out = append(out, columns(cells, widths, t.align)...)
		if i == 0 {
			out = append(out, rule(widths))
		}
	}
	return out
}

// share returns the widths of columns within a total: what is narrow has all
// that it wants, the others share the rest. It is nil where that is too little.
func share(natural []int, total int) []int {
	widths := make([]int, len(natural))
	open, left := len(natural), total
	for open > 0 {
		fair, settled := left/open, false
		for i, n := range natural {
			if widths[i] == 0 && n <= fair {
				widths[i], left, open, settled = n, left-n, open-1, true
			}
		}
		if settled {
			continue
		}
		if fair < minimum {
			return nil
		}
		for i := range widths {
			if widths[i] == 0 {
				widths[i] = left / open
				left, open = left-widths[i], open-1
			}
		}
	}
	return widths
}

// columns renders a row.
func columns(cells []flow.Line, widths []int, aligns []align) []flow.Line {
	wrapped := make([][]flow.Line, len(cells))
	height := 1
	for i, c := range cells {
		wrapped[i] = c.Wrap(widths[i])
		height = max(height, len(wrapped[i]))
	}
	out := make([]flow.Line, height)
	for y := range out {
		for i := range cells {
			var l flow.Line
			if y < len(wrapped[i]) {
				l = wrapped[i][y]
			}
			free := max(widths[i]-l.Width(), 0)
			before := map[align]int{left: 0, center: free / 2, right: free}[aligns[i]]
			if i > 0 {
				out[y] = append(out[y], flow.Run{Text: " │ ", Style: theme.Of(theme.Border)})
			}
			out[y] = append(append(out[y], spaces(before)...), l...)
			if i < len(cells)-1 {
				out[y] = append(out[y], flow.Fill(free-before, 0))
			}
		}
	}
	return out
}

func spaces(n int) flow.Line {
	if n == 0 {
		return nil
	}
	return flow.Plain(strings.Repeat(" ", n))
}

// rule parts the head from the rows.
func rule(widths []int) flow.Line {
	parts := make([]string, len(widths))
	for i, w := range widths {
		parts[i] = strings.Repeat("─", w)
	}
	return flow.Plain(strings.Join(parts, "─┼─"), theme.Border)
}

// records renders each row as lines of a column's title and what stands there.
func records(rows [][]flow.Line, width int) []flow.Line {
	if len(rows) == 1 {
		rows = append(rows, make([]flow.Line, len(rows[0])))
	}
	var out []flow.Line
	for i, cells := range rows[1:] {
		if i > 0 {
			out = append(out, flow.Plain(strings.Repeat("─", min(width, minimum)), theme.Border))
		}
		for j, c := range cells {
			title := flow.Join(rows[0][j], flow.Plain(": ", theme.TableHead))
			lines := flow.Join(title, c).Wrap(max(width-2, 2))
			out = append(out, flow.Indent(lines, nil, flow.Plain("  "))...)
		}
	}
	return out
}

var _ ast.Node = (*table)(nil)
