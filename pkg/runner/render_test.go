package runner_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/pkg/runner/dialect"
)

func vars() runner.Vars {
	return runner.Vars{
		Session: "6f2a1c9e", Model: "m-1", BaseURL: "http://127.0.0.1:8787", Token: "tok", Protocol: "anthropic-messages",
		Workdir: "/workspace", Home: "/home/agent", State: "/.vexa/session", Prompt: "--help\n{{token}} \"quoted\"",
		PromptFile: "/tmp/p",
	}
}

func TestRenderVexa(t *testing.T) {
	t.Parallel()
	want := runner.Command{
		Argv: []string{"/.vexa/bin/vexa", "agent", "--session", "6f2a1c9e"},
		Env: []string{
			"VEXA_AGENT_BASE_URL=http://127.0.0.1:8787", "VEXA_AGENT_MODEL=m-1", "VEXA_AGENT_PROTOCOL=anthropic-messages",
			"VEXA_AGENT_STATE=/.vexa/session", "VEXA_AGENT_TOKEN=tok",
		},
		Stdin: []byte(vars().Prompt),
	}
	got, err := runner.Render(shipped(t, "vexa"), vars(), false)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	got, err = runner.Render(shipped(t, "vexa"), vars(), true)
	if err != nil || got.Argv[len(got.Argv)-1] != "--resume" {
		t.Errorf("resume gives %q, %v", got.Argv, err)
	}
}

func TestRenderPromptPlaces(t *testing.T) {
	t.Parallel()
	m := shipped(t, "text")
	argvPrompt("--", "{{prompt}}")(&m)
	got, err := runner.Render(m, vars(), true) // no session: always new
	if err != nil || got.Argv[2] != vars().Prompt || len(got.Stdin) != 0 {
		t.Errorf("argv gives %q, %v: the prompt must arrive as it is, one argument", got.Argv, err)
	}
	v := vars()
	v.Prompt = "a\x00b"
	if _, err := runner.Render(m, v, false); !fault.Is(err, fault.Invalid) {
		t.Errorf("a NUL on the command line gives %v", err)
	}
	m.Prompt, m.Argv.New = runner.PromptFile, []string{"/bin/cat", "{{promptFile}}"}
	got, err = runner.Render(m, vars(), false)
	if err != nil || string(got.Files["/tmp/p"]) != vars().Prompt || got.Argv[1] != "/tmp/p" {
		t.Errorf("file gives %q, %q, %v", got.Argv, got.Files, err)
	}
}

func TestRenderRefusesValuesThatChangeTheCommand(t *testing.T) {
	t.Parallel()
	m := shipped(t, "vexa")
	for _, change := range []func(*runner.Vars){
		func(v *runner.Vars) { v.Model = "-m" },
		func(v *runner.Vars) { v.Session = "a\nb" },
		func(v *runner.Vars) { v.Token = `se"cret` },
		func(v *runner.Vars) { v.Model = "" },
		func(v *runner.Vars) { v.Session = "" },
	} {
		v := vars()
		change(&v)
		_, err := runner.Render(m, v, false)
		if !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), "cret") {
			t.Errorf("got %v, want invalid without the value", err)
		}
	}
}

func TestRenderStreamSession(t *testing.T) {
	t.Parallel()
	m := shipped(t, "vexa")
	m.Session.ID, m.Session.Path = runner.SessionStream, "init.session"
	m.Argv.New = m.Argv.New[:2]
	if err := runner.Check(m); err != nil {
		t.Fatal(err)
	}
	if _, err := runner.Render(m, vars(), true); !fault.Is(err, fault.Invalid) {
		t.Errorf("resuming without the runner's id gives %v", err)
	}
	v := vars()
	v.SessionRef = "own-id"
	got, err := runner.Render(m, v, true)
	if err != nil || got.Argv[3] != "own-id" {
		t.Errorf("resume gives %q, %v", got.Argv, err)
	}
}

func TestBaseURLAndProtocol(t *testing.T) {
	t.Parallel()
	if got := runner.BaseURL("127.0.0.1:8787", runner.AnthropicMessages); got != "http://127.0.0.1:8787" {
		t.Error(got)
	}
	if got := runner.BaseURL("127.0.0.1:8787", runner.OpenAIChat); got != "http://127.0.0.1:8787/v1" {
		t.Error(got)
	}
	m := shipped(t, "vexa")
	if p, ok := runner.ChooseProtocol(m, runner.OpenAIChat); !ok || p != runner.OpenAIChat {
		t.Error(p, ok)
	}
	if p, ok := runner.ChooseProtocol(m, runner.OpenAIChat, runner.AnthropicMessages); !ok || p != runner.AnthropicMessages {
		t.Error(p, ok, "the runner's preference counts")
	}
	if p, ok := runner.ChooseProtocol(m, runner.OpenAIResponses); !ok || p != runner.AnthropicMessages {
		t.Error(p, ok, "what the broker translates is spoken too")
	}
	if p, ok := runner.ChooseProtocol(m, runner.Gemini); !ok || p != runner.AnthropicMessages {
		t.Error(p, ok)
	}
	if _, ok := runner.ChooseProtocol(m, "rehearsal"); ok {
		t.Error("a protocol nobody speaks was chosen")
	}
	if _, ok := runner.ChooseProtocol(shipped(t, "text"), runner.OpenAIChat); ok {
		t.Error("a runner without a model got a protocol")
	}
}

func TestCapsule(t *testing.T) {
	t.Parallel()
	m := runnerv2.Manifest{Session: runnerv2.Session{Capsule: []string{"sessions/**/rollout-*-{{session}}.jsonl", "s/{{session}}.json", "db*"}}}
	globs, err := runner.Capsule(m, "a*[b")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"sessions/rollout-1-a*[b.jsonl":            true,
		"sessions/2026/08/rollout-xyz-a*[b.jsonl":  true,
		"sessions/2026/08/rollout-xyz-axb.jsonl":   false,
		"other/rollout-1-a*[b.jsonl":               false,
		"s/a*[b.json":                              true,
		"s/aXX[b.json":                             false,
		"s/deep/a*[b.json":                         false,
		"db.sqlite":                                true,
		"sub/db.sqlite":                            false,
		"sessions/2026/rollout-1-a*[b.jsonl/extra": false,
	} {
		if got := runner.InCapsule(globs, name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	globs, err = runner.Capsule(m, "../x/y")
	if err != nil || runner.InCapsule(globs, "s/../x/y.json") {
		t.Errorf("a session id reaches into another directory (%v)", err)
	}
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	done := dialect.Result{Terminal: true}
	for _, c := range []struct {
		runner string
		result dialect.Result
		exit   int
		want   wsv2.Outcome
	}{
		{"vexa", done, 0, wsv2.OutcomeCompleted},
		{"vexa", dialect.Result{}, 0, wsv2.OutcomeTruncated},
		{"vexa", done, 1, wsv2.OutcomeFailed},
		{"vexa", dialect.Result{}, 137, wsv2.OutcomeFailed},
		{"vexa", dialect.Result{Terminal: true, Failed: true}, 0, wsv2.OutcomeFailed},
		{"vexa", done, 130, wsv2.OutcomeInterrupted},
		{"text", dialect.Result{}, 0, wsv2.OutcomeCompleted},
		{"text", dialect.Result{Reply: "x"}, 2, wsv2.OutcomeFailed},
	} {
		if got := runner.Outcome(shipped(t, c.runner), c.result, c.exit); got != c.want {
			t.Errorf("%s %+v exit %d: %s, want %s", c.runner, c.result, c.exit, got, c.want)
		}
	}
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	if sig, grace := runner.Interrupt(shipped(t, "text")); sig != syscall.SIGINT || grace != 2*time.Second {
		t.Error(sig, grace)
	}
	m := shipped(t, "text")
	m.Signals = nil
	if sig, grace := runner.Interrupt(m); sig != syscall.SIGINT || grace != runner.DefaultGrace {
		t.Error(sig, grace)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"name":"x","title":"x","image":{"builtin":"empty"},"argv":{"new":["x","{{session}}"]},"prompt":"stdin","stream":{"dialect":"text","deltas":true},"session":{"id":"none"},"exit":{"ok":[0]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := runner.Parse(data)
		if err != nil {
			return
		}
		v := vars()
		v.SessionRef = "ref"
		for _, resume := range []bool{false, true} {
			if _, err := runner.Render(m, v, resume); err != nil {
				t.Fatalf("a manifest that was accepted does not render: %v\n%s", err, data)
			}
		}
	})
}

func TestRenderFiles(t *testing.T) {
	t.Parallel()
	m := shipped(t, "pi")
	m.Files["{{home}}/.config/agent.toml"] = "dir = '{{workdir}}'\n"
	v := vars()
	c, err := runner.Render(m, v, false)
	want := map[string][]byte{
		v.State + "/models.json":       []byte(`{"providers":{"vexa":{"baseUrl":"` + v.BaseURL + `","api":"openai-completions","apiKey":"$VEXA_KEY","models":[{"id":"` + v.Model + `"}]}}}`),
		v.Home + "/.config/agent.toml": []byte("dir = '" + v.Workdir + "'\n"),
	}
	if diff := cmp.Diff(want, c.Files); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	v.Model = `m","apiKey":"other`
	if _, err := runner.Render(m, v, false); !fault.Is(err, fault.Invalid) {
		t.Errorf("a value that breaks the quoting gives %v", err)
	}
}
