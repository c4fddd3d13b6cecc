package conformance

import (
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/runner/dialect"
)

// What the dialect could not use in any turn fails the check, by name; a warning of the
// agent's does not.
func TestEventsAreHeldToTheDialect(t *testing.T) {
	t.Parallel()
	const warning = "(node:7) Warning: something\n"
	for out, want := range map[string]string{
		warning + `{"type":"turn.completed"}`:                                                        "",
		`{"type":"item.completed","item":"of another shape"}` + "\n" + warning + `{"type":["turn"]}`: "item.completed (of another shape), type (of another shape)",
		`{"type":"item.completed","item":{"type":"dance"}}`:                                          "item/dance",
	} {
		m := runnerv2.Manifest{Stream: runnerv2.Stream{Dialect: dialect.CodexJSONL}}
		r := &run{Options: Options{Manifest: m}}
		for _, printed := range []string{`{"type":"turn.completed"}`, out, out} {
			p, err := dialect.New(m.Stream)
			if err != nil {
				t.Fatal(err)
			}
			frames := p.Feed([]byte(printed + "\n"))
			rest, _ := p.End()
			r.note(turn{frames: append(frames, rest...), done: wsv2.TurnDone{Outcome: wsv2.OutcomeCompleted}})
		}
		switch v := r.events(t.Context()); {
		case want == "" && v.state != Pass, want != "" && (v.state != Fail || !strings.HasSuffix(v.detail, ": "+want)):
			t.Errorf("%s: %+v", out, v)
		}
	}
}
