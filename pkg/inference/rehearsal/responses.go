package rehearsal

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// responsesRequest is what is used of a request of openai-responses.
// Source: https://platform.openai.com/docs/api-reference/responses.
type responsesRequest struct {
	Model  string         `json:"model"`
	Stream bool           `json:"stream"`
	Input  responsesInput `json:"input"`
	Tools  []struct {
		Type       string `json:"type"`
		Name       string `json:"name"`
		Parameters schema `json:"parameters"`
	} `json:"tools"`
}

// responsesInput is a text, or a list of items.
type responsesInput []responsesItem

// UnmarshalJSON reads either.
func (in *responsesInput) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		var text string
		err := json.Unmarshal(data, &text)
		*in = responsesInput{{Role: "user", Content: content{[]block{{Type: "text", Text: text}}}}}
		return err
	}
	var list []responsesItem
	err := json.Unmarshal(data, &list)
	*in = list
	return err
}

type responsesItem struct {
	Type    string  `json:"type"` // a message may leave it out
	Role    string  `json:"role"`
	Content content `json:"content"`
	Output  content `json:"output"` // of a function_call_output
}

// readResponses takes a request of that protocol apart.
func readResponses(body []byte) (*conversation, error) {
	var r responsesRequest
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, errors.New("the request is not JSON of the form that this protocol has")
	}
	c := &conversation{Model: r.Model, Stream: r.Stream, Bytes: len(body), digest: sha256.Sum256(body)}
	for _, t := range r.Tools {
		if t.Type == "function" {
			c.Tools = append(c.Tools, offered{Name: t.Name, Properties: t.Parameters.Properties})
		}
	}
	for _, item := range r.Input {
		switch {
		case item.Type == "function_call_output":
			c.returned(item.Output.said())
		case item.Role == "user":
			c.said(item.Content.said())
		}
	}
	if c.Users == 0 && !c.HasResult {
		return nil, errors.New("the request holds no user message")
	}
	return c, nil
}

// said is the text of a content whose blocks are input_text, output_text or text.
func (c content) said() string {
	var parts []string
	for _, b := range c.Blocks {
		if b.Type == "text" || strings.HasSuffix(b.Type, "_text") {
			parts = append(parts, b.Text)
		}
	}
	return strings.Join(parts, "\n")
}

func newResponses(w http.ResponseWriter, c *conversation, cassette string) *responses {
	head := object{"id": c.id("resp_", "response"), "object": "response", "created_at": 0, "model": "rehearsal/" + cassette, "status": "in_progress", "output": []any{}}
	r := &responses{w: w, head: head, message: c.id("msg_", "message")}
	if c.Stream {
		r.sse = newSSE(w)
	}
	return r
}

// responses writes an answer as a stream of events, or whole at its end.
type responses struct {
	w       http.ResponseWriter
	sse     *sse // nil: not streamed
	head    object
	message string // id of messages, before their index
	output  []any  // items that are complete
	said    strings.Builder
	open    bool // a message is
	began   bool
	err     error // the client has gone
}

// event sends one, where the answer is streamed.
func (r *responses) event(kind string, more object) {
	if r.sse == nil || r.err != nil {
		return
	}
	if !r.began {
		r.began = true
		r.event("response.created", object{"response": r.head})
	}
	more["type"] = kind
	r.err = r.sse.send(kind, more)
}

func (r *responses) text(delta string) error {
	at := len(r.output)
	if !r.open {
		r.open = true
		r.event("response.output_item.added", object{"output_index": at, "item": r.item("in_progress", []any{})})
		r.event("response.content_part.added", object{"item_id": r.message, "output_index": at, "content_index": 0, "part": part("")})
	}
	r.said.WriteString(delta)
	r.event("response.output_text.delta", object{"item_id": r.message, "output_index": at, "content_index": 0, "delta": delta})
	return r.err
}

func part(text string) object {
	return object{"type": "output_text", "text": text, "annotations": []any{}}
}

func (r *responses) item(status string, content []any) object {
	return object{"id": r.message, "type": "message", "status": status, "role": "assistant", "content": content}
}

// close ends the message that is open.
func (r *responses) close() {
	if !r.open {
		return
	}
	r.open = false
	at, whole := len(r.output), part(r.said.String())
	r.event("response.output_text.done", object{"item_id": r.message, "output_index": at, "content_index": 0, "text": r.said.String()})
	r.event("response.content_part.done", object{"item_id": r.message, "output_index": at, "content_index": 0, "part": whole})
	r.done(r.item("completed", []any{whole}))
	r.said.Reset()
}

// done ends an item.
func (r *responses) done(item object) {
	r.event("response.output_item.done", object{"output_index": len(r.output), "item": item})
	r.output = append(r.output, item)
}

func (r *responses) tool(c call) error {
	r.close()
	at, id := len(r.output), "fc_"+c.ID
	item := func(status, arguments string) object {
		return object{"id": id, "type": "function_call", "status": status, "call_id": "call_" + c.ID, "name": c.Name, "arguments": arguments}
	}
	r.event("response.output_item.added", object{"output_index": at, "item": item("in_progress", "")})
	for _, piece := range words(string(c.Arguments)) {
		r.event("response.function_call_arguments.delta", object{"item_id": id, "output_index": at, "delta": piece})
	}
	r.event("response.function_call_arguments.done", object{"item_id": id, "output_index": at, "arguments": string(c.Arguments)})
	r.done(item("completed", string(c.Arguments)))
	return r.err
}

func (r *responses) fail(e Error) error {
	if r.sse == nil {
		refuseOpenAI(r.w, e.Status, e.Message)
		return nil
	}
	r.head["status"], r.head["error"] = "failed", object{"code": "server_error", "message": e.Message}
	r.event("response.failed", object{"response": r.head})
	return r.err
}

func (r *responses) finish(u Usage, _ bool) error {
	r.close()
	r.head["status"], r.head["output"] = "completed", r.output
	r.head["usage"] = object{"input_tokens": u.Input, "output_tokens": u.Output, "total_tokens": u.Input + u.Output}
	if r.sse == nil {
		writeJSON(r.w, http.StatusOK, r.head)
		return nil
	}
	r.event("response.completed", object{"response": r.head})
	return r.err
}
