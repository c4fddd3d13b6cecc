package dispatch_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/journal"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/session"
)

// countedSessions counts how often what is kept of a session is read.
type countedSessions struct {
	dispatch.Sessions
	reads atomic.Int32
	ref   string // given for that of each session, where it is set
}

func (c *countedSessions) Get(ctx context.Context, subject, id string) (session.Meta, error) {
	c.reads.Add(1)
	meta, err := c.Sessions.Get(ctx, subject, id)
	if c.ref != "" {
		meta.Ref = c.ref
	}
	return meta, err
}

// TestFollowUpReadsNothingBack: the live dispatch knows its session, also before
// it is kept anywhere.
func TestFollowUpReadsNothingBack(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	var kept *countedSessions
	s.restart(func(o *dispatch.Options) {
		kept = &countedSessions{Sessions: o.Sessions}
		o.Sessions = kept
	})
	first := s.start(api.StartRequest{Text: "one", Runner: "notebook", Limits: limits(60)})
	early := s.start(api.StartRequest{Text: "two", Session: first.Session, Limits: limits(60)})
	s.turn(first)
	s.turn(early)
	third := s.start(api.StartRequest{
		Text: "three", Session: first.Session, Runner: "notebook", Limits: limits(60),
		Workspaces: []api.Grant{{Workspace: "personal", Mode: "rw"}},
	})
	s.turn(third)
	if early.Unit != first.Unit || third.Unit != first.Unit {
		t.Errorf("units %s, %s and %s", first.Unit, early.Unit, third.Unit)
	}
	if n := kept.reads.Load(); n != 0 {
		t.Errorf("the session was read %d times", n)
	}
	for name, req := range map[string]api.StartRequest{
		"another runner":         {Text: "x", Session: first.Session, Runner: "text"},
		"an unknown workspace":   {Text: "x", Session: first.Session, Workspaces: []api.Grant{{Workspace: "nowhere"}}},
		"a session of nobody":    {Text: "x", Session: "00000000-0000-4000-8000-000000000000"},
		"a runner without model": {Text: "x", Session: first.Session, Model: "m"},
	} {
		if _, err := s.m.Start(t.Context(), jane, req); err == nil {
			t.Errorf("%s: it was taken", name)
		}
	}
	other := jane
	other.Subject = "u_eve"
	if _, err := s.m.Start(t.Context(), other, api.StartRequest{Text: "x", Session: first.Session}); !fault.Is(err, fault.NotFound) {
		t.Errorf("somebody else continued the session: %v", err)
	}
	_, err := s.m.Stop(t.Context(), first.Unit, false)
	must(t, err)
}

// TestFollowUpOfALeavingDispatch: a new container is told what the last turn
// kept, not what was known before it.
func TestFollowUpOfALeavingDispatch(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	var kept *countedSessions
	s.restart(func(o *dispatch.Options) {
		kept = &countedSessions{Sessions: o.Sessions, ref: "kept"}
		o.Sessions = kept
	})
	first := s.start(api.StartRequest{Text: "one", Runner: "notebook", Limits: limits(0)})
	second := s.start(api.StartRequest{Text: "two", Session: first.Session, Limits: limits(0)})
	if second.Unit == first.Unit {
		t.Fatal("a container that leaves took a turn")
	}
	if n := kept.reads.Load(); n != 1 {
		t.Errorf("the session was read %d times, want once", n)
	}
	s.turn(second)
	s.ended(second.Unit)
	records, err := s.records.Read(1, 1000)
	must(t, err)
	if !recorded(records, second.Unit, `"sessionRef":"kept"`) {
		t.Error("the new dispatch was accepted without what the session is called")
	}
}

// recorded reports whether a record of a unit holds the text.
func recorded(records []journal.Record, unit, text string) bool {
	return slices.ContainsFunc(records, func(r journal.Record) bool {
		return strings.Contains(string(r.Payload), unit) && strings.Contains(string(r.Payload), text)
	})
}

// countedRecords counts what is waited for on the disk.
type countedRecords struct {
	dispatch.Records
	mu      sync.Mutex
	flushed []string
}

func (c *countedRecords) Append(ctx context.Context, payload []byte) (uint64, error) {
	var r struct{ Type string }
	if err := json.Unmarshal(payload, &r); err != nil {
		return 0, err
	}
	c.mu.Lock()
	c.flushed = append(c.flushed, r.Type)
	c.mu.Unlock()
	return c.Records.Append(ctx, payload)
}

// TestTurnIsFlushedTwice: when it is taken and when it is done. Its end is
// written in between, which a kill survives, as the failpoints show.
func TestTurnIsFlushedTwice(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	var records *countedRecords
	s.restart(func(o *dispatch.Options) {
		records = &countedRecords{Records: o.Records}
		o.Records = records
	})
	first := s.start(api.StartRequest{Text: "one", Runner: "notebook", Limits: limits(60)})
	s.turn(first)
	s.turn(s.start(api.StartRequest{Text: "two", Session: first.Session, Limits: limits(60)}))
	_, err := s.m.Stop(t.Context(), first.Unit, false)
	must(t, err)
	want := []string{"accepted", "turn", "started", "turn-done", "turn", "turn-done", "ended"}
	if !slices.Equal(records.flushed, want) {
		t.Errorf("flushed %v, want %v", records.flushed, want)
	}
	all, err := s.records.Read(1, 1000)
	must(t, err)
	if !recorded(all, first.Unit, `"type":"turn-end"`) {
		t.Error("the end of the turn is not in the records")
	}
}

// meeting lets a seal and the saving of a session go on only together.
type meeting struct {
	dispatch.Workspaces
	dispatch.Sessions
	sealing, saving sync.Once
	sealed, saved   chan struct{}
}

var errAlone = errors.New("the other one was not begun")

func meet(mine *sync.Once, here, there chan struct{}) error {
	mine.Do(func() { close(here) })
	select {
	case <-there:
		return nil
	case <-time.After(10 * time.Second):
		return errAlone
	}
}

func (m *meeting) Seal(ctx context.Context, req workspace.SealRequest) (workspace.Sealed, error) {
	if err := meet(&m.sealing, m.sealed, m.saved); err != nil {
		return workspace.Sealed{}, err
	}
	return m.Workspaces.Seal(ctx, req)
}

func (m *meeting) Save(ctx context.Context, req session.SaveRequest) error {
	if err := meet(&m.saving, m.saved, m.sealed); err != nil {
		return err
	}
	return m.Sessions.Save(ctx, req)
}

func TestSessionIsSavedBesideTheSeal(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.restart(func(o *dispatch.Options) {
		m := &meeting{Workspaces: o.Workspaces, Sessions: o.Sessions, sealed: make(chan struct{}), saved: make(chan struct{})}
		o.Workspaces, o.Sessions = m, m
	})
	if d := done(t, s.turn(s.start(api.StartRequest{Text: "one", Runner: "notebook", Limits: limits(0)}))); !d.OK {
		t.Errorf("the turn ended with %+v", d)
	}
}

// firsts keeps what sessions are said to begin with.
type firsts struct {
	dispatch.Sessions
	first chan string
}

func (f firsts) Save(ctx context.Context, req session.SaveRequest) error {
	f.first <- req.First
	return f.Sessions.Save(ctx, req)
}

// A session that begins with a file of a further workspace has that by the workspace's name,
// not by where the container has it.
func TestASessionBeginsAsItWasWritten(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	first := make(chan string, 10)
	s.restart(func(o *dispatch.Options) { o.Sessions = firsts{o.Sessions, first} })
	info, err := s.workspaces.Create(t.Context(), workspace.CreateRequest{Name: "handbook", Author: workspace.Author{Subject: "u_jane"}})
	must(t, err)
	s.turn(s.start(api.StartRequest{
		Text: "cat /workspaces/" + info.ID + "/house/rules.md", Runner: "notebook", Limits: limits(0),
		Workspaces: []api.Grant{{Workspace: "personal"}, {Workspace: "handbook", Mode: "ro"}},
	}))
	if got := <-first; got != "cat @handbook:house/rules.md" {
		t.Errorf("%q", got)
	}
}
