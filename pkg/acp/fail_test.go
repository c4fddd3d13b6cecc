package acp_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/acp"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// failing are agents that do less than they should.
func failing() map[string]script {
	return map[string]script{
		"fails": func(a *agent) {
			a.refuse(a.prompted(), -32603, `"message":"Internal error","data":{"details":"the model is gone"}`)
		},
		"fails in its own way": func(a *agent) {
			a.print(`{"jsonrpc":"2.0","id":%s,"error":"the model is gone"}`, a.prompted().ID)
		},
		"fails without a word": func(a *agent) { a.print(`{"jsonrpc":"2.0","id":%s,"error":{"code":-7}}`, a.prompted().ID) },
		"refuses":              func(a *agent) { a.reply(a.prompted(), `{"stopReason":"refusal"}`) },
		"has had enough":       func(a *agent) { a.reply(a.prompted(), `{"stopReason":"max_turn_requests"}`) },
		"cancels":              func(a *agent) { a.reply(a.prompted(), `{"stopReason":"cancelled"}`) },
		"ends without a reason": func(a *agent) {
			a.reply(a.prompted(), `{}`)
		},
		"dies": func(a *agent) {
			a.prompted()
			a.says("I be")
			fmt.Fprintln(os.Stderr, "out of luck")
			os.Exit(3)
		},
		"is killed": func(a *agent) {
			a.prompted()
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		},
		"says nothing": func(a *agent) { os.Exit(0) },
		"is another version": func(a *agent) {
			a.reply(a.expect("initialize"), `{"protocolVersion":2,"agentCapabilities":{}}`)
			a.next()
		},
		"is no agent": func(a *agent) {
			a.reply(a.expect("initialize"), `{"protocolVersion":"2025-06-18","capabilities":{}}`)
			a.next()
		},
		"wants to be signed in": func(a *agent) {
			a.greet(able)
			a.refuse(a.expect("session/new"), -32000, `"message":"Authentication required"`)
			a.next()
		},
		"forgets": func(a *agent) {
			a.greet(`{"mcpCapabilities":{"http":true}}`)
			a.next()
		},
		"takes no tools": func(a *agent) {
			a.greet(`{"loadSession":true,"mcpCapabilities":{"sse":true}}`)
			a.reply(a.expect("session/new"), `{"sessionId":"s-1"}`)
			a.reply(a.expect("session/prompt"), `{"stopReason":"end_turn"}`)
		},
		"names no session": func(a *agent) {
			a.greet(able)
			a.reply(a.expect("session/new"), `{"sessionId":""}`)
			a.next()
		},
		"knows the session no more": func(a *agent) {
			a.greet(able)
			a.refuse(a.expect("session/load"), -32002, `"message":"no such session"`)
			a.next()
		},
		"never answers": func(a *agent) {
			for {
				a.next()
			}
		},
		"deaf": func(a *agent) {
			signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
			a.prompted()
			a.says("I begin.")
			time.Sleep(time.Hour)
		},
	}
}

// TestFailures: each failure is told, with its cause and where there is one with what
// can be done.
func TestFailures(t *testing.T) {
	t.Parallel()
	soon := func(c *acp.Config) { c.Patience = 200 * time.Millisecond }
	for name, c := range map[string]struct {
		with []with
		want []string
		kind fault.Kind
	}{
		"fails":                     {nil, []string{"session/prompt", "the model is gone"}, fault.Failed},
		"fails in its own way":      {nil, []string{"the model is gone"}, fault.Failed},
		"fails without a word":      {nil, []string{"error -7"}, fault.Failed},
		"refuses":                   {nil, []string{"refuses"}, fault.Failed},
		"has had enough":            {nil, []string{"requests", "send a message to let it go on"}, fault.Failed},
		"cancels":                   {nil, []string{"nobody asked"}, fault.Failed},
		"ends without a reason":     {nil, []string{"stopReason"}, fault.Invalid},
		"dies":                      {nil, []string{"code 3", "out of luck"}, fault.Failed},
		"is killed":                 {nil, []string{"code 137"}, fault.Failed},
		"says nothing":              {nil, []string{"code 0 before the turn"}, fault.Failed},
		"is another version":        {nil, []string{"version 2", "version 1"}, fault.Invalid},
		"is no agent":               {nil, []string{"initialize", "no version"}, fault.Invalid},
		"wants to be signed in":     {nil, []string{"Authentication required", "--auth", "key, browser"}, fault.Denied},
		"forgets":                   {[]with{resume("s-1")}, []string{"loadSession", `"none"`}, fault.Invalid},
		"takes no tools":            {[]with{tools}, []string{"granted tools", "mcpCapabilities.http", "mcp.kind"}, fault.Invalid},
		"names no session":          {nil, []string{"names no session"}, fault.Invalid},
		"knows the session no more": {[]with{resume("s-9")}, []string{"session/load", "no such session"}, fault.Failed},
		"never answers":             {[]with{soon}, []string{"did not answer initialize", "does it speak"}, fault.Timeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, t.Context(), name, c.with...)
			if fault.KindOf(r.err) != c.kind {
				t.Errorf("it is %s: %v", fault.KindOf(r.err), r.err)
			}
			for _, want := range c.want {
				if !strings.Contains(r.result.Error, want) {
					t.Errorf("%q is not in %q", want, r.result.Error)
				}
			}
		})
	}
}

// An agent that takes no tools works where none were granted.
func TestNoToolsForWhoTakesNone(t *testing.T) {
	t.Parallel()
	if r := run(t, t.Context(), "takes no tools"); r.err != nil {
		t.Error(r.err)
	}
}

func TestMessagesThatAreNone(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", " \n"} {
		r := run(t, t.Context(), "works", func(c *acp.Config) { c.In = strings.NewReader(in) })
		if !fault.Is(r.err, fault.Invalid) {
			t.Errorf("%q: %v", in, r.err)
		}
	}
	r := run(t, t.Context(), "works", func(c *acp.Config) { c.Argv = []string{"/no/such/program"} })
	if !fault.Is(r.err, fault.NotFound) || !strings.Contains(r.result.Error, "/no/such/program") {
		t.Errorf("%v", r.err)
	}
}

// Before the turn begins there is nothing to cancel.
func TestInterruptedBeforeTheTurn(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := run(t, ctx, "never answers")
	if !strings.Contains(r.result.Error, "interrupted") {
		t.Errorf("%v", r.err)
	}
}

func TestTheCommand(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	env := func(name string) []string {
		return []string{asAgent + "=" + name, "GORACE=atexit_sleep_ms=0", "VEXA_MCP_URL=http://127.0.0.1:1/mcp", "VEXA_MCP_TOKEN=tok-1"}
	}
	for _, c := range []struct {
		args []string
		env  []string
		code int
		want string
	}{
		{[]string{"--", exe}, env("works"), acp.ExitOK, "an a."},
		{[]string{"--resume", "s-1", "--", exe}, env("remembers"), acp.ExitOK, "session/load"},
		{[]string{"--auth", "key", "--", exe}, env("signs in"), acp.ExitOK, "authenticate"},
		{[]string{"--", exe}, env("mirror"), acp.ExitOK, `Bearer tok-1`},
		{[]string{"--", exe}, env("fails"), acp.ExitFailed, "the model is gone"},
		{[]string{exe, "--resume"}, env("works"), acp.ExitOK, "an a."}, // the agent's own flag
		{[]string{"--", ""}, env("works"), acp.ExitUsage, "program is missing"},
		{nil, env("works"), acp.ExitUsage, "program is missing"},
		{[]string{"--colour"}, env("works"), acp.ExitUsage, "colour"},
		{[]string{"--help"}, env("works"), acp.ExitOK, "resume"},
	} {
		var out, stderr bytes.Buffer
		code := acp.Main(t.Context(), c.args, c.env, acp.Streams{In: strings.NewReader("hello"), Out: &out, Err: &stderr})
		if code != c.code || !strings.Contains(out.String()+stderr.String(), c.want) {
			t.Errorf("%q: code %d, %s%s", c.args, code, out.String(), stderr.String())
		}
		if c.want == "Bearer tok-1" && !strings.Contains(out.String(), `\nfalse"`) {
			t.Errorf("the token is in the agent's environment: %s", out.String())
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code := acp.Main(ctx, []string{"--", exe}, env("waits"), acp.Streams{In: strings.NewReader("hello"), Out: &bytes.Buffer{}, Err: &bytes.Buffer{}}); code != acp.ExitInterrupted {
		t.Errorf("interrupted: %d", code)
	}
}
