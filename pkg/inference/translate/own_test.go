package translate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/inference"
)

// A request of our own is written in each protocol, at its own path.
func TestEncode(t *testing.T) {
	t.Parallel()
	r := &Request{Model: "m", Stream: true, MaxTokens: 99, Items: []Item{
		{Role: System, Kind: Text, Text: "be brief"},
		{Role: User, Kind: Text, Text: "look"},
		{Role: User, Kind: Image, Media: Media{Type: "image/png", Data: "AAAA"}},
		{Role: Assistant, Kind: Reasoning, Opaque: Opaque{Origin: ownGemini, Data: "sig", Redacted: true}},
		{Role: Assistant, Kind: Call, Call: ToolCall{ID: "call_1", Name: "see", Arguments: `{"a":1}`}},
		{Role: User, Kind: Result, Result: ToolResult{CallID: "call_1", Content: []Item{{Role: User, Kind: Text, Text: "seen"}}}},
	}, Tools: []Tool{{Name: "see", Schema: json.RawMessage(`{"type":"object"}`)}}, Choice: ToolChoice{Mode: ChooseTool, Name: "see"}}
	for protocol, want := range map[inference.Protocol][]string{
		ownMessages:  {"messages", `"max_tokens":99`, `"type":"tool_use"`, `"media_type":"image/png"`},
		ownResponses: {"responses", `"max_output_tokens":99`, `"type":"function_call_output"`, `"store":false`},
		ownChat:      {"chat/completions", `"max_completion_tokens":99`, `"role":"tool"`, `"include_usage":true`},
		ownGemini: {
			"models/m:streamGenerateContent?alt=sse", `"generationConfig":{"maxOutputTokens":99}`, `"systemInstruction":{"parts":[{"text":"be brief"}]}`,
			`{"role":"user","parts":[{"text":"look"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}`,
			`{"role":"model","parts":[{"thoughtSignature":"sig","functionCall":{"id":"call_1","name":"see","args":{"a":1}}}]}`,
			`{"role":"user","parts":[{"functionResponse":{"id":"call_1","name":"see","response":{"output":"seen"}}}]}`,
			`"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["see"]}}`, `"functionDeclarations":[{"name":"see","parametersJsonSchema":{"type":"object"}}]`,
		},
	} {
		path, body, err := Encode(protocol, r, true)
		if err != nil || path != want[0] || !json.Valid(body) {
			t.Fatalf("%s: %s, %v", protocol, path, err)
		}
		for _, w := range want[1:] {
			if !strings.Contains(string(body), w) {
				t.Errorf("%s: %q is not in %s", protocol, w, body)
			}
		}
	}
	if _, _, err := Encode(inference.Rehearsal, r, false); !fault.Is(err, fault.Invalid) {
		t.Errorf("a rehearsal is asked in %v", err)
	}
}

// An answer to it is read as a stream and as a whole, to where it breaks.
func TestReadGemini(t *testing.T) {
	t.Parallel()
	const pieces = `data: {"candidates":[{"content":{"parts":[{"text":"hm","thought":true}]}}]}` + "\n\n" +
		`data: {"candidates":[{"content":{"parts":[{"text":"I "},{"text":"look."}]}}]}` + "\n\n" +
		`data: {"candidates":[{"content":{"parts":[{"functionCall":{"id":"x","name":"see","args":{"a": 1}},"thoughtSignature":"sig"}]}}]}` + "\n\n"
	const end = `data: {"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":20,"candidatesTokenCount":9,"thoughtsTokenCount":3}}` + "\n\n"
	const want = "[reasoning hm  text I look.  reasoning   sig  call  see({\"a\":1})] tool {20 0 0 12 3 true}"
	show := func(a *Answer) string {
		var items []string
		for _, i := range a.Items {
			call := ""
			if i.Kind == Call {
				call = i.Call.Name + "(" + i.Call.Arguments + ")"
			}
			items = append(items, strings.TrimRight(fmt.Sprintf("%s %s %s %s", i.Kind, i.Text, call, i.Opaque.Data), " "))
		}
		return fmt.Sprintf("[%s] %s %v", strings.Join(items, "  "), a.Stop, a.Usage)
	}
	deltas := 0
	a, err := ReadStream(ownGemini, strings.NewReader(pieces+end), func(e Event) {
		if e.Kind == Delta {
			deltas++
		}
	})
	if err != nil || show(a) != want || deltas != 4 {
		t.Errorf("%s, %v, in %d pieces", show(a), err, deltas)
	}
	a, err = ReadStream(ownGemini, strings.NewReader(pieces), func(Event) {})
	if !errors.Is(err, ErrCutShort) || len(a.Items) != 4 || a.Items[1].Text != "I look." {
		t.Errorf("a stream that was cut short: %s, %v", show(a), err)
	}
	whole := strings.NewReplacer("data: ", "", "\n\n", "").Replace(`{"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"I look."},` +
		`{"functionCall":{"id":"x","name":"see","args":{"a":1}},"thoughtSignature":"sig"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":20,"candidatesTokenCount":9,"thoughtsTokenCount":3}}`)
	if a, err := ReadWhole(ownGemini, []byte(whole)); err != nil || show(a) != want {
		t.Errorf("%+v, %v", a, err)
	}
	for text, want := range map[string]string{
		`{"error":{"message":"quota"}}`: "quota", `{"candidates":[]}`: "not of the form", `[]`: "not of the form", `x`: "not of the form",
	} {
		if _, err := ReadWhole(ownGemini, []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if a, err := ReadWhole(ownGemini, []byte(`{"promptFeedback":{"blockReason":"SAFETY"}}`)); err != nil || a.Stop != StopRefusal {
		t.Errorf("%+v, %v", a, err)
	}
}

// FuzzOwn: whatever a provider answers to a request of our own, in pieces of any
// size, it is an answer or an error; its pieces are those of the answer.
func FuzzOwn(f *testing.F) {
	for _, text := range []string{
		"", "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hi\"}]},\"finishReason\":\"STOP\"}]}\n\n",
		"data: {\"choices\":[{\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
		"data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"a\"}}\n\ndata: {\"type\":\"message_stop\"}\n\n",
		"data: {\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"type\":\"message\"}}\n\ndata: {\"type\":\"response.completed\"}\n\n",
	} {
		f.Add([]byte(text), 3)
	}
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		for _, protocol := range protocols() {
			var said int
			a, err := ReadStream(protocol, &piecemeal{data: data, size: max(size, 1)}, func(e Event) {
				if e.Kind == Delta {
					said += len(e.Text)
				}
			})
			var kept int
			for _, i := range a.Items {
				kept += len(i.Text) + len(i.Call.Arguments)
			}
			if said != kept {
				t.Errorf("%s: %d bytes came and %d are in the answer (%v)", protocol, said, kept, err)
			}
			if a, err := ReadWhole(protocol, data); (a == nil) == (err == nil) {
				t.Errorf("%s: %v, %v", protocol, a, err)
			}
		}
	})
}

// piecemeal is a reader that returns so many bytes at once.
type piecemeal struct {
	data []byte
	size int
}

func (p *piecemeal) Read(b []byte) (int, error) {
	n, err := bytes.NewReader(p.data).Read(b[:min(len(b), p.size)])
	p.data = p.data[n:]
	return n, err
}
