package rehearsal

import (
	"net/http"
	"strings"
)

// fingerprint is the system_fingerprint of every openai-chat answer.
const fingerprint = "rehearsal"

func refuseOpenAI(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, openAIError(status, message))
}

func openAIError(status int, message string) object {
	kind := "server_error"
	switch {
	case status == http.StatusTooManyRequests:
		kind = "rate_limit_error"
	case status < http.StatusInternalServerError:
		kind = "invalid_request_error"
	}
	return object{"error": object{"message": message, "type": kind, "param": nil, "code": nil}}
}

func newOpenAI(w http.ResponseWriter, c *conversation, cassette string) wire {
	head := object{
		"id": c.id("chatcmpl-", "completion"), "created": 0,
		"model": "rehearsal/" + cassette, "system_fingerprint": fingerprint,
	}
	if c.Stream {
		head["object"] = "chat.completion.chunk"
		return &openAIStream{sse: newSSE(w), head: head, usage: c.IncludeUsage}
	}
	head["object"] = "chat.completion"
	return &openAIWhole{w: w, head: head}
}

// openAIStream writes the chunks of a streamed completion.
type openAIStream struct {
	sse   *sse
	head  object
	usage bool // the request asks for a chunk with the usage
	began bool
	calls int
}

func (o *openAIStream) chunk(delta object, finish any) error {
	if !o.began {
		o.began = true
		if err := o.chunk(object{"role": "assistant", "content": ""}, nil); err != nil {
			return err
		}
	}
	o.head["choices"] = []any{object{"index": 0, "delta": delta, "logprobs": nil, "finish_reason": finish}}
	return o.sse.send("", o.head)
}

func (o *openAIStream) text(delta string) error {
	return o.chunk(object{"content": delta}, nil)
}

func (o *openAIStream) tool(c call) error {
	index := o.calls
	o.calls++
	err := o.chunk(object{"tool_calls": []any{object{
		"index": index, "id": "call_" + c.ID, "type": "function", "function": object{"name": c.Name, "arguments": ""},
	}}}, nil)
	for _, part := range words(string(c.Arguments)) {
		if err != nil {
			return err
		}
		err = o.chunk(object{"tool_calls": []any{object{"index": index, "function": object{"arguments": part}}}}, nil)
	}
	return err
}

func (o *openAIStream) fail(e Error) error {
	return o.sse.send("", openAIError(e.Status, e.Message))
}

func (o *openAIStream) finish(u Usage, tools bool) error {
	if err := o.chunk(object{}, openAIStop(tools)); err != nil {
		return err
	}
	if o.usage {
		o.head["choices"], o.head["usage"] = []any{}, openAIUsage(u)
		if err := o.sse.send("", o.head); err != nil {
			return err
		}
	}
	return o.sse.raw("", []byte("[DONE]"))
}

func openAIStop(tools bool) string {
	if tools {
		return "tool_calls"
	}
	return "stop"
}

func openAIUsage(u Usage) object {
	return object{"prompt_tokens": u.Input, "completion_tokens": u.Output, "total_tokens": u.Input + u.Output}
}

// openAIWhole collects a completion and writes it at the end.
type openAIWhole struct {
	w     http.ResponseWriter
	head  object
	said  strings.Builder
	calls []any
}

func (o *openAIWhole) text(delta string) error {
	o.said.WriteString(delta)
	return nil
}

func (o *openAIWhole) tool(c call) error {
	o.calls = append(o.calls, object{
		"id": "call_" + c.ID, "type": "function", "function": object{"name": c.Name, "arguments": string(c.Arguments)},
	})
	return nil
}

func (o *openAIWhole) fail(e Error) error {
	refuseOpenAI(o.w, e.Status, e.Message)
	return nil
}

func (o *openAIWhole) finish(u Usage, tools bool) error {
	message := object{"role": "assistant", "content": o.said.String(), "refusal": nil}
	if o.said.Len() == 0 {
		message["content"] = nil
	}
	if tools {
		message["tool_calls"] = o.calls
	}
	o.head["choices"] = []any{object{"index": 0, "message": message, "logprobs": nil, "finish_reason": openAIStop(tools)}}
	o.head["usage"] = openAIUsage(u)
	writeJSON(o.w, http.StatusOK, o.head)
	return nil
}
