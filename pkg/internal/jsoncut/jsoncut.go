// Package jsoncut takes JSON apart without reading the values in it: most of an
// inference request is a conversation that is only passed on. What it is given has
// been found valid before (json.Valid); it allocates nothing, however many pieces
// there are, and they are the text's own.
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
		rest := bytes.TrimSpace(object)
		if len(rest) == 0 || rest[0] != '{' {
			return
		}
		for rest = space(rest[1:]); rest[0] != '}'; {
			n := stringEnd(rest)
			m := Member{Raw: rest[:n], Name: string(rest[1 : n-1])}
			if bytes.IndexByte(m.Raw, '\\') >= 0 || !plain(m.Raw) {
				m.Name = ""
				if json.Unmarshal(m.Raw, &m.Name) != nil {
					return // it is valid
				}
			}
			rest = space(space(rest[n:])[1:]) // past the colon
			n = valueEnd(rest)
			m.Value = bytes.TrimSpace(rest[:n])
			if !yield(m) {
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
			if !yield(bytes.TrimSpace(rest[:n])) {
				return
			}
			if rest = rest[n:]; rest[0] == ',' {
				rest = space(rest[1:])
			}
		}
	}
}

// Objects counts the objects in a text, at any depth, up to a number of them.
func Objects(text []byte, most int) int {
	n := 0
	for i := 0; i < len(text) && n < most; i++ {
		switch text[i] {
		case '"':
			i += stringEnd(text[i:]) - 1
		case '{':
			n++
		}
	}
	return n
}

// String returns the text of a string that stands for itself, and whether it is
// one: without escapes, and in ASCII, of which nothing needs to be looked at twice.
func String(raw []byte) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' || bytes.IndexByte(raw, '\\') >= 0 || !plain(raw) {
		return "", false
	}
	return string(raw[1 : len(raw)-1]), true
}

func plain(raw []byte) bool {
	for _, b := range raw {
		if b >= 0x80 {
			return false
		}
	}
	return true
}

func space(text []byte) []byte {
	for len(text) > 0 && text[0] <= ' ' {
		text = text[1:]
	}
	return text
}

// stringEnd returns the length of the string that valid JSON begins with.
func stringEnd(text []byte) int {
	for i := 1; ; {
		i += bytes.IndexByte(text[i:], '"')
		escapes := 0
		for text[i-1-escapes] == '\\' {
			escapes++
		}
		i++
		if escapes%2 == 0 {
			return i
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
