package complete

import (
	"github.com/vexa-ai/vexa/pkg/tui/rows"
)

// View returns at most Rows lines, and at most height, of exactly width columns; none
// where the popup is not open.
func (p *Popup) View(width, height int) []string {
	n := min(Rows, height, len(p.offered))
	if !p.open || n < 1 || width < 1 {
		return nil
	}
	p.top = max(min(p.top, p.at), p.at-n+1, 0)
	p.top = min(p.top, len(p.offered)-n)
	p.shown = n
	list := make([]rows.Row, n)
	for i, c := range p.offered[p.top : p.top+n] {
		list[i] = rows.Row{Title: c.title, Positions: c.positions, After: c.after, Detail: c.detail}
	}
	out := make([]string, n)
	for i, l := range rows.Lines(list, rows.Layout{Width: width, Chosen: p.at - p.top, Paths: !p.word.slash, Near: true}) {
		out[i] = l.Pad(width, 0).Paint(p.theme)
	}
	return out
}
