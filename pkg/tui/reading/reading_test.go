package reading_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/internal/goldentest"
	"github.com/vexa-ai/vexa/pkg/tui/conversation"
	"github.com/vexa-ai/vexa/pkg/tui/flow/flowtest"
	"github.com/vexa-ai/vexa/pkg/tui/reading"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

var update = flag.Bool("update", false, "rewrite the golden conversations")

const patch = "diff --git a/notes/otters.md b/notes/otters.md\nindex 1..2 100644\n--- a/notes/otters.md\n+++ b/notes/otters.md\n@@ -1,2 +1,2 @@\n # Otters\n-They are gone.\n+They are back.\n"

// hostile is what an agent would do to a screen.
const hostile = "\x1b[2J\x1b]0;owned\x07\x1b]52;c;Y2FuYXJ5\x07\u202egnihton\x1bP+q\x1b\\\r\x08"

// bodies are a conversation that has everything.
func bodies() []wsv2.Body {
	return []wsv2.Body{
		wsv2.TurnAccepted{Session: "s1", Runner: "vexa", Text: "Write a note that says the otters are back,\nand tell me what you " + strings.Repeat("thought about it ", 5)},
		wsv2.Reasoning{Text: "The person wants a note. "},
		wsv2.Reasoning{Text: "I look for one first.\n\nThere is one."},
		wsv2.MessageDelta{Text: "I look at **the no"},
		wsv2.MessageDelta{Text: "te** first:\n\n- `notes/otters.md`\n- 漢字 🦦\n"},
		wsv2.Message{Text: "I look at **the note** first:\n\n- `notes/otters.md`\n- 漢字 🦦\n"},
		wsv2.ToolCall{CallID: "1", Tool: "read_file", Arguments: json.RawMessage(`{"path":"notes/otters.md","lines":20}`)},
		wsv2.ToolResult{CallID: "1", OK: true, Output: "# Otters\nThey are gone.\n"},
		wsv2.ToolCall{CallID: "2", Tool: "shell" + hostile, Arguments: json.RawMessage(`{"command":"rm -rf \u001b[31m/\nls"}`)},
		wsv2.ToolResult{CallID: "2", Output: "refused" + hostile + "\nsecond line", Truncated: true},
		wsv2.ToolCall{CallID: "3", Tool: "wait"},
		wsv2.Plan{Steps: []wsv2.Step{
			{Text: "read the note" + hostile, State: wsv2.StepDone}, {Text: "write it anew, " + strings.Repeat("with what is known ", 4), State: wsv2.StepActive}, {Text: "say so", State: wsv2.StepPending},
		}},
		wsv2.Opaque{Event: "from_the_future" + hostile, Bytes: 7},
		wsv2.Opaque{Event: "from_the_future" + hostile, Bytes: 7},
		wsv2.Commit{SHA: "0123456789abcdef0123", Name: "notes", Merged: true, Files: 1},
		wsv2.Commit{SHA: "fedcba9876543210fedc", Name: "shared" + hostile, Branch: "vexa/01X", Conflicts: []string{"a.md", "b.md"}, Files: 2},
		wsv2.Rejected{Path: "link" + hostile, Reason: "it leads out of the workspace"},
		wsv2.Error{Message: "the model did not answer" + hostile, Hint: "vexa model test"},
		wsv2.MessageDelta{Text: "Half an ans" + hostile},
		wsv2.TurnDone{Outcome: wsv2.OutcomeInterrupted},
	}
}

func played(upTo int) *conversation.Conversation {
	var c conversation.Conversation
	for _, b := range bodies()[:upTo] {
		c.Apply(wsv2.Frame{Turn: "t1", Body: b})
	}
	return &c
}

func all(r *reading.Reading, width int) (lines []string) {
	for i := r.First(); i < r.Len(); i++ {
		lines = append(lines, r.Lines(i, width)...)
	}
	return lines
}

// unfold opens everything, and gives commits what they changed.
func unfold(r *reading.Reading) {
	for i := r.First(); i < r.Len(); i++ {
		if r.Toggle(i) {
			r.SetPatch(i, patch)
		}
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, width := range []int{40, 80, 120} {
		for name, th := range map[string]theme.Theme{"none": theme.None(), "dark": theme.Dark()} {
			for _, open := range []bool{false, true} {
				r := reading.New(played(len(bodies())), th)
				if open {
					unfold(r)
					r.Sides(width == 120)
				}
				got := strings.Join(all(r, width), "\n") + "\n"
				name := fmt.Sprintf("%s-%d-%t", name, width, open)
				if diff := cmp.Diff(goldentest.Want(t, name, got, *update), got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
		}
	}
}

// Whatever an agent says, a line holds no control sequence but the theme's, and is no
// wider than the screen.
func TestNothingEscapes(t *testing.T) {
	t.Parallel()
	for _, th := range []theme.Theme{theme.None(), theme.Light(), theme.Dark()} {
		for width := 1; width < 130; width += 7 {
			r := reading.New(played(len(bodies())), th)
			unfold(r)
			for i := r.First(); i < r.Len(); i++ {
				flowtest.Painted(t, r.Lines(i, width), max(width, 24), th, false) // patches get no narrower
			}
		}
	}
}

// What is drawn while a conversation comes is in the end what is drawn of all of it.
func TestItComes(t *testing.T) {
	t.Parallel()
	var c conversation.Conversation
	r := reading.New(&c, theme.Dark())
	for i, b := range bodies() {
		r.Changed(c.Apply(wsv2.Frame{Turn: "t1", Body: b}))
		want := all(reading.New(played(i+1), theme.Dark()), 60)
		if diff := cmp.Diff(want, all(r, 60)); diff != "" {
			t.Fatalf("after %d (-want +got):\n%s", i, diff)
		}
	}
	r.Restyle(theme.None())
	if diff := cmp.Diff(all(reading.New(&c, theme.None()), 50), all(r, 50)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFolding(t *testing.T) {
	t.Parallel()
	r := reading.New(played(len(bodies())), theme.None())
	folded := all(r, 80)
	shown := func() string { return strings.Join(all(r, 80), "\n") }
	for i := r.First(); i < r.Len(); i++ {
		if open := r.Toggle(i); open != r.Folds(i) {
			t.Errorf("block %d folds: %t, is open: %t", i, r.Folds(i), open)
		}
	}
	for _, want := range []string{"I look for one first.", `"lines": 20`, "They are gone.", "second line", "[cut off", "is being fetched"} {
		if strings.Contains(strings.Join(folded, "\n"), want) || !strings.Contains(shown(), want) {
			t.Errorf("%q is shown folded, or not shown open", want)
		}
	}
	for i := r.First(); i < r.Len(); i++ {
		r.Toggle(i)
	}
	if diff := cmp.Diff(folded, all(r, 80)); diff != "" {
		t.Errorf("folded again (-want +got):\n%s", diff)
	}
	if r.Toggle(r.Len()) || r.Folds(-1) {
		t.Error("what is not there folds")
	}
}

// Of a conversation of any length no more is kept than a few screens; and what went from
// it is gone here, too.
func TestItKeepsLittle(t *testing.T) {
	t.Parallel()
	c := conversation.Conversation{MaxBytes: 1 << 20}
	r := reading.New(&c, theme.Dark())
	for i := range 10_000 {
		r.Changed(c.Apply(wsv2.Frame{Turn: "t", Body: wsv2.Message{Text: fmt.Sprintf("message **%d** of many", i)}}))
		if lines := r.Lines(r.Len()-1, 80); !strings.Contains(strings.Join(lines, ""), fmt.Sprint(i)) {
			t.Fatalf("%d: %q", i, lines)
		}
	}
	if r.First() == 0 {
		t.Fatal("nothing went")
	}
	if n := r.Drawn(); n > 1100 {
		t.Errorf("%d blocks are kept", n)
	}
	if lines := r.Lines(0, 80); lines != nil {
		t.Errorf("the first is there: %q", lines)
	}
}

// BenchmarkDelta is a piece of an answer at the end of ten thousand messages, drawn, against
// the same in an empty conversation.
func BenchmarkDelta(b *testing.B) {
	delta := func(b *testing.B, before int) float64 {
		b.Helper()
		var c conversation.Conversation
		r := reading.New(&c, theme.Dark())
		for i := range before {
			c.Apply(wsv2.Frame{Turn: "t", Body: wsv2.Message{Text: fmt.Sprint("message ", i)}})
		}
		c.Apply(wsv2.Frame{Turn: "t", Body: wsv2.TurnAccepted{Text: "x"}})
		for b.Loop() {
			r.Changed(c.Apply(wsv2.Frame{Turn: "t", Body: wsv2.MessageDelta{Text: "word "}}))
			r.Lines(r.Len()-1, 80)
		}
		return float64(b.Elapsed()) / float64(b.N)
	}
	var floor float64
	b.Run("empty", func(b *testing.B) { floor = delta(b, 0) })
	b.Run("after-10000", func(b *testing.B) {
		if took := delta(b, 10_000); floor > 0 {
			b.ReportMetric(took/floor, "x-floor")
		}
	})
}

// What became of a commit afterwards is said where it stands.
func TestLater(t *testing.T) {
	t.Parallel()
	r := reading.New(played(len(bodies())), theme.None())
	for i := r.First(); i < r.Len(); i++ {
		if line := r.Lines(i, 80)[0]; strings.Contains(line, "commit 0123456789ab") {
			r.Undone(i, "ffffffffffffffffffff")
		} else if strings.Contains(line, "commit fedcba987654") {
			r.Merged(i)
		}
	}
	shown := strings.Join(all(r, 80), "\n")
	for _, want := range []string{"▸ ↶ commit 0123456789ab in notes (1 file), taken back by ffffffffffff", "▸ ✓ commit fedcba987654 in sharedgnihton (2 files), merged since"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not in\n%s", want, shown)
		}
	}
	if strings.Contains(shown, "conflicts") {
		t.Error("what is merged still conflicts")
	}
}
