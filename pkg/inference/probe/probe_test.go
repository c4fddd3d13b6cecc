package probe_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/inference/probe"
	"github.com/vexa-ai/vexa/pkg/inference/rehearsal"
)

func all() []inference.Protocol {
	return []inference.Protocol{inference.AnthropicMessages, inference.OpenAIResponses, inference.OpenAIChat, inference.Gemini}
}

const everything = "answers yes, streams yes, usage yes, speed yes, tools yes, results yes, parallel yes, images yes, reasoning no"

// A capable endpoint is found to be one in each protocol, with the key where it
// belongs and a bound on every answer.
func TestEveryProtocol(t *testing.T) {
	t.Parallel()
	for _, p := range all() {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			f := &field{protocols: []inference.Protocol{p}}
			if p == inference.Gemini {
				f.models = `{"models":[{"name":"models/m","inputTokenLimit":4096}]}`
			}
			o := options(t, f)
			o.Provider.Protocol = p
			r := probe.Run(t.Context(), o)
			if !r.OK || r.Error != "" || r.Hint != "" || r.Reply != "one two three" || !r.Streams || r.Context != 4096 {
				t.Errorf("%+v", r)
			}
			if got := states(r, p); got != everything {
				t.Errorf("%s", got)
			}
			if got := states(r, ""); got != "reachable yes, key yes, listed yes, context yes" {
				t.Errorf("%s", got)
			}
			if len(r.Paces) != 1 || r.Paces[0].Protocol != p || r.Paces[0].First.Milliseconds() != 100 || r.Paces[0].TokensPerSec != 50 {
				t.Errorf("the pace is %+v", r.Paces)
			}
			header := map[inference.Protocol]string{inference.AnthropicMessages: "X-Api-Key", inference.Gemini: "X-Goog-Api-Key"}[p]
			if header == "" {
				header = "Authorization"
			}
			bound := regexp.MustCompile(`"(?:max_tokens|max_output_tokens|maxOutputTokens)":(\d+)`)
			var own int
			for _, a := range f.requests() {
				if a.protocol != p {
					continue
				}
				own++
				if strings.TrimPrefix(a.header.Get(header), "Bearer ") != canary {
					t.Errorf("asked with %v", a.header)
				}
				m := bound.FindStringSubmatch(a.body)
				if m == nil {
					t.Errorf("a request without a bound: %s", a.body)
				} else if n, err := strconv.Atoi(m[1]); err != nil || n > 512 {
					t.Errorf("a request of %s tokens", m[1])
				}
			}
			if own != 5 || int64(len(f.requests())) != r.Requests || r.Requests > 10 || r.InputTokens != 100 || r.OutputTokens < 50 {
				t.Errorf("%d requests, of them %d in the protocol; %+v", len(f.requests()), own, r)
			}
			if p == inference.Gemini && !strings.Contains(f.requests()[3].body, `"thoughtSignature":"sig"`) {
				t.Errorf("the call was given back without its signature: %s", f.requests()[3].body)
			}
		})
	}
}

// refuse answers requests that are of a kind with an error.
func refuse(kind func(asked) bool, status int, body string) func(http.ResponseWriter, *http.Request, asked) bool {
	return func(w http.ResponseWriter, _ *http.Request, a asked) bool {
		if a.body == "" || !kind(a) {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return true
	}
}

func everyone(asked) bool { return true }

// instead has a capable model answer otherwise where it is asked for something.
func instead(kind func(asked) bool, s said) func(asked) said {
	return func(a asked) said {
		if kind(a) {
			return s
		}
		return capable(a)
	}
}

func tools(a asked) bool  { return a.tools && !a.result }
func images(a asked) bool { return a.image }

// Servers of openai-chat do what they like with what they cannot do.
func TestServersOfTheField(t *testing.T) {
	t.Parallel()
	noTools := "tools no, results unknown, parallel unknown"
	for name, c := range map[string]struct {
		field *field
		want  string // in the findings
		why   string // in the details
	}{
		"refuses tools": {
			&field{before: refuse(tools, 400, `{"error":"registry/m does not support tools"}`)}, noTools, "HTTP 400 Bad Request: registry/m does not support tools",
		},
		"fails at tools": {
			&field{before: refuse(tools, 500, `{"error":{"code":500,"message":"tools param requires --jinja flag"}}`)}, noTools, "requires --jinja flag",
		},
		"has no parser for calls": {
			&field{before: refuse(tools, 400, `{"object":"error","message":"\"auto\" tool choice requires --enable-auto-tool-choice"}`)}, noTools, "requires --enable-auto-tool-choice",
		},
		"ignores tools":   {&field{reply: instead(tools, said{texts: []string{"I cannot read files."}})}, noTools, "answers in words: “I cannot read files.”"},
		"calls if it has": {&field{reply: instead(func(a asked) bool { return tools(a) && !a.forced }, said{texts: []string{"Sure!"}})}, "tools partly", "only where a call is asked for"},
		"bad arguments":   {&field{reply: instead(tools, said{calls: []string{`{"file":1}`}})}, noTools, "its arguments do not hold to the tool's schema: “{\"file\":1}”"},
		"broken JSON":     {&field{reply: instead(tools, said{calls: []string{`{"path":`}})}, noTools, "do not hold"},
		"another tool":    {&field{reply: instead(tools, said{calls: []string{`{"path":"x"}`}, tool: "shell"})}, noTools, "that it was not offered: “shell”"},
		"too many to say": {&field{before: refuse(tools, 429, `{"error":{"message":"slow down"}}`)}, "tools unknown, results unknown", "HTTP 429 Too Many Requests: slow down"},
		"one at a time":   {&field{reply: instead(func(a asked) bool { return a.two }, said{calls: []string{`{"path":"first.txt"}`}})}, "results yes, parallel no", "one tool at a time"},
		"the same twice":  {&field{reply: instead(func(a asked) bool { return a.two }, said{calls: []string{`{"path":"a"}`, `{"path":"a"}`}})}, "results yes, parallel no", "one tool at a time"},
		"takes no result": {
			&field{before: refuse(func(a asked) bool { return a.result }, 422, `{"detail":[{"loc":["body","messages",2,"role"],"msg":"unexpected value"}]}`)}, "tools yes, results no", "role: unexpected value",
		},
		"forgets the result": {&field{reply: instead(func(a asked) bool { return a.result }, said{texts: []string{"Done."}})}, "results partly", "does not say what it holds: “Done.”"},
		"asks again":         {&field{reply: instead(func(a asked) bool { return a.result }, said{calls: []string{`{"path":"x"}`}})}, "results partly", "calls the tool again"},
		"never streams":      {&field{whole: true}, "answers yes, streams no, usage yes, tools yes, results yes, parallel yes, images yes", "came whole"},
		"refuses to stream": {
			&field{before: refuse(func(a asked) bool { return a.stream }, 400, `{"error":{"message":"stream is not supported"}}`)},
			"answers yes, streams no, usage yes, tools yes, results yes, parallel yes, images yes", "stream is not supported",
		},
		"streams at once":  {&field{reply: instead(func(a asked) bool { return !a.tools && !a.image }, said{texts: []string{"one two three"}})}, "answers yes, streams partly", "in one piece"},
		"says no usage":    {&field{mute: true}, "usage no, speed yes", "will be estimated"},
		"thinks aloud":     {&field{reply: func(a asked) said { s := capable(a); s.thinks = "hm"; return s }}, "reasoning yes", "shows what it thinks"},
		"thinks in public": {&field{reply: instead(func(a asked) bool { return !a.tools }, said{texts: []string{"<think>hm", "</think>one"}})}, "reasoning partly", "as <think>"},
		"only thinks":      {&field{reply: func(asked) said { return said{thinks: "hm"} }}, "answers partly", "it only thought"},
		"refuses pictures": {&field{before: refuse(images, 400, `{"error":{"message":"image input is not supported"}}`)}, "images no", "image input is not supported"},
		"is blind":         {&field{reply: instead(images, said{texts: []string{"Blue."}})}, "images unknown", "accepted; whether it was looked at cannot be told: “Blue.”"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.field.protocols = []inference.Protocol{inference.OpenAIChat}
			r := probe.Run(t.Context(), options(t, c.field))
			if got := states(r, inference.OpenAIChat); !strings.Contains(got, c.want) || !r.OK {
				t.Errorf("OK %t: %s", r.OK, got)
			}
			if all := fmt.Sprintf("%+v", r.Checks); !strings.Contains(all, c.why) {
				t.Errorf("%s", all)
			}
		})
	}
}

// What does not answer is no success, and why is said with what to do.
func TestFailures(t *testing.T) {
	t.Parallel()
	const unauthorised = `{"error":{"message":"no such key: ` + canary + `"}}`
	raw := func(kind, text string) func(http.ResponseWriter, *http.Request, asked) bool {
		return func(w http.ResponseWriter, r *http.Request, _ asked) bool {
			w.Header().Set("Content-Type", kind)
			_, _ = io.WriteString(w, text)
			return r.Method == http.MethodPost
		}
	}
	for name, c := range map[string]struct {
		field *field
		err   string
		hint  string
		state string // of the endpoint
	}{
		"key":                       {&field{before: refuse(everyone, 401, unauthorised)}, "HTTP 401 Unauthorized: no such key: [key]", "with the right key", "key no"},
		"not listed":                {&field{models: `{"data":[{"id":"qwen3:latest"}]}`, before: refuse(everyone, 404, `{"error":{"message":"model m not found"}}`)}, "model m not found", "it serves qwen3:latest", "listed no"},
		"an error within a success": {&field{before: refuse(everyone, 200, `{"error":{"message":"out of credit"}}`)}, "out of credit", "vexa model list", "listed yes"},
		"an error in words":         {&field{before: refuse(everyone, 200, `{"error":"Unexpected endpoint"}`)}, "Unexpected endpoint", "vexa model list", "listed yes"},
		"an error in a stream":      {&field{before: raw("text/event-stream", "data: {\"error\":{\"message\":\"out of memory\"}}\n\n")}, "out of memory", "vexa model list", "reachable yes"},
		"a page":                    {&field{before: raw("text/html", "<html>")}, "not of the form that openai-chat has", "vexa model list", "reachable yes"},
		"a broken stream":           {&field{before: raw("text/event-stream", "data: {\"choices\":\n\n")}, "not of the form", "vexa model list", "reachable yes"},
		"a stream of nothing":       {&field{before: raw("text/event-stream", ": ping\n\n")}, "the stream ended before the answer did", "vexa model list", "reachable yes"},
		"an answer of nothing":      {&field{reply: func(asked) said { return said{} }}, "the model said nothing", "vexa model list", "key yes"},
		"another protocol":          {&field{protocols: []inference.Protocol{inference.AnthropicMessages}}, "HTTP 404", "its URL speaks anthropic-messages", "listed yes"},
		"elsewhere": {&field{before: func(w http.ResponseWriter, r *http.Request, _ asked) bool {
			http.Redirect(w, r, "https://elsewhere.example/"+r.Header.Get("Authorization"), http.StatusPermanentRedirect)
			return true
		}}, "HTTP 308 Permanent Redirect: a redirect, which is not followed", "vexa model list", "reachable yes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.field.protocols == nil {
				c.field.protocols = []inference.Protocol{inference.OpenAIChat}
			}
			r := probe.Run(t.Context(), options(t, c.field))
			if r.OK || !strings.Contains(r.Error, c.err) || !strings.Contains(r.Hint, c.hint) || !strings.Contains(states(r, ""), c.state) {
				t.Errorf("%+v", r)
			}
			if text := fmt.Sprintf("%+v", r); strings.Contains(text, canary) {
				t.Errorf("the key is in %s", text)
			}
		})
	}
	t.Run("nothing there", func(t *testing.T) {
		t.Parallel()
		o := options(t, http.NotFoundHandler())
		o.Provider.URL = "http://127.0.0.1:1"
		r := probe.Run(t.Context(), o)
		if r.OK || !strings.Contains(r.Error, "provider x cannot be reached: dial tcp 127.0.0.1:1") || !strings.Contains(r.Hint, "is a server running at http://127.0.0.1:1?") {
			t.Errorf("%+v", r)
		}
		if r.Requests != 1 || len(r.Checks) != 1 {
			t.Errorf("it went on: %+v", r)
		}
	})
	t.Run("nothing said", func(t *testing.T) {
		t.Parallel()
		f := &field{before: func(_ http.ResponseWriter, r *http.Request, _ asked) bool {
			if r.Method == http.MethodPost {
				panic(http.ErrAbortHandler)
			}
			return false
		}}
		o := options(t, f)
		o.Provider.Also = []inference.Protocol{inference.Gemini}
		if r := probe.Run(t.Context(), o); r.OK || r.Error != "no answer came: EOF" || len(f.requests()) != 2 {
			t.Errorf("%d requests: %+v", len(f.requests()), r)
		}
	})
	t.Run("no key", func(t *testing.T) {
		t.Parallel()
		o := options(t, &field{before: refuse(everyone, 401, `{}`)})
		o.Key = nil
		if r := probe.Run(t.Context(), o); r.OK || !strings.Contains(states(r, ""), "key no") || !strings.Contains(r.Hint, "--key-file FILE") {
			t.Errorf("%+v", r)
		}
	})
}

// A refusal that names what it does not take is taken at its word.
func TestOtherNames(t *testing.T) {
	t.Parallel()
	f := &field{protocols: []inference.Protocol{inference.OpenAIChat}, before: refuse(func(a asked) bool { return strings.Contains(a.body, `"max_tokens"`) }, 400,
		`{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","param":"max_tokens","code":"unsupported_parameter"}}`)}
	r := probe.Run(t.Context(), options(t, f))
	if got := states(r, inference.OpenAIChat); !r.OK || got != everything {
		t.Errorf("%s", got)
	}
	c, _ := r.Find(probe.Answers, inference.OpenAIChat)
	if !strings.Contains(c.Detail, "it refuses max_tokens") {
		t.Errorf("%+v", c)
	}
	refused := 0
	for _, a := range f.requests() {
		if strings.Contains(a.body, `"max_tokens"`) && a.protocol == inference.OpenAIChat {
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("it was refused %d times", refused)
	}
}

// Which other protocols a URL speaks is found out, and that a server which
// answers everything with success speaks none.
func TestAlsoSpeaks(t *testing.T) {
	t.Parallel()
	f := &field{protocols: []inference.Protocol{inference.OpenAIChat, inference.OpenAIResponses}, before: func(w http.ResponseWriter, r *http.Request, a asked) bool {
		if r.Method == http.MethodGet || a.protocol != "" {
			return false
		}
		_, _ = io.WriteString(w, `{"error":"Unexpected endpoint or method. (POST /v1/messages). Returning 200 anyway"}`)
		return true
	}}
	r := probe.Run(t.Context(), options(t, f))
	for _, p := range all()[:2] {
		want := map[bool]probe.State{true: probe.Yes, false: probe.No}[p == inference.OpenAIResponses]
		if c, _ := r.Find(probe.Speaks, p); c.State != want {
			t.Errorf("%s: %+v", p, c)
		}
	}
	both := options(t, f)
	both.Provider.Also = []inference.Protocol{inference.OpenAIResponses}
	r = probe.Run(t.Context(), both)
	if !r.OK || states(r, inference.OpenAIResponses) != everything || states(r, inference.OpenAIChat) != everything {
		t.Errorf("%+v", r)
	}
	both.Provider.Also = []inference.Protocol{inference.AnthropicMessages}
	if r = probe.Run(t.Context(), both); r.OK {
		t.Errorf("it does not speak all that it is said to: %+v", r)
	}
}

// The rehearsal is tried out like any other, and can what its turns say.
func TestRehearsal(t *testing.T) {
	t.Parallel()
	cassette := filepath.Join(t.TempDir(), "play.yaml")
	if err := os.WriteFile(cassette, rehearsal.Shipped(), 0o600); err != nil {
		t.Fatal(err)
	}
	o := probe.Options{
		Upstream: inference.NewUpstream(inference.UpstreamOptions{}), Model: "rehearsal", Now: (&clock{}).Now,
		Provider: inference.Provider{Name: "play", Protocol: inference.Rehearsal, Cassette: cassette, Models: []string{"rehearsal"}},
	}
	r := probe.Run(t.Context(), o)
	const want = "answers yes, streams yes, usage yes, tools yes, results yes, parallel no, images unknown, reasoning no"
	if !r.OK || states(r, inference.AnthropicMessages) != want || states(r, inference.OpenAIChat) != want || states(r, "") != "reachable yes" {
		t.Errorf("%+v", r)
	}
	if err := os.WriteFile(cassette, []byte("version: 2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := probe.Run(t.Context(), o); r.OK || !strings.Contains(r.Error, "needs version: 1") || !strings.Contains(r.Hint, cassette) {
		t.Errorf("%+v", r)
	}
}

// Whoever asks is told what is tried, and can stop it.
func TestProgressAndEnd(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var begun []string
	f := &field{protocols: []inference.Protocol{inference.OpenAIChat}, before: func(_ http.ResponseWriter, r *http.Request, a asked) bool {
		if !a.tools {
			return false
		}
		cancel()
		<-r.Context().Done()
		return true
	}}
	o := options(t, f)
	o.Begin = func(name probe.Name, p inference.Protocol) {
		begun = append(begun, strings.TrimSpace(string(p)+" "+string(name)))
	}
	r := probe.Run(ctx, o)
	if c, _ := r.Find(probe.Tools, inference.OpenAIChat); c.State != probe.Unknown {
		t.Errorf("%+v", r)
	}
	for _, a := range f.requests()[3:] {
		t.Errorf("it went on: %+v", a)
	}
	if got := strings.Join(begun, ", "); !strings.HasPrefix(got, "reachable, openai-chat answers, openai-chat tools") {
		t.Errorf("it told of %s", got)
	}
}
