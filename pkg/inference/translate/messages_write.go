package translate

import (
	"strconv"

	"github.com/vexa-ai/vexa/pkg/internal/wirejson"
)

// messagesWriter encodes a streamed answer.
type messagesWriter struct {
	head
	kinds []Item // of the blocks
}

func (messages) writer(h head) writer { return &messagesWriter{head: h} }

type object = map[string]any

func (m *messagesWriter) write(dst []byte, e Event) []byte {
	switch e.Kind {
	case Start:
		m.started(e)
		a := messagesAnswer{
			ID: "msg_" + m.id, Type: "message", Role: "assistant", Model: m.model, Content: []messagesBlock{}, Usage: messagesUsageOf(e.Usage),
		}
		return m.send(dst, "message_start", object{"type": "message_start", "message": a})
	case Begin:
		m.kinds = append(m.kinds, e.Item)
		return m.send(dst, "content_block_start", object{"type": "content_block_start", "index": e.Index, "content_block": m.opening(e.Item)})
	case Delta:
		return m.delta(dst, e)
	case End:
		if k := m.kinds[e.Index]; k.Kind == Reasoning && !m.redacts(k) {
			o := k.Opaque
			if e.Item.Opaque != (Opaque{}) {
				o = e.Item.Opaque
			}
			dst = m.send(dst, "content_block_delta", object{"type": "content_block_delta", "index": e.Index, "delta": object{"type": "signature_delta", "signature": o.carry(ownMessages)}})
		}
		return m.send(dst, "content_block_stop", object{"type": "content_block_stop", "index": e.Index})
	case Finish:
		dst = m.send(dst, "message_delta", object{
			"type":  "message_delta",
			"delta": object{"stop_reason": messagesStop(e.Stop), "stop_sequence": orNull(e.StopSequence)},
			"usage": messagesUsageOf(e.Usage),
		})
		return m.send(dst, "message_stop", object{"type": "message_stop"})
	case Failure:
		return m.send(dst, "error", object{"type": "error", "error": object{"type": "api_error", "message": e.Text}})
	case Spent:
	}
	return dst
}

func (*messagesWriter) send(dst []byte, name string, v any) []byte {
	return send(dst, name, v)
}

// redacts reports whether reasoning has no text, in the protocol's own form.
func (*messagesWriter) redacts(i Item) bool {
	return i.Opaque.Redacted && i.Opaque.Origin == ownMessages
}

func (m *messagesWriter) opening(i Item) any {
	switch {
	case i.Kind == Call:
		return object{"type": "tool_use", "id": messagesID(i.Call.ID), "name": i.Call.Name, "input": object{}}
	case m.redacts(i):
		return object{"type": "redacted_thinking", "data": i.Opaque.Data}
	case i.Kind == Reasoning:
		return object{"type": "thinking", "thinking": "", "signature": ""}
	default:
		return object{"type": "text", "text": ""}
	}
}

// delta writes the event that most of a stream consists of.
func (m *messagesWriter) delta(dst []byte, e Event) []byte {
	kind, member := "text_delta", "text"
	switch k := m.kinds[e.Index]; {
	case k.Kind == Call:
		kind, member = "input_json_delta", "partial_json"
	case m.redacts(k):
		return dst
	case k.Kind == Reasoning:
		kind, member = "thinking_delta", "thinking"
	}
	dst = append(dst, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":"...)
	dst = strconv.AppendInt(dst, int64(e.Index), 10)
	dst = append(append(append(append(append(dst, `,"delta":{"type":"`...), kind...), `","`...), member...), `":`...)
	return append(wirejson.AppendString(dst, e.Text), "}}\n\n"...)
}

func (messages) encodeAnswer(a *Answer, h head) ([]byte, error) {
	h.started(Event{ID: a.ID, Model: a.Model})
	out := messagesAnswer{
		ID: "msg_" + h.id, Type: "message", Role: "assistant", Model: h.model, Content: []messagesBlock{},
		StopReason: new(messagesStop(a.Stop)), Usage: messagesUsageOf(a.Usage),
	}
	if a.StopSequence != "" {
		out.StopSequence = &a.StopSequence
	}
	for _, i := range a.Items {
		if i.Kind == Reasoning {
			out.Content = append(out.Content, i.thinking()) // a client takes what it is given
			continue
		}
		out.Content = append(out.Content, messagesBlocks([]Item{i}, Lost{})...)
	}
	return encode(out)
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
