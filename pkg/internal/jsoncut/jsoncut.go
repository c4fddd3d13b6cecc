// Package jsoncut takes JSON apart without reading the values in it: most of an
// inference request is a conversation that is only passed on. What it is given has
// been found valid before (Valid); it allocates nothing but names and texts, however
// many pieces there are, and values are the text's own.
package jsoncut

import (
	"bytes"
	"encoding/json"
	"iter"
)

// Member is a member of an object, as it stands in the text.
type Member struct {
	Name  string
	Raw   []byte // the name in quotes
	Value []byte
}

// Members are the members of an object, in its order; a name can stand in it
// twice. Anything but an object has none.
func Members(object []byte) iter.Seq[Member] {
	return func(yield func(Member) bool) {
		for raw, value := range Pairs(object) {
			name, ok := String(raw)
			if !ok && json.Unmarshal(raw, &name) != nil {
				return // it is valid
			}
			if !yield(Member{name, raw, value}) {
				return
			}
		}
	}
}

// Pairs are the members of an object with their names as they stand in the text, in
// quotes.
func Pairs(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		rest := bytes.TrimSpace(object)
		if len(rest) == 0 || rest[0] != '{' {
			return
		}
		for rest = space(rest[1:]); rest[0] != '}'; {
			n := stringEnd(rest)
			name := rest[:n]
			rest = space(space(rest[n:])[1:]) // past the colon
			n = valueEnd(rest)
			if !yield(name, trimmed(rest[:n])) {
				return
			}
			if rest = rest[n:]; rest[0] == ',' {
				rest = space(rest[1:])
			}
		}
	}
}

// Elements are those of a list. Anything but a list has none.
func Elements(list []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		rest := bytes.TrimSpace(list)
		if len(rest) == 0 || rest[0] != '[' {
			return
		}
		for rest = space(rest[1:]); rest[0] != ']'; {
			n := valueEnd(rest)
			if !yield(trimmed(rest[:n])) {
				return
			}
			if rest = rest[n:]; rest[0] == ',' {
				rest = space(rest[1:])
			}
		}
	}
}

// trimmed leaves out the space behind a value; before it there is none.
func trimmed(value []byte) []byte {
	for len(value) > 0 && value[len(value)-1] <= ' ' {
		value = value[:len(value)-1]
	}
	return value
}

func space(text []byte) []byte {
	for len(text) > 0 && text[0] <= ' ' {
		text = text[1:]
	}
	return text
}

// Length returns the length of the value that valid JSON begins with, or the rest of it.
func Length(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i += stringEnd(text[i:]) - 1
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 { // of what the value is in
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
	return len(text)
}

// stringEnd returns the length of the string that valid JSON begins with. It goes from
// quote to quote, of which most texts have few: one that has an even number of backslashes
// before it is the end. Each is counted once, for the quote behind it.
func stringEnd(text []byte) int {
	for i := 1; ; i++ {
		n := bytes.IndexByte(text[i:], '"')
		if n < 0 {
			return len(text) // it is valid
		}
		i += n
		from := i
		for text[from-1] == '\\' { // the quote at the beginning is none
			from--
		}
		if (i-from)%2 == 0 {
			return i + 1
		}
	}
}

// valueEnd returns the length of the value that the rest of a valid object or list
// begins with: it ends at the comma or the bracket of that.
func valueEnd(text []byte) int {
	depth := 0
	for i := 0; ; {
		switch text[i] {
		case '"':
			i += stringEnd(text[i:])
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			depth--
		case ',':
			if depth == 0 {
				return i
			}
		}
		i++
	}
}
