package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/failpoint"
	"github.com/vexa-ai/vexa/pkg/journal"
	"github.com/vexa-ai/vexa/pkg/stream"
)

// deadRecords is a journal whose flush failed: it takes nothing any more.
type deadRecords struct {
	dispatch.Records
	dead atomic.Bool
}

func (d *deadRecords) Append(ctx context.Context, payload []byte) (uint64, error) {
	if d.dead.Load() {
		return 0, fmt.Errorf("flush: %w", journal.ErrStopped)
	}
	return d.Records.Append(ctx, payload)
}

// TestDeadJournal: a journal whose flush failed says so to whoever runs the
// manager, which then leaves everything to the next one.
func TestDeadJournal(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	points := t.TempDir()
	var records *deadRecords
	s.restart(func(o *dispatch.Options) {
		records = &deadRecords{Records: o.Records}
		o.Records, o.Failpoints, o.SaveAgain = records, failpoint.New(points), time.Millisecond
	})
	must(t, failpoint.Arm(points, "dispatch.told"))
	st := s.start(api.StartRequest{Text: "echo kept > kept.md", Runner: "text", Limits: limits(0)})
	s.eventually("the turn to be told", func() bool { return failpoint.Reached(points, "dispatch.told") })
	records.dead.Store(true)
	must(t, failpoint.Release(points, "dispatch.told"))
	select {
	case err := <-s.m.Failed():
		if !errors.Is(err, journal.ErrStopped) {
			t.Errorf("it failed with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("nobody was told")
	}
	s.m.Leave()
	s.restart(nil)
	if row := s.ended(st.Unit); row.Turns != 1 || len(row.Commits) != 1 {
		t.Errorf("row %+v", row)
	}
	if d := done(t, s.all(st.Unit)); !d.OK || s.file("kept.md") != "kept\n" {
		t.Errorf("turn-done %+v, main holds %q", d, s.file("kept.md"))
	}
}

// failing are topics that can be neither read nor written while there is an
// error.
type failing struct {
	stream.Log
	with atomic.Pointer[error]
	hit  atomic.Bool
}

func (f *failing) err() error {
	if why := f.with.Load(); why != nil {
		f.hit.Store(true)
		return *why
	}
	return nil
}

func (f *failing) Append(ctx context.Context, topic string, payload []byte) (stream.Cursor, error) {
	if err := f.err(); err != nil {
		return "", err
	}
	return f.Log.Append(ctx, topic, payload)
}

func (f *failing) Read(ctx context.Context, topic string, after stream.Cursor, limit int) ([]stream.Entry, error) {
	if err := f.err(); err != nil {
		return nil, err
	}
	return f.Log.Read(ctx, topic, after, limit)
}

// TestRestartWithoutRoom: frames that cannot be read for want of room are no
// frames that are damaged. The dispatch waits, and goes on.
func TestRestartWithoutRoom(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	gate := filepath.Join(s.home.State, "gate")
	st := s.start(api.StartRequest{
		Text: "echo started; while [ ! -e " + gate + " ]; do sleep 0.02; done; echo kept > kept.md", Runner: "text", Limits: limits(0),
	})
	s.waitForWord(st.Unit)
	var full error = syscall.ENOSPC
	topics := &failing{Log: s.streams}
	topics.with.Store(&full)
	s.restart(func(o *dispatch.Options) { o.Streams, o.SaveAgain = topics, time.Millisecond })
	if !topics.hit.Load() || s.m.Unsaved(st.Unit) == nil {
		t.Error("it does not stand still")
	}
	topics.with.Store(nil)
	must(t, os.WriteFile(gate, nil, 0o600))
	if d := done(t, s.turn(st)); !d.OK {
		t.Errorf("turn-done %+v", d)
	}
	s.ended(st.Unit)
	if s.file("kept.md") != "kept\n" {
		t.Errorf("main holds %q", s.file("kept.md"))
	}
}

// TestDeadTopic: one topic that takes nothing any more is enough.
func TestDeadTopic(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	topics := &failing{Log: s.streams}
	s.restart(func(o *dispatch.Options) { o.Streams, o.SaveAgain = topics, time.Hour })
	gate := filepath.Join(s.home.State, "gate")
	st := s.start(api.StartRequest{
		Text: "echo started; while [ ! -e " + gate + " ]; do sleep 0.02; done; echo kept > kept.md; echo end", Runner: "text", Limits: limits(0),
	})
	s.waitForWord(st.Unit)
	dead := fmt.Errorf("flush: %w", journal.ErrStopped)
	topics.with.Store(&dead)
	must(t, os.WriteFile(gate, nil, 0o600))
	select {
	case err := <-s.m.Failed():
		if !errors.Is(err, journal.ErrStopped) {
			t.Errorf("it failed with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("nobody was told")
	}
	s.m.Leave()
	s.restart(nil)
	s.ended(st.Unit)
	if d := done(t, s.all(st.Unit)); !d.OK || s.file("kept.md") != "kept\n" {
		t.Errorf("turn-done %+v, main holds %q", d, s.file("kept.md"))
	}
}
