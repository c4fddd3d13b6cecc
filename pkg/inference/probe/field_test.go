package probe_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/inference/probe"
)

const (
	canary = "canary0123456789abcdef" // of no form that keys usually have
	number = "418053"                 // what the file holds
)

// asked is a request as a server reads it.
type asked struct {
	protocol inference.Protocol
	header   http.Header
	body     string
	stream   bool
	tools    bool
	forced   bool
	image    bool
	result   bool // a tool's
	two      bool // calls are wanted
}

// said is what a model answers.
type said struct {
	thinks string
	texts  []string
	calls  []string // their arguments
	tool   string   // empty: read_file
}

// field is a server as there are in the field: it behaves as well as any, but for
// what a test says.
type field struct {
	protocols []inference.Protocol
	models    string                                                     // its list; empty: of the model m
	reply     func(a asked) said                                         // nil: capable
	before    func(w http.ResponseWriter, r *http.Request, a asked) bool // answers in its place
	whole     bool                                                       // it never streams
	mute      bool                                                       // about usage

	mu   sync.Mutex
	seen []asked
}

func (f *field) requests() []asked {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]asked(nil), f.seen...)
}

// capable answers as the best of models.
func capable(a asked) said {
	switch {
	case a.result:
		return said{texts: []string{"It holds ", number, "."}}
	case a.image:
		return said{texts: []string{"Orange", "."}}
	case a.two:
		return said{calls: []string{`{"path":"first.txt"}`, `{"path":"second.txt"}`}}
	case a.tools:
		return said{texts: []string{"I look."}, calls: []string{`{"path":"number.txt"}`}}
	default:
		return said{texts: []string{"one ", "two ", "three"}}
	}
}

func (f *field) speaks(path string) inference.Protocol {
	for _, p := range f.protocols {
		switch {
		case p == inference.AnthropicMessages && path == "/v1/messages",
			p == inference.OpenAIResponses && path == "/v1/responses",
			p == inference.OpenAIChat && path == "/v1/chat/completions",
			p == inference.Gemini && strings.HasPrefix(path, "/v1beta/models/m:"):
			return p
		}
	}
	return ""
}

// ServeHTTP answers.
func (f *field) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	text := string(body)
	a := asked{
		protocol: f.speaks(r.URL.Path), header: r.Header, body: text,
		stream: strings.Contains(text, `"stream":true`) || strings.Contains(r.URL.Path, "streamGenerate"),
		tools:  strings.Contains(text, `"read_file"`), forced: strings.Contains(text, `"required"}`) || strings.Contains(text, `"tool_choice"`),
		image: strings.Contains(text, "image/png"), result: strings.Contains(text, number), two: strings.Contains(text, "second.txt"),
	}
	f.mu.Lock()
	f.seen = append(f.seen, a)
	f.mu.Unlock()
	if f.before != nil && f.before(w, r, a) {
		return
	}
	switch {
	case r.Method == http.MethodGet:
		list := f.models
		if list == "" {
			list = `{"object":"list","data":[{"id":"m","max_model_len":4096},{"id":"n"}],"models":[]}`
		}
		_, _ = io.WriteString(w, list)
	case a.protocol == "":
		http.NotFound(w, r)
	default:
		reply := f.reply
		if reply == nil {
			reply = capable
		}
		f.write(w, a, reply(a))
	}
}

func (f *field) write(w http.ResponseWriter, a asked, s said) {
	form := map[inference.Protocol]func(said, bool) (whole string, events []string){
		inference.AnthropicMessages: asMessages, inference.OpenAIResponses: asResponses, inference.OpenAIChat: asChat, inference.Gemini: asGemini,
	}[a.protocol]
	whole, events := form(s, !f.mute)
	if f.whole || !a.stream {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, whole)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for _, e := range events {
		_, _ = io.WriteString(w, "data: "+e+"\n\n")
	}
}

func quote(s string) string {
	data, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(data)
}

func (s said) toolName() string {
	if s.tool == "" {
		return "read_file"
	}
	return s.tool
}

func asChat(s said, usage bool) (whole string, events []string) {
	var calls []string
	stop := "stop"
	for i, args := range s.calls {
		stop = "tool_calls"
		calls = append(calls, fmt.Sprintf(`{"index":%d,"id":"call_%d","type":"function","function":{"name":%s,"arguments":%s}}`, i, i, quote(s.toolName()), quote(args)))
	}
	used := ""
	if usage {
		used = `,"usage":{"prompt_tokens":20,"completion_tokens":10}`
	}
	delta := func(d string) {
		events = append(events, `{"id":"c","model":"m","choices":[{"index":0,"delta":`+d+`}]}`)
	}
	if s.thinks != "" {
		delta(`{"reasoning_content":` + quote(s.thinks) + `}`)
	}
	for _, t := range s.texts {
		delta(`{"content":` + quote(t) + `}`)
	}
	for _, c := range calls {
		delta(`{"tool_calls":[` + c + `]}`)
	}
	events = append(events, `{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"`+stop+`"}]}`, `{"id":"c","choices":[]`+used+`}`, "[DONE]")
	message := `{"role":"assistant","content":` + quote(strings.Join(s.texts, ""))
	if calls != nil {
		message += `,"tool_calls":[` + strings.Join(calls, ",") + `]`
	}
	return `{"id":"c","model":"m","choices":[{"index":0,"message":` + message + `},"finish_reason":"` + stop + `"}]` + used + `}`, events
}

func asMessages(s said, usage bool) (whole string, events []string) {
	in, out, stop := `{}`, `{}`, "end_turn"
	if usage {
		in, out = `{"input_tokens":20,"output_tokens":1}`, `{"output_tokens":10}`
	}
	events = append(events, `{"type":"message_start","message":{"id":"msg","model":"m","usage":`+in+`}}`)
	var content []string
	block := func(start, full string, deltas ...string) {
		i := len(content)
		content = append(content, full)
		events = append(events, fmt.Sprintf(`{"type":"content_block_start","index":%d,"content_block":%s}`, i, start))
		for _, d := range deltas {
			events = append(events, fmt.Sprintf(`{"type":"content_block_delta","index":%d,"delta":%s}`, i, d))
		}
		events = append(events, fmt.Sprintf(`{"type":"content_block_stop","index":%d}`, i))
	}
	if s.texts != nil {
		var deltas []string
		for _, t := range s.texts {
			deltas = append(deltas, `{"type":"text_delta","text":`+quote(t)+`}`)
		}
		block(`{"type":"text","text":""}`, `{"type":"text","text":`+quote(strings.Join(s.texts, ""))+`}`, deltas...)
	}
	for i, args := range s.calls {
		stop = "tool_use"
		head := fmt.Sprintf(`{"type":"tool_use","id":"call_%d","name":%s,"input":`, i, quote(s.toolName()))
		block(head+`{}}`, head+args+`}`, `{"type":"input_json_delta","partial_json":`+quote(args)+`}`)
	}
	events = append(events, `{"type":"message_delta","delta":{"stop_reason":"`+stop+`"},"usage":`+out+`}`, `{"type":"message_stop"}`)
	return `{"type":"message","id":"msg","role":"assistant","model":"m","content":[` + strings.Join(content, ",") + `],"stop_reason":"` + stop + `","usage":` + in + `}`, events
}

func asResponses(s said, usage bool) (whole string, events []string) {
	used := ""
	if usage {
		used = `,"usage":{"input_tokens":20,"output_tokens":10}`
	}
	events = append(events, `{"type":"response.created","response":{"id":"resp","model":"m"}}`)
	var output []string
	add := func(begun, item string, deltas ...string) {
		i := len(output)
		output = append(output, item)
		events = append(events, fmt.Sprintf(`{"type":"response.output_item.added","output_index":%d,"item":%s}`, i, begun))
		for _, d := range deltas {
			events = append(events, fmt.Sprintf(`{"output_index":%d,%s}`, i, d))
		}
		events = append(events, fmt.Sprintf(`{"type":"response.output_item.done","output_index":%d,"item":%s}`, i, item))
	}
	if s.texts != nil {
		var deltas []string
		for _, t := range s.texts {
			deltas = append(deltas, `"type":"response.output_text.delta","delta":`+quote(t))
		}
		add(`{"type":"message","role":"assistant","content":[]}`,
			`{"type":"message","role":"assistant","content":[{"type":"output_text","text":`+quote(strings.Join(s.texts, ""))+`}]}`, deltas...)
	}
	for i, args := range s.calls {
		head := fmt.Sprintf(`{"type":"function_call","call_id":"call_%d","name":%s,"arguments":`, i, quote(s.toolName()))
		add(head+`""}`, head+quote(args)+`}`, `"type":"response.function_call_arguments.delta","delta":`+quote(args))
	}
	done := `{"id":"resp","model":"m","status":"completed","output":[` + strings.Join(output, ",") + `]` + used + `}`
	return done, append(events, `{"type":"response.completed","response":`+done+`}`)
}

func asGemini(s said, usage bool) (whole string, events []string) {
	used := ""
	if usage {
		used = `,"usageMetadata":{"promptTokenCount":20,"candidatesTokenCount":10}`
	}
	var parts []string
	for _, t := range s.texts {
		parts = append(parts, `{"text":`+quote(t)+`}`)
	}
	for _, args := range s.calls {
		parts = append(parts, `{"functionCall":{"name":`+quote(s.toolName())+`,"args":`+args+`},"thoughtSignature":"sig"}`)
	}
	for _, p := range parts {
		events = append(events, `{"candidates":[{"content":{"role":"model","parts":[`+p+`]}}]}`)
	}
	events = append(events, `{"candidates":[{"content":{"role":"model","parts":[]},"finishReason":"STOP"}]`+used+`}`)
	return `{"candidates":[{"content":{"role":"model","parts":[` + strings.Join(parts, ",") + `]},"finishReason":"STOP"}]` + used + `}`, events
}

// clock goes on by a tenth of a second whenever it is looked at.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time {
	c.now = c.now.Add(100 * time.Millisecond)
	return c.now
}

// options are those of a test of the server.
func options(tb testing.TB, h http.Handler) probe.Options {
	tb.Helper()
	s := httptest.NewServer(h)
	tb.Cleanup(s.Close)
	return probe.Options{
		Upstream: inference.NewUpstream(inference.UpstreamOptions{}), Model: "m", Key: []byte(canary), Now: (&clock{}).Now,
		Provider: inference.Provider{Name: "x", Protocol: inference.OpenAIChat, URL: s.URL, Models: []string{"m"}},
	}
}

// states are the findings about a protocol, and with "" about the endpoint.
func states(r probe.Report, p inference.Protocol) string {
	var out []string
	for _, c := range r.Checks {
		if c.Protocol == p {
			out = append(out, string(c.Name)+" "+string(c.State))
		}
	}
	return strings.Join(out, ", ")
}
