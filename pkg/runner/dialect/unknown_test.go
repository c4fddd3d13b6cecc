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
		"its person":  {dialect.ClaudeNDJSON, []string{`{"type":"user","message":{"content":"words"}}`, `{"type":"assistant","message":{}}`}, "assistant/content" + other, 0},
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
		`{"type":"new","a":1e999}`:                                     `{"a":"1e999","type":"new"}`,
		`{"type":"new","id":1712345678901234567,"s":1.50}`:             `{"id":"1712345678901234567","s":1.50,"type":"new"}`,
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

// What is new within an event that is known is named, too.
func TestNewPartsAreNamed(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"claude-ndjson\n" + `{"type":"system","subtype":"dance"}`:                                                                             "system/dance",
		"claude-ndjson\n" + `{"type":"assistant","message":{"content":[{"type":"dance"}]}}`:                                                   "assistant/content/dance",
		"claude-ndjson\n" + `{"type":"stream_event","event":{"delta":{"type":"dance_delta"}}}`:                                                "stream_event/dance_delta",
		"pi-jsonl\n" + `{"type":"message_update","assistantMessageEvent":{"type":"dance"}}`:                                                   "message_update/dance",
		"codex-jsonl\n" + `{"type":"item.started","item":{"type":"dance"}}`:                                                                   "item/dance",
		"codex-jsonl\n" + `{"type":"item.updated","item":{"type":"dance"}}`:                                                                   "item/dance",
		"opencode-ndjson\n" + `{"type":"text","part":{"words":"x"}}`:                                                                          "text",
		"opencode-ndjson\n" + `{"type":"reasoning","part":{"words":"x"}}`:                                                                     "reasoning",
		"gemini-ndjson\n" + `{"type":"message","role":"dancer","content":"x"}`:                                                                "message/dancer",
		"acp\n" + `{"type":"update","update":{"sessionUpdate":"tool_call_update","toolCallId":"1","status":"dancing"}}`:                       "tool_call/dancing",
		"claude-ndjson\n" + `{"type":"assistant","message":{"content":[{"type":"server_tool_use","id":"1","name":"web_search","input":{}}]}}`: "",
		"codex-jsonl\n" + `{"type":"item.started","item":{"type":"agent_message"}}`:                                                           "",
		"opencode-ndjson\n" + `{"type":"text","part":{"text":""}}`:                                                                            "",
	} {
		name, line, _ := strings.Cut(in, "\n")
		bodies, result := parse(t, runnerv2.Stream{Dialect: name}, []byte(line), 9)
		render(t, bodies, result)
		var said string
		for _, b := range bodies {
			if o, ok := b.(wsv2.Opaque); ok {
				said += o.Event
			}
		}
		if said != want || (result.Unknown > 0) != (want != "") {
			t.Errorf("%s: %q, %d", in, said, result.Unknown)
		}
	}
}

// However much a runner prints that is not known, little of it is passed on, each type by
// its name, and all of it is counted: a turn's limits are for what is understood.
func TestUnknownEventsAreBounded(t *testing.T) {
	t.Parallel()
	const lines = 2000
	for name, text := range map[string]string{"large": strings.Repeat("<", 60<<10), "small": "<"} {
		p, err := dialect.New(runnerv2.Stream{Dialect: dialect.CodexJSONL})
		if err != nil {
			t.Fatal(err)
		}
		sent, frames, last := 0, 0, ""
		for i := range lines {
			event := "progress"
			if i == lines-1 {
				event = "the last one"
			}
			for _, b := range p.Feed([]byte(`{"type":"` + event + `","x":"` + text + `"}` + "\n")) {
				frame, err := wsv2.MarshalBody(b)
				if err != nil {
					t.Fatal(err)
				}
				sent += len(frame)
				frames++
				if o, ok := b.(wsv2.Opaque); ok {
					last = o.Event
				}
			}
		}
		_, r := p.End()
		if r.Unknown != lines || last != "the_last_one" || sent > 2<<20 || frames < 3 || frames > 300 {
			t.Errorf("%s: %d bytes in %d frames, the last of %q; %d counted", name, sent, frames, last, r.Unknown)
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
