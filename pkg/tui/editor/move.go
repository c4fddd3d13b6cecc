package editor

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"github.com/vexa-ai/vexa/pkg/tui/flow"
)

// previous is the offset of the character before at; a folded paste is one.
func (e *Editor) previous(at int) int {
	if word := e.foldedBefore(at); word != "" {
		return at - len(word)
	}
	from := strings.LastIndexByte(e.text[:at], '\n') + 1
	if from == at {
		return max(at-1, 0)
	}
	for i := from; ; {
		n := cluster(e.text[i:])
		if i+n >= at {
			return i
		}
		i += n
	}
}

// following is the offset behind the character at at.
func (e *Editor) following(at int) int {
	if word := e.foldedBehind(at); word != "" {
		return at + len(word)
	}
	if at >= len(e.text) {
		return len(e.text)
	}
	return at + cluster(e.text[at:])
}

// cluster is how many bytes the first character has, as a reader counts them.
func cluster(s string) int {
	if s[0] < utf8.RuneSelf && (len(s) == 1 || s[1] < utf8.RuneSelf) {
		return 1
	}
	c, _ := ansi.FirstGraphemeCluster(s, ansi.GraphemeWidth)
	return max(len(c), 1)
}

// Left goes one character back.
func (e *Editor) Left() { e.moveTo(e.previous(e.at)) }

// Right goes one character on.
func (e *Editor) Right() { e.moveTo(e.following(e.at)) }

// WordLeft goes to the begin of the word before the cursor.
func (e *Editor) WordLeft() { e.moveTo(e.wordBefore()) }

// WordRight goes behind the word after the cursor.
func (e *Editor) WordRight() {
	at := e.at
	for at < len(e.text) && !isWord(e.text[at:]) {
		at = e.following(at)
	}
	for at < len(e.text) && isWord(e.text[at:]) {
		at = e.following(at)
	}
	e.moveTo(at)
}

func (e *Editor) wordBefore() int {
	at := e.at
	for at > 0 && !isWord(e.text[e.previous(at):]) {
		at = e.previous(at)
	}
	for at > 0 && isWord(e.text[e.previous(at):]) {
		at = e.previous(at)
	}
	return at
}

func isWord(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r)
}

// LineStart goes to the begin of the line; LineEnd behind it.
func (e *Editor) LineStart() { e.moveTo(e.lineStart()) }

// LineEnd is documented at LineStart.
func (e *Editor) LineEnd() { e.moveTo(e.lineEnd()) }

// Start goes to the begin of the text; End behind it.
func (e *Editor) Start() { e.moveTo(0) }

// End is documented at Start.
func (e *Editor) End() { e.moveTo(len(e.text)) }

func (e *Editor) lineStart() int { return strings.LastIndexByte(e.text[:e.at], '\n') + 1 }

func (e *Editor) lineEnd() int {
	if i := strings.IndexByte(e.text[e.at:], '\n'); i >= 0 {
		return e.at + i
	}
	return len(e.text)
}

func (e *Editor) moveTo(at int) { e.at, e.column, e.typing = at, 0, false }

// Up goes a row up, as the text is laid out in a width, and reports false where the
// cursor is in the first.
func (e *Editor) Up(width int) bool { return e.vertical(width, -1) }

// Down goes a row down, likewise.
func (e *Editor) Down(width int) bool { return e.vertical(width, 1) }

func (e *Editor) vertical(width, by int) bool {
	rows := e.rows(width)
	y := rowOf(rows, e.at)
	to := y + by
	if to < 0 || to >= len(rows) {
		return false
	}
	want := e.column
	if want == 0 {
		want = flow.Width(e.text[rows[y].from:e.at]) + 1
	}
	at := rows[to].from
	for at < rows[to].to {
		n := e.following(at)
		if n > rows[to].to || flow.Width(e.text[rows[to].from:n]) > want-1 {
			break
		}
		at = n
	}
	if at == rows[to].to && to+1 < len(rows) && rows[to+1].from == at { // the place belongs to the next row
		at = max(e.previous(at), rows[to].from)
	}
	e.moveTo(at)
	e.column = want
	return true
}

// To puts the cursor behind so many bytes of Shown.
func (e *Editor) To(at int) { e.at, e.column = min(max(at, 0), len(e.text)), 0 }
