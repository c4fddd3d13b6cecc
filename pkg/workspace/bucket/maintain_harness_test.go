package bucket_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/blobtest"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// scaled is n at the stated scale, and reduced otherwise.
func scaled(n, reduced int) int {
	if os.Getenv("VEXA_SCALE") == "full" {
		return n
	}
	return reduced
}

// clock is the time of a storage. What it keeps was stored at some time of it.
type clock struct {
	mu    sync.Mutex
	now   time.Time // zero: it has none
	times map[string]time.Time
}

func newClock(now time.Time) *clock { return &clock{now: now, times: map[string]time.Time{}} }

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *clock) stamp(name string, again bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.times[name]; !there || again {
		c.times[name] = c.now
	}
}

func (c *clock) of(i blob.Info) blob.Info {
	c.mu.Lock()
	defer c.mu.Unlock()
	i.Time = c.times[i.Name]
	return i
}

// timed is a store whose times are those of a clock.
type timed struct {
	blob.Store
	clock *clock
}

func (s timed) Create(ctx context.Context, name string, data []byte) error {
	err := s.Store.Create(ctx, name, data)
	if err == nil {
		s.clock.stamp(name, false)
	}
	return err
}

func (s timed) Replace(ctx context.Context, name string, data []byte) error {
	err := s.Store.Replace(ctx, name, data)
	if err == nil {
		s.clock.stamp(name, true)
	}
	return err
}

func (s timed) Stat(ctx context.Context, name string) (blob.Info, error) {
	i, err := s.Store.Stat(ctx, name)
	return s.clock.of(i), err
}

func (s timed) List(ctx context.Context, prefix, after string, fn func(blob.Info) error) error {
	return s.Store.List(ctx, prefix, after, func(i blob.Info) error { return fn(s.clock.of(i)) })
}

func (s timed) Stage(ctx context.Context) (blob.Stage, error) {
	st, err := s.Store.Stage(ctx)
	return timedStage{st, s.clock}, err
}

type timedStage struct {
	blob.Stage
	clock *clock
}

func (s timedStage) Commit(ctx context.Context, name string) error {
	err := s.Stage.Commit(ctx, name)
	if err == nil {
		s.clock.stamp(name, false)
	}
	return err
}

// eager is a store in whose storage everybody sees what was committed at once.
type eager struct{ blob.Store }

func (s eager) Stage(ctx context.Context) (blob.Stage, error) {
	st, err := s.Store.Stage(ctx)
	return eagerStage{st, s.Store}, err
}

type eagerStage struct {
	blob.Stage
	store blob.Store
}

func (s eagerStage) Commit(ctx context.Context, name string) error {
	if err := s.Stage.Commit(ctx, name); err != nil {
		return err
	}
	return s.store.Create(ctx, "eager", nil)
}

// counted counts the requests that a store is asked.
func counted(s blob.Store, n *atomic.Int64) blob.Store {
	return &blobtest.Faulty{Store: s, Before: func(op, _ string) error {
		switch op {
		case blobtest.OpOpen, blobtest.OpStat, blobtest.OpList, blobtest.OpCommit, blobtest.OpCreate, blobtest.OpReplace, blobtest.OpRemove:
			n.Add(1)
		}
		return nil
	}}
}

// found makes a bucket in a store, with a machine whose options are changed.
func found(tb testing.TB, store blob.Store, with ...func(*bucket.Options)) *machine {
	tb.Helper()
	m := &machine{tb: tb, who: newPerson(tb), state: tb.TempDir(), store: store}
	b, err := bucket.Create(tb.Context(), optionsOf(m, with...), bucket.CreateOptions{Members: []manifestv1.Member{m.who.member("jane")}})
	if err != nil {
		tb.Fatal(err)
	}
	m.bucket = b
	return m.withRepo()
}

// join is another machine of the same person, with a repository of its own.
func (m *machine) join(store blob.Store, with ...func(*bucket.Options)) *machine {
	m.tb.Helper()
	n := &machine{tb: m.tb, who: m.who, state: m.tb.TempDir(), store: store}
	n.open(with...)
	return n.withRepo()
}

// open opens the bucket again with other options.
func (m *machine) open(with ...func(*bucket.Options)) {
	m.tb.Helper()
	b, err := bucket.Open(m.tb.Context(), optionsOf(m, with...))
	if err != nil {
		m.tb.Fatal(err)
	}
	m.bucket = b
}

func optionsOf(m *machine, with ...func(*bucket.Options)) bucket.Options {
	opt := options(m.who, m.store, m.state)
	for _, w := range with {
		w(&opt)
	}
	return opt
}

func grace(d time.Duration) func(*bucket.Options) { return func(o *bucket.Options) { o.Grace = d } }

func keep(n int64) func(*bucket.Options) { return func(o *bucket.Options) { o.Keep = n } }

// consolidation is how the tests join packs.
func (m *machine) consolidation() bucket.ConsolidateOptions {
	m.tb.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "vexa-test-*")
	if err != nil {
		dir = m.tb.TempDir()
	}
	m.tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	return bucket.ConsolidateOptions{Git: newGit(m.tb), Scratch: dir, Alternates: []string{m.repo.Objects}}
}

func (m *machine) mustConsolidate(opt bucket.ConsolidateOptions) bucket.Consolidated {
	m.tb.Helper()
	out, err := m.bucket.Consolidate(m.tb.Context(), opt)
	if err != nil {
		m.tb.Fatalf("consolidate: %v (%s)", err, fault.HintOf(err))
	}
	left, err := os.ReadDir(opt.Scratch)
	if err != nil || len(left) > 0 {
		m.tb.Fatalf("left in the scratch directory: %v, %v", left, err)
	}
	return out
}

func (m *machine) mustCollect() bucket.Collected {
	m.tb.Helper()
	out, err := m.bucket.Collect(m.tb.Context())
	if err != nil {
		m.tb.Fatalf("collect: %v (%s)", err, fault.HintOf(err))
	}
	return out
}

func (m *machine) mustMaintain(opt bucket.ConsolidateOptions) {
	m.tb.Helper()
	if err := m.bucket.Maintain(m.tb.Context(), opt); err != nil {
		m.tb.Fatalf("maintain: %v (%s)", err, fault.HintOf(err))
	}
}

func (m *machine) head() *bucket.State {
	m.tb.Helper()
	st, err := m.bucket.Head(m.tb.Context())
	if err != nil {
		m.tb.Fatalf("head: %v (%s)", err, fault.HintOf(err))
	}
	return st
}

// line makes n commits, one after the other on a branch, of which each changes a
// line, without a working tree. It returns their ids, the oldest first.
func (m *machine) line(branch string, n int) []string {
	m.tb.Helper()
	var in strings.Builder
	from, err := m.tryGit("rev-parse", "-q", "--verify", "refs/heads/"+branch)
	if err == nil {
		fmt.Fprintf(&in, "reset refs/heads/%s\nfrom %s\n\n", branch, from)
	}
	for i := range n {
		text := fmt.Sprintf("%s, line %d after %.8s\n", branch, i, from)
		fmt.Fprintf(&in, "commit refs/heads/%s\ncommitter Jane <jane@example.org> %d +0000\ndata 5\nwrite\n", branch, 1_700_000_000+i)
		fmt.Fprintf(&in, "M 100644 inline notes/%d/%d.md\ndata %d\n%s\n", i%7, i%50, len(text), text)
	}
	cmd := exec.Command("git", "fast-import", "--quiet")
	cmd.Dir, cmd.Stdin = m.dir, strings.NewReader(in.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		m.tb.Fatalf("git fast-import: %v: %s", err, out)
	}
	ids := strings.Fields(m.git("rev-list", "--reverse", "refs/heads/"+branch))
	return ids[len(ids)-n:]
}

// blobs returns the names of what is stored below a prefix.
func blobs(tb testing.TB, s blob.Store, prefix string) []string {
	tb.Helper()
	var names []string
	err := s.List(tb.Context(), prefix, "", func(i blob.Info) error {
		names = append(names, i.Name)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return names
}

// clone is a fresh machine that fetches everything, with which git fsck is
// content and which has all the ids.
func (m *machine) clone(storage *mem.Storage, ids ...string) *bucket.State {
	m.tb.Helper()
	n := m.another(storage.Handle())
	st := n.mustFetch()
	for _, id := range ids {
		if _, err := n.tryGit("cat-file", "-e", id+"^{commit}"); err != nil {
			m.tb.Errorf("the clone lacks %s", id)
		}
	}
	return st
}
