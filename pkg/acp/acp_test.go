package acp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/acp"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

// ordinary are agents that do what the protocol says.
func ordinary() map[string]script {
	return map[string]script{
		// tells what it was told
		"mirror": func(a *agent) {
			hello := a.expect("initialize")
			a.reply(hello, `{"protocolVersion":1,"agentCapabilities":`+able+`}`)
			made := a.next()
			a.reply(made, `{"sessionId":"s-1"}`)
			asked := a.expect("session/prompt")
			dir, _ := os.Getwd()
			a.says(fmt.Sprintf("%s\n%s %s\n%s\n%s\n%v", hello.Params, made.Method, made.Params, asked.Params, dir, os.Getenv("VEXA_MCP_TOKEN") != ""))
			a.reply(asked, `{"stopReason":"end_turn"}`)
		},
		"works": func(a *agent) {
			p := a.prompted()
			a.update("s-1", `{"sessionUpdate":"agent_thought_chunk","content":{"type":"text","text":"hm"}}`)
			a.says("I look. ")
			a.update("s-1", `{"sessionUpdate":"tool_call","toolCallId":"1","title":"Read a","status":"pending","rawInput":{"path":"a"}}`)
			a.update("s-1", `{"sessionUpdate":"tool_call_update","toolCallId":"1","status":"completed","content":[{"type":"content","content":{"type":"text","text":"<a>"}}]}`)
			a.says("It is ")
			a.update("another session", `{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"nothing"}}`)
			a.says("an a.")
			a.reply(p, `{"stopReason":"end_turn","usage":{"totalTokens":7}}`)
		},
		"remembers": func(a *agent) {
			a.greet(able)
			m := a.next()
			a.update("s-1", `{"sessionUpdate":"user_message_chunk","content":{"type":"text","text":"before"}}`)
			a.update("s-1", `{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"long ago"}}`)
			a.reply(m, "null")
			p := a.expect("session/prompt")
			a.says(m.Method + " " + m.session())
			a.reply(p, `{"stopReason":"end_turn"}`)
		},
		"resumes": func(a *agent) {
			a.greet(`{"sessionCapabilities":{"resume":{}}}`)
			m := a.next()
			a.reply(m, "{}")
			p := a.expect("session/prompt")
			a.says(m.Method + " " + m.session())
			a.reply(p, `{"stopReason":"end_turn"}`)
		},
		"asks": func(a *agent) {
			p := a.prompted()
			for i, options := range []string{
				`{"optionId":"a","kind":"allow_always"},{"optionId":"o","kind":"allow_once"},{"optionId":"r","kind":"reject_once"}`,
				`{"optionId":"r","kind":"reject_always"},{"optionId":"a","kind":"allow_always"}`,
				`{"optionId":"r","kind":"reject_once"}`,
			} {
				a.print(`{"jsonrpc":"2.0","id":"q%d","method":"session/request_permission","params":{"sessionId":"s-1","toolCall":{"toolCallId":"c%d","title":"Write"},"options":[%s]}}`, i, i, options)
				a.says(string(a.next().Result) + "\n")
			}
			for _, method := range []string{"fs/read_text_file", "terminal/create", "_vendor/ask"} {
				a.print(`{"jsonrpc":"2.0","id":7,"method":%q,"params":{}}`, method)
				a.says(string(a.next().Error) + "\n")
			}
			a.reply(p, `{"stopReason":"end_turn"}`)
		},
		"signs in": func(a *agent) {
			a.greet(able)
			m := a.next()
			a.reply(m, "{}")
			a.reply(a.expect("session/new"), `{"sessionId":"s-1"}`)
			p := a.expect("session/prompt")
			a.says(m.Method + " " + string(m.Params))
			a.reply(p, `{"stopReason":"end_turn"}`)
		},
		"waits": func(a *agent) {
			p := a.prompted()
			a.says("I begin.")
			a.expect("session/cancel")
			a.print(`{"jsonrpc":"2.0","id":"late","method":"session/request_permission","params":{"sessionId":"s-1","options":[{"optionId":"o","kind":"allow_once"}]}}`)
			a.says(string(a.next().Result))
			a.reply(p, `{"stopReason":"cancelled"}`)
		},
		"says more than it knows": func(a *agent) {
			p := a.prompted()
			a.update("s-1", `{"sessionUpdate":"from_the_future","x":1}`)
			a.print(`{"jsonrpc":"2.0","method":"_vendor/note","params":{}}`)
			a.says("done")
			a.reply(p, `{"stopReason":"for_another_reason"}`)
		},
		"is cut": func(a *agent) {
			p := a.prompted()
			a.says("and so")
			a.reply(p, `{"stopReason":"max_tokens"}`)
		},
		"does not end": func(a *agent) {
			signal.Ignore(syscall.SIGTERM)
			p := a.prompted()
			a.says("done")
			a.reply(p, `{"stopReason":"end_turn"}`)
			a.says(", at last")
			time.Sleep(time.Hour)
		},
	}
}

func TestATurn(t *testing.T) {
	t.Parallel()
	r := run(t, t.Context(), "works", tools)
	want := []wsv2.Body{
		wsv2.Reasoning{Text: "hm"},
		wsv2.MessageDelta{Text: "I look. "},
		wsv2.Message{Text: "I look. "},
		wsv2.ToolCall{CallID: "1", Tool: "Read a", Arguments: json.RawMessage(`{"path":"a"}`)},
		wsv2.ToolResult{CallID: "1", OK: true, Output: "<a>"},
		wsv2.MessageDelta{Text: "It is "},
		wsv2.MessageDelta{Text: "an a."},
		wsv2.Message{Text: "It is an a."},
	}
	if diff := cmp.Diff(want, r.bodies); diff != "" || r.err != nil {
		t.Errorf("%v (-want +got):\n%s", r.err, diff)
	}
	if r.result.SessionRef != "s-1" || r.result.Reply != "It is an a." || r.result.Unknown != 0 {
		t.Errorf("%+v", r.result)
	}
	if !strings.Contains(r.out, `"stopReason":"end_turn","usage":{"totalTokens":7}`) || !strings.Contains(r.out, `"agent":"Test 3"`) {
		t.Error(r.out)
	}
	if strings.Contains(r.out+r.stderr, "tok-1") {
		t.Error("the token of the tools is told")
	}
}

// The agent is told what an editor would tell it, and of no capability; of its tools in
// the protocol, and not by its environment.
func TestWhatTheAgentIsTold(t *testing.T) {
	t.Parallel()
	c, out, stderr := config(t, "mirror", tools)
	c.In = strings.NewReader("say \"hello\" &\n<b>")
	r := read(t, acp.Run(t.Context(), c), out.String(), stderr.String())
	got := strings.Split(r.result.Reply, "\n")
	want := []string{
		`{"clientCapabilities":{"fs":{"readTextFile":false,"writeTextFile":false},"terminal":false},"clientInfo":{"name":"vexa","title":"Vexa","version":"1"},"protocolVersion":1}`,
		`session/new {"cwd":"` + c.Dir + `","mcpServers":[{"headers":[{"name":"Authorization","value":"Bearer tok-1"}],"name":"vexa","type":"http","url":"http://127.0.0.1:1/mcp"}]}`,
		`{"prompt":[{"text":"say \"hello\" &\n<b>","type":"text"}],"sessionId":"s-1"}`,
		c.Dir,
		"false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if r := run(t, t.Context(), "mirror"); !strings.Contains(r.result.Reply, `"mcpServers":[]`) {
		t.Errorf("without tools: %s", r.result.Reply)
	}
}

// What is told again of a conversation is not said again.
func TestAConversationGoesOn(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"remembers": "session/load", "resumes": "session/resume"} {
		r := run(t, t.Context(), name, resume("s-1"))
		if r.err != nil || r.result.Reply != want+" s-1" || r.result.SessionRef != "s-1" || strings.Contains(r.out, "long ago") {
			t.Errorf("%s: %v, %+v\n%s", name, r.err, r.result, r.out)
		}
	}
}

// The container is the sandbox: it may, once where that can be said. What an editor
// would do for it is refused, and it goes on.
func TestWhatTheAgentAsks(t *testing.T) {
	t.Parallel()
	r := run(t, t.Context(), "asks")
	want := `{"outcome":{"optionId":"o","outcome":"selected"}}
{"outcome":{"optionId":"a","outcome":"selected"}}
{"outcome":{"outcome":"cancelled"}}
{"code":-32601,"message":"Vexa has no method fs/read_text_file"}
{"code":-32601,"message":"Vexa has no method terminal/create"}
{"code":-32601,"message":"Vexa has no method _vendor/ask"}
`
	var text strings.Builder
	var calls []string
	for _, b := range r.bodies {
		switch b := b.(type) {
		case wsv2.MessageDelta:
			text.WriteString(b.Text)
		case wsv2.ToolCall:
			calls = append(calls, b.CallID)
		}
	}
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"c0", "c1"}, calls); diff != "" || len(r.errors()) != 1 {
		t.Errorf("%q (-want +got):\n%s", r.errors(), diff)
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	r := run(t, t.Context(), "signs in", func(c *acp.Config) { c.Auth = "key" })
	if r.err != nil || r.result.Reply != `authenticate {"methodId":"key"}` {
		t.Errorf("%v, %q", r.err, r.result.Reply)
	}
}

// What a newer version of the protocol has more is passed on as it is, counted, and
// ends nothing.
func TestWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	r := run(t, t.Context(), "says more than it knows")
	if r.err != nil || r.result.Reply != "done" || !strings.Contains(r.out, `{"type":"update","update":{"sessionUpdate":"from_the_future","x":1}}`) {
		t.Errorf("%v\n%s", r.err, r.out)
	}
	var strange []string
	for _, b := range r.bodies {
		if o, ok := b.(wsv2.Opaque); ok {
			strange = append(strange, o.Event)
		}
	}
	if diff := cmp.Diff([]string{"from_the_future", "stopReason/for_another_reason"}, strange); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if r := run(t, t.Context(), "is cut"); r.err != nil || len(r.errors()) != 1 || r.result.Reply != "and so" {
		t.Errorf("%v, %q", r.err, r.errors())
	}
}

// onFirst calls f when a piece of the answer was printed.
type onFirst struct {
	io.Writer
	f func()
}

func (w onFirst) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "agent_message_chunk") {
		w.f()
	}
	return w.Writer.Write(p)
}

// An interrupted agent is told so, may say what it likes, is no longer allowed
// anything, and its own end of the turn is waited for.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c, out, stderr := config(t, "waits", func(c *acp.Config) { c.Grace = time.Minute })
	c.Out = onFirst{out, cancel}
	r := read(t, acp.Run(ctx, c), out.String(), stderr.String())
	if !strings.Contains(fmt.Sprint(r.err), acp.ErrInterrupted.Error()) || r.result.Reply != `I begin.{"outcome":{"outcome":"cancelled"}}` {
		t.Errorf("%v\n%s", r.err, r.out)
	}
	if !strings.Contains(r.out, `"stopReason":"cancelled","error":"the turn was interrupted","code":"interrupted"`) {
		t.Error(r.out)
	}
}

// An agent that goes on when it was told to end, or does not end when its turn has, is
// ended; what it said is kept.
func TestWhoDoesNotEnd(t *testing.T) {
	t.Parallel()
	short := func(c *acp.Config) { c.Ending = 50 * time.Millisecond }
	if r := run(t, t.Context(), "does not end", short); r.err != nil || r.result.Reply != "done, at last" {
		t.Errorf("%v\n%s", r.err, r.out)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c, out, stderr := config(t, "deaf", short, func(c *acp.Config) { c.Grace = 50 * time.Millisecond })
	c.Out = onFirst{out, cancel}
	if r := read(t, acp.Run(ctx, c), out.String(), stderr.String()); !strings.Contains(fmt.Sprint(r.err), acp.ErrInterrupted.Error()) {
		t.Errorf("%v\n%s", r.err, r.out)
	}
}
