package dialect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/vexa-ai/vexa/pkg/contract/ijson"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// What one body may hold, in bytes. A reader that wants more has the
// workspace: a frame is for people to follow a turn, not for transport.
const (
	MaxDelta     = 64 << 10  // a longer piece is split
	MaxMessage   = 1 << 20   // a longer answer is cut, and says so
	MaxOutput    = 256 << 10 // a longer tool output is cut and marked as truncated
	MaxArguments = 256 << 10 // longer arguments are replaced by their size
	MaxOpaque    = 64 << 10  // of a longer event that the dialect does not know the size alone is told
	maxName      = 256
	maxNoise     = 512
	maxError     = 4 << 10
)

// valid replaces each byte that is not UTF-8, as JSON would: byte by byte, so
// that the outcome does not depend on where the input was cut.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.Map(func(r rune) rune { return r }, s)
}

// cut shortens s to at most limit bytes without splitting a character.
func cut(s string, limit int) (string, bool) {
	if len(s) <= limit {
		return s, false
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit], true
}

func message(s string) string {
	short, long := cut(s, MaxMessage)
	if !long {
		return s
	}
	return short + moreBytes(len(s)-len(short))
}

func moreBytes(n int) string { return fmt.Sprintf("\n[%d more bytes]", n) }

// pieces splits s into parts of at most MaxDelta bytes.
func pieces(s string, body func(string) wsv2.Body) []wsv2.Body {
	var out []wsv2.Body
	for s != "" {
		part, _ := cut(s, MaxDelta)
		out = append(out, body(part))
		s = s[len(part):]
	}
	return out
}

func delta(s string) wsv2.Body     { return wsv2.MessageDelta{Text: s} }
func reasoning(s string) wsv2.Body { return wsv2.Reasoning{Text: s} }

// named stands in for a name that a runner left out: the contract wants one.
func named(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// callID is the id of a call as it is shown, and kept.
func callID(id string) string {
	id, _ = cut(valid(named(id)), maxName)
	return strings.Clone(id) // a part would hold the whole
}

func toolResult(id string, ok bool, output string) wsv2.Body {
	text, long := cut(valid(output), MaxOutput)
	return wsv2.ToolResult{CallID: callID(id), OK: ok, Output: text, Truncated: long}
}

func toolCall(id, tool string, arguments json.RawMessage) wsv2.Body {
	tool, _ = cut(valid(named(tool)), maxName)
	return wsv2.ToolCall{CallID: callID(id), Tool: tool, Arguments: object(arguments)}
}

// object makes arguments a JSON object of bounded size: what is none is wrapped
// as {"value": …}, what is too large or cannot be passed on is {"bytes": n}.
func object(arguments json.RawMessage) json.RawMessage {
	arguments = bytes.TrimSpace(arguments)
	if len(arguments) == 0 || bytes.Equal(arguments, []byte("null")) {
		return nil
	}
	if len(arguments) > MaxArguments {
		return sizeOf(arguments)
	}
	out, ok := passable(arguments)
	switch {
	case !ok:
		return sizeOf(arguments)
	case out[0] == '{':
		return out
	}
	return append(append([]byte(`{"value":`), out...), '}')
}

func sizeOf(arguments []byte) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"bytes":%d}`, len(arguments)))
}

// passable is a JSON value as the contracts take it, compact: in UTF-8, and I-JSON
// (RFC 7493). Of a member that stands twice the last one counts, as every agent reads
// it, and a number that no double holds is a string of its digits, as the RFC has it. It
// is false for what is no JSON and for what nests deeper than a frame may.
func passable(value []byte) (json.RawMessage, bool) {
	var compact bytes.Buffer
	if json.Compact(&compact, bytes.ToValidUTF8(value, []byte(string(utf8.RuneError)))) != nil {
		return nil, false
	}
	if framed(compact.Bytes()) {
		return compact.Bytes(), true
	}
	dec := json.NewDecoder(&compact)
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return nil, false
	}
	again, err := json.Marshal(numbered(v))
	if err != nil || !framed(again) {
		return nil, false
	}
	return again, true
}

// numbered has strings in the places of numbers that no double holds.
func numbered(v any) any {
	switch v := v.(type) {
	case json.Number:
		if ijson.Check([]byte(v), 0) != nil {
			return v.String()
		}
	case []any:
		for i := range v {
			v[i] = numbered(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = numbered(v[name])
		}
	}
	return v
}

// framed reports whether a value may stand in a member of a reported frame: below the
// report, its frame, and what wraps a value that is no object.
func framed(value []byte) bool { return ijson.Check(value, 3) == nil }

// kinds are the codes an error body may carry, the fallback first.
func kinds() []fault.Kind {
	return []fault.Kind{
		fault.Internal, fault.Usage, fault.Invalid, fault.NotFound, fault.Locked, fault.Conflict,
		fault.Unreachable, fault.Unavailable, fault.Timeout, fault.Denied, fault.Interrupted,
	}
}
