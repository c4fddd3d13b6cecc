package broker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vexa-ai/vexa/pkg/internal/jsoncut"
)

// member is one member of a JSON object, as it stands in the text.
type member struct {
	name  string
	key   string // the name, folded
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
	out := make([]member, 0, usual)
	var names repeats
	for m := range jsoncut.Members(text) {
		if len(out) == most {
			return nil, fmt.Errorf("the request has an object of more than %d members", most)
		}
		key := folded(m.Name)
		if names.before(key, out) {
			return nil, fmt.Errorf("the request has %.64q twice", m.Name)
		}
		out = append(out, member{m.Name, key, m.Raw, m.Value})
	}
	return out, nil
}

// usual is how many members most objects have at most.
const usual = 8

// repeats tells whether a name was there before. It goes through a few, and remembers many,
// for the names are the client's choice.
type repeats struct{ keys map[string]bool }

func (s *repeats) before(key string, all []member) bool {
	if len(all) <= 4*usual {
		return slices.ContainsFunc(all, func(m member) bool { return m.key == key })
	}
	if s.keys == nil {
		s.keys = make(map[string]bool, len(all))
		for i := range all {
			s.keys[all[i].key] = true
		}
	}
	was := s.keys[key]
	s.keys[key] = true
	return was
}

// folded makes names equal that a reader may take for each other. Go's own, which
// serves many a local model, is one: it takes MODEL, and "ſ" for "s".
// For names of ASCII, which nearly all are, that is upper case.
func folded(name string) string {
	if key := known(name); key != "" {
		return key
	}
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

// known is what folded makes of the names that most members have, "" for any other.
func known(name string) string {
	switch name {
	case "type":
		return "TYPE"
	case "role":
		return "ROLE"
	case "content":
		return "CONTENT"
	case "text":
		return "TEXT"
	case "id":
		return "ID"
	case "name":
		return "NAME"
	case "description":
		return "DESCRIPTION"
	case "call_id":
		return "CALL_ID"
	case "arguments":
		return "ARGUMENTS"
	case "output":
		return "OUTPUT"
	case "input":
		return "INPUT"
	case "tools":
		return "TOOLS"
	default:
		return ""
	}
}

// fields are the members of an object, which are looked for by their folded names.
type fields []member

func fieldsOf(text []byte) (fields, error) { return distinct(text) }

func (f fields) get(name string) []byte {
	key := folded(name)
	for i := range f {
		if f[i].key == key {
			return f[i].value
		}
	}
	return nil
}

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
