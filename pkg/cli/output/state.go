package output

import "slices"

// Style gives text the colours of a stream, or none: a factory.Style is one.
type Style interface {
	Bold(text string) string
	Good(text string) string
	Doubtful(text string) string
	Bad(text string) string
}

// In has the table be in a style: its header, and what says how things are. It returns t.
func (t *Table) In(s Style) *Table {
	t.style = s
	return t
}

// paint gives a cell the colour of what it says, which is a word of its own. Cells are
// plain by then.
func (t *Table) paint(column int, cell string) string {
	if t.style == nil || column >= len(t.header) {
		return cell
	}
	switch t.header[column] {
	case "STATE":
	case "PROBLEM":
		return t.style.Bad(cell)
	default:
		return cell
	}
	switch {
	case slices.Contains([]string{"running", "pass", "ok", "yes", "accepted", "approved", "merged", "taken up"}, cell):
		return t.style.Good(cell)
	case slices.Contains([]string{"failed", "fail", "no", "lost", "refused", "rejected", "broken"}, cell):
		return t.style.Bad(cell)
	case slices.Contains([]string{"starting", "stopping", "skip", "unknown", "open", "conflict", "conflicts", "waiting", "ready"}, cell):
		return t.style.Doubtful(cell)
	default:
		return cell
	}
}

// head is a column's title.
func (t *Table) head(cell string) string {
	if t.style == nil {
		return cell
	}
	return t.style.Bold(cell)
}
