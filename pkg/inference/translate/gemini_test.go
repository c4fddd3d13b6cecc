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
		`{"contents":[],"cachedContent":"a"}`:                                                                                                          "cachedContent",
		`{"contents":[],"system_instruction":{"parts":[{"text":"a"}]}}`:                                                                                "system_instruction",
		`{"contents":[],"generationConfig":{"max_output_tokens":5}}`:                                                                                   "max_output_tokens",
		`{"contents":[],"generationConfig":{"candidateCount":2}}`:                                                                                      "candidateCount",
		`{"contents":[],"generationConfig":{"responseModalities":["IMAGE"]}}`:                                                                          "responseModalities",
		`{"contents":[],"generationConfig":{"responseMimeType":"text/x.enum"}}`:                                                                        "responseMimeType",
		`{"contents":[],"generationConfig":[]}`:                                                                                                        "not a JSON object",
		`{"contents":[],"tools":[{"function_declarations":[]}]}`:                                                                                       "tools.0",
		`{"contents":[],"tools":[{"functionDeclarations":[{"name":"a","parameters":"a"}]}]}`:                                                           "parameters is not of the form",
		`{"contents":[],"toolConfig":{"functionCallingConfig":{"mode":"SOME"}}}`:                                                                       "SOME",
		`{"contents":[{"role":"model","parts":[{"executableCode":{"code":"a"}}]}]}`:                                                                    "contents.0.parts.0",
		`{"contents":[{"role":"user","parts":[{"inline_data":{"data":"a"}}]}]}`:                                                                        "contents.0.parts.0",
		`{"contents":[{"role":"user","parts":[{"functionCall":{"name":"a"}}]}]}`:                                                                       "contents.0.parts.0",
		`{"contents":[{"role":"tool","parts":[]}]}`:                                                                                                    "contents.0.role",
		`{"contents":{"parts":{"text":"a"}}}`:                                                                                                          "contents is not of the form",
		`{"contents":[],"systemInstruction":{"parts":[{"inlineData":{"data":"a"}}]}}`:                                                                  "systemInstruction.parts.0",
		`{"contents":[{"role":"model","parts":[{"functionCall":{"name":"a"}}]},{"parts":[{"functionResponse":{"name":"a","parts":[{"text":"a"}]}}]}]}`: "functionResponse.parts.0",
		`{"contents":[],"toolConfig":{"function_calling_config":{"mode":"NONE"}}}`:                                                                     "function_calling_config",
		`{"contents":[],"generationConfig":{"thinkingConfig":{"thinking_level":"LOW"}}}`:                                                               "thinking_level",
		`{"tools":[{"functionDeclarations":[{"name":"a","parameters_json_schema":{}}]}]}`:                                                              "parameters_json_schema",
		`{"contents":[{"parts":[{"inlineData":{"mime_type":"image/png","data":"AAAA"}}]}]}`:                                                            "mime_type",
		`{"contents":[{"role":"model","parts":[{"text":"a","thought_signature":"AAAA"}]}]}`:                                                            "thought_signature",
		`{"contents":[{"parts":[{"inlineData":{"mimeType":"audio/wav","data":"AAAA"}}]}]}`:                                                             "audio/wav",
		`{"tools":[{"functionDeclarations":[{"parameters":` + deep(maxSchema+1, "items") + `}]}]}`:                                                     "parameters is not of the form",
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

// A result is of the call with its id, else of the first of its name in what the model said
// last; every call has an id of its own.
func TestResultsFindTheirCalls(t *testing.T) {
	t.Parallel()
	call := func(id, name string) geminiPart { return geminiPart{Call: &geminiCall{ID: id, Name: name}} }
	result := func(id, name, said string) geminiPart {
		return geminiPart{Response: &geminiResponse{ID: id, Name: name, Response: marshal(object{"output": said})}}
	}
	model, user := func(p ...geminiPart) geminiContent { return geminiContent{"model", p} }, func(p ...geminiPart) geminiContent { return geminiContent{"user", p} }
	for name, test := range map[string]struct {
		said []geminiContent
		want string // each call's id with what it returned
	}{
		"in order":                       {[]geminiContent{model(call("", "t"), call("", "t"), call("", "u")), user(result("", "u", "3"), result("", "t", "1"), result("", "t", "2"))}, "3:3 1:1 2:2"},
		"with ids of the client's alone": {[]geminiContent{model(call("", "t"), call("", "t")), user(result("x", "t", "1"), result("y", "t", "2"))}, "1:1 2:2"},
		"ids in another order":           {[]geminiContent{model(call("a", "t"), call("b", "t")), user(result("b", "t", "b"), result("a", "t", "a"))}, "b:b a:a"},
		"ids that results lack":          {[]geminiContent{model(call("a", "t"), call("b", "t")), user(result("", "t", "b"), result("a", "t", "a"))}, "b:b a:a"},
		"one that is there twice":        {[]geminiContent{model(call("a", "t")), user(result("a", "t", "a"), result("a", "t", "a"))}, "a:a"},
		"after one that was broken off":  {[]geminiContent{model(call("", "t")), user(geminiText("stop")), model(call("", "t")), user(result("", "t", "2"))}, "2:2"},
	} {
		d := geminiReading{lost: Lost{}}
		for _, c := range test.said {
			if err := d.content(marshal(&c), "contents"); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		var got []string
		for _, i := range d.items {
			if i.Kind == Result {
				got = append(got, strings.TrimPrefix(i.Result.CallID, "call_unnamed_")+":"+i.Result.Content[0].Text)
			}
		}
		if all := strings.Join(got, " "); all != test.want {
			t.Errorf("%s: %s, want %s", name, all, test.want)
		}
	}
}

// A signature stays where it was: of what is before it, or of the part that has it.
func TestSignaturesStay(t *testing.T) {
	t.Parallel()
	const said = `[{"text":"I see","thoughtSignature":"AAAA"},{"functionCall":{"name":"a"}},{"text":"","thoughtSignature":"BBBB"},{"functionCall":{"name":"b"}},{"functionCall":{"name":"c"},"thoughtSignature":"CCCC"}]`
	a, err := gemini{}.decodeAnswer([]byte(`{"candidates":[{"content":{"parts":`+said+`},"finishReason":"STOP"}]}`), "1")
	if err != nil {
		t.Fatal(err)
	}
	body, err := codecOf(ownMessages).encodeAnswer(a, head{id: "1"}) // through a client
	if err != nil {
		t.Fatal(err)
	}
	back, err := codecOf(ownMessages).decodeAnswer(body, "1")
	if err != nil {
		t.Fatal(err)
	}
	sent, err := gemini{}.encodeRequest(&Request{Model: "gemini-3-pro", Items: back.Items}, Lost{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := signatures(t, sent), []string{unsigned, "", "CCCC"}; !cmp.Equal(got, want) || !bytes.Contains(sent, []byte("AAAA")) || !bytes.Contains(sent, []byte("BBBB")) {
		t.Errorf("%q, want %q: %s", got, want, sent)
	}
}

// An answer that is none is an error, and who meters hears what it took.
func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]bool{"MALFORMED_FUNCTION_CALL": false, "OTHER": false, "FROM_THE_FUTURE": false, "STOP": true, "IMAGE_SAFETY": true} {
		spent := int64(0)
		o := options()
		o.Observe = func(e *Event) {
			if e.Kind == Spent {
				spent = e.Usage.Output
			}
		}
		tr, err := New(ownChat, ownGemini, asked(t, ownChat), o)
		if err != nil {
			t.Fatal(err)
		}
		got := answered(tr, []byte(`data: {"candidates":[{"finishReason":"`+reason+`","finishMessage":"no name"}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":2,"thoughtsTokenCount":5}}`+"\n\n"), 7)
		if ended := bytes.Contains(got, []byte(`"finish_reason":"`)); ended != want || ended == bytes.Contains(got, []byte(reason+": no name")) || spent != 7 {
			t.Errorf("%s: %d tokens were used\n%s", reason, spent, got)
		}
	}
}

// Reasoning whose provider kept it is not given back by its id alone.
func TestReasoningThatIsKept(t *testing.T) {
	t.Parallel()
	lost := Lost{}
	body, err := responses{}.encodeRequest(&Request{Items: []Item{{Role: Assistant, Kind: Reasoning, Opaque: Opaque{Origin: ownResponses, ID: "rs_1"}}}}, lost)
	if err != nil || bytes.Contains(body, []byte("rs_1")) || lost["reasoning"] != 1 {
		t.Errorf("%s, %v, %v", body, lost, err)
	}
}

// Schemas in the form of OpenAPI become JSON Schema.
func TestFromOpenAPI(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"type":"STRING","nullable":true,"enum":["a"]}`:                 `{"enum":["a",null],"type":["string","null"]}`,
		`{"anyOf":[{"type":"STRING"}],"nullable":true}`:                  `{"anyOf":[{"type":"string"},{"type":"null"}]}`,
		`{"type":"TYPE_UNSPECIFIED","maxLength":"5"}`:                    `{"maxLength":5}`,
		`{"type":"OBJECT","additionalProperties":{"type":"INTEGER"}}`:    `{"additionalProperties":{"type":"integer"},"type":"object"}`,
		`{"type":"OBJECT","additionalProperties":false,"items":null}`:    `{"additionalProperties":false,"items":null,"type":"object"}`,
		`{"type":"ARRAY","prefixItems":[{"type":"BOOLEAN"}],"items":{}}`: `{"items":{},"prefixItems":[{"type":"boolean"}],"type":"array"}`,
	} {
		if got, err := fromOpenAPI([]byte(in), "x"); err != nil || string(got) != want {
			t.Errorf("%s became %s, %v; want %s", in, got, err, want)
		}
	}
	for _, bad := range []string{`[]`, `"a"`, `{"items":5}`, `{"minItems":"-1"}`, `{"properties":{"a":[]}}`} {
		if got, err := fromOpenAPI([]byte(bad), "x"); err == nil {
			t.Errorf("%s became %s", bad, got)
		}
	}
}

// What is null is not there: no tools are none, and a tool without functions is one that
// the provider's own protocol alone knows.
func TestGeminiTakesNullForNothing(t *testing.T) {
	t.Parallel()
	r, err := gemini{}.decodeRequest([]byte(`{"contents":[{"parts":[{"text":"hi"}]}],"tools":null,"toolConfig":null,"generationConfig":null,"systemInstruction":null}`), jsoncut.Outline{}, Lost{})
	if err != nil || len(r.Tools) != 0 || len(r.Items) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	_, err = gemini{}.decodeRequest([]byte(`{"contents":[{"parts":[{"text":"hi"}]}],"tools":[{"googleSearch":{},"functionDeclarations":null}]}`), jsoncut.Outline{}, Lost{})
	if err == nil || !strings.Contains(err.Error(), "a tool without functionDeclarations") {
		t.Errorf("%v", err)
	}
}
