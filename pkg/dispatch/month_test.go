package dispatch_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/journal"
	"github.com/vexa-ai/vexa/pkg/retention"
	streamjournal "github.com/vexa-ai/vexa/pkg/stream/journal"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/session"
)

// month is a stack whose clock is moved from day to day, everything of which is
// on the disk.
type month struct {
	*stack
	clock
	trail *journal.Journal
	repo  string
	keeps retention.Policy
}

// usage is what must not grow with the days.
type usage struct {
	stateBytes, stateFiles, runFiles, unitDirs int
	rows, topics, records, trail               int
	refs, packs, loose                         int
	descriptors, goroutines                    int
}

func (u usage) list() []int {
	return []int{
		u.stateBytes, u.stateFiles, u.runFiles, u.unitDirs, u.rows, u.topics, u.records, u.trail,
		u.refs, u.packs, u.loose, u.descriptors, u.goroutines,
	}
}

// TestAMonthOfUse: days of use with a policy of a few days leave no more behind
// than those few, whatever their number; what the policy keeps is readable. It
// runs alone, since it counts descriptors and goroutines of the process.
func TestAMonthOfUse(t *testing.T) {
	days, each := 9, 6
	if os.Getenv("VEXA_SCALE") == "full" {
		days, each = 30, 40
	}
	m := newMonth(t, retention.Policy{
		Dispatches: retention.Dispatches{Age: 3 * 24 * time.Hour, Count: 2 * each, Bytes: 1 << 20, Topic: 64 << 10},
		Sessions:   retention.Sessions{Age: 4 * 24 * time.Hour, Count: each},
		Audit:      retention.Audit{Age: 3 * 24 * time.Hour, Bytes: 1 << 20},
	})
	var early, late usage
	for day := range days {
		m.day(day, each)
		now := m.measure()
		t.Logf("day %d: %+v", day, now)
		switch {
		case day < 3: // until the policy is reached for the first time
		case day < 3+(days-3)/2:
			early = most(early, now)
		default:
			late = most(late, now)
		}
		if now.rows > 2*each+each || now.packs > 60 {
			t.Errorf("day %d: %+v", day, now)
		}
	}
	for i, n := range late.list() {
		if was := early.list()[i]; n > was+was/4+4 {
			t.Errorf("it grows: in the first days at most %+v, then %+v", early, late)
			break
		}
	}
	m.readable(2 * each)
	m.again()
	m.readable(2 * each)
	if out, err := exec.CommandContext(t.Context(), "git", "--git-dir="+m.repo, "fsck", "--strict").CombinedOutput(); err != nil {
		t.Errorf("git fsck: %v\n%s", err, out)
	}
}

func newMonth(t *testing.T, p retention.Policy) *month {
	t.Helper()
	m := &month{stack: newStack(t), keeps: p}
	m.m.Abandon()
	must(t, m.records.Close())
	open := func(name string) *journal.Journal {
		j, err := journal.Open(journal.Options{
			Dir: filepath.Join(m.home.State, name), Checkpoint: filepath.Join(m.home.State, "checkpoints", name),
			Key: make([]byte, 32), Name: name, SegmentBytes: 16 << 10,
		})
		must(t, err)
		return j
	}
	must(t, os.RemoveAll(m.home.State))
	m.records, m.trail = open("dispatches"), open("audit")
	t.Cleanup(func() { _ = m.trail.Close() })
	streams, err := streamjournal.Open(streamjournal.Options{
		Root: filepath.Join(m.home.State, "streams"), Key: make([]byte, 32), Now: m.now, MaxOpen: 8,
	})
	must(t, err)
	m.streams = streams
	t.Cleanup(func() { _ = streams.Close() })
	g, err := git.New(t.Context(), git.Options{})
	must(t, err)
	m.workspaces, err = workspace.Open(workspace.Options{Root: m.home.Workspaces(), Repos: m.home.Repos(), Buckets: m.buckets, Sealer: m.buckets, Git: g, Now: m.now, NewID: newID})
	must(t, err)
	info, err := m.workspaces.Lookup(t.Context(), "personal")
	must(t, err)
	m.repo = filepath.Join(m.home.Repos(), info.ID, "repo.git")
	m.again()
	return m
}

// again is another daemon in place of the one there was.
func (m *month) again() {
	m.t.Helper()
	m.restart(func(o *dispatch.Options) {
		o.Now, o.Ticks, o.Retention = m.now, m.now, m.keeps
		o.Sessions = session.New(session.Options{Store: m.workspaces, Sealer: m.id, Now: m.now})
		o.Audit = audit.Open(m.trail, m.now)
	})
	// The harness gives each manager an audit log of its own, which is not used.
	unused, err := filepath.Glob(filepath.Join(m.home.State, "audit-*"))
	must(m.t, err)
	for _, path := range unused {
		must(m.t, os.RemoveAll(path))
	}
}

// day is one day of use.
func (m *month) day(day, each int) {
	m.t.Helper()
	if day%7 == 1 {
		m.again()
	}
	m.m.SetCarryGap(uint64(each))
	resident := m.start(api.StartRequest{Text: "remember me", Runner: "notebook", Limits: limits(600)})
	m.turn(resident)
	for i := range each {
		req := api.StartRequest{Runner: "text", Text: fmt.Sprintf("echo %d-%d > note.md; echo done", day, i), Limits: limits(0)}
		switch i % 3 {
		case 1:
			req.Runner, req.Text = "notebook", fmt.Sprintf("day %d", day)
		case 2:
			req = api.StartRequest{Continue: true, Text: "more", Limits: limits(0)}
		}
		st := m.start(req)
		if d := done(m.t, m.turn(st)); !d.OK {
			m.t.Fatalf("day %d: %+v", day, d)
		}
		m.ended(st.Unit)
		m.past(24 * time.Hour / time.Duration(each+1))
	}
	_, err := m.m.Stop(m.t.Context(), resident.Unit, false)
	must(m.t, err)
	must(m.t, m.m.Retain(m.t.Context()))
	must(m.t, audit.Trim(m.trail, m.keeps.Audit, m.now()))
}

// past lets time go by, for the files of the repository too.
func (m *month) past(d time.Duration) {
	m.t.Helper()
	m.move(d)
	err := filepath.WalkDir(filepath.Join(m.repo, "objects"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		st, err := e.Info()
		if err != nil {
			return err
		}
		then := st.ModTime().Add(-d)
		return os.Chtimes(path, then, then)
	})
	must(m.t, err)
}

// measure waits until what the day left has come to rest.
func (m *month) measure() usage {
	m.t.Helper()
	m.eventually("every dispatch to have ended", func() bool { return m.m.Live() == 0 })
	runtime.GC() // closes the files that nobody holds
	for was := -1; was != runtime.NumGoroutine(); time.Sleep(50 * time.Millisecond) {
		was = runtime.NumGoroutine() // those that end come to their end
	}
	u := usage{rows: len(m.m.List(true)), goroutines: runtime.NumGoroutine()}
	u.stateFiles, u.stateBytes = tally(m.t, m.home.State)
	u.runFiles, _ = tally(m.t, m.home.Run)
	units, err := os.ReadDir(m.home.Units())
	must(m.t, err)
	u.unitDirs = len(units)
	topics, err := m.streams.Topics(m.t.Context())
	must(m.t, err)
	u.topics = len(topics)
	u.records = int(m.records.Last() - m.records.First())
	u.trail = int(m.trail.Last() - m.trail.First())
	u.refs, _ = tally(m.t, filepath.Join(m.repo, "refs"))
	objects, _ := tally(m.t, filepath.Join(m.repo, "objects"))
	packs, err := filepath.Glob(filepath.Join(m.repo, "objects/pack/*.pack"))
	must(m.t, err)
	u.packs, u.loose = len(packs), objects-2*len(packs)
	open, err := os.ReadDir("/proc/self/fd")
	must(m.t, err)
	u.descriptors = len(open)
	return u
}

// tally counts the files below a directory and what they take.
func tally(t *testing.T, dir string) (files, bytes int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		st, err := e.Info()
		if err != nil {
			return err
		}
		files++
		bytes += int(st.Size())
		return nil
	})
	must(t, err)
	return files, bytes
}

func most(a, b usage) usage {
	return usage{
		max(a.stateBytes, b.stateBytes), max(a.stateFiles, b.stateFiles), max(a.runFiles, b.runFiles), max(a.unitDirs, b.unitDirs),
		max(a.rows, b.rows), max(a.topics, b.topics), max(a.records, b.records), max(a.trail, b.trail),
		max(a.refs, b.refs), max(a.packs, b.packs), max(a.loose, b.loose),
		max(a.descriptors, b.descriptors), max(a.goroutines, b.goroutines),
	}
}

// readable reads everything that the policy keeps.
func (m *month) readable(atLeast int) {
	m.t.Helper()
	must(m.t, m.m.Retain(m.t.Context())) // and not while it is read
	rows := m.m.List(true)
	if len(rows) < atLeast {
		m.t.Errorf("%d dispatches are left; the policy keeps %d", len(rows), atLeast)
	}
	for _, row := range rows {
		frames := m.frames(row.ID)
		last := len(body[wsv2.TurnDone](frames))
		if len(frames) == 0 || frames[0].Seq != 1 || last != row.Turns {
			m.t.Errorf("unit %s has %d frames and %d turns that ended", row.ID, len(frames), last)
		}
	}
	sessions, err := session.New(session.Options{Store: m.workspaces, Sealer: m.id, Now: m.now}).List(m.t.Context(), jane.Subject)
	must(m.t, err)
	if len(sessions) != m.keeps.Sessions.Count {
		m.t.Errorf("%d sessions are left", len(sessions))
	}
	oldest := sessions[len(sessions)-1]
	st := m.start(api.StartRequest{Session: oldest.Session, Text: "more", Limits: limits(0)})
	d := done(m.t, m.turn(st))
	if !d.OK || !slices.ContainsFunc([]string{"day ", "remember me"}, func(s string) bool { return strings.Contains(d.Reply, s) }) {
		m.t.Errorf("the oldest session goes on with %+v", d)
	}
	m.ended(st.Unit)
}
