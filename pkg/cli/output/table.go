package output

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/width"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
)

// Table collects rows. On a terminal it prints them aligned beneath a header,
// else separated by tabs, without a header and never cut. Cells are foreign
// text: each is made plain and fits one line. New columns only come at the end.
type Table struct {
	w      io.Writer
	tty    bool
	header []string
	rows   [][]string
	style  Style // nil: none
}

// NewTable returns an empty table.
func NewTable(w io.Writer, tty bool, header ...string) *Table {
	return &Table{w: w, tty: tty, header: header}
}

// Row adds a row.
func (t *Table) Row(cells ...string) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = plain.Line(c)
	}
	t.rows = append(t.rows, row)
}

// Flush prints the table; one without rows prints nothing.
func (t *Table) Flush() error {
	if len(t.rows) == 0 {
		return nil
	}
	var buf bytes.Buffer
	if t.tty {
		t.align(&buf)
	} else {
		for _, row := range t.rows {
			for i, cell := range row {
				if i > 0 {
					buf.WriteByte('\t')
				}
				buf.WriteString(t.paint(i, cell))
			}
			buf.WriteByte('\n')
		}
	}
	_, err := t.w.Write(buf.Bytes())
	return err
}

func (t *Table) align(buf *bytes.Buffer) {
	rows := append([][]string{t.header}, t.rows...)
	widths := make([]int, len(t.header))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], Width(cell))
		}
	}
	for n, row := range rows {
		gap := 0 // before the next cell that holds something: no line ends in spaces
		for i, cell := range row {
			if cell != "" {
				buf.WriteString(strings.Repeat(" ", gap))
				gap = 0
				if n == 0 {
					buf.WriteString(t.head(cell))
				} else {
					buf.WriteString(t.paint(i, cell))
				}
			}
			gap += widths[i] - Width(cell) + 2
		}
		buf.WriteByte('\n')
	}
}

// Width is the number of columns that s takes on a terminal.
func Width(s string) int {
	n := 0
	for _, r := range s {
		switch k := width.LookupRune(r).Kind(); {
		case r == 0x200d || r >= 0x300 && r <= 0x36f || r >= 0xfe00 && r <= 0xfe0f:
		case k == width.EastAsianWide || k == width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

// Time renders t for a table: how long ago on a terminal, else RFC 3339.
func Time(t, now time.Time, tty bool) string {
	if t.IsZero() {
		return ""
	}
	if !tty {
		return t.UTC().Format(time.RFC3339)
	}
	return Ago(now.Sub(t))
}

// Ago renders a span in its largest unit.
func Ago(d time.Duration) string {
	switch {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return d.Truncate(time.Second).String() + " ago"
	case d < time.Hour:
		return strings.TrimSuffix(d.Truncate(time.Minute).String(), "0s") + " ago"
	case d < 48*time.Hour:
		return strings.TrimSuffix(d.Truncate(time.Hour).String(), "0m0s") + " ago"
	default:
		return Plural(int(d/(24*time.Hour)), "day") + " ago"
	}
}

// Plural renders a count of things.
func Plural(n int, noun string) string {
	s := strconv.Itoa(n) + " " + noun
	if n != 1 {
		s += "s"
	}
	return s
}
