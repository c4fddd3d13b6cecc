package rehearsal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/inference/rehearsal"
)

// The turn that everything else is shown with: a note is written, then recalled.
func TestShippedNote(t *testing.T) {
	t.Parallel()
	for name, w := range ways() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, stream := w.path, w.stream
			h := shipped(t)
			const request = `Write a note that says "Buy 2 apples, and tea!"`
			offered := map[string][]string{"read": {"path"}, "write": {"path", "content"}}
			r := post(t, h, path, body(path, stream, ask(request), offered))
			var args map[string]string
			if err := json.Unmarshal([]byte(r.arguments), &args); err != nil {
				t.Fatalf("arguments %q: %v", r.arguments, err)
			}
			if r.tool != "write" || args["path"] != "notes/buy-2-apples-and-tea.md" || args["content"] != "Buy 2 apples, and tea!\n" || len(args) != 2 {
				t.Fatalf("call of %s with %v", r.tool, args)
			}
			if r.stop != map[string]string{anthropic: "tool_use", openai: "tool_calls"}[path] || r.output == 0 || r.input == 0 {
				t.Errorf("stop %q, usage %v/%v", r.stop, r.input, r.output)
			}
			conversation := append(ask(request), said{role: "assistant", call: "c"}, said{role: "user", text: "wrote 23 bytes", result: true})
			r2 := post(t, h, path, body(path, stream, conversation, offered))
			if r2.tool != "" || !strings.Contains(r2.text, "notes/buy-2-apples-and-tea.md") || r2.stop == r.stop {
				t.Errorf("closing %+v", r2)
			}
			if r.id == r2.id || r.id == "" {
				t.Errorf("ids %q and %q of two answers", r.id, r2.id)
			}
			failed := append(ask(request), said{role: "assistant", call: "c"}, said{role: "user", text: "error: read-only", result: true})
			if r := post(t, h, path, body(path, stream, failed, offered)); !strings.Contains(r.text, "could not be written: error: read-only") {
				t.Errorf("after a failure: %q", r.text)
			}
			later := append(conversation, said{role: "assistant", text: r2.text}, said{role: "user", text: "What did I ask you before?"})
			if r := post(t, h, path, body(path, stream, later, offered)); !strings.Contains(r.text, request) {
				t.Errorf("asked what was before: %q", r.text)
			}
		})
	}
}

func TestShippedAnswers(t *testing.T) {
	t.Parallel()
	h := shipped(t)
	offered := map[string][]string{"read": {"path"}, "write": {"path", "content"}, "list": {"path"}}
	before := []said{{role: "user", text: "my dog is called Rex"}, {role: "assistant", text: "noted"}}
	for _, question := range []string{
		"What did I ask you before?", "what did I ask?", "what was my previous message", "What was my last question?",
		"What did I say before?", "Do you remember what I told you?", "do you still remember?", "Can you recall it?",
		"What did I just say?", "what have I said so far", "Which note did I ask for?", "What was the earlier message?",
		"Repeat my previous message.", "Tell me what I said.", "What were we talking about earlier?",
		"what did I tell you to write?", "What was the previous request about?",
	} {
		r := post(t, h, anthropic, body(anthropic, true, append(before[:2:2], said{role: "user", text: question}), offered))
		if !strings.Contains(r.text, "my dog is called Rex") {
			t.Errorf("%q: %q", question, r.text)
		}
		first := post(t, h, anthropic, body(anthropic, true, ask(question), offered))
		if !strings.Contains(first.text, "first message") {
			t.Errorf("%q as the first message: %q", question, first.text)
		}
	}
	for text, want := range map[string]string{
		"Hello!":                  "rehearsal",
		"good morning":            "rehearsal",
		"what is the weather":     "“what is the weather”",
		"explain quantum physics": "vexa model add",
	} {
		if r := post(t, h, openai, body(openai, false, ask(text), offered)); !strings.Contains(r.text, want) || r.tool != "" {
			t.Errorf("%q: %+v", text, r)
		}
	}
	for text, want := range map[string]string{
		"read notes/a.md":              `read {"path":"notes/a.md"}`,
		"Please show me the file x.md": `read {"path":"x.md"}`,
		"Read `README.md` for me":      `read {"path":"README.md"}`,
		"List files":                   `list {"path":"."}`,
		"which files are there?":       `list {"path":"."}`,
		"Write a note that says hello": `write {"content":"hello\n","path":"notes/hello.md"}`,
		"write me a note saying: hi":   `write {"content":"hi\n","path":"notes/hi.md"}`,
		"Write a note that says … !":   `write {"content":"… !\n","path":"notes/note.md"}`,
	} {
		r := post(t, h, anthropic, body(anthropic, true, ask(text), offered))
		if got := r.tool + " " + r.arguments; got != want {
			t.Errorf("%q calls %s; want %s", text, got, want)
		}
	}
}

// Real agents name the tool and its arguments in their own ways.
func TestShippedServesAgents(t *testing.T) {
	t.Parallel()
	h := shipped(t)
	for _, c := range []struct{ tool, arg, want string }{
		{"Write", "file_path", "/workspace/notes/hi.md"},
		{"write", "filePath", "/workspace/notes/hi.md"},
		{"write_file", "file_path", "/workspace/notes/hi.md"},
	} {
		r := post(t, h, openai, body(openai, true, ask("Write a note that says hi"), map[string][]string{c.tool: {c.arg, "content"}}))
		var args map[string]string
		if err := json.Unmarshal([]byte(r.arguments), &args); err != nil || r.tool != c.tool || args[c.arg] != c.want || len(args) != 2 {
			t.Errorf("%s: call of %s with %s", c.tool, r.tool, r.arguments)
		}
	}
	// A name that ends in * stands for those that begin so.
	star := serve(t, "version: 1\nname: c\nturns:\n  - match: always\n    reply:\n      - tool: {name: [none*, 'mcp__echo*'], arguments: {}}\n")
	for _, name := range []string{"mcp__echo", "mcp__echo_1x9"} {
		if r := post(t, star, openai, body(openai, true, ask("x"), map[string][]string{name: nil, "other": nil})); r.tool != name {
			t.Errorf("%s: call of %q, %s", name, r.tool, r.message)
		}
	}
	// What a CLI puts into the user's message is not what the person said.
	reminded := "<system-reminder>\nwhat did I ask before\n</system-reminder>\nhello"
	if r := post(t, h, anthropic, body(anthropic, true, ask(reminded), nil)); !strings.Contains(r.text, "Hello.") {
		t.Errorf("with a reminder: %q", r.text)
	}
	if r := post(t, h, openai, body(openai, true, append(ask("<session_context>\nwhat did I ask before\n</session_context>"), ask("hello")...), nil)); !strings.Contains(r.text, "Hello.") {
		t.Errorf("with a context: %q", r.text)
	}
	// A request without tools, for a title say, is answered in words.
	if r := post(t, h, anthropic, body(anthropic, true, ask("Write a note that says hi"), nil)); r.status != http.StatusOK || r.tool != "" {
		t.Errorf("without tools: %+v", r)
	}
}

func TestSaysWhatItIs(t *testing.T) {
	t.Parallel()
	for name, w := range ways() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, stream := w.path, w.stream
			r := post(t, shipped(t), path, body(path, stream, ask("hello"), nil))
			if got := r.header.Get(rehearsal.Header); got != "default" {
				t.Errorf("header %q", got)
			}
			if r.model != "rehearsal/default" || (path == openai && r.fingerprint != "rehearsal") {
				t.Errorf("model %q, fingerprint %q", r.model, r.fingerprint)
			}
			if stream && r.pieces < 10 {
				t.Errorf("streamed in %d pieces", r.pieces)
			}
		})
	}
}

const small = `
version: 1
turns:
  - match: {user: '^slow$'}
    reply: [{text: 'a b '}, {delay: 30ms}, {text: c}]
    usage: {input: 7, output: 9}
  - match: {user: '^fail$'}
    reply: [{error: {status: 529, message: 'no {{lastUser}}'}}]
  - match: {user: '^late fail$'}
    reply: [{text: 'x'}, {error: {status: 500, message: broke}}]
  - match: {user: '^tool$'}
    reply: [{tool: {name: [first, second], arguments: {a: 1, b: [true, '{{0}}']}}}]
  - match: {user: '^tool$', toolResult: '(\d+)'}
    reply: [{text: 'user {{0}} result {{toolResult}}'}]
`

func TestCassette(t *testing.T) {
	t.Parallel()
	for name, w := range ways() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, stream := w.path, w.stream
			h := serve(t, small)
			begin := time.Now()
			r := post(t, h, path, body(path, stream, ask("slow"), nil))
			if r.text != "a b c" || r.output != 9 || time.Since(begin) < 30*time.Millisecond {
				t.Errorf("slow: %+v after %s", r, time.Since(begin))
			}
			if !stream && r.input != 7 {
				t.Errorf("input %v", r.input)
			}
			if r := post(t, h, path, body(path, stream, ask("fail"), nil)); r.status != 529 || r.message != "no fail" || r.header.Get(rehearsal.Header) != "c" {
				t.Errorf("fail: %+v", r)
			}
			if r := post(t, h, path, body(path, stream, ask("late fail"), nil)); r.message != "broke" || (r.status == http.StatusOK) != stream {
				t.Errorf("late fail: %+v", r)
			}
			r = post(t, h, path, body(path, stream, ask("tool"), map[string][]string{"second": nil, "third": nil}))
			if r.tool != "second" || r.arguments != `{"a":1,"b":[true,"tool"]}` {
				t.Errorf("tool: %s %s", r.tool, r.arguments)
			}
			conversation := append(ask("tool"), said{role: "assistant", call: "c"}, said{role: "user", text: "got 12", result: true})
			if r := post(t, h, path, body(path, stream, conversation, nil)); r.text != "user tool result got 12" {
				t.Errorf("tool result: %q", r.text)
			}
		})
	}
}

// Nothing that is not in the cassette is made up.
func TestUnmatched(t *testing.T) {
	t.Parallel()
	for name, w := range ways() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, stream := w.path, w.stream
			h := serve(t, small)
			r := post(t, h, path, body(path, stream, ask("something else"), nil))
			if r.status != http.StatusBadRequest {
				t.Fatalf("status %d", r.status)
			}
			for _, want := range []string{`"something else"`, "cassette c", "line 4: user /^slow$/", `tool result /(\d+)/`} {
				if !strings.Contains(r.message, want) {
					t.Errorf("message %q lacks %q", r.message, want)
				}
			}
			r = post(t, h, path, body(path, stream, ask("tool"), map[string][]string{"third": nil}))
			if r.status != http.StatusBadRequest || !strings.Contains(r.message, "first or second, which the request does not offer") {
				t.Errorf("without its tool: %+v", r)
			}
		})
	}
}

// A changed file answers the next request, and a broken one says where.
func TestFileChanges(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "my cassette.yaml")
	h := rehearsal.New(path)
	say := func(text string) []byte {
		return []byte("version: 1\nturns:\n  - match: always\n    reply: [{text: " + text + "}]\n")
	}
	request := body(openai, false, ask("x"), nil)
	if r := post(t, h, openai, request); r.status != http.StatusBadRequest || !strings.Contains(r.message, "cannot be read") {
		t.Fatalf("without a file: %+v", r)
	}
	for _, step := range []struct {
		data []byte
		want string
		bad  string
	}{
		{data: say("one"), want: "one"},
		{data: say("two"), want: "two"}, // of the same length
		{data: []byte("version: 1\nturns:\n  - match: nothing\n"), bad: "my cassette.yaml:3"},
		{data: say("three"), want: "three"},
	} {
		if err := os.WriteFile(path, step.data, 0o600); err != nil {
			t.Fatal(err)
		}
		r := post(t, h, openai, request)
		if r.text != step.want || !strings.Contains(r.message, step.bad) || (step.bad != "") != (r.status == http.StatusBadRequest) {
			t.Errorf("%+v; want %q or an error with %q", r, step.want, step.bad)
		}
		if step.bad == "" && r.header.Get(rehearsal.Header) != "my-cassette" {
			t.Errorf("header %q", r.header.Get(rehearsal.Header))
		}
	}
}

func TestRefusesOtherRequests(t *testing.T) {
	t.Parallel()
	h := shipped(t)
	for name, data := range map[string]string{
		"no JSON":     "{",
		"an array":    "[]",
		"no messages": `{"model":"m"}`,
		"no user":     `{"messages":[{"role":"system","content":"x"}]}`,
		"bad content": `{"messages":[{"role":"user","content":3}]}`,
	} {
		if r := post(t, h, openai, []byte(data)); r.status != http.StatusBadRequest || r.message == "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/other", http.NoBody))
	if w.Code != http.StatusNotFound {
		t.Errorf("another path: %d", w.Code)
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/models", http.NoBody))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"id":"rehearsal"`) {
		t.Errorf("models: %d %s", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/messages/count_tokens", bytes.NewReader(body(anthropic, false, ask("x"), nil))))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "input_tokens") {
		t.Errorf("count: %d %s", w.Code, w.Body)
	}
}

// The same request has the same ids, so that a repeat is seen as one.
func TestIDsComeFromTheRequest(t *testing.T) {
	t.Parallel()
	h := shipped(t)
	data := body(anthropic, true, ask("Write a note that says hi"), map[string][]string{"write": nil})
	a, b := post(t, h, anthropic, data), post(t, h, anthropic, data)
	c := post(t, h, anthropic, append(data, ' '))
	if a.id != b.id || a.toolID != b.toolID || a.id == c.id || a.toolID == c.toolID || !strings.HasPrefix(a.toolID, "toolu_") {
		t.Errorf("ids %s %s, %s %s, %s %s", a.id, a.toolID, b.id, b.toolID, c.id, c.toolID)
	}
}

func TestInstall(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rehearsal.yaml")
	if wrote, err := rehearsal.Install(path); err != nil || !wrote {
		t.Fatalf("%t, %v", wrote, err)
	}
	if _, err := rehearsal.Load(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if wrote, err := rehearsal.Install(path); err != nil || wrote {
		t.Fatalf("again: %t, %v", wrote, err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "mine" {
		t.Fatalf("the person's file became %q, %v", data, err)
	}
}

func request(t *testing.T, ctx context.Context, text string) *http.Request { //nolint:revive // the test comes first
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, anthropic, bytes.NewReader(body(anthropic, true, ask(text), nil)))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// Within the process the answer streams, and ends when its reader goes.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	h := serve(t, "version: 1\nturns:\n  - match: always\n    reply: [{text: first}, {delay: 1m}, {text: second}]\n")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	resp, err := rehearsal.RoundTrip(h, request(t, ctx, "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get(rehearsal.Header) != "c" {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	got := ""
	buf := make([]byte, 1024)
	for !strings.Contains(got, "first") {
		n, err := resp.Body.Read(buf)
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		got += string(buf[:n])
	}
	cancel()
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
		t.Fatalf("cut short: %v; want cancelled", err)
	}
}

// A defect within the handler is an answer that breaks off, not a crash.
func TestRoundTripPanics(t *testing.T) {
	t.Parallel()
	resp, err := rehearsal.RoundTrip(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("x") }), request(t, t.Context(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err == nil || resp.StatusCode != http.StatusInternalServerError {
		t.Fatalf("%d, %v", resp.StatusCode, err)
	}
}

func FuzzRequest(f *testing.F) {
	path := filepath.Join(f.TempDir(), "c.yaml")
	if err := os.WriteFile(path, rehearsal.Shipped(), 0o600); err != nil {
		f.Fatal(err)
	}
	h := rehearsal.New(path)
	f.Add(body(anthropic, true, ask("hello"), map[string][]string{"write": {"path"}}))
	f.Add(body(openai, false, append(ask("tool"), said{role: "user", text: "x", result: true}), nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, p := range []string{anthropic, openai} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, p, bytes.NewReader(data)))
			if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
				t.Fatalf("status %d", w.Code)
			}
		}
	})
}
