package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/agent"
	"github.com/vexa-ai/vexa/pkg/agent/model"
	"github.com/vexa-ai/vexa/pkg/agent/model/modeltest"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv1"
	"github.com/vexa-ai/vexa/pkg/runner/dialect"
)

const asAgent = "VEXA_TEST_AGENT"

// TestMain lets the test binary be the agent: every turn of these tests is a
// process of its own, as in production.
func TestMain(m *testing.M) {
	if os.Getenv(asAgent) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(agent.Main(ctx, os.Args[1:], os.Getenv, agent.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}

const session = "6f2a1c9e-0b7d-4e35-9a41-3c8f5d2e7b60"

// answer is one step of a scripted provider.
type answer func(w http.ResponseWriter, r *http.Request, body string)

// provider serves both protocols by script.
type provider struct {
	*httptest.Server
	mu      sync.Mutex
	answers []answer
	bodies  []string
	asked   chan struct{} // one for each request
}

func newProvider(t *testing.T, answers ...answer) *provider {
	t.Helper()
	p := &provider{answers: answers, asked: make(chan struct{}, 100)}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.bodies = append(p.bodies, string(body))
		var next answer
		if len(p.answers) > 0 {
			next, p.answers = p.answers[0], p.answers[1:]
		}
		p.mu.Unlock()
		p.asked <- struct{}{}
		if next == nil {
			http.Error(w, "the script is over", http.StatusBadRequest)
			return
		}
		next(w, r, string(body))
	}))
	t.Cleanup(p.Close)
	return p
}

// say answers with a script in the protocol of the request.
func say(s modeltest.Script) answer {
	return func(w http.ResponseWriter, r *http.Request, _ string) {
		w.Header().Set("Content-Type", "text/event-stream")
		if strings.HasSuffix(r.URL.Path, "/chat/completions") {
			io.WriteString(w, modeltest.OpenAIChat(s))
		} else {
			io.WriteString(w, modeltest.AnthropicMessages(s))
		}
	}
}

func text(words string) answer {
	return say(modeltest.Script{Text: []string{words}, Stop: model.StopEnd})
}

func call(id, name, arguments string) answer {
	return say(modeltest.Script{Calls: []modeltest.Call{{ID: id, Name: name, Pieces: []string{arguments}}}, Stop: model.StopTools})
}

func refuse(status int, message string) answer {
	return func(w http.ResponseWriter, _ *http.Request, _ string) {
		http.Error(w, fmt.Sprintf(`{"error":{"type":"limit","message":%q}}`, message), status)
	}
}

// place is where an agent runs.
type place struct {
	t        *testing.T
	dir      string
	protocol string
	url      string
}

func newPlace(t *testing.T, p *provider) *place {
	t.Helper()
	pl := &place{t: t, dir: t.TempDir(), protocol: "anthropic-messages", url: p.URL}
	for _, d := range []string{"workspace", "workspaces", "state"} {
		if err := os.Mkdir(filepath.Join(pl.dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return pl
}

// outcome is what a turn left behind.
type outcome struct {
	code   int
	bodies []wsv1.Body
	result dialect.Result
	out    string
	stderr string
}

func (p *place) command(prompt string, flags ...string) *exec.Cmd {
	p.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	args := append([]string{"--session", session, "--workdir", filepath.Join(p.dir, "workspace"), "--workspaces", filepath.Join(p.dir, "workspaces")}, flags...)
	cmd := exec.CommandContext(p.t.Context(), exe, args...)
	cmd.Env = []string{
		asAgent + "=1", "PATH=/usr/bin:/bin", "VEXA_AGENT_BASE_URL=" + p.url, "VEXA_AGENT_TOKEN=tok-123", "VEXA_AGENT_MODEL=m-1",
		"VEXA_AGENT_PROTOCOL=" + p.protocol, "VEXA_AGENT_STATE=" + filepath.Join(p.dir, "state"),
	}
	cmd.Stdin = strings.NewReader(prompt)
	return cmd
}

func (p *place) turn(prompt string, flags ...string) outcome {
	p.t.Helper()
	cmd := p.command(prompt, flags...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	_ = cmd.Run() // the code says it
	return p.outcome(cmd, out.Bytes(), stderr.String())
}

func (p *place) outcome(cmd *exec.Cmd, out []byte, stderr string) outcome {
	p.t.Helper()
	parser, err := dialect.New(runnerv1.Stream{Dialect: dialect.VexaNDJSON})
	if err != nil {
		p.t.Fatal(err)
	}
	bodies := parser.Feed(out)
	rest, result := parser.End()
	if result.Unknown != 0 {
		p.t.Errorf("the dialect does not know all of\n%s", out)
	}
	return outcome{cmd.ProcessState.ExitCode(), append(bodies, rest...), result, string(out), stderr}
}

func (p *place) file(name string) string {
	p.t.Helper()
	data, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(data)
}

func (p *place) session() string { return p.file("state/sessions/" + session + ".jsonl") }

func TestATurnInBothProtocols(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"anthropic-messages", "openai-chat"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t,
				say(modeltest.Script{Reasoning: []string{"hm"}, Text: []string{"I ", "write."}, Stop: model.StopTools, Calls: []modeltest.Call{
					{ID: "c1", Name: "write", Pieces: []string{`{"path":"notes/x.md",`, `"content":"hello"}`}},
					{ID: "c2", Name: "read", Pieces: []string{`{"path":"none"}`}},
				}}), text("Done: notes/x.md"))
			pl := newPlace(t, p)
			pl.protocol = protocol
			o := pl.turn("Write a note that says hello")
			if o.code != agent.ExitOK || o.result.Reply != "Done: notes/x.md" || !o.result.Terminal || o.result.SessionRef != session {
				t.Fatalf("code %d, %+v\n%s", o.code, o.result, o.stderr)
			}
			if got := pl.file("workspace/notes/x.md"); got != "hello" {
				t.Errorf("the note holds %q", got)
			}
			var kinds []string
			for _, b := range o.bodies {
				kinds = append(kinds, string(b.FrameType()))
			}
			want := "reasoning message-delta message-delta message tool-call tool-result tool-call tool-result message-delta message"
			if got := strings.Join(kinds, " "); got != want {
				t.Errorf("frames %s, want %s", got, want)
			}
			if len(p.bodies) != 2 || !strings.Contains(p.bodies[1], "wrote 5 bytes") || !strings.Contains(p.bodies[1], "none does not exist") {
				t.Errorf("the model did not get the results:\n%s", p.bodies[len(p.bodies)-1])
			}
			if n := strings.Count(pl.session(), "\n"); n != 4 {
				t.Errorf("%d lines in the session, want 4", n)
			}
		})
	}
}

// The next process knows the past by the session file alone.
func TestResumeInAFreshProcess(t *testing.T) {
	t.Parallel()
	p := newProvider(t, text("Noted."), text("You asked me to remember the blue door."))
	pl := newPlace(t, p)
	if o := pl.turn("Remember the blue door"); o.code != 0 {
		t.Fatal(o.stderr)
	}
	// Another container: only the capsule comes along.
	next := newPlace(t, p)
	if err := os.Rename(filepath.Join(pl.dir, "state"), filepath.Join(next.dir, "state2")); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(next.dir, "state"))
	os.Rename(filepath.Join(next.dir, "state2"), filepath.Join(next.dir, "state"))
	if o := next.turn("What did I ask before?", "--resume"); o.code != 0 {
		t.Fatal(o.stderr)
	}
	for _, want := range []string{"Remember the blue door", "Noted.", "What did I ask before?"} {
		if !strings.Contains(p.bodies[1], want) {
			t.Errorf("the second request lacks %q:\n%s", want, p.bodies[1])
		}
	}
}

// A process that is killed in the middle of a tool call leaves a conversation
// that goes on.
func TestResumeAfterAKill(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip(err)
	}
	p := newProvider(t, call("c1", "shell", `{"command":"touch started; sleep 60"}`), text("went on"))
	pl := newPlace(t, p)
	cmd := pl.command("go")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool {
		_, err := os.Stat(filepath.Join(pl.dir, "workspace", "started"))
		return err == nil
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	o := pl.turn("go on", "--resume")
	if o.code != 0 || o.result.Reply != "went on" {
		t.Fatalf("%+v %s", o.result, o.stderr)
	}
	var request struct {
		Messages []struct {
			Role    string
			Content []struct {
				Type, Text, Content string
				ToolUseID           string `json:"tool_use_id"`
			}
		}
	}
	if err := json.Unmarshal([]byte(p.bodies[1]), &request); err != nil {
		t.Fatal(err)
	}
	last := request.Messages[len(request.Messages)-1]
	if len(request.Messages) != 3 || last.Content[0].ToolUseID != "c1" || !strings.Contains(last.Content[0].Content, "interrupted") || last.Content[1].Text != "go on" {
		t.Errorf("the conversation is %+v", request.Messages)
	}
}

func await(t *testing.T, ready func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ready(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not happen")
		}
	}
}

func TestSessionFile(t *testing.T) {
	t.Parallel()
	good := `{"role":"user","text":"before"}` + "\n" + `{"role":"assistant","text":"yes"}` + "\n"
	for name, c := range map[string]struct {
		file string
		ok   bool
	}{
		"whole":            {good, true},
		"torn":             {good + `{"role":"user","te`, true},
		"torn with an end": {good + `{"role":"us` + "\n", true},
		"zeroes at end":    {good + "\x00\x00\x00\x00", true},
		"bad in between":   {`{"role":` + "\n" + good, false},
		"unknown role":     {`{"role":"king"}` + "\n" + good, false},
		"empty":            {"", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, text("again"))
			pl := newPlace(t, p)
			path := filepath.Join(pl.dir, "state", "sessions", session+".jsonl")
			os.MkdirAll(filepath.Dir(path), 0o700)
			os.WriteFile(path, []byte(c.file), 0o600)
			o := pl.turn("now", "--resume")
			if !c.ok {
				if o.code != agent.ExitFailed || !o.result.Failed || pl.session() != c.file {
					t.Errorf("code %d, %+v; the file must stay as it is", o.code, o.result)
				}
				return
			}
			if o.code != 0 {
				t.Fatal(o.stderr)
			}
			want := `{"role":"user","text":"now"}` + "\n" + `{"role":"assistant","text":"again"}` + "\n"
			if c.file != "" {
				want = good + want
			}
			if got := pl.session(); got != want {
				t.Errorf("the file is\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	p := newProvider(t, func(w http.ResponseWriter, r *http.Request, _ string) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, modeltest.AnthropicMessages(modeltest.Script{Text: []string{"half a thought"}, Broken: true}))
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	pl := newPlace(t, p)
	cmd := pl.command("think")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all []byte
	for buf := make([]byte, 4096); ; {
		n, err := out.Read(buf)
		all = append(all, buf[:n]...)
		if err != nil {
			break
		}
		if bytes.Contains(all, []byte("half a thought")) {
			cmd.Process.Signal(syscall.SIGINT)
		}
	}
	cmd.Wait()
	o := pl.outcome(cmd, all, "")
	if o.code != agent.ExitInterrupted || !o.result.Terminal || !o.result.Failed || o.result.Reply != "half a thought" || !strings.Contains(o.out, `"code":"interrupted"`) {
		t.Errorf("code %d, %+v\n%s", o.code, o.result, o.out)
	}
	if !strings.Contains(pl.session(), "half a thought") {
		t.Error("what was said is not kept")
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answers []answer
		flags   []string
		want    string
		reply   string
	}{
		"limit":          {[]answer{refuse(400, "the tokens of this dispatch are used up")}, nil, "tokens of this dispatch are used up", ""},
		"steps":          {[]answer{call("a", "list", "{}"), call("b", "list", "{}"), text("too late")}, []string{"--max-steps", "2"}, "after 2 steps", ""},
		"nothing":        {[]answer{say(modeltest.Script{Stop: model.StopEnd})}, nil, "answered nothing", ""},
		"broke off":      {[]answer{say(modeltest.Script{Text: []string{"half"}, Error: "overloaded"})}, nil, "overloaded", "half"},
		"no such sesson": {nil, []string{"--resume"}, "does not exist", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newPlace(t, newProvider(t, c.answers...)).turn("x", c.flags...)
			if o.code != agent.ExitFailed || !o.result.Failed || !strings.Contains(o.result.Error, c.want) || !strings.Contains(o.stderr, c.want) || o.result.Reply != c.reply {
				t.Errorf("code %d, %+v, stderr %s", o.code, o.result, o.stderr)
			}
			if strings.Contains(o.out+o.stderr, "tok-123") {
				t.Error("the token is printed")
			}
		})
	}
}

func TestASessionIsNotBegunTwice(t *testing.T) {
	t.Parallel()
	p := newProvider(t, text("one"))
	pl := newPlace(t, p)
	pl.turn("x")
	before := pl.session()
	if o := pl.turn("y"); o.code != agent.ExitFailed || !strings.Contains(o.stderr, "exists already") || pl.session() != before {
		t.Errorf("code %d, %s", o.code, o.stderr)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"VEXA_AGENT_BASE_URL": "http://127.0.0.1:1", "VEXA_AGENT_MODEL": "m", "VEXA_AGENT_PROTOCOL": "openai-chat", "VEXA_AGENT_STATE": t.TempDir(),
	}
	run := func(args []string, without string) (int, string) {
		var errw bytes.Buffer
		code := agent.Main(t.Context(), args, func(name string) string {
			if name == without {
				return ""
			}
			return env[name]
		}, agent.Streams{In: strings.NewReader("x"), Out: io.Discard, Err: &errw})
		return code, errw.String()
	}
	for name, c := range map[string]struct {
		args    []string
		without string
	}{
		"--session":           {nil, ""},
		"unexpected argument": {[]string{"--session", "a", "prompt"}, ""},
		"max-steps":           {[]string{"--session", "a", "--max-steps", "0"}, ""},
		"-nonsense":           {[]string{"--nonsense"}, ""},
		"VEXA_AGENT_STATE":    {[]string{"--session", "a"}, "VEXA_AGENT_STATE"},
		"VEXA_AGENT_MODEL":    {[]string{"--session", "a"}, "VEXA_AGENT_MODEL"},
		"VEXA_AGENT_PROTOCOL": {[]string{"--session", "a"}, "VEXA_AGENT_PROTOCOL"},
		"VEXA_AGENT_BASE_URL": {[]string{"--session", "a"}, "VEXA_AGENT_BASE_URL"},
	} {
		if code, said := run(c.args, c.without); code != agent.ExitUsage || !strings.Contains(said, name) {
			t.Errorf("%s: code %d, %q", name, code, said)
		}
	}
	if code, _ := run([]string{"--session", "../x"}, ""); code != agent.ExitFailed {
		t.Errorf("a session id that is a path gives %d", code)
	}
	if code, said := run([]string{"-h"}, ""); code != agent.ExitOK || !strings.Contains(said, "session") {
		t.Errorf("help gives %d, %s", code, said)
	}
}

// A conversation that does not fit is sent without the outputs of old calls,
// and kept whole.
func TestTooLongAConversation(t *testing.T) {
	t.Parallel()
	const limit = 20_000
	fits := func(then answer) answer {
		return func(w http.ResponseWriter, r *http.Request, body string) {
			if len(body) > limit {
				refuse(400, "prompt is too long: 9 tokens > 8 maximum")(w, r, body)
				return
			}
			then(w, r, body)
		}
	}
	p := newProvider(t, call("c1", "read", `{"path":"a"}`), call("c2", "read", `{"path":"b"}`), fits(text("never")), fits(text("fits")))
	pl := newPlace(t, p)
	for name, word := range map[string]string{"a": "alpha\n", "b": "bravo\n"} {
		if err := os.WriteFile(filepath.Join(pl.dir, "workspace", name), []byte(strings.Repeat(word, 6000)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := pl.turn("read both")
	if o.code != 0 || o.result.Reply != "fits" {
		t.Fatalf("code %d, %+v, %s", o.code, o.result, o.stderr)
	}
	sent := p.bodies[3]
	if strings.Contains(sent, "alpha") || !strings.Contains(sent, "bytes of output left out") || !strings.Contains(sent, "read both") {
		t.Errorf("sent at last: %.2000s", sent)
	}
	if !strings.Contains(pl.session(), "alpha") {
		t.Error("the session lost what was not sent")
	}
}

// Ids that are missing or come again are replaced: a conversation needs each
// call to have its own.
func TestCallIDs(t *testing.T) {
	t.Parallel()
	p := newProvider(t, call("same", "list", "{}"), call("same", "list", "{}"), call("", "list", "{}"), text("ok"))
	pl := newPlace(t, p)
	pl.protocol = "openai-chat"
	if o := pl.turn("x"); o.code != 0 {
		t.Fatal(o.stderr)
	}
	seen := map[string]int{}
	for line := range strings.Lines(pl.session()) {
		var m model.Message
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		for _, c := range m.Calls {
			seen[c.ID]++
		}
		for _, r := range m.Results {
			if seen[r.ID] != 1 {
				t.Errorf("a result for %q, of which there are %d", r.ID, seen[r.ID])
			}
		}
	}
	if len(seen) != 3 || seen[""] != 0 {
		t.Errorf("ids %v", seen)
	}
}

func TestShellDoesNotSeeTheToken(t *testing.T) {
	t.Parallel()
	p := newProvider(t, call("c", "shell", `{"command":"env"}`), text("ok"))
	pl := newPlace(t, p)
	if o := pl.turn("x"); o.code != 0 || strings.Contains(o.out, "tok-123") || !strings.Contains(o.out, "PATH=") {
		t.Errorf("code %d\n%s", o.code, o.out)
	}
}

func TestSystemPrompt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	work, others := filepath.Join(dir, "w"), filepath.Join(dir, "others")
	os.MkdirAll(filepath.Join(others, "w2"), 0o700)
	os.MkdirAll(work, 0o700)
	os.WriteFile(filepath.Join(work, "AGENTS.md"), []byte("Write in Latin.\n"), 0o600)
	got := agent.SystemPrompt(work, others, false)
	for _, want := range []string{work + " (you may change it)", filepath.Join(others, "w2"), "Write in Latin.", "There is no shell."} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	os.Remove(filepath.Join(work, "AGENTS.md"))
	os.WriteFile(filepath.Join(dir, "secret"), []byte("s3cret"), 0o600)
	os.Symlink(filepath.Join(dir, "secret"), filepath.Join(work, "AGENTS.md"))
	if strings.Contains(agent.SystemPrompt(work, others, true), "s3cret") {
		t.Error("a link was followed out of the workspace")
	}
}

func FuzzSession(f *testing.F) {
	f.Add([]byte(`{"role":"user","text":"a"}` + "\n" + `{"role":"assistant","calls":[{"id":"1","name":"x","arguments":{}}]}` + "\n{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		os.Mkdir(filepath.Join(dir, "sessions"), 0o700)
		path := filepath.Join(dir, "sessions", "s.jsonl")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		agent.OpenForTest(t, dir, "s")
	})
}
