package output

import (
	"io"
	"strings"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
)

// Pairs prints one thing as lines of a name and a value: aligned on a terminal,
// separated by a tab elsewhere. An empty value is left out.
type Pairs struct {
	w     io.Writer
	tty   bool
	pairs [][2]string
}

// NewPairs returns an empty list.
func NewPairs(w io.Writer, tty bool) *Pairs { return &Pairs{w: w, tty: tty} }

// Add adds a line; both may be foreign text.
func (p *Pairs) Add(name, value string) {
	if value = plain.Line(value); value != "" {
		p.pairs = append(p.pairs, [2]string{plain.Line(name), value})
	}
}

// Flush prints the lines.
func (p *Pairs) Flush() error {
	widest := 0
	for _, pair := range p.pairs {
		widest = max(widest, len(pair[0]))
	}
	var b strings.Builder
	for _, pair := range p.pairs {
		gap := "\t"
		if p.tty {
			gap = ":" + strings.Repeat(" ", widest-len(pair[0])+1)
		}
		b.WriteString(pair[0] + gap + pair[1] + "\n")
	}
	_, err := io.WriteString(p.w, b.String())
	return err
}
