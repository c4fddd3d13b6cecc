package agent_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/agent"
	"github.com/vexa-ai/vexa/pkg/contract/toolv1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/mcp"
)

// shelf is what an MCP server offers: tools that say how they were called.
type shelf struct {
	mu    sync.Mutex
	calls []string
	tools []toolv1.Tool
}

func (s *shelf) Tools() []toolv1.Tool { return s.tools }

func (s *shelf) Call(_ context.Context, name string, arguments json.RawMessage) (mcp.Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, name+" "+string(arguments))
	if name == "fails" {
		return mcp.Answer{Text: "it is closed", Failed: true}, nil
	}
	return mcp.Answer{Text: "heard " + string(arguments)}, nil
}

// toolServer serves tools of these names to whoever has the token.
func toolServer(t *testing.T, token string, names ...string) (*shelf, string) {
	t.Helper()
	s := &shelf{}
	for _, name := range names {
		s.tools = append(s.tools, toolv1.Tool{Name: name, Title: name, Description: "about " + name, InputSchema: json.RawMessage(`{"type":"object"}`)})
	}
	server := mcp.NewServer(mcp.ServerOptions{Name: "test", Version: "1", Log: slog.New(slog.DiscardHandler)})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		body, _ := io.ReadAll(r.Body)
		server.Serve(w, r, body, s)
	}))
	t.Cleanup(web.Close)
	return s, web.URL + mcp.Path
}

// turnWith runs a turn of an agent that was granted tools.
func (p *place) turnWith(url, token, prompt string) outcome {
	p.t.Helper()
	cmd := p.command(prompt)
	cmd.Env = append(cmd.Env, "VEXA_MCP_URL="+url, "VEXA_MCP_TOKEN="+token)
	var out, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &stderr
	_ = cmd.Run() // the code says it
	return p.outcome(cmd, []byte(out.String()), stderr.String())
}

// The model is offered the granted tools beside the agent's own, under names
// that its API takes, and what it calls reaches the tool under its own name.
func TestGrantedTools(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"anthropic-messages", "openai-chat"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			s, url := toolServer(t, "tok-123", "vexa.echo", "fails", "read", strings.Repeat("x", 100))
			p := newProvider(t, call("c1", "vexa_echo", `{"text":"hi"}`), call("c2", "fails", `{}`), text("done"))
			pl := newPlace(t, p)
			pl.protocol = protocol
			o := pl.turnWith(url, "tok-123", "go")
			if o.code != agent.ExitOK || o.result.Reply != "done" {
				t.Fatalf("code %d, %+v, %s", o.code, o.result, o.stderr)
			}
			if diff := cmp.Diff([]string{`vexa.echo {"text":"hi"}`, `fails {}`}, s.calls); diff != "" {
				t.Errorf("called (-want +got):\n%s", diff)
			}
			var said []string
			for _, b := range o.bodies {
				if r, ok := b.(wsv2.ToolResult); ok {
					said = append(said, r.Output)
				}
			}
			if diff := cmp.Diff([]string{`heard {"text":"hi"}`, "error: it is closed"}, said); diff != "" {
				t.Errorf("the reader saw (-want +got):\n%s", diff)
			}
			for _, want := range []string{`"name":"vexa_echo"`, `"name":"read"`, `"name":"read_`, `about vexa.echo`} {
				if !strings.Contains(p.bodies[0], want) {
					t.Errorf("the model is not offered %s", want)
				}
			}
			if strings.Contains(p.bodies[0], `"vexa.echo"`) || strings.Contains(p.bodies[0], `"name":"`+strings.Repeat("x", 65)) {
				t.Error("a name that model APIs refuse")
			}
		})
	}
}

// An agent that cannot reach what it was granted does not do without.
func TestGrantedToolsThatCannotBeReached(t *testing.T) {
	t.Parallel()
	_, url := toolServer(t, "tok-123", "vexa.echo")
	p := newProvider(t, text("done"))
	o := newPlace(t, p).turnWith(url, "another", "go")
	if o.code != agent.ExitFailed || !strings.Contains(o.result.Error, "tools") || len(p.bodies) != 0 {
		t.Errorf("code %d, %+v, %d requests", o.code, o.result, len(p.bodies))
	}
}
