package dispatch_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/failpoint"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/toolbox"
)

// withTools makes the built-in agent the runner, which plays the cassette slow.
func (s *stack) withTools(turns string) {
	s.t.Helper()
	tools, err := toolbox.Shipped()
	must(s.t, err)
	s.tools = tools
	s.play("slow", turns)
	s.restart(func(o *dispatch.Options) {
		o.Tools, o.Runners = tools, builtIn{s.t}
		o.Models = func(string) ([]string, string, error) { return []string{"anthropic-messages"}, "slow/slow", nil }
	})
}

// A dispatch that was granted a tool calls it through its broker, and one that
// was not has none.
func TestGrantedTool(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.withTools(`
  - match: {user: go, toolResult: ''}
    reply:
      - text: 'It said: {{toolResult}}'
  - match: always
    reply:
      - tool: {name: vexa_echo, arguments: {text: a blue door}}
`)
	st := s.start(api.StartRequest{Text: "go", Tools: []string{"vexa.echo"}, Limits: limits(0)})
	frames := s.turn(st)
	results := body[wsv2.ToolResult](frames)
	if d := done(t, frames); !d.OK || d.Reply != "It said: a blue door" || len(results) != 1 || !results[0].OK {
		t.Errorf("%+v, %+v", d, results)
	}
	if d, err := s.m.Get(st.Unit); err != nil || !slices.Equal(d.Unit.Tools, []string{"vexa.echo"}) {
		t.Errorf("%+v, %v", d.Unit, err)
	}
	other := s.start(api.StartRequest{Text: "go", Limits: limits(0)})
	if d := done(t, s.turn(other)); d.OK || !strings.Contains(d.Error, "does not offer") {
		t.Errorf("without the tool: %+v", d)
	}
}

// A message with other tools goes to another container, one that names none has
// those of its conversation.
func TestToolsOfAConversation(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.withTools("  - match: always\n    reply:\n      - text: 'Done.'\n")
	first := s.start(api.StartRequest{Text: "go", Tools: []string{"vexa.echo"}, Limits: limits(60)})
	done(t, s.turn(first))
	next := s.start(api.StartRequest{Text: "go on", Session: first.Session, Limits: limits(60)})
	done(t, s.turn(next))
	if next.Unit != first.Unit {
		t.Error("the same tools are another container")
	}
	bare := s.start(api.StartRequest{Text: "go", Limits: limits(60)})
	done(t, s.turn(bare))
	more := s.start(api.StartRequest{Text: "go on", Session: bare.Session, Tools: []string{"vexa.echo"}, Limits: limits(0)})
	done(t, s.turn(more))
	if more.Unit == bare.Unit {
		t.Error("a container without tools was given a turn with tools")
	}
	s.ended(more.Unit)
	last := s.start(api.StartRequest{Text: "go on", Session: bare.Session, Limits: limits(0)})
	done(t, s.turn(last))
	if d, err := s.m.Get(last.Unit); err != nil || !slices.Equal(d.Unit.Tools, []string{"vexa.echo"}) {
		t.Errorf("%+v, %v", d.Unit, err)
	}
}

// Whoever has read that a turn has ended may go on at once, with other things than
// its container has: the record of that end is waited for.
func TestATurnThatWasToldHasEnded(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	points := t.TempDir()
	s.restart(func(o *dispatch.Options) { o.Failpoints = failpoint.New(points) })
	must(t, failpoint.Arm(points, "dispatch.told"))
	first := s.start(api.StartRequest{Text: "echo first", Runner: "notebook", Limits: limits(600)})
	s.eventually("the turn to be told", func() bool { return failpoint.Reached(points, "dispatch.told") })
	next := make(chan error, 1)
	go func() {
		_, err := s.m.Start(t.Context(), jane, api.StartRequest{
			Text: "again", Session: first.Session, Limits: limits(0),
			Workspaces: []api.Grant{{Workspace: "personal", Mode: unitv1.ReadOnly}},
		})
		next <- err
	}()
	select {
	case err := <-next:
		t.Errorf("it was not waited for: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	must(t, failpoint.Release(points, "dispatch.told"))
	must(t, <-next)
	s.ended(first.Unit)
}

// What cannot be granted is refused before anything is made.
func TestToolsThatAreRefused(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	tools, err := toolbox.Shipped()
	must(t, err)
	s.restart(func(o *dispatch.Options) { o.Tools = tools })
	for name, c := range map[string]struct {
		tools []string
		kind  fault.Kind
		hint  string
	}{
		"unknown":          {[]string{"vexa.ecko"}, fault.NotFound, "vexa.echo"},
		"twice":            {[]string{"vexa.echo", "vexa.echo"}, fault.Invalid, "once"},
		"another runner's": {[]string{"vexa.echo"}, fault.Invalid, "--runner"},
		"no name":          {[]string{""}, fault.NotFound, "vexa.echo"},
	} {
		_, err := s.m.Start(t.Context(), jane, api.StartRequest{Text: "true", Runner: "text", Tools: c.tools})
		if !fault.Is(err, c.kind) || !strings.Contains(fault.HintOf(err), c.hint) {
			t.Errorf("%s: %v (%s)", name, err, fault.HintOf(err))
		}
	}
	if n := len(s.m.List(true)); n != 0 {
		t.Errorf("%d dispatches", n)
	}
}
