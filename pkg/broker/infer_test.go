package broker_test

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/broker"
	"github.com/vexa-ai/vexa/pkg/contract/identityv1"
	"github.com/vexa-ai/vexa/pkg/identity"
	"github.com/vexa-ai/vexa/pkg/inference/rehearsal"
	"github.com/vexa-ai/vexa/pkg/link"
)

// never is an upstream that must not be reached.
func never(t *testing.T) http.HandlerFunc {
	t.Helper()
	return func(http.ResponseWriter, *http.Request) { t.Error("the provider was asked") }
}

// narrow is a verifier whose tokens are for another boundary.
type narrow struct{ *identity.Verifier }

func (n narrow) Verify(token, _, unit string) (identityv1.DispatchToken, error) {
	return n.Verifier.Verify(token, "vexa:other", unit)
}

// Every path checks the token; a refusal is recorded and reaches no provider.
func TestTokens(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		token  string
		status int
		reason identity.Reason
	}{
		"none":           {"", http.StatusUnauthorized, identity.Malformed},
		"rubbish":        {"x.y.z", http.StatusUnauthorized, identity.Malformed},
		"forged":         {mint(t, key(2), unitID, time.Now()), http.StatusUnauthorized, identity.BadSignature},
		"expired":        {mint(t, key(1), unitID, time.Now().Add(-2*time.Hour)), http.StatusUnauthorized, identity.Expired},
		"not yet":        {mint(t, key(1), unitID, time.Now().Add(time.Hour)), http.StatusUnauthorized, identity.NotYet},
		"another unit's": {mint(t, key(1), other, time.Now()), http.StatusForbidden, identity.WrongUnit},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, config{upstream: never(t)})
			for _, path := range []string{messages, messages + "/count_tokens", chat, "/v1/models", link.Path} {
				method, boundary := http.MethodPost, audit.Inference
				if path == "/v1/models" || path == link.Path {
					method = http.MethodGet
				}
				if path == link.Path {
					boundary = audit.Stream
				}
				for _, header := range []string{"Authorization", "X-Api-Key"} {
					req := s.request(t.Context(), path, say("claude/m1", "hello", false))
					req.Method = method
					req.Header.Del("Authorization")
					value := c.token
					if header == "Authorization" {
						value = "Bearer " + c.token
					}
					req.Header.Set(header, value)
					before := len(s.trail.all())
					a := s.do(req)
					if a.status != c.status || !strings.Contains(a.message(), string(c.reason)) {
						t.Errorf("%s by %s: %d %s", path, header, a.status, a.body)
					}
					events := s.trail.all()
					if len(events) != before+1 {
						t.Fatalf("%d audit records", len(events)-before)
					}
					e := events[before]
					if e.Effect != audit.Deny || e.Boundary != boundary || e.Reason != "token" || e.Detail["detail"] != string(c.reason) || e.Unit != unitID || e.Subject != "u_jane" {
						t.Errorf("recorded %+v", e)
					}
					if c.token != "" && strings.Contains(fmt.Sprint(e, s.log.String(), a), c.token) {
						t.Error("the token was repeated")
					}
				}
			}
			if d := s.owner.denials(); len(d) != 10 || d[0] != "token: "+string(c.reason) {
				t.Errorf("the owner heard %q", d)
			}
		})
	}
}

func TestAudience(t *testing.T) {
	t.Parallel()
	s := open(t, config{upstream: never(t), options: func(o *broker.Options) {
		o.Verifier = narrow{identity.NewVerifier(issuer, key(1).Public().(ed25519.PublicKey), time.Now)}
	}})
	if a := s.post(messages, say("claude/m1", "x", false)); a.status != http.StatusForbidden || !strings.Contains(a.body, "wrong-audience") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// provider answers in both protocols and keeps what it was asked.
type provider struct {
	mu       sync.Mutex
	requests []*http.Request
	bodies   []map[string]json.RawMessage
	answer   func(w http.ResponseWriter, r *http.Request, body map[string]json.RawMessage)
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body map[string]json.RawMessage
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, "bad body", http.StatusTeapot)
		return
	}
	p.mu.Lock()
	p.requests, p.bodies = append(p.requests, r), append(p.bodies, body)
	p.mu.Unlock()
	if p.answer != nil {
		p.answer(w, r, body)
		return
	}
	good(w, r, body)
}

func (p *provider) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.requests)
}

const (
	anthropicStream = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"usage\":{\"input_tokens\":10,\"cache_read_input_tokens\":4,\"cache_creation_input_tokens\":6,\"output_tokens\":1}}}\n\n" +
		"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\n" +
		"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":30}}\n\n" +
		"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
	anthropicWhole = `{"id":"msg_1","type":"message","content":[{"type":"text","text":"hi"}],"usage":{"input_tokens":20,"output_tokens":30}}`
	openaiText     = "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}],\"usage\":null}\n\n"
	openaiUsage    = "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":30,\"prompt_tokens_details\":{\"cached_tokens\":5}}}\n\n"
	openaiDone     = "data: [DONE]\n\n"
	openaiWhole    = `{"id":"c1","choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":20,"completion_tokens":30}}`
)

func good(w http.ResponseWriter, r *http.Request, body map[string]json.RawMessage) {
	stream := string(body["stream"]) == "true"
	text := map[string]string{"/v1/messages true": anthropicStream, "/v1/messages false": anthropicWhole, "/v1/chat/completions true": openaiText + openaiUsage + openaiDone, "/v1/chat/completions false": openaiWhole, "/v1/messages/count_tokens false": `{"input_tokens":77}`}[fmt.Sprint(r.URL.Path, " ", stream)]
	w.Header().Set("Content-Type", map[bool]string{true: "text/event-stream", false: "application/json"}[stream])
	w.Header().Set("Set-Cookie", "session=1")
	w.Header().Set("Openai-Organization", "org-canary")
	w.Header().Set("Request-Id", "req_1")
	_, _ = io.WriteString(w, text)
}

// The way of a request: authorised, its model renamed, the credential put in,
// the answer as it came, what it used counted, one record.
func TestRelay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path, model, want string
		stream            bool
	}{
		{messages, "claude/m1", anthropicStream, true},
		{messages, "claude/m1", anthropicWhole, false},
		{chat, "local/m2", openaiText + openaiDone, true},
		{chat, "local/m2", openaiWhole, false},
	} {
		t.Run(fmt.Sprint(c.path, c.stream), func(t *testing.T) {
			t.Parallel()
			up := &provider{}
			s := open(t, config{upstream: up})
			req := s.request(t.Context(), c.path+"?beta=true&key=leak", say(c.model, "private words", c.stream))
			for name, value := range map[string]string{
				"X-Api-Key": s.token, "Cookie": "a=b", "Proxy-Authorization": "Basic x", "Connection": "X-Custom", "X-Custom": "1", "Te": "trailers",
				"Vexa-Secret": "1", "Openai-Organization": "org-evil", "Anthropic-Beta": "tools-2024", "X-Forwarded-For": "10.0.0.1", "Host": "evil", "Accept-Encoding": "gzip",
			} {
				req.Header.Set(name, value)
			}
			a := s.do(req)
			if a.status != http.StatusOK || a.body != c.want {
				t.Fatalf("%d %q; want %q", a.status, a.body, c.want)
			}
			for name := range a.header {
				if !slices.Contains([]string{"Content-Type", "Cache-Control", "Request-Id", "Date", "Content-Length"}, name) {
					t.Errorf("the client was sent the header %s", name)
				}
			}
			r, body := up.requests[0], up.bodies[0]
			if got := string(body["model"]); got != `"`+c.model[len(c.model)-2:]+`"` {
				t.Errorf("the provider was asked for %s", got)
			}
			want := http.Header{"X-Api-Key": {canary}, "Anthropic-Version": {"2023-06-01"}}
			if c.path == chat {
				want = http.Header{"Authorization": {"Bearer " + canary}}
			}
			for _, name := range []string{"X-Api-Key", "Authorization", "Anthropic-Version", "Cookie", "Proxy-Authorization", "X-Custom", "Te", "Vexa-Secret", "Openai-Organization", "X-Forwarded-For", "Accept-Encoding"} {
				if got := r.Header.Get(name); got != want.Get(name) {
					t.Errorf("the provider was sent %s %q; want %q", name, got, want.Get(name))
				}
			}
			if (r.Header.Get("Anthropic-Beta") == "tools-2024") != (c.path == messages) || strings.Contains(r.URL.RawQuery, "key") {
				t.Errorf("the provider was sent %v %s", r.Header, r.URL)
			}
			await(t, "the audit record", func() bool { return len(s.trail.all()) == 1 })
			e := s.trail.all()[0]
			if e.Effect != audit.Allow || e.Detail["model"] != c.model || e.Detail["status"] != "200" || e.Detail["inputTokens"] != "20" || e.Detail["outputTokens"] != "30" ||
				e.Detail["outcome"] != "answered" || e.Detail["ms"] == "" || e.Unit != unitID || e.Detail["estimated"] != "" {
				t.Errorf("recorded %+v", e)
			}
			turn, all := s.owner.used()
			if turn.InputTokens != 20 || turn.OutputTokens != 30 || turn.Requests != 1 || all.Requests != 1 || turn.Model != c.model {
				t.Errorf("used %+v", turn)
			}
			if c.path == messages && (turn.CostUSD == nil || *turn.CostUSD < 79e-6 || *turn.CostUSD > 81e-6) {
				t.Errorf("cost %v", turn.CostUSD)
			}
			for _, where := range []string{a.body, fmt.Sprint(a.header), fmt.Sprint(s.trail.all()), s.log.String()} {
				if strings.Contains(where, "canary") || strings.Contains(where, "private words") {
					t.Errorf("a key or content is in %s", where)
				}
			}
		})
	}
}

// A second model in the same body is not how another one is reached.
func TestModelIsTheOneThatWasChecked(t *testing.T) {
	t.Parallel()
	s := open(t, config{upstream: never(t)})
	for _, body := range []string{
		`{"model":"secret/forbidden","model":"local/m2","messages":[]}`,
		`{"model":"local/m2","model":"secret/forbidden","messages":[]}`,
		`{"model":"local/m2","mod\u0065l":"secret/forbidden","messages":[]}`,
	} {
		if a := s.post(chat, body); a.status != http.StatusBadRequest || !strings.Contains(a.body, "twice") {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
}

// manyMembers are n members, each with a comma before it.
func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"a%d":1`, i)
	}
	return b.String()
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	with := func(member string) string {
		return strings.Replace(say("local/m2", "x", false), "{", "{"+member+",", 1)
	}
	content := func(blocks string) string {
		return `{"model":"local/m2","messages":[{"role":"user","content":` + blocks + `}]}`
	}
	for name, c := range map[string]struct {
		path, body string
		denial     broker.Denial
		want       string
	}{
		"no JSON":                  {chat, "{", broker.DeniedRequest, "not a JSON object"},
		"null":                     {chat, "null", broker.DeniedRequest, "not a JSON object"},
		"no model":                 {chat, `{"messages":[]}`, broker.DeniedRequest, "names no model"},
		"a model that is none":     {chat, `{"model":["local/m2"]}`, broker.DeniedRequest, "names no model"},
		"a stream that is none":    {chat, `{"model":"local/m2","stream":"yes"}`, broker.DeniedRequest, "neither true nor false"},
		"not granted":              {chat, say("secret/forbidden", "x", false), broker.DeniedModel, `"secret/forbidden" is not granted to this dispatch; it has claude/m1, local/m2`},
		"by its short name":        {chat, say("m2", "x", false), broker.DeniedModel, "not granted"},
		"granted but unknown":      {chat, say("gone/m3", "x", false), broker.DeniedModel, `no provider serves a model "gone/m3"`},
		"stop to responses":        {chat, `{"model":"oai/r1","stop":["x"],"messages":[]}`, broker.DeniedRequest, "stop sequences cannot be carried"},
		"a kept conversation":      {respond, `{"model":"local/m2","previous_response_id":"resp_1","input":"x"}`, broker.DeniedEgress, "previous_response_id would have the provider keep"},
		"a conversation":           {respond, `{"model":"oai/r1","conversation":"conv_1","input":"x"}`, broker.DeniedEgress, "conversation would have the provider keep"},
		"in the background":        {respond, `{"model":"oai/r1","background":true,"input":"x"}`, broker.DeniedEgress, "background would have the provider keep"},
		"a file in an input":       {respond, `{"model":"oai/r1","input":[{"role":"user","content":[{"type":"input_file","file_data":"https://evil/"}]}]}`, broker.DeniedEgress, "fetched by the provider"},
		"a file to be translated":  {respond, `{"model":"claude/m1","input":[{"role":"user","content":[{"type":"input_file","filename":"x.pdf","File_Data":"HTTPS://evil/"}]}]}`, broker.DeniedEgress, "fetched by the provider"},
		"a file of an odd form":    {respond, `{"model":"oai/r1","input":[{"role":"user","content":[{"type":"input_file","file_data":{"url":"https://evil/"}}]}]}`, broker.DeniedEgress, "fetched by the provider"},
		"namespaces in namespaces": {respond, `{"model":"oai/r1","tools":` + strings.Repeat(`[{"type":"namespace","name":"a","tools":`, 3000) + "[]" + strings.Repeat(`}]`, 3000) + `,"input":"x"}`, broker.DeniedEgress, "a namespace of tools in another"},
		"thousands of members":     {chat, `{"model":"local/m2"` + manyMembers(1000) + `}`, broker.DeniedRequest, "an object of more than 1000 members"},
		"a kept prompt":            {respond, `{"model":"oai/r1","prompt":{"id":"p"},"input":"x"}`, broker.DeniedEgress, "prompt would have the provider reach"},
		"a search of responses":    {respond, `{"model":"oai/r1","tools":[{"type":"web_search"}],"input":"x"}`, broker.DeniedEgress, "web_search"},
		"a search in a namespace":  {respond, `{"model":"oai/r1","tools":[{"type":"namespace","name":"a","tools":[{"type":"web_search"}]}],"input":"x"}`, broker.DeniedEgress, "web_search"},
		"a search among the items": {respond, `{"model":"oai/r1","input":[{"type":"additional_tools","tools":[{"type":"mcp","server_url":"https://evil"}]}]}`, broker.DeniedEgress, "mcp"},
		"a picture of responses":   {respond, `{"model":"oai/r1","input":[{"role":"user","content":[{"type":"input_image","image_url":"https://evil/"}]}]}`, broker.DeniedEgress, "fetched by the provider"},
		"a picture in an output":   {respond, `{"model":"local/m2","input":[{"type":"function_call_output","call_id":"c","output":[{"type":"input_file","file_url":"https://evil/"}]}]}`, broker.DeniedEgress, "fetched by the provider"},
		"an MCP server":            {chat, with(`"mcp_servers":[{"url":"https://evil"}]`), broker.DeniedEgress, "mcp_servers"},
		"a web search":             {chat, with(`"web_search_options":{"a":1}`), broker.DeniedEgress, "web_search_options"},
		"a plugin":                 {chat, with(`"plugins":[{"id":"web"}]`), broker.DeniedEgress, "plugins"},
		"other models to fall to":  {chat, with(`"models":["forbidden"]`), broker.DeniedEgress, "models"},
		"a tool of the provider's": {chat, with(`"tools":[{"type":"function"},{"type":"web_fetch_20250910"}]`), broker.DeniedEgress, "web_fetch_20250910"},
		"tools that are none":      {chat, with(`"tools":{}`), broker.DeniedEgress, "not a list"},
		"a picture by URL":         {chat, content(`[{"type":"image_url","image_url":{"url":"https://evil/?data"}}]`), broker.DeniedEgress, "fetched by the provider"},
		"a picture by plain URL":   {chat, content(`[{"type":"image_url","image_url":"https://evil/"}]`), broker.DeniedEgress, "fetched by the provider"},
		"a document by URL":        {chat, content(`[{"type":"document","source":{"type":"url","url":"https://evil/"}}]`), broker.DeniedEgress, "fetched by the provider"},
		"with an escape":           {chat, content(`[{"type":"document","source":{"type":"\u0075rl","\u0075rl":"https://evil/"}}]`), broker.DeniedEgress, "fetched by the provider"},
		"a picture named aloud":    {chat, content(`[{"type":"image_url","IMAGE_URL":{"url":"https://evil/"}}]`), broker.DeniedEgress, "fetched by the provider"},
		"a type said twice":        {chat, content(`[{"type":"image","source":{"type":"url","url":"https://evil/","Type":"base64"}}]`), broker.DeniedEgress, "fetched by the provider"},
		"a source said twice":      {chat, content(`[{"type":"image","source":{"type":"url","url":"https://evil/"},"\u017fource":{"type":"base64"}}]`), broker.DeniedEgress, "known form"},
		"a film":                   {chat, content(`[{"type":"video_url","video_url":{"url":"https://evil/"}}]`), broker.DeniedEgress, "fetched by the provider"},
		"a file by URL":            {chat, content(`[{"type":"file","file":{"filename":"a","file_data":"https://evil/"}}]`), broker.DeniedEgress, "fetched by the provider"},
		"within a document":        {chat, content(`[{"type":"document","source":{"type":"content","content":[{"type":"image","source":{"type":"url","url":"https://evil/"}}]}}]`), broker.DeniedEgress, "fetched by the provider"},
		"a sound by its address":   {chat, content(`[{"type":"input_audio","input_audio":{"data":"https://evil/?secret","format":"wav"}}]`), broker.DeniedEgress, "fetched by the provider"},
		"a film of pictures":       {chat, content(`[{"type":"video","video":["data:,","https://evil/1.jpg"]}]`), broker.DeniedEgress, "fetched by the provider"},
		"a picture by a word":      {chat, content(`[{"type":"image","image":"https://evil/"}]`), broker.DeniedEgress, "fetched by the provider"},
		"a picture, aloud":         {chat, content(`[{"type":"image","IMAGES" :[{"at":{"where":"ftp://evil/"}}]}]`), broker.DeniedEgress, "fetched by the provider"},
		"a picture, spelt oddly":   {chat, content(`[{"type":"image","image\u017f":"https://evil/"}]`), broker.DeniedEgress, "fetched by the provider"},
		"a sound by its name":      {chat, content(`[{"type":"audio","audio":{"url":{"url":"HTTPS://evil/"}}}]`), broker.DeniedEgress, "fetched by the provider"},
		"bytes that are none":      {chat, content(`[{"type":"image","data":"https://evil/"}]`), broker.DeniedEgress, "fetched by the provider"},
		"a source by a word":       {chat, content(`[{"type":"image","source":"https://evil/"}]`), broker.DeniedEgress, "fetched by the provider"},
		"bytes in a source":        {chat, content(`[{"type":"image","source":{"type":"base64","data":"https://evil/"}}]`), broker.DeniedEgress, "fetched by the provider"},
		"a file by a word":         {chat, content(`[{"type":"file","file":"https://evil/"}]`), broker.DeniedEgress, "fetched by the provider"},
		"a URL by itself":          {chat, content(`[{"type":"image","url":"https://evil/"}]`), broker.DeniedEgress, "fetched by the provider"},
		"a URI":                    {chat, content(`[{"type":"image","file_uri":"gs://evil/"}]`), broker.DeniedEgress, "fetched by the provider"},
		"a URI of a source":        {chat, content(`[{"type":"image","source":{"uri":"https://evil/"}}]`), broker.DeniedEgress, "fetched by the provider"},
		"pictures in pictures":     {chat, content(`[{"image":` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + `}]`), broker.DeniedEgress, "nested too deeply"},
		"a plugin, aloud":          {chat, with(`"Plugins":[{"id":"web"}]`), broker.DeniedEgress, "plugins"},
		"a plugin, spelt oddly":    {chat, with(`"plugin\u017f":[{"id":"web"}]`), broker.DeniedEgress, "plugins"},
		"another model, aloud":     {chat, with(`"Model":"forbidden"`), broker.DeniedRequest, "twice"},
		"tools, aloud":             {chat, with(`"TOOLS":[{"type":"web_search"}]`), broker.DeniedEgress, "web_search"},
		"a tool that has two":      {chat, with(`"tools":[{"type":"web_search","TYPE":"function"}]`), broker.DeniedEgress, "known form"},
		"a tool nobody knows":      {chat, with(`"tools":[{"type":"openrouter:web_search"}]`), broker.DeniedEgress, "openrouter:web_search"},
		"another server":           {chat, with(`"api_base":"https://evil/"`), broker.DeniedEgress, "api_base"},
		"within a tool result":     {chat, content(`[{"type":"tool_result","content":[{"type":"image","source":{"type":"url","url":"https://evil/"}}]}]`), broker.DeniedEgress, "fetched by the provider"},
		"stream options":           {chat, `{"model":"local/m2","stream":true,"stream_options":[]}`, broker.DeniedRequest, "not an object"},
		"far too large":            {chat, say("local/m2", strings.Repeat("x", 3<<20), false), broker.DeniedRate, "larger than 2097152 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, config{upstream: never(t), options: func(o *broker.Options) { o.Rates.RequestBytes = 2 << 20 }})
			a := s.post(c.path, c.body)
			if a.status != http.StatusBadRequest || !strings.Contains(a.message(), c.want) {
				t.Errorf("%d %s", a.status, a.body)
			}
			var shape struct {
				Type  string
				Error struct{ Type, Message string }
			}
			if err := json.Unmarshal([]byte(a.body), &shape); err != nil || shape.Type != "error" || shape.Error.Type != "invalid_request_error" {
				t.Errorf("the error has another form: %s", a.body)
			}
			events := s.trail.all()
			if len(events) != 1 || events[0].Effect != audit.Deny || events[0].Reason != string(c.denial) || events[0].Boundary != audit.Inference {
				t.Errorf("recorded %+v; want %s", events, c.denial)
			}
			if d := s.owner.denials(); len(d) != 1 || !strings.HasPrefix(d[0], string(c.denial)) {
				t.Errorf("the owner heard %q", d)
			}
			if turn, _ := s.socket.Usage(); turn.Requests != 0 {
				t.Errorf("it was metered: %+v", turn)
			}
		})
	}
}

// What is not egress is let through: data within a message, words about URLs.
func TestNoEgress(t *testing.T) {
	t.Parallel()
	s := open(t, config{upstream: &provider{}})
	for _, body := range []string{
		`{"model":"local/m2","mcp_servers":[],"plugins":null,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]}]}`,
		`{"model":"local/m2","messages":[{"role":"user","content":"see https://example.com/?url=1"},{"role":"user","content":[{"type":"text","text":"a url \u0041"}]}]}`,
		`{"model":"local/m2","tools":[{"type":"function","function":{"name":"web_fetch"}},{"name":"web_search"}],"messages":[{"role":"tool","content":null}]}`,
		`{"model":"local/m2","system":[{"type":"text","text":"a file, a url"}],"tools":[{"type":"custom","name":"a"},{"type":"bash_20250124","name":"bash"}],"messages":[]}`,
		`{"model":"local/m2","messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"fetch","input":{"image_url":"https://example.com/","source":{"type":"url"}}}]}]}`,
		`{"model":"local/m2","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f"}},{"type":"document","source":{"type":"base64","data":"AA"}},{"type":"search_result","source":"https://example.com/"}]}]}`,
		`{"model":"local/m2","messages":[{"role":"assistant","audio":{"id":"audio_1","transcript":"He said: see https://example.com/"}},{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"//uQ","format":"wav"}}]}]}`,
		`{"model":"local/m2","messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"see https://example.com/"}},{"type":"video","video":["data:image/png;base64,AA"]}]}]}`,
		`{"model":"local/m2","messages":[{"role":"user","content":[{"type":"file","file":{"file_data":"data:application/pdf;base64,AA"}}]}],"background":false,"conversation":null}`,
	} {
		if a := s.post(chat, body); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
}

func TestModelsAndCount(t *testing.T) {
	t.Parallel()
	up := &provider{}
	s := open(t, config{upstream: up})
	req := s.request(t.Context(), "/v1/models", "")
	req.Method = http.MethodGet
	a := s.do(req)
	for _, m := range granted() {
		if !strings.Contains(a.body, `"id":"`+m+`"`) {
			t.Errorf("models %s lack %s", a.body, m)
		}
	}
	if strings.Contains(a.body, "forbidden") || up.count() != 0 {
		t.Errorf("models %s", a.body)
	}
	if a := s.post(messages+"/count_tokens", say("claude/m1", "x", false)); a.body != `{"input_tokens":77}` {
		t.Errorf("count %d %s", a.status, a.body)
	}
	if turn, _ := s.socket.Usage(); turn.Requests != 0 {
		t.Errorf("a count was metered: %+v", turn)
	}
	for path, status := range map[string]int{"/": 404, "/v1/files": 404, "/v1/../v1/files": 404, "/debug/pprof/": 404} {
		req := s.request(t.Context(), path, "")
		req.Method = http.MethodGet
		if a := s.do(req); a.status != status {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

// The openai-chat usage event is ours; a client sees it if it asked for it.
func TestUsageEvent(t *testing.T) {
	t.Parallel()
	for options, want := range map[string]string{
		"":                       openaiText + openaiDone,
		`"stream_options":null,`: openaiText + openaiDone,
		`"stream_options":{"include_usage":false},`:                            openaiText + openaiDone,
		`"stream_options":{"include_usage":true,"include_obfuscation":false},`: openaiText + openaiUsage + openaiDone,
	} {
		up := &provider{}
		s := open(t, config{upstream: up})
		a := s.post(chat, strings.Replace(say("local/m2", "x", true), "{", "{"+options, 1))
		if a.body != want {
			t.Errorf("with %q the client got %q; want %q", options, a.body, want)
		}
		if !strings.Contains(string(up.bodies[0]["stream_options"]), `"include_usage":true`) {
			t.Errorf("with %q the provider got %s", options, up.bodies[0]["stream_options"])
		}
		if turn, _ := s.socket.Usage(); turn.InputTokens != 20 || turn.CacheReadTokens != 5 || turn.OutputTokens != 30 {
			t.Errorf("with %q used %+v", options, turn)
		}
	}
}

// The rehearsal goes the same way as any model, in both protocols.
func TestRehearsal(t *testing.T) {
	t.Parallel()
	for _, path := range []string{messages, chat} {
		for _, stream := range []bool{true, false} {
			s := open(t, config{})
			a := s.post(path, say("play/rehearsal", "hello", stream))
			if a.status != http.StatusOK || a.header.Get(rehearsal.Header) != "default" || !strings.Contains(a.body, "rehearsal") {
				t.Fatalf("%s: %d %v %s", path, a.status, a.header, a.body)
			}
			if strings.Contains(a.header.Get("Content-Type"), "event-stream") != stream {
				t.Errorf("%s: %v", path, a.header)
			}
			turn, all := s.socket.Usage()
			if turn.Requests != 1 || turn.InputTokens == 0 || turn.OutputTokens < 10 || all.CostUSD == nil || *all.CostUSD != 0 {
				t.Errorf("used %+v", all)
			}
			if e := s.trail.all(); len(e) != 1 || e[0].Detail["model"] != "play/rehearsal" || e[0].Detail["estimated"] != "" {
				t.Errorf("recorded %+v", e)
			}
		}
	}
	s := open(t, config{cassette: "version: 1\nturns:\n  - match: {user: only this}\n    reply: [{text: a}]\n"})
	if a := s.post(messages, say("play/rehearsal", "hello", true)); a.status != http.StatusBadRequest || !strings.Contains(a.message(), "/only this/") {
		t.Errorf("unmatched: %d %s", a.status, a.body)
	}
}
