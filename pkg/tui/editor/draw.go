package editor

import (
	"strings"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// row is a part of the text that is shown beside each other: the bytes from..to.
type row struct{ from, to int }

// rows lays the text out in a width. There is always one; the cursor has room behind the
// last character of each.
func (e *Editor) rows(width int) []row {
	width = max(width, 2)
	var out []row
	for from := 0; ; {
		end := len(e.text)
		if i := strings.IndexByte(e.text[from:], '\n'); i >= 0 {
			end = from + i
		}
		out = e.wrap(out, from, end, width-1)
		if end == len(e.text) {
			return out
		}
		from = end + 1
	}
}

// wrap breaks a line behind blanks, where there are any, else where it is full.
func (e *Editor) wrap(out []row, from, end, width int) []row {
	start, blank, used := from, -1, 0
	for at := from; at < end; {
		n := min(e.followingText(at), end)
		w := flow.Width(e.text[at:n])
		if used+w > width && at > start {
			cut := at
			if blank > start {
				cut = blank
			}
			out = append(out, row{start, cut})
			start, blank = cut, -1
			used = flow.Width(e.text[start:at])
		}
		used += w
		if e.text[at] == ' ' {
			blank = n
		}
		at = n
	}
	return append(out, row{start, end})
}

// followingText is following, but goes through folded pastes, which may be wider than a row.
func (e *Editor) followingText(at int) int { return at + cluster(e.text[at:]) }

// rowOf is the row that the cursor is in.
func rowOf(rows []row, at int) int {
	for i := len(rows) - 1; i > 0; i-- {
		if at >= rows[i].from {
			return i
		}
	}
	return 0
}

// Height is how many rows the text has in a width.
func (e *Editor) Height(width int) int { return len(e.rows(width)) }

// View draws the rows around the cursor, at most height of them, and where the cursor is
// among them.
func (e *Editor) View(th theme.Theme, width, height int) (lines []string, x, y int) {
	rows := e.rows(width)
	y = rowOf(rows, e.at)
	x = flow.Columns(e.text[rows[y].from:e.at], th)
	top := 0
	if len(rows) > height {
		top = min(max(y-height/2, 0), len(rows)-height)
		rows = rows[top : top+height]
	}
	for _, r := range rows {
		lines = append(lines, th.Paint(e.text[r.from:r.to], theme.Of(theme.Text)))
	}
	return lines, x, y - top
}

// cleanPaste is clean, but keeps tabs, which a paste may depend on.
func cleanPaste(text string) string { return plain.Text(text) }
