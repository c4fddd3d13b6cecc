package translate

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Most of a request is text that is only carried over. It is checked to be JSON
// once, as a whole, and then cut where it holds other values, so that a long text
// is not read again for each thing that it is part of.

// field is a member of an object, as it stands in the text.
type field struct {
	name       string
	raw, value []byte // the name in quotes, and the value
}

// cut takes an object apart. The text is valid JSON; anything but an object has
// no fields.
func cut(object []byte) []field {
	rest := bytes.TrimSpace(object)
	if len(rest) == 0 || rest[0] != '{' {
		return nil
	}
	var out []field
	for rest = space(rest[1:]); rest[0] != '}'; {
		n := textEnd(rest)
		f := field{raw: rest[:n], name: string(rest[1 : n-1])}
		if bytes.IndexByte(f.raw, '\\') >= 0 && json.Unmarshal(f.raw, &f.name) != nil {
			return nil // it is valid
		}
		rest = space(space(rest[n:])[1:]) // past the colon
		n = valueEnd(rest)
		f.value = bytes.TrimSpace(rest[:n])
		out = append(out, f)
		if rest = rest[n:]; rest[0] == ',' {
			rest = space(rest[1:])
		}
	}
	return out
}

// elements takes a list apart, on the same terms.
func elements(list []byte) [][]byte {
	rest := bytes.TrimSpace(list)
	if len(rest) == 0 || rest[0] != '[' {
		return nil
	}
	var out [][]byte
	for rest = space(rest[1:]); rest[0] != ']'; {
		n := valueEnd(rest)
		out = append(out, bytes.TrimSpace(rest[:n]))
		if rest = rest[n:]; rest[0] == ',' {
			rest = space(rest[1:])
		}
	}
	return out
}

// each calls f with each element of a list, none where raw is nil.
func each(raw []byte, what string, f func(element []byte, what string) error) error {
	if raw == nil {
		return nil
	}
	if raw[0] != '[' {
		return malformed(what)
	}
	for i, element := range elements(raw) {
		if err := f(element, fmt.Sprintf("%s.%d", what, i)); err != nil {
			return err
		}
	}
	return nil
}

// readList reads a string or a list, whose elements one reads.
func readList[T any](raw []byte, what string, one func(element []byte, what string) (T, error)) (*list[T], error) {
	if raw == nil {
		return nil, nil //nolint:nilnil // what is not there is no list, and no error
	}
	out := &list[T]{}
	if raw[0] == '"' {
		var err error
		out.isText = true
		out.text, err = text(raw, what)
		return out, err
	}
	return out, each(raw, what, func(element []byte, what string) error {
		t, err := one(element, what)
		out.all = append(out.all, t)
		return err
	})
}

// readText reads a string that may not be there.
func readText(raw []byte, what string) (*string, error) {
	if raw == nil {
		return nil, nil //nolint:nilnil // likewise
	}
	s, err := text(raw, what)
	return &s, err
}

// split reads an object into v but for the members that are named, which it
// returns as they stand; those that are null or not there are nil.
func split(object []byte, v any, what string, names ...string) ([][]byte, error) {
	apart := make([][]byte, len(names))
	light := append(make([]byte, 0, 256), '{')
fields:
	for _, f := range cut(object) {
		for i, name := range names {
			if f.name == name {
				if apart[i] = f.value; string(f.value) == "null" {
					apart[i] = nil
				}
				continue fields
			}
		}
		if len(light) > 1 {
			light = append(light, ',')
		}
		light = append(append(append(light, f.raw...), ':'), f.value...)
	}
	if rest := bytes.TrimSpace(object); len(rest) > 0 && rest[0] != '{' && string(rest) != "null" {
		light = rest // which is not of the form
	} else {
		light = append(light, '}')
	}
	return apart, decode(light, v, what)
}

func space(text []byte) []byte {
	for len(text) > 0 && text[0] <= ' ' {
		text = text[1:]
	}
	return text
}

// textEnd returns the length of the string that valid JSON begins with.
func textEnd(text []byte) int {
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

// valueEnd returns the length of the value that the rest of a valid object or
// list begins with.
func valueEnd(text []byte) int {
	depth := 0
	for i := 0; ; {
		switch text[i] {
		case '"':
			i += textEnd(text[i:])
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

// text reads a string; anything else is not of the form.
func text(raw []byte, what string) (string, error) {
	if len(raw) >= 2 && raw[0] == '"' && bytes.IndexByte(raw, '\\') < 0 && ascii(raw) {
		return string(raw[1 : len(raw)-1]), nil
	}
	var s string
	err := decode(raw, &s, what)
	return s, err
}

// ascii reports whether no byte needs to be looked at as part of a rune.
func ascii(raw []byte) bool {
	for _, b := range raw {
		if b >= 0x80 {
			return false
		}
	}
	return true
}
