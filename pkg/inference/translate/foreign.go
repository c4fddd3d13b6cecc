package translate

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/internal/jsoncut"
)

// Native returns the conversation of a request, its "messages" or "input", without
// reasoning that came from a provider of another protocol, and how much of it there
// was. A session that changes its model has some; the provider that speaks the
// client's own protocol can read none of it and refuses it.
//
// The list is valid JSON; it is returned as it is where there is none.
func Native(protocol inference.Protocol, list []byte) ([]byte, int) {
	if !bytes.Contains(list, []byte(`"`+carried)) {
		return list, 0
	}
	switch protocol {
	case ownMessages:
		dropped := 0
		out, _ := filtered(list, func(message []byte) []byte {
			kept, n := nativeMessage(message)
			dropped += n
			return kept
		})
		return out, dropped
	case ownResponses:
		return filtered(list, func(item []byte) []byte {
			if isForeign(item, "reasoning", "encrypted_content") {
				return nil
			}
			return item
		})
	default:
		return list, 0 // whose clients give none back
	}
}

// nativeMessage is a message without what its content has of it, nil where that is
// all.
func nativeMessage(message []byte) ([]byte, int) {
	out := append(make([]byte, 0, len(message)), '{')
	dropped := 0
	for m := range jsoncut.Members(message) {
		value := m.Value
		if m.Name == "content" {
			value, dropped = filtered(value, func(block []byte) []byte {
				if isForeign(block, "thinking", "signature") || isForeign(block, "redacted_thinking", "data") {
					return nil
				}
				return block
			})
			if dropped > 0 && string(value) == "[]" {
				return nil, dropped
			}
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, m.Raw...), ':'), value...)
	}
	if dropped == 0 {
		return message, 0
	}
	return append(out, '}'), dropped
}

// filtered is a list of what f returns for its elements, and how many it returned
// nothing for. Anything but a list stays as it is.
func filtered(list []byte, f func(element []byte) []byte) ([]byte, int) {
	if trimmed := bytes.TrimSpace(list); len(trimmed) == 0 || trimmed[0] != '[' {
		return list, 0
	}
	out := append(make([]byte, 0, len(list)), '[')
	dropped := 0
	for element := range jsoncut.Elements(list) {
		kept := f(element)
		if kept == nil {
			dropped++
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, kept...)
	}
	return append(out, ']'), dropped
}

// isForeign reports whether an element is of a type and has in a member what carry
// wrote of another protocol's.
func isForeign(element []byte, kind, member string) bool {
	var is, holds bool
	for m := range jsoncut.Members(element) {
		var s string
		if m.Name != "type" && m.Name != member || json.Unmarshal(m.Value, &s) != nil {
			continue
		}
		is = is || m.Name == "type" && s == kind
		holds = holds || m.Name == member && strings.HasPrefix(s, carried)
	}
	return is && holds
}
