package markdown

import "github.com/vexa-ai/vexa/pkg/tui/theme"

// Unsplit renders a text as one block, as Goldmark alone divides it.
func Unsplit(th theme.Theme, width int, text string) []string {
	d := New(th)
	r := newRenderer(th)
	d.put(r.block(block{kind: prose, text: text}, width))
	return d.lines
}
