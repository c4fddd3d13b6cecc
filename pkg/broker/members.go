package broker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
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
//
// It returns what else is learned of the text as well.
func members(text []byte) ([]member, jsoncut.Outline, error) {
	o, ok := jsoncut.Cut(text, mostMembers+1)
	if text = bytes.TrimSpace(text); !ok || text[0] != '{' {
		return nil, o, errNoObject
	}
	all, err := distinctOf(make([]member, 0, usual), o.Pairs())
	return all, o, err
}

// mostMembers is how many an object may have, of which a request, a message or a tool has
// twenty.
const mostMembers = 1000

var errNoObject = errors.New("the request is not a JSON object")

// distinct is members for what is part of a text that was found valid. It puts them where
// there may be room for them: a conversation has hundreds of objects.
func distinct(out []member, text []byte) ([]member, error) {
	if text = bytes.TrimSpace(text); len(text) == 0 || text[0] != '{' {
		return nil, errNoObject
	}
	return distinctOf(out, jsoncut.Pairs(text))
}

func distinctOf(out []member, pairs iter.Seq2[[]byte, []byte]) ([]member, error) {
	var names repeats
	for raw, value := range pairs {
		if len(out) == mostMembers {
			return nil, fmt.Errorf("the request has an object of more than %d members", mostMembers)
		}
		m := member{raw: raw, value: value}
		if m.name, m.key = known(raw); m.key == "" {
			if err := json.Unmarshal(raw, &m.name); err != nil {
				return nil, errNoObject
			}
			m.key = folded(m.name)
		}
		if names.before(m.key, out) {
			return nil, fmt.Errorf("the request has %.64q twice", m.name)
		}
		out = append(out, m)
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

// known is the name that most members have which stands for itself in quotes, and what
// folded makes of it; "" for any other.
func known(raw []byte) (name, key string) {
	switch string(raw) {
	case `"type"`:
		return "type", "TYPE"
	case `"role"`:
		return "role", "ROLE"
	case `"content"`:
		return "content", "CONTENT"
	case `"text"`:
		return "text", "TEXT"
	case `"id"`:
		return "id", "ID"
	case `"name"`:
		return "name", "NAME"
	case `"description"`:
		return "description", "DESCRIPTION"
	case `"input_schema"`:
		return "input_schema", "INPUT_SCHEMA"
	case `"parameters"`:
		return "parameters", "PARAMETERS"
	case `"call_id"`:
		return "call_id", "CALL_ID"
	case `"arguments"`:
		return "arguments", "ARGUMENTS"
	case `"output"`:
		return "output", "OUTPUT"
	default:
		return "", ""
	}
}

// fields are the members of an object, which are looked for by their folded names.
type fields []member

// room is where the members of most objects fit.
type room [usual]member

func (r *room) fieldsOf(text []byte) (fields, error) { return distinct(r[:0], text) }

func (f fields) get(name string) []byte {
	for i := range f {
		if key := f[i].key; len(key) == len(name) && strings.EqualFold(key, name) { // name is of ASCII
			return f[i].value
		}
	}
	return nil
}

// text returns a member that is a string, and else nothing.
func (f fields) text(name string) string {
	raw := f.get(name)
	if s, ok := jsoncut.String(raw); ok {
		return s
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
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
