package dispatch_test

import (
	"context"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/stream"
	"github.com/vexa-ai/vexa/pkg/workspace/session"
)

// unsavedSessions has no session before there is room.
type unsavedSessions struct {
	dispatch.Sessions
	disk *fullDisk
}

func (u unsavedSessions) Get(ctx context.Context, subject, id string) (session.Meta, error) {
	if u.disk.full.Load() {
		return session.Meta{}, fault.New(fault.NotFound, "there is no session "+id, "")
	}
	return u.Sessions.Get(ctx, subject, id)
}

// standStill is a stack with a dispatch that could not be saved, and its disk.
func standStill(t *testing.T, every time.Duration) (*stack, api.Started, *fullDisk) {
	t.Helper()
	s := newStack(t)
	disk := &fullDisk{}
	disk.full.Store(true)
	s.restart(func(o *dispatch.Options) {
		disk.Workspaces = o.Workspaces
		o.Workspaces, o.SaveAgain = disk, every
		o.Sessions = unsavedSessions{o.Sessions, disk}
		o.Retention.Sessions.Age = time.Nanosecond
	})
	st := s.start(api.StartRequest{Text: "noted", Runner: "notebook", Limits: limits(0)})
	s.turn(st)
	s.eventually("the dispatch to stand still", func() bool { return s.m.Unsaved(st.Unit) != nil })
	return s, st, disk
}

// A conversation whose dispatch stands still is not continued by another one,
// which would fork it: who asks is told why.
func TestConversationThatStandsStill(t *testing.T) {
	t.Parallel()
	s, st, disk := standStill(t, time.Second)
	req := api.StartRequest{Text: "again", Session: st.Session, Limits: limits(0)}
	for _, req := range []api.StartRequest{req, {Text: "again", Continue: true, Limits: limits(0)}} {
		if again, err := s.m.Start(t.Context(), jane, req); err == nil || !strings.Contains(err.Error(), "unit "+st.Unit+" stands still") {
			t.Errorf("it is continued by %+v: %v", again, err)
		}
	}
	must(t, s.m.Retain(t.Context())) // which leaves the session
	disk.full.Store(false)
	s.ended(st.Unit)
	again := s.start(req)
	if d := done(t, s.turn(again)); !d.OK || d.Reply != "noted" {
		t.Errorf("turn-done %+v", d)
	}
}

// readsFromTheStart counts how often a topic is read from its beginning.
type readsFromTheStart struct {
	stream.Log
	n *atomic.Int32
}

func (r readsFromTheStart) Read(ctx context.Context, topic string, after stream.Cursor, limit int) ([]stream.Entry, error) {
	if after == "" && strings.HasSuffix(topic, ":out") {
		r.n.Add(1)
	}
	return r.Log.Read(ctx, topic, after, limit)
}

// A dispatch that stands still is tried again without all of its frames being
// read again, and its topic goes on where it was.
func TestStandingStillIsCheap(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	disk, reads := &fullDisk{}, &atomic.Int32{}
	disk.full.Store(true)
	s.restart(func(o *dispatch.Options) {
		again(o)
		disk.Workspaces = o.Workspaces
		o.Workspaces, o.Streams = disk, readsFromTheStart{o.Streams, reads}
	})
	st := s.start(api.StartRequest{Text: "echo precious > a.md", Runner: "text", Limits: limits(0)})
	s.eventually("a few tries", func() bool { return disk.tried.Load() > 10 })
	if n := reads.Load(); n != 1 {
		t.Errorf("its topic was read %d times", n)
	}
	disk.full.Store(false)
	s.ended(st.Unit)
	s.told(st.Unit, 1, 1)
}

// A dispatch is taken up again although its time came while a Close was under
// way, which then refused.
func TestSavedAfterACloseThatRefused(t *testing.T) {
	t.Parallel()
	s, st, disk := standStill(t, 20*time.Millisecond)
	gate := s.home.State + "/gate"
	slow := s.start(api.StartRequest{
		Text: "trap '' INT TERM; echo started; while [ ! -e " + gate + " ]; do sleep 0.02; done", Runner: "text", Limits: limits(60),
	})
	s.waitForWord(slow.Unit)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := s.m.Close(ctx, false); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), slow.Unit+" (still stopping)") {
		t.Errorf("closing said %v", err)
	}
	disk.full.Store(false)
	s.ended(st.Unit)
	must(t, os.WriteFile(gate, nil, 0o600))
}
