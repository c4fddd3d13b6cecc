// Package reading draws a conversation: each item as lines of a width, folded or not. It is
// what a pane scrolls through.
//
// What was drawn is kept for the blocks that were looked at last, and nothing of the
// others: a conversation of any length costs what is seen of it.
package reading

import (
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/tui/conversation"
	"github.com/vexa-ai/vexa/pkg/tui/diff"
	"github.com/vexa-ai/vexa/pkg/tui/markdown"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// kept is how many blocks are kept as they were drawn: several screens of small ones.
const kept = 256

// Reading is the blocks of a conversation; see pane.Blocks. It is used by one goroutine.
type Reading struct {
	conversation *conversation.Conversation
	theme        theme.Theme

	open    map[int]bool        // blocks that are not folded
	patches map[int][]diff.File // of commits, once they are known
	later   map[int]string      // what became of a commit afterwards
	undoing map[int]string      // the proposal to take a commit back
	sides   bool                // patches show before and after beside each other

	printed bool // answers are no Markdown

	drawn  map[int]*drawn
	recent []int // blocks of drawn, the one that was asked for last at the end
}

// drawn is a block as it was drawn.
type drawn struct {
	width int
	lines []string
	stale bool

	answer *markdown.Document // of an answer
	taken  int                // bytes of its text that are in it
}

// New returns the blocks of c, which may go on.
func New(c *conversation.Conversation, th theme.Theme) *Reading {
	return &Reading{conversation: c, theme: th, open: map[int]bool{}, patches: map[int][]diff.File{}, later: map[int]string{}, undoing: map[int]string{}, drawn: map[int]*drawn{}}
}

// First implements pane.Blocks.
func (r *Reading) First() int { return r.conversation.First() }

// Len implements pane.Blocks.
func (r *Reading) Len() int { return r.conversation.Len() }

// Changed says that items from there on changed, as Conversation.Apply tells, and that
// those before the first are gone.
func (r *Reading) Changed(from int) {
	for i, d := range r.drawn {
		switch {
		case i < r.First() || i >= r.Len():
			delete(r.drawn, i)
		case i >= from:
			d.stale = true
		}
	}
	for i := range r.patches {
		if i < r.First() {
			delete(r.patches, i)
			delete(r.open, i)
		}
	}
	for i := range r.later {
		if i < r.First() {
			delete(r.later, i)
		}
	}
	for i := range r.undoing {
		if i < r.First() {
			delete(r.undoing, i)
		}
	}
}

// Lines implements pane.Blocks. The last line of a block is empty: it stands apart from the
// next.
func (r *Reading) Lines(block, width int) []string {
	d := r.drawn[block]
	if d == nil {
		d = &drawn{stale: true}
		r.drawn[block] = d
	}
	r.touch(block)
	if d.stale || d.width != width {
		item, ok := r.conversation.At(block)
		if !ok {
			return nil
		}
		d.lines, d.width, d.stale = r.draw(block, item, d, width), width, false
	}
	return d.lines
}

// touch notes that a block was asked for, and lets the one go that was not for longest.
func (r *Reading) touch(block int) {
	if n := len(r.recent); n > 0 && r.recent[n-1] == block {
		return
	}
	r.recent = append(r.recent, block)
	if len(r.recent) < 4*kept {
		return
	}
	seen, order := map[int]bool{}, []int{}
	for i := len(r.recent) - 1; i >= 0 && len(order) < kept; i-- {
		if b := r.recent[i]; !seen[b] {
			seen[b] = true
			order = append(order, b)
		}
	}
	for b := range r.drawn {
		if !seen[b] {
			delete(r.drawn, b)
		}
	}
	r.recent = r.recent[:0]
	for _, b := range slices.Backward(order) {
		r.recent = append(r.recent, b)
	}
}

// Folds reports whether there is more of a block than is shown of it folded.
func (r *Reading) Folds(block int) bool {
	item, ok := r.conversation.At(block)
	if !ok {
		return false
	}
	switch item.Kind {
	case conversation.Reasoning, conversation.Call, conversation.Commit:
		return true
	case conversation.Said:
		text := item.Text()
		return len(text) > longBytes || strings.Count(strings.TrimRight(text, "\n"), "\n") >= longLines
	default:
		return false
	}
}

// Opens reports whether a line of a block folds or unfolds it where somebody clicks there:
// its first, and that which says that there is more of a message.
func (r *Reading) Opens(block, line int) bool {
	item, _ := r.conversation.At(block)
	d := r.drawn[block]
	return line == 0 || item.Kind == conversation.Said && !r.open[block] && d != nil && line == len(d.lines)-2
}

// Toggle folds a block, or shows all of it, and reports which.
func (r *Reading) Toggle(block int) (open bool) {
	if !r.Folds(block) {
		return false
	}
	if r.open[block] {
		delete(r.open, block)
	} else {
		r.open[block] = true
	}
	r.redraw(block)
	return r.open[block]
}

// SetPatch gives a commit what it changed.
func (r *Reading) SetPatch(block int, patch string) {
	r.patches[block] = diff.Parse(patch)
	r.redraw(block)
}

// Patched reports whether what a commit changed is known.
func (r *Reading) Patched(block int) bool { return r.patches[block] != nil }

// merged is what became of a commit that main got afterwards.
const merged = "merged since"

// Undone says of a commit that another one took it back.
func (r *Reading) Undone(block int, by string) {
	r.later[block] = "taken back by " + short(by)
	delete(r.undoing, block)
	r.redraw(block)
}

// Undoing says of a commit that a proposal is to take it back.
func (r *Reading) Undoing(block int, proposal string) {
	r.undoing[block] = proposal
	r.redraw(block)
}

// UndoneBy is the proposal that is to take a commit back; "": none is known.
func (r *Reading) UndoneBy(block int) string { return r.undoing[block] }

// Merged says of a commit that main has it by now.
func (r *Reading) Merged(block int) {
	r.later[block] = merged
	r.redraw(block)
}

// Rejected says of a commit that nobody wants it in main.
func (r *Reading) Rejected(block int) {
	r.later[block] = "rejected"
	r.redraw(block)
}

// Later is what became of a commit afterwards, in words, as far as it was said here.
func (r *Reading) Later(block int) string { return r.later[block] }

// Sides shows patches with before and after beside each other, or not.
func (r *Reading) Sides(on bool) {
	r.sides = on
	for block := range r.patches {
		r.redraw(block)
	}
}

// Printed says whether answers are what a program printed, which no Markdown is.
func (r *Reading) Printed(on bool) {
	if r.printed != on {
		r.printed = on
		clear(r.drawn)
	}
}

// Restyle draws everything in another theme.
func (r *Reading) Restyle(th theme.Theme) {
	r.theme = th
	clear(r.drawn)
}

func (r *Reading) redraw(block int) {
	if d := r.drawn[block]; d != nil {
		d.stale = true
	}
}
