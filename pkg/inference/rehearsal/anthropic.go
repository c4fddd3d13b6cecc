package rehearsal

import (
	"net/http"
	"strings"
)

// object is a JSON object of a protocol that is not ours.
type object = map[string]any

func refuseAnthropic(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, anthropicError(status, message))
}

func anthropicError(status int, message string) object {
	kind := "api_error"
	switch status {
	case http.StatusBadRequest:
		kind = "invalid_request_error"
	case http.StatusUnauthorized:
		kind = "authentication_error"
	case http.StatusForbidden:
		kind = "permission_error"
	case http.StatusNotFound:
		kind = "not_found_error"
	case http.StatusTooManyRequests:
		kind = "rate_limit_error"
	case 529:
		kind = "overloaded_error"
	}
	return object{"type": "error", "error": object{"type": kind, "message": message}}
}

func newAnthropic(w http.ResponseWriter, c *conversation, cassette string) wire {
	head := object{
		"id": c.id("msg_", "message"), "type": "message", "role": "assistant",
		"model": "rehearsal/" + cassette, "stop_sequence": nil,
	}
	if c.Stream {
		return &anthropicStream{sse: newSSE(w), head: head, input: tokens(c.Bytes), block: -1}
	}
	return &anthropicWhole{w: w, head: head}
}

// anthropicStream writes the events of a streamed Message.
type anthropicStream struct {
	sse   *sse
	head  object
	input int
	block int    // index of the newest content block
	open  string // its type while it is open
	began bool
}

func (a *anthropicStream) begin() error {
	if a.began {
		return nil
	}
	a.began = true
	a.head["content"], a.head["stop_reason"] = []any{}, nil
	a.head["usage"] = object{"input_tokens": a.input, "output_tokens": 1}
	if err := a.sse.send("message_start", object{"type": "message_start", "message": a.head}); err != nil {
		return err
	}
	return a.sse.send("ping", object{"type": "ping"})
}

func (a *anthropicStream) openBlock(kind string, start object) error {
	if err := a.begin(); err != nil {
		return err
	}
	if a.open == kind && kind == "text" {
		return nil
	}
	if err := a.closeBlock(); err != nil {
		return err
	}
	a.block++
	a.open = kind
	return a.sse.send("content_block_start", object{"type": "content_block_start", "index": a.block, "content_block": start})
}

func (a *anthropicStream) closeBlock() error {
	if a.open == "" {
		return nil
	}
	a.open = ""
	return a.sse.send("content_block_stop", object{"type": "content_block_stop", "index": a.block})
}

func (a *anthropicStream) delta(d object) error {
	return a.sse.send("content_block_delta", object{"type": "content_block_delta", "index": a.block, "delta": d})
}

func (a *anthropicStream) text(delta string) error {
	if err := a.openBlock("text", object{"type": "text", "text": ""}); err != nil {
		return err
	}
	return a.delta(object{"type": "text_delta", "text": delta})
}

func (a *anthropicStream) tool(c call) error {
	err := a.openBlock("tool_use", object{"type": "tool_use", "id": "toolu_" + c.ID, "name": c.Name, "input": object{}})
	if err != nil {
		return err
	}
	for _, part := range words(string(c.Arguments)) {
		if err := a.delta(object{"type": "input_json_delta", "partial_json": part}); err != nil {
			return err
		}
	}
	return a.closeBlock()
}

func (a *anthropicStream) fail(e Error) error {
	return a.sse.send("error", anthropicError(e.Status, e.Message))
}

func (a *anthropicStream) finish(u Usage, tools bool) error {
	if err := a.begin(); err != nil {
		return err
	}
	if err := a.closeBlock(); err != nil {
		return err
	}
	err := a.sse.send("message_delta", object{
		"type":  "message_delta",
		"delta": object{"stop_reason": anthropicStop(tools), "stop_sequence": nil},
		"usage": object{"input_tokens": u.Input, "output_tokens": u.Output},
	})
	if err != nil {
		return err
	}
	return a.sse.send("message_stop", object{"type": "message_stop"})
}

func anthropicStop(tools bool) string {
	if tools {
		return "tool_use"
	}
	return "end_turn"
}

// anthropicWhole collects a Message and writes it at the end.
type anthropicWhole struct {
	w      http.ResponseWriter
	head   object
	blocks []any
	said   strings.Builder // text that is not in a block yet
}

func (a *anthropicWhole) text(delta string) error {
	a.said.WriteString(delta)
	return nil
}

func (a *anthropicWhole) flush() {
	if a.said.Len() > 0 {
		a.blocks = append(a.blocks, object{"type": "text", "text": a.said.String()})
		a.said.Reset()
	}
}

func (a *anthropicWhole) tool(c call) error {
	a.flush()
	a.blocks = append(a.blocks, object{"type": "tool_use", "id": "toolu_" + c.ID, "name": c.Name, "input": c.Arguments})
	return nil
}

func (a *anthropicWhole) fail(e Error) error {
	refuseAnthropic(a.w, e.Status, e.Message)
	return nil
}

func (a *anthropicWhole) finish(u Usage, tools bool) error {
	a.flush()
	a.head["content"], a.head["stop_reason"] = a.blocks, anthropicStop(tools)
	a.head["usage"] = object{"input_tokens": u.Input, "output_tokens": u.Output}
	writeJSON(a.w, http.StatusOK, a.head)
	return nil
}
