package dialect

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

// What of such events is passed on in a turn: the content of so many, of so many bytes as
// they are sent, and after that each other type once, by its name. All are counted.
const (
	maxOpaque      = 256
	maxOpaqueBytes = 1 << 20
	maxTypes       = 64
	maxType        = 64 // bytes of a type's name
)

// strange is what was passed on of a turn.
type strange struct {
	frames, bytes int
	types         map[string]bool
}

// event reads a line into an event. One that is JSON and does not fit is an event of
// another shape, which is passed on. Any other is none, of whatever dialect: agents print
// a warning now and then, and one that is killed half a line. It is counted, and kept as
// what was printed last.
func (r *Result) event(line []byte, e any) ([]wsv2.Body, bool) {
	object := bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte("{"))
	if object && json.Unmarshal(line, e) == nil {
		return nil, true
	}
	r.Noise, _ = cut(valid(string(line)), maxNoise)
	if !object || !json.Valid(line) {
		r.Unknown++
		return nil, false
	}
	var typed struct {
		Type json.RawMessage `json:"type"`
	}
	_ = json.Unmarshal(line, &typed) // of an object whose members may be anything it cannot fail
	var name string
	if json.Unmarshal(typed.Type, &name) != nil {
		name = "type"
	}
	return r.misshapen(name, line), false
}

// unknown counts an event of a type that the dialect does not know, and passes it on as
// it is. A turn goes on without it.
func (r *Result) unknown(name string, line []byte) []wsv2.Body {
	return r.opaque(name, false, line)
}

// misshapen is unknown for an event of a type that the dialect knows, of which it could
// not use what it holds.
func (r *Result) misshapen(name string, line []byte) []wsv2.Body {
	return r.opaque(name, true, line)
}

func (r *Result) opaque(name string, known bool, line []byte) []wsv2.Body {
	r.Unknown++
	s := &r.strange
	name = typeName(name)
	key := strconv.FormatBool(known) + name
	full := s.frames >= maxOpaque || s.bytes >= maxOpaqueBytes
	if full && (s.types[key] || len(s.types) >= maxTypes) {
		return nil
	}
	body := wsv2.Opaque{Event: name, Known: known, Bytes: len(line)}
	if !full {
		body.JSON = s.content(line)
	}
	if s.types == nil {
		s.types = map[string]bool{}
	}
	if len(s.types) < maxTypes {
		s.types[key] = true
	}
	s.frames++
	return []wsv2.Body{body}
}

// content is an event as it is passed on, nil where it is too large or no contract takes
// it.
func (s *strange) content(line []byte) json.RawMessage {
	if len(line) > MaxOpaque {
		return nil
	}
	event, ok := passable(line)
	if !ok {
		return nil
	}
	var sent bytes.Buffer // with the escapes that a frame has
	json.HTMLEscape(&sent, event)
	if s.bytes+sent.Len() > maxOpaqueBytes {
		s.bytes = maxOpaqueBytes
		return nil
	}
	s.bytes += sent.Len()
	return event
}

// typeName is a type as it is named: one word, whatever the runner printed.
func typeName(name string) string {
	name, _ = cut(strings.Map(func(c rune) rune {
		if c <= ' ' || c == 0x7f {
			return '_'
		}
		return c
	}, valid(named(name))), maxType)
	return name
}
