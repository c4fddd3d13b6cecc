package translate

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/internal/jsoncut"
)

// signatures are those of the calls in a request, "" for each without.
func signatures(t *testing.T, body []byte) []string {
	t.Helper()
	var r geminiRequest
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range r.Contents {
		for _, p := range c.Parts {
			if p.Call != nil {
				out = append(out, p.Signature)
			}
		}
	}
	return out
}

// The newer models refuse the first call of a step without its signature: it is given back
// where the client gives its reasoning back, and else it is said that there is none. The
// former models are told nothing that they do not know.
func TestCallsAreSigned(t *testing.T) {
	t.Parallel()
	stream, err := os.ReadFile("testdata/streams/turn.gemini.sse")
	if err != nil {
		t.Fatal(err)
	}
	for client, first := range map[inference.Protocol]string{ownMessages: "c2lnbmVk", ownResponses: "c2lnbmVk", ownChat: unsigned} {
		a := collected(t, client, answered(translation(t, client, ownGemini), stream, len(stream)))
		for model, want := range map[string][]string{"gemini-3.5-flash": {first, ""}, "gemini-2.5-pro": {strings.ReplaceAll(first, unsigned, ""), ""}} {
			lost := Lost{}
			body, err := gemini{}.encodeRequest(&Request{Model: model, Effort: "xhigh", Items: a.Items}, lost)
			if err != nil {
				t.Fatal(err)
			}
			if got := signatures(t, body); !cmp.Equal(got, want) {
				t.Errorf("%s of %s: %q, want %q\n%s", client, model, got, want, body)
			}
			newer := model != "gemini-2.5-pro"
			if level := bytes.Contains(body, []byte(`"thinkingLevel":"high"`)); level != newer || (lost["effort"] == 0) != newer {
				t.Errorf("%s of %s: it is told to think: %t, lost %v", client, model, level, lost)
			}
		}
	}
}

// Clients of gemini leave out what was thought, and give back the signatures.
func TestSignaturesOfOthers(t *testing.T) {
	t.Parallel()
	for provider, want := range map[inference.Protocol]Lost{ownResponses: {}, ownMessages: {"reasoning": 1}} {
		a := &Answer{Items: []Item{
			{Role: Assistant, Kind: Reasoning, Text: "hm", Opaque: Opaque{Origin: provider, Data: "c2lnbmVk"}},
			{Role: Assistant, Kind: Call, Call: ToolCall{ID: "call_1", Name: "t", Arguments: "{}"}},
		}, Stop: StopTool}
		body, err := gemini{}.encodeAnswer(a, head{id: "1"})
		if err != nil {
			t.Fatal(err)
		}
		var got geminiAnswer
		if err := json.Unmarshal(body, &got); err != nil || len(got.Candidates[0].Content.Parts) != 2 {
			t.Fatalf("%s: %v", body, err)
		}
		r := geminiRequest{Contents: []geminiContent{{"user", []geminiPart{geminiText("go")}}, {"model", got.Candidates[0].Content.Parts[1:]}}}
		tr, err := New(ownGemini, provider, marshal(&r), options())
		if err != nil {
			t.Fatal(err)
		}
		if sent := strings.Contains(string(tr.Body()), "c2lnbmVk"); sent != (len(want) == 0) || !cmp.Equal(tr.Lost(), want) {
			t.Errorf("%s: lost %v, sent %s", provider, tr.Lost(), tr.Body())
		}
	}
}

// A client says by the path that its answer is a stream, and gets one whatever the
// provider sends.
func TestStreamByThePath(t *testing.T) {
	t.Parallel()
	o := options()
	o.Stream = true
	tr, err := New(ownGemini, ownChat, asked(t, ownGemini), o)
	if err != nil || !tr.Streams() || tr.Path() != "chat/completions" || !bytes.Contains(tr.Body(), []byte(`"stream":true`)) {
		t.Fatalf("%v\n%s", err, tr.Body())
	}
	got, err := tr.Answer([]byte(`{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}`))
	if err != nil || !bytes.HasPrefix(got, []byte(`data: {"candidates":[{"content":{"role":"model","parts":[{"text":"hi"}]}`)) {
		t.Errorf("%s, %v", got, err)
	}
}

// What has no place in another protocol is refused by its name.
func TestGeminiRefuses(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"contents":[],"cachedContent":"a"}`:                                                      "cachedContent",
		`{"contents":[],"system_instruction":{"parts":[{"text":"a"}]}}`:                            "system_instruction",
		`{"contents":[],"generationConfig":{"max_output_tokens":5}}`:                               "max_output_tokens",
		`{"contents":[],"generationConfig":{"candidateCount":2}}`:                                  "candidateCount",
		`{"contents":[],"generationConfig":{"responseModalities":["IMAGE"]}}`:                      "responseModalities",
		`{"contents":[],"generationConfig":{"responseMimeType":"text/x.enum"}}`:                    "responseMimeType",
		`{"contents":[],"generationConfig":[]}`:                                                    "not a JSON object",
		`{"contents":[],"tools":[{"function_declarations":[]}]}`:                                   "tools.0",
		`{"contents":[],"tools":[{"functionDeclarations":[{"name":"a","parameters":"a"}]}]}`:       "parameters is not of the form",
		`{"contents":[],"toolConfig":{"functionCallingConfig":{"mode":"SOME"}}}`:                   "SOME",
		`{"contents":[{"role":"model","parts":[{"executableCode":{"code":"a"}}]}]}`:                "contents.0.parts.0",
		`{"contents":[{"role":"user","parts":[{"inline_data":{"data":"a"}}]}]}`:                    "contents.0.parts.0",
		`{"contents":[{"role":"user","parts":[{"functionCall":{"name":"a"}}]}]}`:                   "contents.0.parts.0",
		`{"contents":[{"role":"tool","parts":[]}]}`:                                                "contents.0.role",
		`{"contents":{"parts":{"text":"a"}}}`:                                                      "contents is not of the form",
		`{"contents":[],"systemInstruction":{"parts":[{"inlineData":{"data":"a"}}]}}`:              "systemInstruction.parts.0",
		`{"contents":[{"parts":[{"functionResponse":{"name":"a","parts":[{"text":"a"}]}}]}]}`:      "functionResponse.parts.0",
		`{"tools":[{"functionDeclarations":[{"parameters":` + deep(maxSchema+1, "items") + `}]}]}`: "parameters is not of the form",
	} {
		if _, err := (gemini{}).decodeRequest([]byte(body), jsoncut.Outline{}, Lost{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.200s: %v", body, err)
		}
	}
}

// deep is an object that holds another in a member, and so on.
func deep(n int, member string) string {
	return strings.Repeat(`{"`+member+`":`, n) + "{}" + strings.Repeat("}", n)
}
