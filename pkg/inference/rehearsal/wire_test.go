package rehearsal_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/inference/rehearsal"
)

type object = map[string]any

// a message in either protocol.
type said struct {
	role, text string
	call       string // assistant: the id of a tool it calls
	result     bool   // user: text is the result of it
}

func ask(text string) []said { return []said{{role: "user", text: text}} }

// tools offers tools with the given argument names.
func tools(protocol string, offered map[string][]string) []any {
	var out []any
	for name, args := range offered {
		properties := object{}
		for _, a := range args {
			properties[a] = object{"type": "string"}
		}
		schema := object{"type": "object", "properties": properties}
		if protocol == anthropic {
			out = append(out, object{"name": name, "input_schema": schema})
		} else {
			out = append(out, object{"type": "function", "function": object{"name": name, "parameters": schema}})
		}
	}
	return out
}

const (
	anthropic = "/v1/messages"
	openai    = "/v1/chat/completions"
)

func body(protocol string, stream bool, conversation []said, offered map[string][]string) []byte {
	messages := []any{}
	if protocol == openai {
		messages = append(messages, object{"role": "system", "content": "be kind"})
	}
	for _, m := range conversation {
		switch {
		case m.call != "" && protocol == anthropic:
			messages = append(messages, object{"role": "assistant", "content": []any{object{"type": "tool_use", "id": m.call, "name": "x", "input": object{}}}})
		case m.call != "":
			messages = append(messages, object{"role": "assistant", "content": nil, "tool_calls": []any{object{"id": m.call, "type": "function", "function": object{"name": "x", "arguments": "{}"}}}})
		case m.result && protocol == anthropic:
			messages = append(messages, object{"role": "user", "content": []any{object{"type": "tool_result", "tool_use_id": "c", "content": []any{object{"type": "text", "text": m.text}}}}})
		case m.result:
			messages = append(messages, object{"role": "tool", "tool_call_id": "c", "content": m.text})
		default:
			messages = append(messages, object{"role": m.role, "content": m.text})
		}
	}
	r := object{"model": "rehearsal", "stream": stream, "messages": messages, "max_tokens": 100, "tools": tools(protocol, offered)}
	if protocol == openai && stream {
		r["stream_options"] = object{"include_usage": true}
	}
	data, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return data
}

// reply is an answer, however it came.
type reply struct {
	status        int
	header        http.Header
	id, model     string
	fingerprint   string
	text          string
	pieces        int
	tool          string
	toolID        string
	arguments     string
	stop          string
	input, output float64
	message       string // of an error
}

func post(t *testing.T, h http.Handler, path string, data []byte) reply {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader(data)))
	r := reply{status: w.Code, header: w.Header()}
	if w.Code != http.StatusOK {
		var e struct {
			Error struct{ Message string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
			t.Fatalf("an error that is no JSON: %s", w.Body)
		}
		r.message = e.Error.Message
		return r
	}
	if strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream") {
		for event := range strings.SplitSeq(w.Body.String(), "\n\n") {
			r.event(t, path, event)
		}
		return r
	}
	r.whole(t, path, w.Body.Bytes())
	return r
}

func (r *reply) event(t *testing.T, path, event string) {
	t.Helper()
	event = strings.TrimSpace(event)
	name := ""
	if path == anthropic && event != "" {
		first, rest, _ := strings.Cut(event, "\n")
		name, event = strings.TrimPrefix(first, "event: "), rest
	}
	data, ok := strings.CutPrefix(event, "data: ")
	if event == "" || data == "[DONE]" {
		return
	}
	var e object
	if err := json.Unmarshal([]byte(data), &e); err != nil || !ok {
		t.Fatalf("event %q: %v", event, err)
	}
	if path == openai {
		r.chunk(e)
		return
	}
	if e["type"] != name {
		t.Errorf("event %s says it is %v", name, e["type"])
	}
	switch name {
	case "message_start":
		m := e["message"].(object)
		r.id, r.model = m["id"].(string), m["model"].(string)
		r.input = m["usage"].(object)["input_tokens"].(float64)
	case "content_block_start":
		if b := e["content_block"].(object); b["type"] == "tool_use" {
			r.tool, r.toolID = b["name"].(string), b["id"].(string)
		}
	case "content_block_delta":
		switch d := e["delta"].(object); d["type"] {
		case "text_delta":
			r.text += d["text"].(string)
			r.pieces++
		case "input_json_delta":
			r.arguments += d["partial_json"].(string)
		}
	case "message_delta":
		r.stop = e["delta"].(object)["stop_reason"].(string)
		r.output = e["usage"].(object)["output_tokens"].(float64)
	case "error":
		r.message = e["error"].(object)["message"].(string)
	}
}

func (r *reply) chunk(e object) {
	if m, ok := e["error"].(object); ok {
		r.message = m["message"].(string)
		return
	}
	r.id, r.model, r.fingerprint = e["id"].(string), e["model"].(string), e["system_fingerprint"].(string)
	if u, ok := e["usage"].(object); ok {
		r.input, r.output = u["prompt_tokens"].(float64), u["completion_tokens"].(float64)
	}
	for _, c := range e["choices"].([]any) {
		choice := c.(object)
		d := choice["delta"].(object)
		if s, ok := d["content"].(string); ok && s != "" {
			r.text += s
			r.pieces++
		}
		if calls, ok := d["tool_calls"].([]any); ok {
			call := calls[0].(object)
			f := call["function"].(object)
			if id, ok := call["id"].(string); ok {
				r.toolID, r.tool = id, f["name"].(string)
			}
			r.arguments += f["arguments"].(string)
		}
		if s, ok := choice["finish_reason"].(string); ok {
			r.stop = s
		}
	}
}

func (r *reply) whole(t *testing.T, path string, data []byte) {
	t.Helper()
	var m object
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	r.id, r.model = m["id"].(string), m["model"].(string)
	u := m["usage"].(object)
	if path == openai {
		r.fingerprint = m["system_fingerprint"].(string)
		r.input, r.output = u["prompt_tokens"].(float64), u["completion_tokens"].(float64)
		choice := m["choices"].([]any)[0].(object)
		r.stop = choice["finish_reason"].(string)
		msg := choice["message"].(object)
		r.text, _ = msg["content"].(string)
		if calls, ok := msg["tool_calls"].([]any); ok {
			f := calls[0].(object)["function"].(object)
			r.toolID, r.tool, r.arguments = calls[0].(object)["id"].(string), f["name"].(string), f["arguments"].(string)
		}
		return
	}
	r.input, r.output = u["input_tokens"].(float64), u["output_tokens"].(float64)
	r.stop = m["stop_reason"].(string)
	for _, b := range m["content"].([]any) {
		switch b := b.(object); b["type"] {
		case "text":
			r.text += b["text"].(string)
		case "tool_use":
			input, err := json.Marshal(b["input"])
			if err != nil {
				t.Fatal(err)
			}
			r.toolID, r.tool, r.arguments = b["id"].(string), b["name"].(string), string(input)
		}
	}
}

// way is one of the ways to ask.
type way struct {
	path   string
	stream bool
}

// ways are each protocol, streaming and not.
func ways() map[string]way {
	out := map[string]way{}
	for _, path := range []string{anthropic, openai} {
		for _, stream := range []bool{true, false} {
			out[fmt.Sprintf("%s stream=%t", strings.TrimPrefix(path, "/v1/"), stream)] = way{path, stream}
		}
	}
	return out
}

func serve(t *testing.T, cassette string) *rehearsal.Server {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(cassette), 0o600); err != nil {
		t.Fatal(err)
	}
	return rehearsal.New(path)
}

func shipped(t *testing.T) *rehearsal.Server {
	t.Helper()
	return serve(t, string(rehearsal.Shipped()))
}
