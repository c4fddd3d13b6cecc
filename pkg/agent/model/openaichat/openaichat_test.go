package openaichat_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/agent/model"
	"github.com/vexa-ai/vexa/pkg/agent/model/modeltest"
	"github.com/vexa-ai/vexa/pkg/agent/model/openaichat"
)

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func protocol(encode func(modeltest.Script) string) modeltest.Protocol {
	return modeltest.Protocol{
		Path: "/v1/chat/completions", Base: "/v1",
		New: func(c *http.Client, base, token, name string) model.Model {
			return openaichat.New(c, base, token, name)
		},
		Encode: encode,
		Token:  func(h http.Header) string { return strings.TrimPrefix(h.Get("Authorization"), "Bearer ") },
		Error: func(code, message string) string {
			return fmt.Sprintf(`{"error":{"message":%s,"type":%s,"code":400}}`, quote(message), quote(code))
		},
		Request: `{
  "model": "the-model", "stream": true, "stream_options": {"include_usage": true},
  "messages": [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": "first"},
    {"role": "user", "content": "second"},
    {"role": "assistant", "content": "let me look", "tool_calls": [
      {"id": "c1", "type": "function", "function": {"name": "read", "arguments": "{\"path\":\"a\"}"}},
      {"id": "c2", "type": "function", "function": {"name": "list", "arguments": "{}"}}
    ]},
    {"role": "tool", "content": "text of a", "tool_call_id": "c1"},
    {"role": "tool", "content": "error: no", "tool_call_id": "c2"},
    {"role": "assistant", "content": "a says so"},
    {"role": "user", "content": "thanks"}
  ],
  "tools": [{"type": "function", "function": {"name": "read", "description": "Read.", "parameters": {"type": "object"}}}]
}`,
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	modeltest.Run(t, protocol(modeltest.OpenAIChat))
}

// Some servers leave the index of tool calls out and send each call whole.
func TestServersWithoutIndex(t *testing.T) {
	t.Parallel()
	body := `data: {"choices":[{"delta":{"tool_calls":[{"id":"a","type":"function","function":{"name":"read","arguments":"{\"path\":\"x\"}"}}]}}]}

data: {"choices":[{"delta":{"tool_calls":[{"id":"b","type":"function","function":{"name":"list","arguments":"{}"}}]},"finish_reason":"stop"}]}

data: [DONE]

`
	want := []model.Call{
		{ID: "a", Name: "read", Arguments: json.RawMessage(`{"path":"x"}`)},
		{ID: "b", Name: "list", Arguments: json.RawMessage(`{}`)},
	}
	got := modeltest.Play(t, protocol(func(modeltest.Script) string { return body }))
	if diff := cmp.Diff(want, got.Message.Calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}
