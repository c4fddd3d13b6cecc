package modeltest

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/vexa-ai/vexa/pkg/agent/model"
)

func quote(s string) string {
	b, _ := json.Marshal(s) // a string always encodes
	return string(b)
}

// AnthropicMessages encodes a script as the event stream that the Anthropic
// Messages API documents.
func AnthropicMessages(s Script) string {
	var out strings.Builder
	event := func(kind, format string, args ...any) {
		fmt.Fprintf(&out, "event: %s\ndata: %s\n\n", kind, fmt.Sprintf(format, args...))
	}
	event("message_start", `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"m","stop_reason":null,"usage":{"input_tokens":%d,"output_tokens":1}}}`, s.Usage.InputTokens)
	event("ping", `{"type":"ping"}`)
	index := 0
	block := func(start string, deltas ...string) {
		event("content_block_start", `{"type":"content_block_start","index":%d,"content_block":%s}`, index, start)
		for _, d := range deltas {
			event("content_block_delta", `{"type":"content_block_delta","index":%d,"delta":%s}`, index, d)
		}
		event("content_block_stop", `{"type":"content_block_stop","index":%d}`, index)
		index++
	}
	deltas := func(kind, member string, pieces []string) (out []string) {
		for _, p := range pieces {
			out = append(out, fmt.Sprintf(`{"type":"%s","%s":%s}`, kind, member, quote(p)))
		}
		return out
	}
	if len(s.Reasoning) > 0 {
		block(`{"type":"thinking","thinking":""}`, deltas("thinking_delta", "thinking", s.Reasoning)...)
	}
	if len(s.Text) > 0 {
		block(`{"type":"text","text":""}`, deltas("text_delta", "text", s.Text)...)
	}
	for _, c := range s.Calls {
		block(fmt.Sprintf(`{"type":"tool_use","id":%s,"name":%s,"input":{}}`, quote(c.ID), quote(c.Name)), deltas("input_json_delta", "partial_json", c.Pieces)...)
	}
	switch {
	case s.Broken:
	case s.Error != "":
		event("error", `{"type":"error","error":{"type":"overloaded_error","message":%s}}`, quote(s.Error))
	default:
		reason := map[model.Stop]string{model.StopEnd: "end_turn", model.StopTools: "tool_use", model.StopLength: "max_tokens"}[s.Stop]
		event("message_delta", `{"type":"message_delta","delta":{"stop_reason":%s,"stop_sequence":null},"usage":{"output_tokens":%d}}`, quote(reason), s.Usage.OutputTokens)
		event("message_stop", `{"type":"message_stop"}`)
	}
	if s.Usage.OutputTokens == 0 {
		return strings.Replace(out.String(), `"output_tokens":1`, `"output_tokens":0`, 1)
	}
	return out.String()
}

// OpenAIChat encodes a script as the event stream that the OpenAI Chat
// Completions API documents.
func OpenAIChat(s Script) string {
	var out strings.Builder
	chunk := func(format string, args ...any) {
		fmt.Fprintf(&out, "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",%s}\n\n", fmt.Sprintf(format, args...))
	}
	delta := func(format string, args ...any) {
		chunk(`"choices":[{"index":0,"finish_reason":null,"delta":{%s}}]`, fmt.Sprintf(format, args...))
	}
	delta(`"role":"assistant","content":""`)
	for _, p := range s.Reasoning {
		delta(`"reasoning_content":%s`, quote(p))
	}
	for _, p := range s.Text {
		delta(`"content":%s`, quote(p))
	}
	for i, c := range s.Calls {
		delta(`"tool_calls":[{"index":%d,"id":%s,"type":"function","function":{"name":%s,"arguments":""}}]`, i, quote(c.ID), quote(c.Name))
		for _, p := range c.Pieces {
			delta(`"tool_calls":[{"index":%d,"function":{"arguments":%s}}]`, i, quote(p))
		}
	}
	switch {
	case s.Broken:
	case s.Error != "":
		fmt.Fprintf(&out, "data: {\"error\":{\"message\":%s,\"type\":\"server_error\",\"code\":null}}\n\n", quote(s.Error))
	default:
		reason := map[model.Stop]string{model.StopEnd: "stop", model.StopTools: "tool_calls", model.StopLength: "length"}[s.Stop]
		chunk(`"choices":[{"index":0,"finish_reason":%s,"delta":{}}]`, quote(reason))
		chunk(`"choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":0}`, s.Usage.InputTokens, s.Usage.OutputTokens)
		out.WriteString("data: [DONE]\n\n")
	}
	return out.String()
}
