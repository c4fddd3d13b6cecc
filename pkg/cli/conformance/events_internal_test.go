package conformance

import (
	"slices"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/pkg/runner/dialect"
	"github.com/vexa-ai/vexa/runners"
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
		switch v := r.drift(); {
		case want == "" && v.state != Pass, want != "" && (v.state != Fail || !strings.HasSuffix(v.detail, ": "+want)):
			t.Errorf("%s: %+v", out, v)
		}
	}
}

// What is printed is compared with what was recorded: what is new is named, and what is
// gone of what was tried is missed.
func TestDriftIsNamed(t *testing.T) {
	t.Parallel()
	const done, said, started = `{"type":"turn.completed"}`, `{"type":"item.completed","item":{"type":"agent_message"}}`, `{"type":"turn.started"}`
	for _, c := range []struct {
		golden    map[string][]byte
		printed   string
		new, gone string
		state     string
		detail    string
	}{
		{nil, done, "", "", Pass, "none were recorded"},
		{map[string][]byte{"note": []byte(done)}, done, "", "", Pass, "as they were recorded"},
		{map[string][]byte{"note": []byte(done), "asked": []byte(said)}, said + "\n" + done, "", "", Pass, "as they were recorded"},
		{map[string][]byte{"note": []byte(started)}, said + "\n" + started, "item.completed item.completed/agent_message", "", Pass, "new since they were recorded: item.completed, item.completed/agent_message"},
		{map[string][]byte{"note": []byte(started)}, said, "item.completed item.completed/agent_message", "turn.started", Fail, "no longer prints events that were recorded of it: turn.started; new since"},
		{map[string][]byte{"note": []byte(started)}, "a warning", "", "", Fail, `prints no event of dialect codex-jsonl where "note" is recorded`},
	} {
		r := &run{Options: Options{Manifest: runnerv2.Manifest{Stream: runnerv2.Stream{Dialect: dialect.CodexJSONL}}, Golden: c.golden}}
		r.report.Recorded = map[string]string{RecordNote: c.printed}
		v, e := r.drift(), &r.report.Events
		if v.state != c.state || !strings.Contains(v.detail, c.detail) || strings.Join(e.New, " ") != c.new || strings.Join(e.Gone, " ") != c.gone {
			t.Errorf("%q beside %q: %+v, %+v", c.printed, c.golden, v, e)
		}
	}
}

// The program is run as before, for its output alone.
func TestAsPrinted(t *testing.T) {
	t.Parallel()
	catalog, err := runner.Load(runners.FS)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range catalog.List() {
		p := AsPrinted(m)
		if err := runner.Check(p); err != nil {
			t.Error(err)
		}
		if p.Name == m.Name || !slices.Equal(p.Argv.New, m.Argv.New) || p.Image != m.Image || AsPrinted(p).Name == p.Name {
			t.Errorf("%+v", p)
		}
	}
}
