package broker_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/broker"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/inference/translate"
	"github.com/vexa-ai/vexa/pkg/runner"
)

// What a coding agent's turn is in each protocol: some text and a call.
const (
	chatTurn = `data: {"id":"c","model":"m2","choices":[{"index":0,"delta":{"content":"I look."}}]}` + "\n\n" +
		`data: {"id":"c","model":"m2","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","function":{"name":"ls","arguments":"{\"a\":"}}]}}]}` + "\n\n" +
		`data: {"id":"c","model":"m2","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]},"finish_reason":"tool_calls"}]}` + "\n\n" +
		openaiUsage + openaiDone
	messagesTurn = `data: {"type":"message_start","message":{"id":"msg_1","model":"m1","usage":{"input_tokens":15,"cache_read_input_tokens":5,"output_tokens":1}}}` + "\n\n" +
		`data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}` + "\n\n" +
		`data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"I look."}}` + "\n\n" +
		`data: {"type":"content_block_stop","index":0}` + "\n\n" +
		`data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"call_1","name":"ls","input":{}}}` + "\n\n" +
		`data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}` + "\n\n" +
		`data: {"type":"content_block_stop","index":1}` + "\n\n" +
		`data: {"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":30}}` + "\n\n" +
		`data: {"type":"message_stop"}` + "\n\n"
	responsesTurn = `data: {"type":"response.created","response":{"id":"resp_1","model":"r1"}}` + "\n\n" +
		`data: {"type":"response.output_item.added","output_index":0,"item":{"id":"msg_1","type":"message","role":"assistant","content":[]}}` + "\n\n" +
		`data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"I look."}` + "\n\n" +
		`data: {"type":"response.output_item.done","output_index":0,"item":{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"output_text","text":"I look."}]}}` + "\n\n" +
		`data: {"type":"response.output_item.done","output_index":1,"item":{"type":"function_call","call_id":"call_1","name":"ls","arguments":"{\"a\":1}"}}` + "\n\n" +
		`data: {"type":"response.completed","response":{"id":"resp_1","status":"completed","usage":{"input_tokens":20,"input_tokens_details":{"cached_tokens":5},"output_tokens":30}}}` + "\n\n"
	geminiTurn = `data: {"candidates":[{"content":{"parts":[{"text":"I look."}],"role":"model"}}],"modelVersion":"g1"}` + "\n\n" +
		`data: {"candidates":[{"content":{"parts":[{"functionCall":{"id":"call_1","name":"ls","args":{"a":1}}}],"role":"model"},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":20,"cachedContentTokenCount":5,"candidatesTokenCount":20,"thoughtsTokenCount":10}}` + "\n\n"
	responsesWhole = `{"id":"resp_1","object":"response","status":"completed","model":"r1","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"hi"}]}],"usage":{"input_tokens":20,"input_tokens_details":{"cached_tokens":5},"output_tokens":30}}`
)

// upstreams answers a turn in the protocol that it is asked in.
func upstreams(w http.ResponseWriter, r *http.Request, body map[string]json.RawMessage) {
	stream := string(body["stream"]) == "true" || r.URL.Query().Get("alt") == "sse"
	text, ok := map[string]string{
		messages + " true": messagesTurn, messages + " false": anthropicWhole,
		chat + " true": chatTurn, chat + " false": openaiWhole,
		respond + " true": responsesTurn, respond + " false": responsesWhole,
		models + "g1:streamGenerateContent true": geminiTurn, models + "g1:generateContent false": geminiWhole,
	}[fmt.Sprint(r.URL.Path, " ", stream)]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", map[bool]string{true: "text/event-stream", false: "application/json"}[stream])
	_, _ = io.WriteString(w, text)
}

// asks makes a request in the protocol of a path.
func asks(path, model string, stream bool) string {
	content := map[string]any{"model": model, "stream": stream}
	said := []any{map[string]string{"role": "user", "content": "private words"}}
	switch path {
	case respond:
		content["input"] = said
		content["tools"] = []any{map[string]any{"type": "function", "name": "ls"}}
	case models:
		return geminiBody
	case chat:
		content["messages"] = said
		content["tools"] = []any{map[string]any{"type": "function", "function": map[string]any{"name": "ls"}}}
	default:
		content["messages"], content["max_tokens"] = said, 10
		content["tools"] = []any{map[string]any{"name": "ls", "input_schema": map[string]string{"type": "object"}}}
	}
	data, err := json.Marshal(content)
	if err != nil {
		panic(err)
	}
	return string(data)
}

// at is the path of a request: that of gemini names the model.
func at(path, model string, stream bool) string {
	switch {
	case path != models:
		return path
	case stream:
		return path + model + ":streamGenerateContent?alt=sse"
	default:
		return path + model + ":generateContent"
	}
}

// clients are the paths of the protocols that are translated, with what a client
// of each finds in the stream of a turn and at its end.
var clients = []struct {
	path, provider, protocol string
	stream                   []string
	end                      string
}{
	{messages, "claude/m1", "anthropic-messages", []string{
		"event: message_start\n", `"text_delta","text":"I look."`, `"id":"call_1"`, `"name":"ls"`, `"stop_reason":"tool_use"`, `"cache_read_input_tokens":5`, `"input_tokens":15`,
	}, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"},
	{respond, "oai/r1", "openai-responses", []string{
		"event: response.created\n", `"delta":"I look."`, `"call_id":"call_1"`, `"arguments":"{\"a\":1}"`, `"cached_tokens":5`, `"input_tokens":20`, "event: response.completed\n",
	}, "}\n\n"},
	{chat, "local/m2", "openai-chat", []string{
		`"content":"I look."`, `"id":"call_1"`, `"finish_reason":"tool_calls"`,
	}, "data: [DONE]\n\n"},
	{models, "gem/g1", "gemini", []string{
		`"text":"I look."`, `{"functionCall":{"id":"call_1","name":"ls","args":{"a":1}}}`, `"finishReason":"STOP"`, `"cachedContentTokenCount":5`, `"promptTokenCount":20`,
	}, "}\n\n"},
}

// A client of any protocol is answered by a provider of any other, as its own
// would answer; what was used is counted as if nothing lay between.
func TestTranslated(t *testing.T) {
	t.Parallel()
	for _, client := range clients {
		for _, up := range clients {
			for _, stream := range []bool{true, false} {
				if client.path == up.path {
					continue
				}
				t.Run(fmt.Sprintf("%s at %s %t", client.protocol, up.protocol, stream), func(t *testing.T) {
					t.Parallel()
					p := &provider{answer: upstreams}
					s := open(t, config{upstream: p})
					req := s.request(t.Context(), at(client.path, up.provider, stream), asks(client.path, up.provider, stream))
					query := req.URL.Query()
					query.Set("beta", "true")
					req.URL.RawQuery = query.Encode()
					req.Header.Set("Anthropic-Beta", "tools-2024")
					a := s.do(req)
					if a.status != http.StatusOK {
						t.Fatalf("%d %s", a.status, a.body)
					}
					if stream {
						for _, want := range client.stream {
							if !strings.Contains(a.body, want) {
								t.Errorf("%q is not in\n%s", want, a.body)
							}
						}
						if !strings.HasSuffix(a.body, client.end) || a.header.Get("Content-Type") != "text/event-stream" {
							t.Errorf("%v ends\n%s", a.header, a.body)
						}
					} else if !json.Valid([]byte(a.body)) || !strings.Contains(a.body, `"hi"`) || a.header.Get("Content-Type") != "application/json" {
						t.Errorf("%v %s", a.header, a.body)
					}
					r, model := p.requests[0], up.provider[len(up.provider)-2:]
					named := string(p.bodies[0]["model"]) == `"`+model+`"` || up.path == models && p.bodies[0]["model"] == nil
					if r.URL.RequestURI() != at(up.path, model, stream) || r.Header.Get("Anthropic-Beta") != "" || !named {
						t.Errorf("the provider was asked %s, %v", r.URL, p.bodies[0])
					}
					if key := r.Header.Get("X-Goog-Api-Key") + r.Header.Get("X-Api-Key") + strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "); key != canary {
						t.Errorf("the provider was sent %v", r.Header)
					}
					await(t, "the audit record", func() bool { return len(s.trail.all()) == 1 })
					d := s.trail.all()[0].Detail
					if d["translated"] != up.protocol || d["inputTokens"] != "20" || d["outputTokens"] != "30" || d["outcome"] != "answered" || d["estimated"] != "" {
						t.Errorf("recorded %v", d)
					}
					if turn, _ := s.owner.used(); stream && turn.CacheReadTokens != 5 || turn.Requests != 1 {
						t.Errorf("used %+v", turn)
					}
				})
			}
		}
	}
}

// The rehearsal is heard in the protocol that it does not speak, too.
func TestRehearsalTranslated(t *testing.T) {
	t.Parallel()
	s := open(t, config{})
	a := s.post(respond, `{"model":"play/rehearsal","stream":true,"input":"hello"}`)
	if a.status != http.StatusOK || !strings.Contains(a.body, "event: response.completed") || !strings.Contains(a.body, "rehearsal") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// An event is with the client before the provider says the next.
func TestTranslatesAtOnce(t *testing.T) {
	t.Parallel()
	for _, client := range clients[:2] {
		heard := make(chan struct{})
		up := &provider{answer: func(w http.ResponseWriter, _ *http.Request, _ map[string]json.RawMessage) {
			w.Header().Set("Content-Type", "text/event-stream")
			for i := range 3 {
				fmt.Fprintf(w, `data: {"id":"c","choices":[{"index":0,"delta":{"content":"word%d"}}]}`+"\n\n", i)
				_ = http.NewResponseController(w).Flush()
				<-heard
			}
			_, _ = io.WriteString(w, openaiDone)
		}}
		s := open(t, config{upstream: up})
		resp, err := s.client.Do(s.request(t.Context(), client.path, asks(client.path, "local/m2", true)))
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		buf := make([]byte, 4<<10)
		for i := range 3 {
			for !strings.Contains(got.String(), fmt.Sprintf("word%d", i)) {
				n, err := resp.Body.Read(buf)
				if err != nil {
					t.Fatal(got.String(), err)
				}
				got.Write(buf[:n])
			}
			heard <- struct{}{}
		}
		_ = resp.Body.Close()
	}
}

// What breaks is said in the client's protocol: within the stream once it has
// begun, and before as an error at which the client stops.
func TestTranslatedBreaks(t *testing.T) {
	t.Parallel()
	const half = `data: {"id":"c","choices":[{"index":0,"delta":{"content":"half"}}]}` + "\n\n"
	ends := map[string]string{messages: "event: error\ndata: {\"error\":{\"message\":\"vexa: ", respond: "event: response.failed\n"}
	for name, c := range map[string]struct {
		then func(w http.ResponseWriter, r *http.Request)
		says string
	}{
		"cut off":     {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "broke off"},
		"ended early": {func(http.ResponseWriter, *http.Request) {}, "broke off"},
		"silent":      {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "broke off"},
		"an error": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, "data: {\"error\":{\"message\":\"overloaded %s\"}}\n\n", canary)
		}, "provider local: overloaded [key]"},
		"no JSON": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "data: {\n\n") }, "broke off"},
	} {
		for _, client := range clients[:2] {
			up := &provider{answer: func(w http.ResponseWriter, r *http.Request, _ map[string]json.RawMessage) {
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, half)
				_ = http.NewResponseController(w).Flush()
				c.then(w, r)
			}}
			s := open(t, config{upstream: up, options: func(o *broker.Options) { o.Timeouts.Idle = time.Second }}) // for "silent"; the others end by themselves
			a := s.post(client.path, asks(client.path, "local/m2", true))
			if !strings.Contains(a.body, "half") || !strings.Contains(a.body, ends[client.path]) || !strings.Contains(a.body, c.says) || strings.Contains(a.body, canary) {
				t.Errorf("%s, %s: %s", client.protocol, name, a.body)
			}
			await(t, "the audit record", func() bool { return len(s.trail.all()) == 1 })
			if d := s.trail.all()[0].Detail; d["outcome"] != "failed" || d["estimated"] != "true" {
				t.Errorf("%s: recorded %v", name, d)
			}
		}
	}
	for name, h := range map[string]http.HandlerFunc{
		"no answer":     func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"hello":1}`) },
		"an error, 200": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"error":{"message":"x"}}`) },
		"half an answer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			_, _ = io.WriteString(w, "{")
		},
		"status 500": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
	} {
		s := open(t, config{upstream: h})
		for _, stream := range []bool{true, false} {
			if a := s.post(respond, asks(respond, "local/m2", stream)); a.status != http.StatusBadRequest || !strings.Contains(a.message(), "provider local") {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
	}
}

// An answer that has ended is over, though its provider keeps the stream open.
func TestTranslatedEnds(t *testing.T) {
	t.Parallel()
	for _, end := range []string{openaiUsage + openaiDone, `data: {"error":{"message":"x"}}` + "\n\n"} {
		up := &provider{answer: func(w http.ResponseWriter, r *http.Request, _ map[string]json.RawMessage) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, `data: {"id":"c","choices":[{"index":0,"delta":{"content":"all"}}]}`+"\n\n"+end)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}}
		s := open(t, config{upstream: up, options: func(o *broker.Options) { o.Timeouts.Idle = time.Minute }})
		began := time.Now()
		a := s.post(messages, asks(messages, "local/m2", true))
		if took := time.Since(began); took > 20*time.Second || !strings.Contains(a.body, "all") {
			t.Errorf("after %v: %s", took, a.body)
		}
		await(t, "the audit record", func() bool { return len(s.trail.all()) == 1 })
		want := map[bool]string{true: "answered", false: "failed"}[strings.Contains(end, openaiDone)]
		if d := s.trail.all()[0].Detail; d["outcome"] != want {
			t.Errorf("recorded %v", d)
		}
	}
}

// What a translation leaves out is in the audit log, by name.
func TestTranslationSaysWhatItDropped(t *testing.T) {
	t.Parallel()
	s := open(t, config{upstream: &provider{answer: upstreams}})
	body := strings.Replace(asks(messages, "local/m2", true), "{", `{"top_k":5,"service_tier":"auto",`, 1)
	if a := s.post(messages, body); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	await(t, "the audit record", func() bool { return len(s.trail.all()) == 1 })
	if d := s.trail.all()[0].Detail; d["dropped"] != "service_tier, top_k" {
		t.Errorf("recorded %v", d)
	}
}

// A session that changes from a model that is translated to one that is not takes
// along what the former thought, which the latter would refuse.
func TestReasoningOfAnotherProvider(t *testing.T) {
	t.Parallel()
	up := &provider{answer: upstreams}
	s := open(t, config{upstream: up})
	first := s.post(messages, asks(messages, "local/m2", false))
	body := `{"model":"claude/m1","max_tokens":9,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[` +
		`{"type":"thinking","thinking":"t","signature":"vexa:openai-chat:eyJEYXRhIjoiIn0"},{"type":"text","text":"b"}]},{"role":"user","content":"c"}]}`
	if a := s.post(messages, body); first.status != http.StatusOK || a.status != http.StatusOK {
		t.Fatalf("%d, %d %s", first.status, a.status, a.body)
	}
	if sent := string(up.bodies[1]["messages"]); strings.Contains(sent, "vexa:") || !strings.Contains(sent, `{"role":"assistant","content":[{"type":"text","text":"b"}]}`) {
		t.Errorf("the provider got %s", sent)
	}
	await(t, "the audit record", func() bool { return len(s.trail.all()) == 2 })
	if d := s.trail.all()[1].Detail; d["dropped"] != "reasoning" {
		t.Errorf("recorded %v", d)
	}
}

// Tokens are counted by an estimate where the provider cannot be asked.
func TestCountEstimated(t *testing.T) {
	t.Parallel()
	s := open(t, config{upstream: never(t)})
	body := asks(messages, "local/m2", false)
	if a := s.post(messages+"/count_tokens", body); a.status != http.StatusOK || a.body != fmt.Sprintf("{\"input_tokens\":%d}\n", len(body)/4) {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.post(models+"local/m2:countTokens", geminiBody); a.status != http.StatusOK || a.body != fmt.Sprintf("{\"totalTokens\":%d}\n", len(geminiBody)/4) {
		t.Errorf("%d %s", a.status, a.body)
	}
	if turn, _ := s.socket.Usage(); turn.Requests != 0 {
		t.Errorf("a count was metered: %+v", turn)
	}
}

// What a runner is told that it may speak is what the broker translates.
func TestRunnersSpeakWhatIsTranslated(t *testing.T) {
	t.Parallel()
	all := []inference.Protocol{inference.AnthropicMessages, inference.OpenAIResponses, inference.OpenAIChat, inference.Gemini, inference.Rehearsal}
	for _, client := range all {
		m := runnerv2.Manifest{Inference: &runnerv2.Inference{Protocols: []string{string(client)}}}
		for _, up := range all {
			_, ok := runner.ChooseProtocol(m, string(up))
			if want := client == up || translate.Can(client, up); ok != want {
				t.Errorf("%s at %s: %t, and the broker %t", client, up, ok, want)
			}
		}
	}
}
