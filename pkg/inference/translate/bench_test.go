package translate

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// BenchmarkRequest is the translation of a request of 60 KB.
func BenchmarkRequest(b *testing.B) {
	words := strings.Repeat("Some words of a prompt, as each agent has it.\n\tif s == \"x\" { run(s) }\n", 9)
	var said, tools []any
	for i := range 20 {
		tools = append(tools, map[string]any{"name": fmt.Sprint("tool_", i), "description": words, "input_schema": map[string]any{"type": "object", "properties": map[string]any{"a": map[string]string{"type": "string", "description": words}}}})
		id := fmt.Sprint("call_", i)
		said = append(said, map[string]any{"role": "user", "content": []any{map[string]string{"type": "text", "text": words}}},
			map[string]any{"role": "assistant", "content": []any{map[string]any{"type": "tool_use", "id": id, "name": "tool_0", "input": map[string]string{"a": "b"}}}},
			map[string]any{"role": "user", "content": []any{map[string]any{"type": "tool_result", "tool_use_id": id, "content": words}}})
	}
	body, err := json.Marshal(map[string]any{"model": "m", "max_tokens": 1, "messages": said, "tools": tools})
	if err != nil {
		b.Fatal(err)
	}
	for _, to := range protocols() {
		if to == ownMessages {
			continue
		}
		b.Run(string(to), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := New(ownMessages, to, body, options()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkStream is the translation of one event.
func BenchmarkStream(b *testing.B) {
	begin := []byte("data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n")
	for _, to := range protocols() {
		if to == ownChat {
			continue
		}
		b.Run(string(to), func(b *testing.B) {
			s := translation(b, to, ownChat).Stream()
			n := 0
			for b.Loop() {
				if n++; n%100_000 == 0 { // within the bound of an answer
					s = translation(b, to, ownChat).Stream()
				}
				if _, err := s.Write(begin); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
