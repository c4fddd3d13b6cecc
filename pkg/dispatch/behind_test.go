package dispatch_test

import (
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/workspace"
)

// apart grants a workspace that no other dispatch writes to: a container that has
// it takes the next turn whatever the others do.
func (s *stack) apart() []api.Grant {
	s.t.Helper()
	_, err := s.workspaces.Create(s.t.Context(), workspace.CreateRequest{Name: "apart", Author: workspace.Author{Subject: jane.Subject}})
	must(s.t, err)
	return []api.Grant{{Workspace: "apart", Mode: "rw"}}
}

// What was taken back is gone for the next message of the same conversation, too:
// a container that still had it would find nothing to change where the agent
// writes it again, and nothing would be saved. The runner keeps no conversation,
// and its next message is taken all the same.
func TestNextTurnAfterAnUndo(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	const write = "echo otters > otters.md"
	first := s.start(api.StartRequest{Text: write, Runner: "text", Limits: limits(60)})
	s.turn(first)
	_, err := s.workspaces.Undo(t.Context(), "personal", workspace.UndoRequest{Author: workspace.Author{Subject: jane.Subject}})
	must(t, err)
	again := s.start(api.StartRequest{Text: write, Session: first.Session, Limits: limits(60)})
	if d := done(t, s.turn(again)); !d.OK {
		t.Errorf("turn-done %+v", d)
	}
	if again.Unit == first.Unit || again.Session != first.Session {
		t.Errorf("began with %+v, went on with %+v", first, again)
	}
	data, err := s.workspaces.ReadFile(t.Context(), "personal", "main", "otters.md")
	if err != nil || string(data) != "otters\n" {
		t.Errorf("main has %q, %v", data, err)
	}
}

// A conversation goes on in a new container where its workspace is not what it was.
func TestConversationOutlivesItsCheckout(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	first := s.start(api.StartRequest{Text: "one", Runner: "notebook", Limits: limits(60)})
	s.turn(first)
	s.once("echo 1 >> a.md")
	next := s.start(api.StartRequest{Text: "two", Session: first.Session, Limits: limits(60)})
	frames := s.turn(next)
	said := body[wsv2.TurnAccepted](frames)
	if d := done(t, frames); !d.OK || next.Unit == first.Unit || len(said) != 1 || !said[0].Resumed {
		t.Errorf("%+v after %+v: %+v, %+v", next, first, said, d)
	}
}

// A conversation sees what another one wrote, and does not conflict with it.
func TestNextTurnAfterAnotherConversation(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	first := s.start(api.StartRequest{Text: "echo one > a.md", Runner: "text", Limits: limits(60)})
	s.turn(first)
	s.turn(s.start(api.StartRequest{Text: "echo two > a.md", Runner: "text", Limits: limits(60)}))
	frames := s.turn(s.start(api.StartRequest{Text: "cat a.md; echo three > a.md", Session: first.Session, Limits: limits(60)}))
	if d := done(t, frames); !strings.Contains(d.Reply, "two") {
		t.Errorf("it read %q", d.Reply)
	}
	data, err := s.workspaces.ReadFile(t.Context(), "personal", "main", "a.md")
	if err != nil || string(data) != "three\n" {
		t.Errorf("main has %q, %v", data, err)
	}
	// Nobody else wrote: the container is the one that waits.
	next := s.start(api.StartRequest{Text: "true", Session: first.Session, Limits: limits(60)})
	more := s.start(api.StartRequest{Text: "true", Session: first.Session, Limits: limits(60)})
	if s.turn(next); more.Unit != next.Unit {
		t.Errorf("another container for each turn: %s and %s", next.Unit, more.Unit)
	}
	s.turn(more)
}
