package dialect_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/runner/dialect"
)

// An event that holds other things than it did is named, as one of a new type is. What
// is no event at all is none: a warning, half a line of an agent that was killed.
func TestEventsOfAnotherShapeAreNamed(t *testing.T) {
	t.Parallel()
	const other = " (of another shape)"
	for name, c := range map[string]struct {
		dialect string
		in      []string
		want    string
		noise   int // lines that are no events
	}{
		"codex": {
			dialect.CodexJSONL,
			[]string{`plain words`, `{"type":"item.completed","item":"of another shape"}`, `{"type":["turn"]}`, `{"type":"item.completed","item":7}`, `{}`},
			"item.completed" + other + ", type" + other + ", item.completed" + other + ", unknown",
			1,
		},
		"opencode":    {dialect.OpencodeNDJSON, []string{`{"type":"text","part":"words"}`}, "text" + other, 0},
		"gemini":      {dialect.GeminiNDJSON, []string{`{"type":"message","role":"assistant","content":["words"]}`}, "message" + other, 0},
		"pi":          {dialect.PiJSONL, []string{`{"type":"message_end","message":{"role":"assistant","content":"words"}}`}, "message_end/content" + other, 0},
		"vexa":        {dialect.VexaNDJSON, []string{`{"type":"message","text":7}`}, "message" + other, 0},
		"claude":      {dialect.ClaudeNDJSON, []string{`{"type":"assistant","message":"words"}`}, "assistant/message" + other, 0},
		"its content": {dialect.ClaudeNDJSON, []string{`{"type":"assistant","message":{"content":"words"}}`, `{"type":"user","message":{"content":[7]}}`}, "assistant/content" + other + ", user/content" + other, 0},
		"its person":  {dialect.ClaudeNDJSON, []string{`{"type":"user","message":{"content":"words"}}`, `{"type":"assistant","message":{}}`}, "", 0},
		"acp":         {dialect.ACP, []string{`{"type":"update","update":7}`, `{"type":"permission","update":7}`}, "update" + other + ", permission" + other, 0},
		"its pieces": {
			dialect.ACP,
			[]string{`{"type":"update","update":{"sessionUpdate":"agent_message_chunk","content":["words"]}}`, `{"type":"update","update":{"sessionUpdate":"agent_thought_chunk","content":"words"}}`},
			"agent_message_chunk" + other + ", agent_thought_chunk" + other,
			0,
		},
		"its end":   {dialect.ACP, []string{`{"type":"result","ok":true,"stopReason":"end_turn","usage":{"totalTokens":7}}`}, "", 0},
		"a liar":    {dialect.CodexJSONL, []string{`{"type":"a, b (of another shape)\n"}`}, "a,_b_(of_another_shape)_", 0},
		"no events": {dialect.CodexJSONL, []string{`(node:7) Warning: x`, `[1]`, `7`, `"item"`, "\xff", `{"type":"item.completed","it`}, "", 6},
	} {
		bodies, result := parse(t, runnerv2.Stream{Dialect: c.dialect}, []byte(strings.Join(c.in, "\n")), 7)
		var said []string
		for _, b := range bodies {
			if o, ok := b.(wsv2.Opaque); ok {
				said = append(said, o.Event)
				if o.Known {
					said[len(said)-1] += other
				}
				if !slices.Contains(c.in, string(o.JSON)) || o.Bytes != len(o.JSON) {
					t.Errorf("%s: it is passed on as %d bytes: %s", name, o.Bytes, o.JSON)
				}
			}
		}
		if got := strings.Join(said, ", "); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
		if lines := len(said) + c.noise; result.Unknown != lines {
			t.Errorf("%s: %d were counted, not %d", name, result.Unknown, lines)
		}
	}
}

// What is passed on is what the contracts take, whatever the runner prints: one that is
// refused would end the dispatch.
func TestWhatIsPassedOnIsTaken(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	for in, want := range map[string]string{
		`{"type":"new","a":1,"a":2}`:                                   `{"a":2,"type":"new"}`,
		`{"type":"new","a":"` + "\xff" + `"}`:                          "{\"type\":\"new\",\"a\":\"\ufffd\"}",
		`{"type":"new","a":1e999}`:                                     "",
		`{"type":"new","a":"\ud800"}`:                                  "{\"a\":\"\ufffd\",\"type\":\"new\"}",
		`{"type":"new","a":` + deep(40) + `}`:                          `{"type":"new","a":` + deep(40) + `}`,
		`{"type":"new","a":` + deep(70) + `}`:                          "",
		`{ "type" : "new" }`:                                           `{"type":"new"}`,
		`{"type":"new","a":"` + strings.Repeat("x", 1+64<<10) + `"}`:   "",
		`{"type":"new","a":"` + strings.Repeat("x", 64<<10-100) + `"}`: `{"type":"new","a":"` + strings.Repeat("x", 64<<10-100) + `"}`,
	} {
		bodies, result := parse(t, runnerv2.Stream{Dialect: dialect.CodexJSONL}, []byte(in), 1000)
		render(t, bodies, result)
		if len(bodies) != 1 || result.Unknown != 1 {
			t.Fatalf("%.100s: %v", in, bodies)
		}
		o, _ := bodies[0].(wsv2.Opaque)
		if o.Event != "new" || o.Bytes != len(in) || string(o.JSON) != want {
			t.Errorf("%.100s: %d bytes, %.100s", in, o.Bytes, o.JSON)
		}
		// The same is true of what an agent gives its tools.
		call := `{"type":"item.started","item":{"id":"1","type":"mcp_tool_call","tool":"t","arguments":` + in + `}}`
		bodies, result = parse(t, runnerv2.Stream{Dialect: dialect.CodexJSONL}, []byte(call), 1000)
		render(t, bodies, result)
		if c, _ := bodies[0].(wsv2.ToolCall); c.Tool != "t" || len(c.Arguments) == 0 {
			t.Errorf("%.100s: %+v", call, bodies[0])
		}
	}
}

func TestPlans(t *testing.T) {
	t.Parallel()
	const todo = `{"id":"1","type":"todo_list","items":[{"text":"read","completed":true},{"text":"","completed":true},{"text":"write","completed":false}]}`
	for name, c := range map[string]struct {
		dialect string
		in      string
		want    string
	}{
		"codex": {
			dialect.CodexJSONL, `{"type":"item.started","item":` + todo + `}` + "\n" + `{"type":"item.updated","item":` + todo + `}` + "\n" + `{"type":"item.completed","item":` + todo + `}`,
			strings.Repeat(`{"type":"plan","steps":[{"text":"read","state":"done"},{"text":"write","state":"pending"}]}`+"\n", 3),
		},
		"acp": {
			dialect.ACP, `{"type":"update","update":{"sessionUpdate":"plan","entries":[{"content":"read","priority":"high","status":"completed"},{"content":"write","status":"in_progress"},{"content":"rest","status":"pending"}]}}`,
			`{"type":"plan","steps":[{"text":"read","state":"done"},{"text":"write","state":"active"},{"text":"rest","state":"pending"}]}` + "\n",
		},
		"none":            {dialect.ACP, `{"type":"update","update":{"sessionUpdate":"plan","entries":[]}}`, `{"type":"plan","steps":[]}` + "\n"},
		"another shape":   {dialect.ACP, `{"type":"update","update":{"sessionUpdate":"plan","entries":7}}`, `{"type":"opaque","event":"plan","known":true,"bytes":63,"json":{"type":"update","update":{"sessionUpdate":"plan","entries":7}}}` + "\n"},
		"its list, too":   {dialect.CodexJSONL, `{"type":"item.updated","item":{"type":"todo_list","items":7}}`, `{"type":"opaque","event":"item/todo_list","known":true,"bytes":61,"json":{"type":"item.updated","item":{"type":"todo_list","items":7}}}` + "\n"},
		"too many to see": {dialect.ACP, `{"type":"update","update":{"sessionUpdate":"plan","entries":[` + strings.Repeat(`{"content":"a"},`, 300) + `{"content":"b"}]}}`, `{"type":"plan","steps":[` + strings.Repeat(`{"text":"a","state":"pending"},`, 255) + `{"text":"a","state":"pending"}]}` + "\n"},
	} {
		bodies, result := parse(t, runnerv2.Stream{Dialect: c.dialect}, []byte(c.in), 100)
		got, _, _ := strings.Cut(render(t, bodies, result), "result ")
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
