package broker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// member is one member of a JSON object, as it stands in the text.
type member struct {
	name  string
	raw   []byte // the name in quotes
	value []byte
}

// members cuts a JSON object into its members without reading their values:
// most of a request is a conversation that is only passed on. A member that
// stands twice is refused, for two readers of it may take different ones; so are
// two names that differ in case alone, which are one to some readers.
func members(text []byte) ([]member, error) {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || text[0] != '{' || !json.Valid(text) {
		return nil, errors.New("the request is not a JSON object")
	}
	var out []member
	seen := map[string]bool{}
	rest := bytes.TrimSpace(text[1:])
	for rest[0] != '}' {
		n := stringEnd(rest)
		m := member{raw: rest[:n]}
		if err := json.Unmarshal(m.raw, &m.name); err != nil {
			return nil, errors.New("the request is not a JSON object")
		}
		key := folded(m.name)
		if seen[key] {
			return nil, fmt.Errorf("the request has %.64q twice", m.name)
		}
		seen[key] = true
		rest = bytes.TrimSpace(bytes.TrimSpace(rest[n:])[1:]) // past the colon
		n = valueEnd(rest)
		m.value = bytes.TrimSpace(rest[:n])
		out = append(out, m)
		rest = rest[n:]
		if rest[0] == ',' {
			rest = bytes.TrimSpace(rest[1:])
		}
	}
	return out, nil
}

// folded makes names equal that a reader may take for each other. Go's own, which
// serves many a local model, is one: it takes MODEL, and "ſ" for "s".
func folded(name string) string {
	return strings.Map(func(r rune) rune {
		for {
			next := unicode.SimpleFold(r)
			if next <= r { // around: the smallest of them
				return next
			}
			r = next
		}
	}, name)
}

// fields are the members of an object by their folded names.
type fields map[string][]byte

func fieldsOf(text []byte) (fields, error) {
	all, err := members(text)
	if err != nil {
		return nil, err
	}
	out := make(fields, len(all))
	for _, m := range all {
		out[folded(m.name)] = m.value
	}
	return out, nil
}

func (f fields) get(name string) []byte { return f[folded(name)] }

// text returns a member that is a string, and else nothing.
func (f fields) text(name string) string {
	var s string
	if json.Unmarshal(f.get(name), &s) != nil {
		return ""
	}
	return s
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

// valueEnd returns the length of the value that the rest of a valid JSON object
// begins with: it ends at the comma or brace of that object.
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

// object writes members as a JSON object.
func object(all []member) []byte {
	size := 2
	for _, m := range all {
		size += len(m.raw) + len(m.value) + 2
	}
	out := append(make([]byte, 0, size), '{')
	for i, m := range all {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, m.raw...), ':'), m.value...)
	}
	return append(out, '}')
}
