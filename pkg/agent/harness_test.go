package agent_test

import (
	"bytes"
	"context"
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
	"testing"

	"github.com/vexa-ai/vexa/pkg/agent"
	"github.com/vexa-ai/vexa/pkg/agent/model"
	"github.com/vexa-ai/vexa/pkg/agent/model/modeltest"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
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
			_, _ = io.WriteString(w, modeltest.OpenAIChat(s))
		} else {
			_, _ = io.WriteString(w, modeltest.AnthropicMessages(s))
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
	bodies []wsv2.Body
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
	parser, err := dialect.New(runnerv2.Stream{Dialect: dialect.VexaNDJSON})
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

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
