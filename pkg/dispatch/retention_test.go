package dispatch_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/retention"
	"github.com/vexa-ai/vexa/pkg/stream"
	"github.com/vexa-ai/vexa/pkg/transcript"
	"github.com/vexa-ai/vexa/pkg/workspace"
)

// keep restarts the daemon with a policy.
func (s *stack) keep(p retention.Dispatches, more ...func(*dispatch.Options)) {
	s.t.Helper()
	s.restart(func(o *dispatch.Options) {
		o.Retention.Dispatches = p
		for _, change := range more {
			change(o)
		}
	})
}

// once runs one command as a dispatch of its own and returns the unit.
func (s *stack) once(command string) string {
	s.t.Helper()
	st := s.start(api.StartRequest{Text: command, Runner: "text", Limits: limits(0)})
	s.turn(st)
	s.ended(st.Unit)
	s.eventually("unit "+st.Unit+" to have no owner", func() bool {
		select {
		case <-s.m.Done(st.Unit):
			return true
		default:
			return false
		}
	})
	return st.Unit
}

func (s *stack) ids() []string {
	out := []string{}
	for _, d := range s.m.List(true) {
		out = append(out, d.ID)
	}
	return out
}

// topics are those of the units given, in the order of Topics.
func topics(units ...string) []string {
	var out []string
	for _, u := range units {
		out = append(out, dispatch.InTopic(u), dispatch.OutTopic(u))
	}
	slices.Sort(out)
	return out
}

func (s *stack) hasOnly(what string, units ...string) {
	s.t.Helper()
	got, err := s.streams.Topics(s.t.Context())
	must(s.t, err)
	if want := topics(units...); !slices.Equal(got, want) {
		s.t.Errorf("%s: topics %v, not %v", what, got, want)
	}
	ids := s.ids()
	slices.Reverse(units)
	if !slices.Equal(ids, units) {
		s.t.Errorf("%s: rows %v, not %v", what, ids, units)
	}
}

// The newest dispatches stay, without anybody asking for it; the others are
// gone and it is said why.
func TestRetentionByCount(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.keep(retention.Dispatches{Count: 2})
	var units []string
	for range 5 {
		units = append(units, s.once("echo x >> a.md"))
	}
	s.eventually("three dispatches to go", func() bool {
		list, err := s.streams.Topics(t.Context())
		must(t, err)
		return len(s.ids()) == 2 && len(list) == 4
	})
	s.hasOnly("at once", units[3], units[4])
	said := func() {
		t.Helper()
		_, err := s.m.Get(units[0])
		if !fault.Is(err, fault.NotFound) || !strings.Contains(fault.HintOf(err), retention.File) {
			t.Errorf("a dispatch that is gone: %v, %s", err, fault.HintOf(err))
		}
		_, err = s.m.Get(newID())
		if !fault.Is(err, fault.NotFound) || strings.Contains(fault.HintOf(err), retention.File) {
			t.Errorf("one that never was: %v, %s", err, fault.HintOf(err))
		}
	}
	s.eventually("the removal to be recorded", func() bool {
		_, err := s.m.Get(units[2])
		return strings.Contains(fault.HintOf(err), retention.File)
	})
	said()
	s.keep(retention.Dispatches{Count: 2})
	s.hasOnly("after a restart", units[3], units[4])
	said()
	if got := s.file("a.md"); got != strings.Repeat("x\n", 5) {
		t.Errorf("the workspace holds %q", got)
	}
}

// What a dispatch sent to models goes with it, and with nothing else.
func TestRetentionOfTranscripts(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.keep(retention.Dispatches{})
	var units []string
	for range 2 {
		u := s.once("echo x >> a.md")
		_, err := s.streams.Append(t.Context(), transcript.Topic(u), []byte("sent"))
		must(t, err)
		units = append(units, u)
	}
	must(t, s.m.Retain(t.Context()))
	kept := func(unit string) int {
		entries, err := s.streams.Read(t.Context(), transcript.Topic(unit), "", 10)
		must(t, err)
		return len(entries)
	}
	if kept(units[0]) == 0 || kept(units[1]) == 0 {
		t.Error("one is gone before its dispatch")
	}
	s.keep(retention.Dispatches{Count: 1})
	must(t, s.m.Retain(t.Context()))
	if kept(units[0]) != 0 || kept(units[1]) == 0 {
		t.Errorf("%d and %d records are left", kept(units[0]), kept(units[1]))
	}
}

// clock is a clock that is moved by hand.
type clock struct{ past atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.past.Load())) }
func (c *clock) move(d time.Duration)    { c.past.Add(int64(d)) }
func (c *clock) set(o *dispatch.Options) { o.Now, o.Ticks = c.now, c.now }

func TestRetentionByAge(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	var c clock
	s.keep(retention.Dispatches{Age: 48 * time.Hour}, c.set)
	first := s.once("echo 1 > a.md")
	live := s.start(api.StartRequest{Text: "echo started; exec sleep 600", Runner: "text", Limits: limits(60)})
	s.waitForWord(live.Unit)
	c.move(36 * time.Hour)
	second := s.once("echo 2 > a.md")
	must(t, s.m.Retain(t.Context()))
	s.hasOnly("after 36 hours", first, live.Unit, second)
	c.move(36 * time.Hour)
	must(t, s.m.Retain(t.Context()))
	s.hasOnly("after 72 hours", live.Unit, second)
	_, err := s.m.Stop(t.Context(), live.Unit, false)
	must(t, err)
	must(t, s.m.Retain(t.Context()))
	s.hasOnly("ended only now", live.Unit, second)
}

func TestRetentionByBytes(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	const limit = 60_000
	s.keep(retention.Dispatches{Bytes: limit})
	big := "i=0; while [ $i -lt 100 ]; do echo 12345678901234567890123456789012345678901234567890; i=$((i+1)); done; : "
	var units []string
	for range 6 {
		units = append(units, s.once(big))
	}
	var kept int64
	s.eventually("the oldest to go", func() bool {
		kept = 0
		for _, u := range s.ids() {
			kept += s.size(u)
		}
		return kept <= limit
	})
	left := s.ids()
	if kept < limit/3 || len(left) == 0 || left[0] != units[5] || slices.Contains(left, units[0]) {
		t.Errorf("%d bytes of %v are left of %v", kept, left, units)
	}
	s.keep(retention.Dispatches{Bytes: 1}) // it counts what an earlier daemon wrote
	must(t, s.m.Retain(t.Context()))
	s.hasOnly("the newest always stays", units[5])
}

// size is how many bytes of frames a unit has.
func (s *stack) size(unit string) (sum int64) {
	s.t.Helper()
	entries, err := s.streams.Read(s.t.Context(), dispatch.OutTopic(unit), "", 1<<20)
	must(s.t, err)
	for _, e := range entries {
		sum += int64(len(e.Payload))
	}
	return sum
}

// What could not be saved is kept whatever the policy says, until it is.
func TestRetentionSparesTheUnsaved(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	disk := &fullDisk{}
	disk.full.Store(true)
	var c clock
	s.keep(retention.Dispatches{Age: time.Hour, Count: 1, Bytes: 1}, c.set, func(o *dispatch.Options) {
		disk.Workspaces = o.Workspaces
		o.Workspaces = disk
	})
	st := s.start(api.StartRequest{Text: "echo precious > a.md", Runner: "text", Limits: limits(0)})
	s.turn(st)
	s.eventually("the unit to have no owner", func() bool { return s.m.Live() == 0 })
	c.move(1000 * time.Hour)
	must(t, s.m.Retain(t.Context()))
	s.hasOnly("unsaved", st.Unit)
	disk.full.Store(false)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	must(t, s.m.Close(ctx, false))
	if got := s.file("a.md"); got != "precious\n" {
		t.Errorf("a.md holds %q", got)
	}
}

// dying is a record journal of a daemon that is killed before it can say what
// it removed.
type dying struct{ dispatch.Records }

var errKilled = errors.New("killed")

func (d dying) Append(ctx context.Context, payload []byte) (uint64, error) {
	if strings.Contains(string(payload), `"type":"removed"`) {
		return 0, errKilled
	}
	return d.Records.Append(ctx, payload)
}

// Killed between the removal of the frames and the record of it: the next
// daemon starts, shows the row, and removes it.
func TestRetentionKilledBetween(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	a, b := s.once("echo 1"), s.once("echo 2")
	var c clock
	c.move(time.Hour)
	s.keep(retention.Dispatches{Age: time.Minute}, c.set, func(o *dispatch.Options) { o.Records = dying{o.Records} })
	if err := s.m.Retain(t.Context()); !errors.Is(err, errKilled) {
		t.Fatalf("%v", err)
	}
	if err := s.m.Retain(t.Context()); !errors.Is(err, errKilled) {
		t.Fatalf("it is not tried again: %v", err)
	}
	list, err := s.streams.Topics(t.Context())
	must(t, err)
	if len(list) != 0 || len(s.ids()) != 0 {
		t.Fatalf("topics %v, rows %v", list, s.ids())
	}
	s.keep(retention.Dispatches{})
	if ids := s.ids(); !slices.Equal(ids, []string{b, a}) {
		t.Errorf("rows %v", ids)
	}
	s.keep(retention.Dispatches{Age: time.Minute}, c.set)
	must(t, s.m.Retain(t.Context()))
	s.keep(retention.Dispatches{})
	s.hasOnly("in the end")
	if u := s.once("echo 3 > a.md"); s.ids()[0] != u {
		t.Errorf("rows %v", s.ids())
	}
}

// The topic of one dispatch is bounded while it lives: its oldest frames go,
// and a reader that was before them is told.
func TestLiveTopicIsBounded(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	const limit = 60_000
	s.keep(retention.Dispatches{Topic: limit})
	st := s.start(api.StartRequest{Text: strings.Repeat(strings.Repeat("1234567890", 10)+"\n", 100), Runner: "notebook", Limits: limits(60)})
	s.turn(st)
	entries, err := s.streams.Read(t.Context(), dispatch.OutTopic(st.Unit), "", 1)
	must(t, err)
	old := entries[0].Cursor
	seq := uint64(1)
	for _, what := range []string{"at first", "after a restart"} {
		s.keep(retention.Dispatches{Topic: limit})
		for range 4 { // each says what was noted
			more := s.start(api.StartRequest{Session: st.Session, Text: "more", Limits: limits(60)})
			if d := done(t, s.turn(more)); more.Unit != st.Unit || !d.OK {
				t.Fatalf("%+v, %+v", more, d)
			}
		}
		if size := s.size(st.Unit); size > limit*9/8 || size < limit/2 {
			t.Errorf("%s: the topic has %d bytes", what, size)
		}
		frames := s.frames(st.Unit)
		for i, f := range frames {
			if f.Seq != frames[0].Seq+uint64(i) {
				t.Fatalf("%s: frame %d follows %d", what, f.Seq, frames[0].Seq+uint64(i)-1)
			}
		}
		var gone *stream.TrimmedError
		if _, err := s.streams.Read(t.Context(), dispatch.OutTopic(st.Unit), old, 1); !errors.As(err, &gone) {
			t.Errorf("%s: a reader that was behind is told %v", what, err)
		}
		if frames[0].Seq <= seq {
			t.Errorf("%s: the topic begins at %d", what, frames[0].Seq)
		}
		seq = frames[0].Seq
	}
	for range 2 {
		s.keep(retention.Dispatches{Topic: 1}) // less than any frame has
		more := s.start(api.StartRequest{Session: st.Session, Text: "more", Limits: limits(60)})
		s.eventually("the turn to end", func() bool {
			frames := s.frames(st.Unit)
			last := frames[len(frames)-1]
			_, ended := last.Body.(wsv2.TurnDone)
			return ended && last.Turn == more.Turn && len(frames) == 1
		})
		if last := s.frames(st.Unit)[0].Seq; last <= seq {
			t.Errorf("frame %d follows %d", last, seq)
		} else {
			seq = last
		}
	}
}

func (s *stack) frames(unit string) []wsv2.Frame {
	s.t.Helper()
	entries, err := s.streams.Read(s.t.Context(), dispatch.OutTopic(unit), "", 1<<20)
	must(s.t, err)
	out := make([]wsv2.Frame, len(entries))
	for i, e := range entries {
		must(s.t, json.Unmarshal(e.Payload, &out[i]))
	}
	return out
}

// A unit that lives on while hundreds come and go does not keep the records of
// those, and loses none of its own.
func TestRecordsAreTrimmed(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	apart := s.apart()
	old := s.start(api.StartRequest{Text: "echo noted", Runner: "notebook", Limits: limits(600), Key: "k", Workspaces: apart})
	s.turn(old)
	before := s.once("echo 1")
	policy := retention.Dispatches{Count: 2}
	s.keep(policy)
	s.m.SetCarryGap(10)
	for range 6 {
		s.once("echo 1 >> a.md")
	}
	must(t, s.m.Retain(t.Context()))
	if n := s.records.Last() - s.records.First(); n > 30 {
		t.Errorf("%d records for three dispatches", n)
	}
	first := s.records.First()
	if first < 10 {
		t.Errorf("the records begin at %d", first)
	}
	rows := s.ids()
	if len(rows) != 3 || rows[2] != old.Unit || slices.Contains(rows, before) {
		t.Errorf("rows %v", rows)
	}
	want, err := s.m.Get(old.Unit)
	must(t, err)
	s.keep(policy)
	if got := s.ids(); !slices.Equal(got, rows) {
		t.Errorf("after a restart %v, not %v", got, rows)
	}
	got, err := s.m.Get(old.Unit)
	must(t, err)
	if got.Turns != want.Turns || got.Session != want.Session || got.Container != want.Container || !got.StartedAt.Equal(want.StartedAt) || got.EndedAt != nil {
		t.Errorf("carried: %+v, not %+v", got, want)
	}
	again := s.start(api.StartRequest{Text: "echo noted", Runner: "notebook", Limits: limits(600), Key: "k", Workspaces: apart})
	if again.Unit != old.Unit || again.Turn != old.Turn {
		t.Errorf("the idempotency key is forgotten: %+v, not %+v", again, old)
	}
	next := s.start(api.StartRequest{Text: "more", Session: old.Session, Limits: limits(600)})
	if d := done(t, s.turn(next)); next.Unit != old.Unit || !d.OK {
		t.Errorf("its next turn: %+v, %+v", next, d)
	}
	s.m.SetCarryGap(1) // what was carried is carried again
	s.once("echo 1")
	must(t, s.m.Retain(t.Context()))
	s.keep(policy)
	if got, err = s.m.Get(old.Unit); err != nil || got.Turns != want.Turns+1 {
		t.Errorf("carried twice: %+v, %v", got, err)
	}
	_, err = s.m.Stop(t.Context(), old.Unit, false)
	must(t, err)
}

// The branch of a unit whose checkout a reboot took goes where main holds it.
func TestRetentionSweepsBranches(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	lost := newID()
	info, err := s.workspaces.Lookup(t.Context(), "personal")
	must(t, err)
	at := filepath.Join(s.home.Unit(lost), "x")
	_, err = s.workspaces.Checkout(t.Context(), workspace.CheckoutRequest{
		Workspace: info.ID, Unit: lost, Mode: unitv1.ReadWrite, Dir: at + "/ws", History: at + "/history", Meta: at + "/meta",
	})
	must(t, err)
	live := s.start(api.StartRequest{Text: "echo started; exec sleep 600", Runner: "text", Limits: limits(60)})
	s.waitForWord(live.Unit)
	branches := func() []string {
		found, err := filepath.Glob(filepath.Join(s.home.Repos(), info.ID, "repo.git/refs/heads/vexa/*"))
		must(t, err)
		for i := range found {
			found[i] = filepath.Base(found[i])
		}
		return found
	}
	if got := branches(); !slices.Contains(got, lost) || !slices.Contains(got, live.Unit) {
		t.Fatalf("branches %v", got)
	}
	must(t, s.m.Retain(t.Context()))
	if got := branches(); !slices.Equal(got, []string{live.Unit}) {
		t.Errorf("branches %v, not %s", got, live.Unit)
	}
}

// What was removed stays so where a dispatch that lives on keeps its records
// from being trimmed.
func TestRetentionBehindALiveUnit(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.keep(retention.Dispatches{Count: 1})
	live := s.start(api.StartRequest{Text: "remember", Runner: "notebook", Limits: limits(600)})
	s.turn(live)
	var gone, last api.Started
	for _, st := range []*api.Started{&gone, &last} {
		*st = s.start(api.StartRequest{Text: "hello", Runner: "notebook", Limits: limits(0)})
		s.turn(*st)
		s.ended(st.Unit)
		<-s.m.Done(st.Unit)
	}
	must(t, s.m.Retain(t.Context()))
	s.hasOnly("removed", live.Unit, last.Unit)
	s.keep(retention.Dispatches{})
	s.hasOnly("after a restart", live.Unit, last.Unit)
	if first := s.records.First(); first != 1 {
		t.Fatalf("the records begin at %d", first)
	}
	_, err := s.m.Stop(t.Context(), live.Unit, false)
	must(t, err)
}
