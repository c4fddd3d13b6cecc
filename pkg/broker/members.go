package broker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vexa-ai/vexa/pkg/internal/jsoncut"
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
	if !jsoncut.Valid(text) {
		return nil, errNoObject
	}
	return distinct(text)
}

var errNoObject = errors.New("the request is not a JSON object")

// distinct is members for what is part of a text that was found valid.
func distinct(text []byte) ([]member, error) {
	if text = bytes.TrimSpace(text); len(text) == 0 || text[0] != '{' {
		return nil, errNoObject
	}
	const most = 1000 // of which a request, a message or a tool has twenty
	seen := map[string]bool{}
	var out []member
	for m := range jsoncut.Members(text) {
		if len(out) == most {
			return nil, fmt.Errorf("the request has an object of more than %d members", most)
		}
		key := folded(m.Name)
		if seen[key] {
			return nil, fmt.Errorf("the request has %.64q twice", m.Name)
		}
		seen[key] = true
		out = append(out, member{m.Name, m.Raw, m.Value})
	}
	return out, nil
}

// folded makes names equal that a reader may take for each other. Go's own, which
// serves many a local model, is one: it takes MODEL, and "ſ" for "s".
// For names of ASCII, which nearly all are, that is upper case.
func folded(name string) string {
	ascii := true
	for i := range len(name) {
		ascii = ascii && name[i] < utf8.RuneSelf
	}
	if ascii {
		return strings.ToUpper(name)
	}
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
	all, err := distinct(text)
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
