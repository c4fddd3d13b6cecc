// Package editor is the text that a person is writing: any number of lines, a cursor
// between characters as a reader counts them, and long pastes folded into a word.
//
// It knows keys by what they do, not by their names, and draws itself for a width. What
// is typed or pasted is made plain where it comes in, so that nobody sends what he did
// not see.
package editor

import (
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
)

// Editor is a text that is being written. It is used by one goroutine; the zero value is
// empty.
type Editor struct {
	text   string
	at     int // bytes before the cursor
	column int // where Up and Down want to be, from 1; 0: where they are
	cut    string
	pastes []paste
	before []state // what Undo goes back to
	typing bool    // the newest of them is before the word that is being typed
}

type state struct {
	text string
	at   int
}

// mostStates is how often one can go back.
const mostStates = 200

// Fresh is an empty editor that knows what was pasted into this one: a text of it, as
// Shown has it, is whole there.
func (e *Editor) Fresh() Editor { return Editor{pastes: slices.Clip(e.pastes)} }

// Empty reports whether there is nothing but blanks.
func (e *Editor) Empty() bool { return strings.TrimSpace(e.text) == "" }

// Shown is the text as it is seen, and how many bytes of it are before the cursor: pastes
// are folded in it.
func (e *Editor) Shown() (text string, cursor int) { return e.text, e.at }

// Folded is what was written, as it is seen.
func (e *Editor) Folded() string { return e.text }

// Text is what was written, with all of what was pasted.
func (e *Editor) Text() string { return e.unfold(e.text) }

// SetText replaces the text, and puts the cursor behind it. One that is very long is folded.
func (e *Editor) SetText(text string) {
	e.keep()
	if len(text) > foldText {
		e.text, e.at = "", 0
		e.Paste(e.unfold(text))
		return
	}
	e.text = clean(text)
	e.at, e.column = len(e.text), 0
}

// Replace puts text in the place of the bytes from one offset of Shown to another, and
// the cursor behind it.
func (e *Editor) Replace(from, to int, text string) {
	from = min(max(from, 0), len(e.text))
	to = min(max(to, from), len(e.text))
	e.keep()
	text = clean(text)
	e.text = e.text[:from] + text + e.text[to:]
	e.at, e.column = from+len(text), 0
}

// Clear empties the text. Undo brings it back.
func (e *Editor) Clear() {
	if e.text != "" {
		e.keep()
	}
	e.text, e.at, e.column = "", 0, 0
}

// Type inserts what was typed.
func (e *Editor) Type(text string) {
	text = clean(text)
	if !e.typing || strings.ContainsAny(text, " \n\t") {
		e.keep()
	}
	e.typing = true
	e.text = e.text[:e.at] + text + e.text[e.at:]
	e.at, e.column = e.at+len(text), 0
}

// Undo goes back to what was there before the last change, and reports whether there was
// anything.
func (e *Editor) Undo() bool {
	n := len(e.before)
	if n == 0 {
		return false
	}
	s := e.before[n-1]
	e.before, e.typing, e.column = e.before[:n-1], false, 0
	e.text, e.at = s.text, s.at
	return true
}

// keep notes what Undo goes back to.
func (e *Editor) keep() {
	e.typing = false
	if n := len(e.before); n > 0 && e.before[n-1].text == e.text {
		return
	}
	if len(e.before) == mostStates {
		e.before = slices.Delete(e.before, 0, 1)
	}
	e.before = append(e.before, state{e.text, e.at})
}

// delete takes the bytes between two offsets away, and returns them.
func (e *Editor) delete(from, to int) string {
	if from >= to {
		return ""
	}
	e.keep()
	gone := e.text[from:to]
	e.text = e.text[:from] + e.text[to:]
	e.at, e.column = from, 0
	return gone
}

// Backspace deletes the character before the cursor, or the paste that is folded there.
func (e *Editor) Backspace() { e.delete(e.previous(e.at), e.at) }

// Delete deletes the character behind it, or the paste.
func (e *Editor) Delete() {
	at := e.at
	e.delete(at, e.following(at))
}

// DeleteWord deletes the word before the cursor; Paste brings back what the last such
// deletion took.
func (e *Editor) DeleteWord() { e.take(e.wordBefore(), e.at) }

// DeleteToStart deletes from the start of the line to the cursor, likewise.
func (e *Editor) DeleteToStart() { e.take(e.lineStart(), e.at) }

// DeleteToEnd deletes from the cursor to the end of the line, or the line's end where it
// is there.
func (e *Editor) DeleteToEnd() {
	to := e.lineEnd()
	if to == e.at && to < len(e.text) {
		to++
	}
	e.take(e.at, to)
}

func (e *Editor) take(from, to int) {
	if gone := e.delete(from, to); gone != "" {
		e.cut = gone
	}
}

// Yank inserts what was deleted last by the word or the line.
func (e *Editor) Yank() {
	if e.cut != "" {
		e.keep()
		e.text = e.text[:e.at] + e.cut + e.text[e.at:]
		e.at, e.column = e.at+len(e.cut), 0
	}
}

// clean is text as an editor has it: plain, with line feeds alone as line ends, and
// blanks for tabs.
func clean(text string) string {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	return strings.ReplaceAll(plain.Text(text), "\t", "    ")
}
