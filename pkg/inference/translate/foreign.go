package translate

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/internal/jsoncut"
)

// Native returns the conversation of a request, its "messages", "input" or "contents",
// without reasoning that came from a provider of another protocol, and how much of it
// there was. A session that changes its model has some; the provider that speaks the
// client's own protocol can read none of it and refuses it. The model is the one that is
// asked now.
//
// The list is valid JSON; it is returned as it is where there is none.
func Native(protocol inference.Protocol, model string, list []byte) ([]byte, int) {
	mark := `"` + carried
	if protocol == ownGemini {
		mark = `"` + carriedBytes
	}
	if !bytes.Contains(list, []byte(mark)) {
		return list, 0
	}
	switch protocol {
	case ownMessages:
		return eachNative(list, nativeMessage)
	case ownGemini:
		former := geminiFormer(model)
		return eachNative(list, func(content []byte) ([]byte, int) { return nativeContent(content, former) })
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

func eachNative(list []byte, native func(element []byte) ([]byte, int)) ([]byte, int) {
	dropped := 0
	out, _ := filtered(list, func(element []byte) []byte {
		kept, n := native(element)
		dropped += n
		return kept
	})
	return out, dropped
}

// nativeMessage is a message without what its content has of it, nil where that is
// all.
func nativeMessage(message []byte) ([]byte, int) {
	dropped, all := 0, false
	out := edited(message, "content", func(content []byte) []byte {
		content, dropped = filtered(content, func(block []byte) []byte {
			if isForeign(block, "thinking", "signature") || isForeign(block, "redacted_thinking", "data") {
				return nil
			}
			return block
		})
		all = dropped > 0 && string(content) == "[]"
		return content
	})
	if all {
		return nil, dropped
	}
	return out, dropped
}

// nativeContent is a content without the signatures of its parts that are of it. A call
// has one that says that it has none, where the model is none of the former.
func nativeContent(content []byte, former bool) ([]byte, int) {
	dropped := 0
	out := edited(content, "parts", func(parts []byte) []byte {
		parts, _ = filtered(parts, func(part []byte) []byte {
			calls := false // what is to say that it is not signed
			for m := range jsoncut.Members(part) {
				calls = calls || m.Name == "functionCall" && !former
			}
			return edited(part, "thoughtSignature", func(value []byte) []byte {
				var signature string
				if json.Unmarshal(value, &signature) != nil || geminiTaken(signature).Origin == ownGemini {
					return value
				}
				dropped++
				if !calls {
					return nil
				}
				return []byte(`"` + unsigned + `"`)
			})
		})
		return parts
	})
	return out, dropped
}

// edited is an object with what f returns for a member, and without it where that is
// nothing. Anything but an object stays as it is.
func edited(object []byte, name string, f func(value []byte) []byte) []byte {
	if trimmed := bytes.TrimSpace(object); len(trimmed) == 0 || trimmed[0] != '{' {
		return object
	}
	out := append(make([]byte, 0, len(object)), '{')
	for m := range jsoncut.Members(object) {
		value := m.Value
		if m.Name == name {
			if value = f(value); value == nil {
				continue
			}
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, m.Raw...), ':'), value...)
	}
	return append(out, '}')
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
