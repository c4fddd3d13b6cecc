// Package markdown renders Markdown while it comes.
//
// A Document takes a text in pieces. Blocks of the top level that are complete
// are rendered once and never change; only the last, open one is rendered again
// with each piece, so a piece costs as much at the end of a megabyte as at its
// beginning. What the screen shows at the end depends on the text alone, never on
// the pieces.
//
// It is CommonMark with the tables, task lists and strikethrough of GitHub, and
// differs in four points. HTML is text: nothing that an agent writes is hidden.
// A line feed within a paragraph is one on the screen. A link's target is shown
// beside its text. And a reference is resolved by definitions that stand before
// it, because a finished block never changes. (After an item of a list that is
// empty, an indented fence may be taken for a part of it.)
//
// The text is foreign. It is stripped when it comes (pkg/cli/plain), and again
// when it is painted (theme.Paint), since Markdown can spell characters as
// entities.
package markdown

import (
	"strings"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// MaxText is how much of a text a document keeps, in bytes. What comes after is
// dropped, and the last line says so.
const MaxText = 8 << 20

// minWidth is the width below which nothing gets narrower.
const minWidth = 8

// Document is a text that is rendered while it comes. It is not safe for
// concurrent use.
type Document struct {
	theme  theme.Theme
	width  int
	filter plain.Filter
	size   int
	cut    bool // the text was longer than MaxText
	closed bool
	plain  bool // the text is no Markdown

	split  splitter
	blocks []block // complete ones
	tail   string  // the last line, which has no line feed yet

	render   renderer
	rendered int      // how many blocks are in lines
	lines    []string // of the complete blocks, then of the open one
	fixed    int      // how many of them are of complete blocks
	stale    bool     // the open block has changed
}

// New returns an empty document.
func New(th theme.Theme) *Document {
	d := &Document{theme: th, render: newRenderer(th)}
	d.split.done = func(b block) { d.blocks = append(d.blocks, b) }
	return d
}

// NewPlain returns an empty document whose text is shown as it is, what indents it
// included: no Markdown, but what a program printed.
func NewPlain(th theme.Theme) *Document {
	d := New(th)
	d.plain = true
	return d
}

// Append adds a piece of the text, which may be cut anywhere.
func (d *Document) Append(text string) {
	if d.closed || text == "" {
		return
	}
	if left := MaxText - d.size; len(text) > left {
		text, d.cut = text[:left], true
	}
	d.size += len(text)
	d.take(string(d.filter.Append(make([]byte, 0, len(text)), []byte(text))))
}

// take splits what was stripped into lines.
func (d *Document) take(text string) {
	d.stale = true
	text = d.tail + text
	var kept strings.Builder // lines that are one block
	line := d.split.line
	if d.plain {
		line = func(text string) { kept.WriteString(text) }
	}
	for {
		i := strings.IndexByte(text, '\n')
		if n := i + 1; i >= 0 && n <= maxLine {
			line(text[:n])
			text = text[n:]
			continue
		}
		n := overlong(text)
		if n == 0 {
			break
		}
		line(text[:n] + "\n")
		text = text[n:]
	}
	if kept.Len() > 0 {
		d.blocks = append(d.blocks, d.verbatim(kept.String()))
	}
	d.tail = strings.Clone(text)
}

// verbatim is a block of lines that are shown as they are.
func (d *Document) verbatim(text string) block {
	return block{kind: verbatim, text: strings.TrimSuffix(text, "\n"), joined: true}
}

// Close says that the text is complete. Nothing can be added to it any more.
func (d *Document) Close() {
	if d.closed {
		return
	}
	d.take(string(d.filter.Flush(nil)))
	switch {
	case d.tail == "":
	case d.plain:
		d.blocks = append(d.blocks, d.verbatim(d.tail))
		d.tail = ""
	default:
		d.split.line(d.tail)
		d.tail = ""
	}
	if d.split.cur.kind != none {
		d.split.end()
	}
	d.closed, d.stale = true, true
}

// Restyle changes the theme. Everything is rendered again when it is asked for.
func (d *Document) Restyle(th theme.Theme) {
	d.theme = th
	d.Forget()
}

// Forget drops what was rendered and keeps the text, for a document that is off
// the screen for a while.
func (d *Document) Forget() {
	d.render = newRenderer(d.theme)
	d.lines, d.rendered, d.fixed, d.stale = nil, 0, 0, true
}

// Size is how much text is kept, in bytes.
func (d *Document) Size() int { return d.size }

// Fixed is how many of the lines that Lines returned last never change at that
// width, whatever is added.
func (d *Document) Fixed() int { return d.fixed }

// Lines returns the document as lines of at most width columns. No line holds a
// line feed, or a control sequence that is not the theme's. The slice is valid
// until the document changes or is asked for another width, and is not to be
// written to.
func (d *Document) Lines(width int) []string {
	if width = max(width, minWidth); width != d.width {
		d.Forget()
		d.width = width
	}
	if !d.stale && d.rendered == len(d.blocks) {
		return d.lines
	}
	d.lines = d.lines[:d.fixed]
	for ; d.rendered < len(d.blocks); d.rendered++ {
		d.put(d.render.block(d.blocks[d.rendered], width))
	}
	d.fixed = len(d.lines)
	if b, ok := d.open(); ok {
		open := d.render.fork()
		d.put(open.block(b, width))
	}
	if d.cut {
		note := flow.Plain("[the text goes on; only its first 8 MB are shown]", theme.Warning)
		for _, l := range note.Wrap(width) {
			d.lines = append(d.lines, l.Paint(d.theme))
		}
	}
	d.stale = false
	return d.lines
}

func (d *Document) put(lines []flow.Line) {
	for _, l := range lines {
		for n := len(l); n > 0 && l[n-1].Style == 0 && strings.Trim(l[n-1].Text, " ") == ""; n-- {
			l = l[:n-1] // an indented blank line, a cell's room
		}
		d.lines = append(d.lines, l.Paint(d.theme))
	}
}

// open returns the block that is not complete, as it is best shown.
func (d *Document) open() (block, bool) {
	if d.plain {
		return d.verbatim(d.tail), d.tail != ""
	}
	b := d.split.cur
	b.text = d.split.text.String()
	switch {
	case b.kind == fenced:
		b.text += mendCode(b.fence, d.tail)
	case strings.TrimSpace(b.text+d.tail) == "":
		return b, false
	default:
		b = mend(b, d.tail)
	}
	return b, true
}
