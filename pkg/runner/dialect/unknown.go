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

// event reads a line into an event, or counts it and keeps it as what was printed last.
func (r *Result) event(line []byte, e any) bool {
	if bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte("{")) && json.Unmarshal(line, e) == nil {
		return true
	}
	r.Noise, _ = cut(valid(string(line)), maxNoise)
	r.Unknown++
	return false
}

// unknown counts an event of a type that the dialect does not know. A turn goes on
// without it; that there are such is said at the end.
func (r *Result) unknown(name string) {
	r.Unknown++
	name, _ = cut(strings.Map(func(c rune) rune {
		if c <= ' ' || c == ',' || c == 0x7f {
			return '_'
		}
		return c
	}, valid(named(name))), maxType)
	if len(r.Types) < maxTypes && !slices.Contains(r.Types, name) {
		r.Types = append(r.Types, name)
	}
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
