package editor

import (
	"fmt"
	"strings"
)

// A paste of more than these is folded into a word that stands for it.
const (
	foldLines = 6
	foldBytes = 2000
	foldText  = 32_000 // of a text that was not pasted
)

// paste is a text that is folded.
type paste struct{ word, text string }

// Paste inserts what was pasted; where it is long, a word that stands for it. Tabs stay.
func (e *Editor) Paste(text string) {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	for _, p := range e.pastes {
		if p.text == text {
			e.insert(p.word)
			return
		}
	}
	lines := strings.Count(strings.TrimRight(text, "\n"), "\n") + 1
	if lines <= foldLines && len(text) <= foldBytes {
		e.insert(clean(text))
		return
	}
	what := fmt.Sprintf("%d lines", lines)
	if lines == 1 {
		what = fmt.Sprintf("%d characters", len([]rune(text)))
	}
	p := paste{fmt.Sprintf("[pasted %s, %d]", what, len(e.pastes)+1), text}
	e.pastes = append(e.pastes, p)
	e.insert(p.word)
}

func (e *Editor) insert(text string) {
	e.keep()
	e.text = e.text[:e.at] + text + e.text[e.at:]
	e.at, e.column = e.at+len(text), 0
}

// unfold puts every paste in the place of its word.
func (e *Editor) unfold(text string) string {
	pairs := make([]string, 0, 2*len(e.pastes))
	for _, p := range e.pastes {
		pairs = append(pairs, p.word, cleanPaste(p.text))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// foldedBefore is the word of a paste that ends at an offset, "" where none does.
func (e *Editor) foldedBefore(at int) string {
	for _, p := range e.pastes {
		if strings.HasSuffix(e.text[:at], p.word) {
			return p.word
		}
	}
	return ""
}

// foldedBehind is the word of a paste that begins at an offset.
func (e *Editor) foldedBehind(at int) string {
	for _, p := range e.pastes {
		if strings.HasPrefix(e.text[at:], p.word) {
			return p.word
		}
	}
	return ""
}
