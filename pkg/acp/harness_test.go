package acp_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/acp"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/runner/dialect"
)

const asAgent = "VEXA_TEST_ACP_AGENT"

// TestMain lets the test binary be the agent that the bridge starts: one of agents, by
// name.
func TestMain(m *testing.M) {
	name := os.Getenv(asAgent)
	if name == "" {
		os.Exit(m.Run())
	}
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	agents()[name](&agent{in: in, out: os.Stdout})
}

// msg is a message of the protocol, as it comes.
type msg struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

// session is the one that a message is about.
func (m msg) session() string {
	var p struct {
		ID string `json:"sessionId"`
	}
	_ = json.Unmarshal(m.Params, &p)
	return p.ID
}

// agent is one end of the protocol.
type agent struct {
	in  *bufio.Reader
	out io.Writer
}

// next reads a message; without one the agent ends, as they do.
func (a *agent) next() msg {
	line, err := a.in.ReadBytes('\n')
	if err != nil {
		os.Exit(0)
	}
	var m msg
	if err := json.Unmarshal(line, &m); err != nil {
		fmt.Fprintf(os.Stderr, "not JSON: %s", line)
		os.Exit(9)
	}
	return m
}

// expect reads messages up to one of a method.
func (a *agent) expect(method string) msg {
	for {
		if m := a.next(); m.Method == method {
			return m
		}
	}
}

func (a *agent) print(format string, args ...any) { fmt.Fprintf(a.out, format+"\n", args...) }

func (a *agent) reply(m msg, result string) {
	a.print(`{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result)
}

func (a *agent) refuse(m msg, code int, rest string) {
	a.print(`{"jsonrpc":"2.0","id":%s,"error":{"code":%d,%s}}`, m.ID, code, rest)
}

func (a *agent) update(session, update string) {
	a.print(`{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":%q,"update":%s}}`, session, update)
}

func (a *agent) says(text string) {
	quoted, _ := json.Marshal(text) //nolint:errchkjson // a string
	a.update("s-1", `{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":`+string(quoted)+`}}`)
}

const able = `{"loadSession":true,"mcpCapabilities":{"http":true}}`

// greet answers initialize.
func (a *agent) greet(capabilities string) {
	a.reply(a.expect("initialize"), `{"protocolVersion":1,"agentCapabilities":`+capabilities+`,"agentInfo":{"name":"Test","version":"3"},"authMethods":[{"id":"key"},{"id":"browser"}]}`)
}

// prompted answers everything up to the prompt, which it returns.
func (a *agent) prompted() msg {
	a.greet(able)
	a.reply(a.expect("session/new"), `{"sessionId":"s-1"}`)
	return a.expect("session/prompt")
}

// turn is what came of one.
type turn struct {
	err    error
	out    string
	stderr string
	bodies []wsv2.Body
	result dialect.Result
}

// with changes the configuration of a turn.
type with func(*acp.Config)

func resume(id string) with { return func(c *acp.Config) { c.Resume = id } }

func tools(c *acp.Config) { c.Tools = acp.Tools{URL: "http://127.0.0.1:1/mcp", Token: "tok-1"} }

func config(t *testing.T, name string, w ...with) (acp.Config, *bytes.Buffer, *bytes.Buffer) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out, stderr bytes.Buffer
	c := acp.Config{
		Argv: []string{exe}, Env: []string{asAgent + "=" + name, "PATH=/usr/bin:/bin", "GORACE=atexit_sleep_ms=0"}, Dir: t.TempDir(),
		In: strings.NewReader("hello"), Out: &out, Err: &stderr, Ending: 5 * time.Second,
	}
	for _, f := range w {
		f(&c)
	}
	return c, &out, &stderr
}

// run runs a turn of the named agent.
func run(t *testing.T, ctx context.Context, name string, w ...with) turn { //nolint:revive // the test comes first
	t.Helper()
	c, out, stderr := config(t, name, w...)
	err := acp.Run(ctx, c)
	return read(t, err, out.String(), stderr.String())
}

// read reads what the bridge printed, as the worker would.
func read(t *testing.T, err error, out, stderr string) turn {
	t.Helper()
	p, perr := dialect.New(runnerv2.Stream{Dialect: dialect.ACP})
	if perr != nil {
		t.Fatal(perr)
	}
	bodies := p.Feed([]byte(out))
	rest, result := p.End()
	if !result.Terminal {
		t.Errorf("no result is told:\n%s", out)
	}
	if result.Failed != (err != nil) {
		t.Errorf("the error is %v, and the result says %+v", err, result)
	}
	return turn{err, out, stderr, append(bodies, rest...), result}
}

func (r turn) errors() (all []string) {
	for _, b := range r.bodies {
		if e, ok := b.(wsv2.Error); ok {
			all = append(all, e.Message)
		}
	}
	return all
}

// script is an agent.
type script func(*agent)

// agents are those of all tests, by name.
func agents() map[string]script {
	all := map[string]script{}
	for _, some := range []map[string]script{ordinary(), failing(), hostile()} {
		maps.Copy(all, some)
	}
	return all
}
