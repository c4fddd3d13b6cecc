package dialect_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/wsv1"
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
	}{
		"codex": {
			dialect.CodexJSONL,
			[]string{`plain words`, `{"type":"item.completed","item":"of another shape"}`, `{"type":["turn"]}`, `{"type":"item.completed","item":7}`, `{}`},
			"item.completed" + other + ", type" + other + ", unknown",
		},
		"opencode":    {dialect.OpencodeNDJSON, []string{`{"type":"text","part":"words"}`}, "text" + other},
		"gemini":      {dialect.GeminiNDJSON, []string{`{"type":"message","role":"assistant","content":["words"]}`}, "message" + other},
		"pi":          {dialect.PiJSONL, []string{`{"type":"message_end","message":{"role":"assistant","content":"words"}}`}, "message_end/content" + other},
		"vexa":        {dialect.VexaNDJSON, []string{`{"type":"message","text":7}`}, "message" + other},
		"claude":      {dialect.ClaudeNDJSON, []string{`{"type":"assistant","message":"words"}`}, "assistant/message" + other},
		"its content": {dialect.ClaudeNDJSON, []string{`{"type":"assistant","message":{"content":"words"}}`, `{"type":"user","message":{"content":[7]}}`}, "assistant/content" + other + ", user/content" + other},
		"its person":  {dialect.ClaudeNDJSON, []string{`{"type":"user","message":{"content":"words"}}`, `{"type":"assistant","message":{}}`}, ""},
		"acp":         {dialect.ACP, []string{`{"type":"update","update":7}`, `{"type":"permission","update":7}`}, "update" + other + ", permission" + other},
		"its pieces": {
			dialect.ACP,
			[]string{`{"type":"update","update":{"sessionUpdate":"agent_message_chunk","content":["words"]}}`, `{"type":"update","update":{"sessionUpdate":"agent_thought_chunk","content":"words"}}`},
			"agent_message_chunk" + other + ", agent_thought_chunk" + other,
		},
		"its end":   {dialect.ACP, []string{`{"type":"result","ok":true,"stopReason":"end_turn","usage":{"totalTokens":7}}`}, ""},
		"a liar":    {dialect.CodexJSONL, []string{`{"type":"a, b (of another shape)\n"}`}, "a__b_(of_another_shape)_"},
		"no events": {dialect.CodexJSONL, []string{`(node:7) Warning: x`, `[1]`, `7`, `"item"`, "\xff", `{"type":"item.completed","it`}, ""},
	} {
		bodies, result := parse(t, runnerv2.Stream{Dialect: c.dialect}, []byte(strings.Join(c.in, "\n")), 7)
		if got := strings.Join(result.Types, ", "); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
		var said []string
		for _, b := range bodies {
			if e, ok := b.(wsv1.Error); ok {
				said = append(said, dialect.UnknownTypes(e.Message)...)
			}
		}
		if diff := cmp.Diff(result.Types, said); diff != "" {
			t.Errorf("%s: what is told of it (-want +got):\n%s", name, diff)
		}
	}
}
