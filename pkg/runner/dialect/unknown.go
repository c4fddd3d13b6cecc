package dialect

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/wsv1"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// maxTypes is how many types of events that are not known are named, and maxType how
// many bytes of each.
const (
	maxTypes = 8
	maxType  = 64
)

// event reads a line into an event. One that is JSON and does not fit is an event of
// another shape. Any other is none, of whatever dialect: agents print a warning now
// and then, and one that is killed half a line. It is counted, and kept as what was
// printed last.
func (r *Result) event(line []byte, e any) bool {
	object := bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte("{"))
	if object && json.Unmarshal(line, e) == nil {
		return true
	}
	r.Noise, _ = cut(valid(string(line)), maxNoise)
	if !object || !json.Valid(line) {
		r.Unknown++
		return false
	}
	var typed struct {
		Type json.RawMessage `json:"type"`
	}
	_ = json.Unmarshal(line, &typed) // of an object whose members may be anything it cannot fail
	var name string
	if json.Unmarshal(typed.Type, &name) != nil {
		name = "type"
	}
	r.misshapen(name)
	return false
}

// unknown counts an event of a type that the dialect does not know. A turn goes on
// without it; that there are such is said at the end.
func (r *Result) unknown(name string) { r.count(typeName(name)) }

// misshapen counts an event of a type that the dialect knows, of which it could not use
// what it holds.
func (r *Result) misshapen(name string) { r.count(typeName(name) + otherShape) }

const otherShape = " (of another shape)"

func (r *Result) count(name string) {
	r.Unknown++
	if len(r.Types) < maxTypes && !slices.Contains(r.Types, name) {
		r.Types = append(r.Types, name)
	}
}

// typeName is a type as it is named: one word, without the comma that ends it in a list.
func typeName(name string) string {
	name, _ = cut(strings.Map(func(c rune) rune {
		if c <= ' ' || c == ',' || c == 0x7f {
			return '_'
		}
		return c
	}, valid(named(name))), maxType)
	return name
}

// strange begins what is said of such events.
const strange = "the runner printed events that this version of Vexa does not know: "

// drift tells that there were any: a newer version of the agent, most likely.
func (r *Result) drift() []wsv1.Body {
	if len(r.Types) == 0 {
		return nil
	}
	return []wsv1.Body{wsv1.Error{Code: string(fault.Invalid), Message: strange + strings.Join(r.Types, ", ")}}
}

// UnknownTypes returns the types of events that an error body of this package names as
// not known; of any other message none.
func UnknownTypes(message string) []string {
	list, ok := strings.CutPrefix(message, strange)
	if !ok {
		return nil
	}
	return strings.Split(list, ", ")
}
