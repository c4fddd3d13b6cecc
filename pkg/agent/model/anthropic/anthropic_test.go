package anthropic_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/vexa-ai/vexa/pkg/agent/model"
	"github.com/vexa-ai/vexa/pkg/agent/model/anthropic"
	"github.com/vexa-ai/vexa/pkg/agent/model/modeltest"
)

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	modeltest.Run(t, modeltest.Protocol{
		Path:   "/v1/messages",
		New:    func(c *http.Client, base, token, name string) model.Model { return anthropic.New(c, base, token, name) },
		Encode: modeltest.AnthropicMessages,
		Token:  func(h http.Header) string { return h.Get("X-Api-Key") },
		Error: func(code, message string) string {
			return fmt.Sprintf(`{"type":"error","error":{"type":%s,"message":%s},"request_id":"r"}`, quote(code), quote(message))
		},
		Request: `{
  "model": "the-model", "max_tokens": 100, "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}], "stream": true,
  "messages": [
    {"role": "user", "content": [{"type": "text", "text": "first"}, {"type": "text", "text": "second"}]},
    {"role": "assistant", "content": [
      {"type": "text", "text": "let me look"},
      {"type": "tool_use", "id": "c1", "name": "read", "input": {"path": "a"}},
      {"type": "tool_use", "id": "c2", "name": "list", "input": {}}
    ]},
    {"role": "user", "content": [
      {"type": "tool_result", "tool_use_id": "c1", "content": "text of a"},
      {"type": "tool_result", "tool_use_id": "c2", "content": "error: no", "is_error": true}
    ]},
    {"role": "assistant", "content": [{"type": "text", "text": "a says so"}]},
    {"role": "user", "content": [{"type": "text", "text": "thanks", "cache_control": {"type": "ephemeral"}}]}
  ],
  "tools": [{"name": "read", "description": "Read.", "input_schema": {"type": "object"}}]
}`,
	})
}
