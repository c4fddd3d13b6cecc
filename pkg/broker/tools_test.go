package broker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/broker"
	"github.com/vexa-ai/vexa/pkg/contract/toolv1"
	"github.com/vexa-ai/vexa/pkg/toolbox"
)

const (
	mcpPath = "/mcp"
	legacy  = "2025-11-25"
	current = "2026-07-28"
)

// grantedTools are those of every unit and token; "forbidden" exists beside them.
func grantedTools() []string {
	return []string{"vexa.echo", "big", "broken", "few", "gated", "panics", "slow", "stubborn"}
}

// offeredTools is a catalog of tools that misbehave.
func offeredTools(tb testing.TB) *toolbox.Catalog {
	tb.Helper()
	shipped, err := toolbox.Shipped()
	if err != nil {
		tb.Fatal(err)
	}
	echo, err := shipped.Get("vexa.echo")
	if err != nil {
		tb.Fatal(err)
	}
	echo.Limits = &toolv1.Limits{Calls: 1 << 30}
	tool := func(name string, grant toolv1.Grant, limits toolv1.Limits, do func(ctx context.Context, out io.Writer) error) toolbox.Builtin {
		t := toolbox.Builtin{Tool: echo, Do: func(ctx context.Context, _ json.RawMessage, out io.Writer) error { return do(ctx, out) }}
		t.Name, t.Grant, t.Limits = name, grant, &limits
		t.InputSchema = json.RawMessage(`{"type":"object"}`)
		return t
	}
	fine := func(_ context.Context, out io.Writer) error {
		_, err := io.WriteString(out, "fine")
		return err
	}
	release := make(chan struct{})
	tb.Cleanup(func() { close(release) })
	c, err := toolbox.New(
		toolbox.Builtin{Tool: echo, Do: func(ctx context.Context, arguments json.RawMessage, out io.Writer) error {
			return shipped.Run(ctx, toolv1.Call{Tool: echo.Name, Arguments: arguments}, out)
		}},
		tool("big", toolv1.Auto, toolv1.Limits{OutputBytes: 10}, func(_ context.Context, out io.Writer) error {
			for range 100_000 {
				if _, err := io.WriteString(out, strings.Repeat("é", 1000)); err != nil {
					return err
				}
			}
			return nil
		}),
		tool("broken", toolv1.Auto, toolv1.Limits{}, func(context.Context, io.Writer) error { return errors.New("the disk is full") }),
		tool("few", toolv1.Auto, toolv1.Limits{Calls: 2}, fine),
		tool("forbidden", toolv1.Auto, toolv1.Limits{}, fine),
		tool("gated", toolv1.Gate, toolv1.Limits{}, func(context.Context, io.Writer) error {
			tb.Error("a gated tool was run")
			return nil
		}),
		tool("panics", toolv1.Auto, toolv1.Limits{}, func(context.Context, io.Writer) error { panic("no") }),
		tool("slow", toolv1.Auto, toolv1.Limits{TimeoutSec: 1}, func(ctx context.Context, _ io.Writer) error {
			<-ctx.Done()
			return ctx.Err()
		}),
		tool("stubborn", toolv1.Auto, toolv1.Limits{TimeoutSec: 1}, func(context.Context, io.Writer) error {
			<-release
			return nil
		}),
	)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// reply is an answer of JSON-RPC.
type reply struct {
	ID     json.RawMessage `json:"id"`
	Result struct {
		Tools   []struct{ Name string }
		Content []struct{ Type, Text string }
		IsError bool
	}
	Error *struct {
		Code    int
		Message string
	}
	status int
}

func (r reply) text() string {
	if len(r.Result.Content) != 1 {
		return ""
	}
	return r.Result.Content[0].Text
}

// rpc sends one request as a client of revision 2025-11-25 does.
func (s *stage) rpc(ctx context.Context, body string) *http.Request {
	req := s.request(ctx, mcpPath, body)
	req.Header.Set("Accept", "application/json, text/event-stream")
	req.Header.Set("Mcp-Protocol-Version", legacy)
	return req
}

func (s *stage) send(req *http.Request) reply {
	s.tb.Helper()
	a := s.do(req)
	r := reply{status: a.status}
	if err := json.Unmarshal([]byte(a.body), &r); err != nil && a.status == http.StatusOK {
		s.tb.Fatalf("%d %q: %v", a.status, a.body, err)
	}
	return r
}

func callOf(tool, arguments string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, tool, arguments)
}

func (s *stage) call(tool, arguments string) reply {
	s.tb.Helper()
	return s.send(s.rpc(s.tb.Context(), callOf(tool, arguments)))
}

// calledAs are the audit records of calls.
func (s *stage) calledAs() []audit.Event {
	return slices.DeleteFunc(s.trail.all(), func(e audit.Event) bool { return e.Boundary != audit.Tool })
}

// A client is told of what it was granted, calls it, and each call is recorded
// without what it said.
func TestTools(t *testing.T) {
	t.Parallel()
	s := open(t, config{session: func(b *broker.Session) { b.Turn = "t1" }})
	list := s.send(s.rpc(t.Context(), `{"jsonrpc":"2.0","id":"a","method":"tools/list"}`))
	var names []string
	for _, tool := range list.Result.Tools {
		names = append(names, tool.Name)
	}
	if diff := cmp.Diff(grantedTools(), names); diff != "" || string(list.ID) != `"a"` {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	if r := s.call("vexa.echo", `{"text":"`+canary+`"}`); r.text() != canary || r.Result.IsError || r.status != http.StatusOK {
		t.Errorf("echo: %+v", r)
	}
	if r := s.call("broken", `{}`); r.text() != "vexa: broken: the disk is full" || !r.Result.IsError {
		t.Errorf("broken: %+v", r)
	}
	if r := s.call("panics", `{}`); r.text() != "vexa: panics: it has a defect" || !r.Result.IsError {
		t.Errorf("panics: %+v", r)
	}
	events := s.calledAs()
	if len(events) != 3 {
		t.Fatalf("recorded %+v", events)
	}
	first := events[0]
	if first.Effect != audit.Allow || first.Unit != unitID || first.Subject != "u_jane" || first.Detail["tool"] != "vexa.echo" ||
		first.Detail["outcome"] != "answered" || first.Detail["turn"] != "t1" || first.Detail["outputBytes"] != fmt.Sprint(len(canary)) {
		t.Errorf("recorded %+v", first)
	}
	if data, err := json.Marshal(events); err != nil || strings.Contains(string(data), canary) {
		t.Errorf("the audit log holds what was said: %s, %v", data, err)
	}
	if strings.Contains(s.log.String(), canary) {
		t.Error("the log holds what was said")
	}
}

// Whoever has no token of this dispatch learns nothing.
func TestToolsNeedTheToken(t *testing.T) {
	t.Parallel()
	s := open(t, config{})
	for name, c := range map[string]struct {
		token  string
		status int
	}{
		"none":                {"", http.StatusUnauthorized},
		"nonsense":            {"a.b.c", http.StatusUnauthorized},
		"forged":              {mint(t, key(2), unitID, time.Now()), http.StatusUnauthorized},
		"expired":             {mint(t, key(1), unitID, time.Now().Add(-2*time.Hour)), http.StatusUnauthorized},
		"another dispatch's":  {mint(t, key(1), other, time.Now()), http.StatusForbidden},
		"cut off at its end":  {s.token[:len(s.token)-1], http.StatusUnauthorized},
		"with a second token": {s.token + " " + s.token, http.StatusUnauthorized},
	} {
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
			req := s.rpc(t.Context(), callOf("vexa.echo", `{"text":"x"}`))
			req.Method = method
			req.Header.Set("Authorization", "Bearer "+c.token)
			if r := s.send(req); r.status != c.status {
				t.Errorf("%s, %s: %d", name, method, r.status)
			}
		}
	}
	for _, e := range s.calledAs() {
		if e.Effect != audit.Deny || e.Reason != "token" {
			t.Errorf("recorded %+v", e)
		}
	}
}

// What is not granted looks like what does not exist: the same bytes.
func TestUngrantedTool(t *testing.T) {
	t.Parallel()
	s := open(t, config{})
	body := func(name string) string {
		a := s.do(s.rpc(t.Context(), callOf(name, `{}`)))
		return strings.ReplaceAll(a.body, name, "NAME")
	}
	forbidden, unknown := body("forbidden"), body("neverwas")
	if forbidden != unknown || !strings.Contains(forbidden, `"code":-32602`) {
		t.Errorf("%s\n%s", forbidden, unknown)
	}
	for _, name := range []string{"VEXA.ECHO", "vexa.echo ", "vexa.echo\\u0000", "../vexa.echo", ""} {
		if r := s.send(s.rpc(t.Context(), fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"%s","arguments":{"text":"x"}}}`, name))); r.Error == nil {
			t.Errorf("%q: %+v", name, r)
		}
	}
	if d := s.owner.denials(); len(d) != 7 || !strings.HasPrefix(d[0], `tool: tool "forbidden" is not granted`) {
		t.Errorf("the owner heard %q", d)
	}
	if e := s.calledAs(); len(e) != 7 || e[0].Effect != audit.Deny || e[0].Reason != "tool" {
		t.Errorf("recorded %+v", e)
	}
}

// A token grants what its claims say, and a unit what it says itself: a tool
// needs both.
func TestToolNeedsUnitAndToken(t *testing.T) {
	t.Parallel()
	s := open(t, config{session: func(b *broker.Session) { b.Unit.Tools = []string{"few"} }})
	if r := s.call("vexa.echo", `{"text":"x"}`); r.Error == nil {
		t.Errorf("%+v", r)
	}
	if r := s.call("few", `{}`); r.text() != "fine" {
		t.Errorf("%+v", r)
	}
}

// Arguments that break the inputSchema reach no tool; the model is told how.
func TestToolArguments(t *testing.T) {
	t.Parallel()
	s := open(t, config{})
	for arguments, want := range map[string]string{
		`{}`:                                 "text",
		`null`:                               "text",
		`{"text":1}`:                         "/text",
		`{"text":"` + canary + `","more":1}`: "more",
		`{"text":"x","text":"y"}`:            "twice",
		`{"text":"` + strings.Repeat("x", 65537) + `"}`: "/text",
	} {
		r := s.call("vexa.echo", arguments)
		if !r.Result.IsError || !strings.Contains(r.text(), "not called") || !strings.Contains(r.text(), want) || strings.Contains(r.text(), canary) {
			t.Errorf("%.60s: %d %.200q %+v", arguments, r.status, r.text(), r.Error)
		}
	}
	for _, arguments := range []string{`"x"`, `[]`, `7`} {
		if r := s.call("vexa.echo", arguments); r.Error == nil && !r.Result.IsError {
			t.Errorf("%s: %+v", arguments, r)
		}
	}
	if d := s.owner.denials(); len(d) != 0 {
		t.Errorf("the owner heard %q", d)
	}
	for _, e := range s.calledAs() {
		if e.Effect != audit.Deny || e.Reason != "arguments" {
			t.Errorf("recorded %+v", e)
		}
	}
}

// A gated call is not run, and says why.
func TestGatedTool(t *testing.T) {
	t.Parallel()
	s := open(t, config{})
	r := s.call("gated", `{}`)
	if !r.Result.IsError || !strings.Contains(r.text(), "waits for a person") {
		t.Errorf("%+v", r)
	}
	if e := s.calledAs(); len(e) != 1 || e[0].Reason != "gate" {
		t.Errorf("recorded %+v", e)
	}
}

// Calls, time and output are bounded by the tool's limits.
func TestToolLimits(t *testing.T) {
	t.Parallel()
	t.Run("calls", func(t *testing.T) {
		t.Parallel()
		s := open(t, config{})
		for i, want := range []string{"fine", "fine", "vexa: tool few was called 2 times, as often as a dispatch may"} {
			if r := s.call("few", `{}`); r.text() != want {
				t.Errorf("call %d: %+v", i, r)
			}
		}
		if d := s.owner.denials(); len(d) != 1 || !strings.HasPrefix(d[0], "limit-calls:") {
			t.Errorf("the owner heard %q", d)
		}
	})
	t.Run("output", func(t *testing.T) {
		t.Parallel()
		s := open(t, config{})
		want := "ééééé\n[vexa: cut off here; it was 200000000 bytes, 10 may be returned]"
		if r := s.call("big", `{}`); r.text() != want || r.Result.IsError {
			t.Errorf("%.200q", r.text())
		}
	})
	for _, tool := range []string{"slow", "stubborn"} {
		t.Run(tool, func(t *testing.T) {
			t.Parallel()
			s := open(t, config{})
			began := time.Now()
			r := s.call(tool, `{}`)
			if !strings.Contains(r.text(), "took longer than 1 s") || !r.Result.IsError || time.Since(began) > 20*time.Second {
				t.Errorf("after %s: %+v", time.Since(began), r)
			}
			if e := s.calledAs(); len(e) != 1 || e[0].Detail["outcome"] != "timeout" {
				t.Errorf("recorded %+v", e)
			}
		})
	}
}

// A tool that does not end keeps its place: however often it is called, no more
// of them run than may, and the rest are told so.
func TestFloodOfCalls(t *testing.T) {
	t.Parallel()
	s := open(t, config{options: func(o *broker.Options) { o.Rates.Calls = 2 }})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { s.call("stubborn", `{}`) })
	}
	wg.Wait()
	ended := map[string]int{}
	for _, e := range s.calledAs() {
		ended[e.Detail["outcome"]]++
	}
	if diff := cmp.Diff(map[string]int{"timeout": 2, "busy": 18}, ended); diff != "" {
		t.Errorf("ended (-want +got):\n%s", diff)
	}
	if r := s.send(s.rpc(t.Context(), `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)); len(r.Result.Tools) == 0 {
		t.Error("the list waits for calls")
	}
}

// A client that hangs up ends its call, in either revision.
func TestCallOfAClientThatIsGone(t *testing.T) {
	t.Parallel()
	for _, version := range []string{legacy, current} {
		s := open(t, config{})
		c := s.connect(t.Context(), version)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		if res, err := c.CallTool(ctx, &sdk.CallToolParams{Name: "slow", Arguments: struct{}{}}); err == nil {
			t.Errorf("%s: answered %+v", version, res)
		}
		await(t, "the record", func() bool { return len(s.calledAs()) == 1 })
		if e := s.calledAs()[0]; e.Detail["outcome"] != "client-gone" {
			t.Errorf("%s: recorded %+v", version, e)
		}
	}
}

// Nothing is served but one message of the few methods there are: no batch, no
// stream, no session.
func TestNothingElseIsServed(t *testing.T) {
	t.Parallel()
	s := open(t, config{options: func(o *broker.Options) { o.Rates.CallBytes = 64 << 10 }})
	for name, body := range map[string]string{
		"a batch":          `[` + callOf("few", `{}`) + `,` + callOf("few", `{}`) + `]`,
		"a stream":         `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true}}}`,
		"resources":        `{"jsonrpc":"2.0","id":1,"method":"resources/list"}`,
		"prompts":          `{"jsonrpc":"2.0","id":1,"method":"prompts/list"}`,
		"logging":          `{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"debug"}}`,
		"a response":       `{"jsonrpc":"2.0","id":1,"result":{}}`,
		"a silent call":    `{"jsonrpc":"2.0","method":"tools/call","params":{"name":"few","arguments":{}}}`,
		"two methods":      `{"jsonrpc":"2.0","id":1,"method":"ping","Method":"subscriptions/listen"}`,
		"nothing":          ``,
		"no JSON":          `{"jsonrpc":`,
		"text":             `"x"`,
		"too much":         callOf("vexa.echo", `{"text":"`+strings.Repeat("x", 70<<10)+`"}`),
		"deep":             strings.Repeat(`{"a":`, 10_000),
		"a method of many": `{"jsonrpc":"2.0","id":1,"method":"` + strings.Repeat("x", 10_000) + `"}`,
	} {
		req := s.rpc(t.Context(), body)
		r := s.do(req)
		if r.status == http.StatusOK && !strings.Contains(r.body, `"error"`) || len(r.body) > 1000 || strings.Contains(r.header.Get("Content-Type"), "event-stream") {
			t.Errorf("%s: %d %.300q", name, r.status, r.body)
		}
		if r.header.Get("Mcp-Session-Id") != "" {
			t.Errorf("%s: there is a session", name)
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPut, http.MethodHead} {
		req := s.rpc(t.Context(), "")
		req.Method = method
		req.Header.Set("Mcp-Session-Id", "x")
		if r := s.do(req); r.status != http.StatusMethodNotAllowed || r.header.Get("Allow") != http.MethodPost {
			t.Errorf("%s: %d", method, r.status)
		}
	}
	if r := s.do(s.rpc(t.Context(), `{"jsonrpc":"2.0","method":"notifications/initialized"}`)); r.status != http.StatusAccepted || r.body != "" {
		t.Errorf("a notification: %+v", r)
	}
	if r := s.call("few", `{}`); r.text() != "fine" {
		t.Errorf("what was refused was counted: %+v", r)
	}
}

// Very many clients that say initialize leave nothing behind.
func TestFloodOfSessions(t *testing.T) {
	t.Parallel()
	s := open(t, config{})
	hello := `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				a := s.do(s.rpc(t.Context(), hello))
				if a.status != http.StatusOK || a.header.Get("Mcp-Session-Id") != "" || !strings.Contains(a.body, legacy) {
					t.Errorf("%d %s", a.status, a.body)
				}
			}
		})
	}
	wg.Wait()
}

// Requests that never end hold connections of their own dispatch and no call,
// and are cut off.
func TestHalfOpenRequests(t *testing.T) {
	t.Parallel()
	s := open(t, config{options: func(o *broker.Options) { o.Timeouts.Idle = time.Second }})
	var last net.Conn
	for range 40 {
		conn, err := s.dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		halfRequest(t, conn, s.token)
		last = conn
	}
	if r := s.call("vexa.echo", `{"text":"still"}`); r.text() != "still" {
		t.Errorf("%+v", r)
	}
	if err := last.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(last)
	if err != nil || !strings.Contains(string(answer), "did not arrive whole") {
		t.Errorf("%q, %v", answer, err)
	}
}

func halfRequest(t *testing.T, conn net.Conn, token string) {
	t.Helper()
	_, err := fmt.Fprintf(conn, "POST /mcp HTTP/1.1\r\nHost: broker\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"jsonrpc\"", token)
	if err != nil {
		t.Fatal(err)
	}
}
