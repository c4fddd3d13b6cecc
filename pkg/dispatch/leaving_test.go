package dispatch_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/runtime/runtimetest"
	"github.com/vexa-ai/vexa/pkg/workspace/session"
)

// A message for a container that leaves in the very moment it is offered to it
// goes to another one.
func TestTurnOfferedToALeavingContainer(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	var ids atomic.Int32
	var leave func()
	s.restart(func(o *dispatch.Options) {
		o.NewID = func() string {
			// The first id of a message is of the unit that it may need, the second of
			// its turn: by then the live container was chosen.
			if leave != nil && ids.Add(1) == 2 {
				leave()
			}
			return newID()
		}
	})
	first := s.start(api.StartRequest{Text: "hello", Runner: "notebook", Limits: limits(60)})
	s.turn(first)
	leave = func() {
		_, err := s.m.Stop(t.Context(), first.Unit, false)
		must(t, err)
	}
	second := s.start(api.StartRequest{Text: "again", Session: first.Session, Limits: limits(0)})
	if second.Unit == first.Unit {
		t.Fatal("the turn went to a container that has left")
	}
	if d := done(t, s.turn(second)); !d.OK || d.Reply != "hello" {
		t.Errorf("turn-done %+v", d)
	}
}

// moved is a store whose session had another turn between the time a message
// was resolved and the start of its container.
type moved struct{ dispatch.Sessions }

func (m moved) Get(ctx context.Context, subject, id string) (session.Meta, error) {
	meta, err := m.Sessions.Get(ctx, subject, id)
	meta.Ref = "stale"
	return meta, err
}

func (m moved) Load(ctx context.Context, subject, id, dir string) (session.Meta, error) {
	meta, err := m.Sessions.Load(ctx, subject, id, dir)
	meta.Ref = "newest"
	return meta, err
}

// The container continues the conversation where it is when it starts, not where
// it was when the message came.
func TestSessionRefIsTheNewest(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	first := s.start(api.StartRequest{Text: "hello", Runner: "notebook", Limits: limits(0)})
	s.turn(first)
	s.ended(first.Unit)
	s.restart(func(o *dispatch.Options) { o.Sessions = moved{o.Sessions} })
	launched := make(chan runnerv2.Launch, 1)
	s.driver.Program("/.vexa/bin/vexa", func(p *runtimetest.Process) {
		for _, m := range p.Container.Mounts {
			if m.Target != "/.vexa/run" {
				continue
			}
			data, err := os.ReadFile(filepath.Join(m.Source, "dispatch.json"))
			var launch runnerv2.Launch
			if err == nil {
				err = json.Unmarshal(data, &launch)
			}
			if err != nil {
				t.Error(err)
			}
			launched <- launch
		}
		p.Exit(0, false)
	})
	s.start(api.StartRequest{Text: "again", Session: first.Session, Limits: limits(0)})
	select {
	case launch := <-launched:
		if !launch.Session.Resume || launch.Session.Ref != "newest" {
			t.Errorf("it continues %+v", launch.Session)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("no container was started")
	}
}
