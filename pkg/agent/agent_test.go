package agent_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vexa-ai/vexa/pkg/agent"
	"github.com/vexa-ai/vexa/pkg/agent/model"
	"github.com/vexa-ai/vexa/pkg/agent/model/modeltest"
)

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

func TestInterrupt(t *testing.T) {
	t.Parallel()
	p := newProvider(t, func(w http.ResponseWriter, r *http.Request, _ string) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, modeltest.AnthropicMessages(modeltest.Script{Text: []string{"half a thought"}, Broken: true}))
		_ = http.NewResponseController(w).Flush()
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
			_ = cmd.Process.Signal(syscall.SIGINT)
		}
	}
	_ = cmd.Wait()
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
	must(t, os.MkdirAll(filepath.Join(others, "w2"), 0o700))
	must(t, os.MkdirAll(work, 0o700))
	must(t, os.WriteFile(filepath.Join(work, "AGENTS.md"), []byte("Write in Latin.\n"), 0o600))
	got := agent.SystemPrompt(work, others, false)
	for _, want := range []string{work + " (you may change it)", filepath.Join(others, "w2"), "Write in Latin.", "There is no shell."} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	must(t, os.Remove(filepath.Join(work, "AGENTS.md")))
	must(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("s3cret"), 0o600))
	must(t, os.Symlink(filepath.Join(dir, "secret"), filepath.Join(work, "AGENTS.md")))
	if strings.Contains(agent.SystemPrompt(work, others, true), "s3cret") {
		t.Error("a link was followed out of the workspace")
	}
}
