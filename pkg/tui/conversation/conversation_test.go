package conversation_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/tui/conversation"
)

// played applies bodies of one turn each, and returns what there is to read, an item a
// line, and from where on each changed it.
func played(c *conversation.Conversation, turn string, bodies ...wsv2.Body) (items []string, from []int) {
	for _, b := range bodies {
		from = append(from, c.Apply(wsv2.Frame{Turn: turn, Body: b}))
	}
	for i := c.First(); i < c.Len(); i++ {
		item, _ := c.At(i)
		line := string(item.Kind) + " " + item.Text()
		if item.Call != nil {
			line += item.Call.Tool + string(item.Call.Arguments)
			if r := item.Call.Result; r != nil {
				line += fmt.Sprint(" ", r.OK, " ", r.Output)
			}
		}
		if item.Commit != nil {
			line += item.Commit.SHA
		}
		if item.Rejected != nil {
			line += item.Rejected.Path
		}
		if item.Problem != nil {
			line += item.Problem.Message
		}
		if item.Plan != nil {
			line += fmt.Sprint(item.Plan.Steps)
		}
		if item.Unknown != nil {
			line += fmt.Sprint(*item.Unknown)
		}
		if item.Ended != nil {
			line += string(item.Ended.Outcome)
		}
		if item.Open {
			line += " …"
		}
		items = append(items, line)
	}
	return items, from
}

func accepted(text string) wsv2.Body {
	return wsv2.TurnAccepted{Session: "s1", Runner: "vexa", Model: "local/m", Text: text}
}

func delta(text string) wsv2.Body { return wsv2.MessageDelta{Text: text} }

func TestATurn(t *testing.T) {
	t.Parallel()
	var c conversation.Conversation
	items, from := played(&c, "t1",
		accepted("hello"), wsv2.Reasoning{Text: "hm, "}, wsv2.Reasoning{Text: "well"}, delta("I "), delta("look."), wsv2.Message{Text: "I look."},
		wsv2.ToolCall{CallID: "1", Tool: "read", Arguments: json.RawMessage(`{"a":1}`)}, wsv2.ToolCall{CallID: "2", Tool: "list"},
		wsv2.ToolResult{CallID: "2", OK: true, Output: "b"}, wsv2.ToolResult{CallID: "1", Output: "no"}, wsv2.ToolResult{CallID: "3", Output: "whose?"},
		delta("Done."), wsv2.Usage{InputTokens: 7}, wsv2.Commit{SHA: "abc", Merged: true}, wsv2.Rejected{Path: "x"}, wsv2.Error{Message: "but"},
		wsv2.TurnDone{OK: true, Outcome: wsv2.OutcomeCompleted, Reply: "Done."},
	)
	want := []string{
		"said hello", "reasoning hm, well", "answer I look.", `call read{"a":1} false no`, "call list true b", "answer Done.", "commit abc", "rejected x", "problem but",
	}
	if diff := cmp.Diff(want, items); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{0, 1, 1, 1, 2, 2, 3, 4, 4, 3, 5, 5, 6, 5, 7, 8, 9}, from); diff != "" {
		t.Errorf("what changed (-want +got):\n%s", diff)
	}
	if c.Session() != "s1" || c.Runner() != "vexa" || c.Model() != "local/m" || c.Usage().InputTokens != 7 || c.Running() != "" {
		t.Errorf("%s %s %s %+v %q", c.Session(), c.Runner(), c.Model(), c.Usage(), c.Running())
	}
}

// A turn has one plan, the newest, and one item of what could not be used; each stays
// where it was first.
func TestOneOfAKind(t *testing.T) {
	t.Parallel()
	var c conversation.Conversation
	plan := func(text string) wsv2.Body { return wsv2.Plan{Steps: []wsv2.Step{{Text: text, State: wsv2.StepDone}}} }
	opaque := func(name string) wsv2.Body { return wsv2.Opaque{Event: name, Bytes: 1} }
	_, from := played(&c, "t1", accepted("a"), plan("one"), delta("b"), opaque("x"), plan("two"), opaque("y"), opaque("x"), delta("c"))
	if diff := cmp.Diff([]int{0, 1, 2, 2, 1, 3, 3, 4}, from); diff != "" {
		t.Errorf("what changed (-want +got):\n%s", diff)
	}
	items, _ := played(&c, "t2", plan("other"), opaque("z"))
	want := []string{"said a", "plan [{two done}]", "answer b", "unknown {3 [x y]}", "answer c", "plan [{other done}]", "unknown {1 [z]}"}
	if diff := cmp.Diff(want, items); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	many := make([]wsv2.Body, 1000)
	for i := range many {
		many[i] = opaque(fmt.Sprint(i))
	}
	if _, _ = played(&c, "t2", many...); c.Len() != len(want) {
		t.Errorf("%d items", c.Len())
	}
	if item, _ := c.At(c.Len() - 1); item.Unknown.Count != 1001 || len(item.Unknown.Types) != 16 {
		t.Errorf("%+v", item.Unknown)
	}
}

// A plan that went with the oldest is a new item when it comes again.
func TestAPlanThatWent(t *testing.T) {
	t.Parallel()
	c := conversation.Conversation{MaxBytes: 2000}
	plan := wsv2.Plan{Steps: []wsv2.Step{{Text: "a", State: wsv2.StepActive}}}
	played(&c, "t1", plan, wsv2.Message{Text: strings.Repeat("x", 1900)}, wsv2.Message{Text: "y"})
	if at := c.Apply(wsv2.Frame{Turn: "t1", Body: plan}); at != c.Len()-1 {
		t.Errorf("%d of %d", at, c.Len())
	}
	if item, ok := c.At(c.Len() - 1); !ok || item.Kind != conversation.Plan {
		t.Errorf("%+v", item)
	}
}

// What is under way is open, and nothing is once its turn is over, however that ended.
func TestOpen(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]wsv2.Body{"answer": delta("half"), "reasoning": wsv2.Reasoning{Text: "half"}, "call": wsv2.ToolCall{CallID: "1", Tool: "half"}} {
		var c conversation.Conversation
		items, _ := played(&c, "t1", accepted("x"), body)
		if want := name + " half …"; items[1] != want || c.Running() != "t1" {
			t.Errorf("%q, want %q; running %q", items, want, c.Running())
		}
		items, from := played(&c, "t1", wsv2.TurnDone{Outcome: wsv2.OutcomeInterrupted})
		if diff := cmp.Diff([]string{"said x", name + " half", "ended interrupted"}, items); diff != "" || from[0] != 1 || c.Running() != "" {
			t.Errorf("from %d, running %q (-want +got):\n%s", from[0], c.Running(), diff)
		}
		// A result that comes after the end belongs to nothing.
		if items, from = played(&c, "t1", wsv2.ToolResult{CallID: "1", Output: "late"}); strings.Contains(strings.Join(items, ""), "late") || from[0] != c.Len() {
			t.Errorf("%q from %d", items, from)
		}
	}
}

// Agents that print no pieces, or nothing but their last word, are read as well.
func TestWholeAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bodies []wsv2.Body
		want   []string
	}{
		"whole":              {[]wsv2.Body{wsv2.Message{Text: "a"}, wsv2.Message{Text: "b"}}, []string{"answer a", "answer b"}},
		"the reply alone":    {[]wsv2.Body{wsv2.TurnDone{OK: true, Reply: "a"}}, []string{"answer a"}},
		"the reply, said":    {[]wsv2.Body{wsv2.Message{Text: "a"}, wsv2.TurnDone{OK: true, Reply: "a"}}, []string{"answer a"}},
		"another whole":      {[]wsv2.Body{delta("a"), wsv2.Message{Text: "A"}}, []string{"answer A"}},
		"nothing":            {[]wsv2.Body{delta(""), wsv2.Message{}, wsv2.TurnDone{OK: true}}, nil},
		"pieces of two":      {[]wsv2.Body{delta("a"), wsv2.Reasoning{Text: "b"}, delta("c")}, []string{"answer a", "reasoning b", "answer c …"}},
		"the same id, twice": {[]wsv2.Body{wsv2.ToolCall{CallID: "1", Tool: "a"}, wsv2.ToolCall{CallID: "1", Tool: "b"}, wsv2.ToolResult{CallID: "1", OK: true}}, []string{"call a …", "call b true "}},
	} {
		var conv conversation.Conversation
		items, _ := played(&conv, "t1", append([]wsv2.Body{accepted("x")}, c.bodies...)...)
		if diff := cmp.Diff(append([]string{"said x"}, c.want...), items); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Why a container is waited for is there until something happens.
func TestWaiting(t *testing.T) {
	t.Parallel()
	var c conversation.Conversation
	items, from := played(&c, "", wsv2.State{State: "starting", Detail: "2 before it"}, wsv2.State{State: "starting", Detail: "1 before it"})
	if diff := cmp.Diff([]string{"waiting 1 before it"}, items); diff != "" || from[1] != 0 {
		t.Errorf("from %v (-want +got):\n%s", from, diff)
	}
	items, from = played(&c, "t1", wsv2.State{State: "running", Container: "c1"}, accepted("hello"))
	if diff := cmp.Diff([]string{"said hello"}, items); diff != "" || from[0] != 0 || from[1] != 0 || c.Container() != "c1" {
		t.Errorf("from %v (-want +got):\n%s", from, diff)
	}
}

// However much an agent says, what is kept is bounded, the newest is there, and the
// numbers of items stay what they were.
func TestBounds(t *testing.T) {
	t.Parallel()
	c := conversation.Conversation{MaxBytes: 100_000}
	played(&c, "t1", accepted("the first"), wsv2.ToolCall{CallID: "old", Tool: "slow"})
	for i := range 100_000 {
		body := wsv2.Body(wsv2.Message{Text: fmt.Sprint("message ", i)})
		switch i % 3 {
		case 1:
			body = wsv2.ToolCall{CallID: fmt.Sprint(i), Tool: "x", Arguments: json.RawMessage(`{}`)}
		case 2:
			body = wsv2.ToolResult{CallID: fmt.Sprint(i - 1), Output: "some output"}
		}
		c.Apply(wsv2.Frame{Turn: "t1", Body: body})
		if kept := c.Len() - c.First(); kept > 400 {
			t.Fatalf("%d items are kept", kept)
		}
	}
	if c.Len() != 2+66_667 {
		t.Errorf("%d items", c.Len())
	}
	if _, ok := c.At(0); ok {
		t.Error("the first is there")
	}
	if _, ok := c.At(c.Len()); ok {
		t.Error("there is one behind the last")
	}
	items, from := played(&c, "t1", wsv2.ToolResult{CallID: "old", Output: "late"})
	if last := items[len(items)-1]; last != "answer message 99999" || from[0] != c.Len() {
		t.Errorf("%q, from %d", last, from[0])
	}
	// One that is too much by itself is kept alone.
	items, _ = played(&c, "t1", wsv2.Message{Text: strings.Repeat("x", 200_000)})
	if len(items) != 1 || len(items[0]) < 200_000 {
		t.Errorf("%d items", len(items))
	}
}

// BenchmarkDeltas is a megabyte that comes in pieces of four bytes, against copying it.
func BenchmarkDeltas(b *testing.B) {
	const pieces = 1 << 18
	b.SetBytes(4 * pieces)
	for b.Loop() {
		var c conversation.Conversation
		c.Apply(wsv2.Frame{Turn: "t", Body: accepted("x")})
		for range pieces {
			c.Apply(wsv2.Frame{Turn: "t", Body: wsv2.MessageDelta{Text: "abc "}})
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/pieces, "ns/frame")
}
