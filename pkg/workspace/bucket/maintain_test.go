package bucket_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/failpoint"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/dir"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// Where there is nothing to do maintenance costs next to nothing.
func TestMaintainNothing(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	a, ids := pushed(t, storage, 20)
	var requests atomic.Int64
	a.store = counted(storage.Handle(), &requests)
	opt := a.consolidation()
	a.open()
	a.mustMaintain(opt)
	st := a.head()
	if len(st.Packs) != 1 {
		t.Fatalf("%d packs", len(st.Packs))
	}
	a.open()
	requests.Store(0)
	for range 10 {
		a.mustMaintain(opt)
	}
	if n := requests.Load(); n > 30 {
		t.Errorf("%d requests for ten times nothing", n)
	}
	if a.head().Generation != st.Generation {
		t.Error("it made generations")
	}
	a.clone(storage, ids...)
}

// One process of an installation does it, the others go on.
func TestMaintainOnce(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	points := t.TempDir()
	a, ids := pushed(t, storage, 20, func(o *bucket.Options) { o.Failpoints = failpoint.New(points) })
	if err := failpoint.Arm(points, "bucket.merged"); err != nil {
		t.Fatal(err)
	}
	opt := a.consolidation()
	done := make(chan error, 1)
	go func() { done <- a.bucket.Maintain(context.WithoutCancel(t.Context()), opt) }()
	reached(t, points, "bucket.merged")
	b := &machine{tb: t, who: a.who, state: a.state, store: storage.Handle()}
	b.open()
	b.mustMaintain(opt)
	if got := b.head().Generation; got != 21 {
		t.Errorf("generation %d", got)
	}
	next := a.line("main", 1)[0]
	a.mustPush("refs/heads/main", next) // nobody waits for it
	if err := failpoint.Release(points, "bucket.merged"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if st := a.head(); len(st.Packs) != 2 || st.Generation != 23 {
		t.Errorf("%+v", st)
	}
	a.clone(storage, append(ids, next)...)
}

// reached waits until a process has come to a point.
func reached(tb testing.TB, dir string, p failpoint.Point) {
	tb.Helper()
	for end := time.Now().Add(time.Minute); !failpoint.Reached(dir, p); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("nobody comes to %s", p)
		}
	}
}

// Whoever is killed in the middle of it leaves a bucket that reads, and what the
// next one removes.
func TestMaintainKilled(t *testing.T) {
	t.Parallel()
	for _, point := range []failpoint.Point{
		"bucket.staging", "bucket.merged", "bucket.manifest", "bucket.made", "bucket.hint", "bucket.pinned", "bucket.removing",
	} {
		for _, all := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, full %v", point, all), func(t *testing.T) {
				t.Parallel()
				killedAt(t, point, all)
			})
		}
	}
}

func killedAt(t *testing.T, point failpoint.Point, all bool) {
	t.Helper()
	storage := mem.New()
	points := t.TempDir()
	tiny := func(o *bucket.Options) {
		o.Grace, o.Keep, o.Failpoints = time.Nanosecond, 4, failpoint.New(points)
	}
	a, ids := pushed(t, storage, 12, tiny)
	opt := a.consolidation()
	opt.Full = all
	if err := failpoint.Arm(points, point); err != nil {
		t.Fatal(err)
	}
	ctx, kill := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.bucket.Maintain(ctx, opt) }()
	reached(t, points, point)
	kill()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("killed: %v", err)
	}
	a.clone(storage, ids...)
	a.store = storage.Handle()
	a.open(tiny)
	next := a.line("main", 1)[0]
	a.mustPush("refs/heads/main", next)
	opt.Full = true
	for range 6 {
		a.mustMaintain(opt)
	}
	if st := a.head(); len(st.Packs) != 1 {
		t.Errorf("%d packs", len(st.Packs))
	}
	if n := a.unused(); n > 2 {
		t.Errorf("%d objects are left that are not packs", n)
	}
	a.clone(storage, append(ids, next)...)
}

// While many push at once and packs are joined, written anew and collected all
// the time, whatever anybody was told is there stays there.
func TestMaintainUnderPushes(t *testing.T) {
	t.Parallel()
	for _, g := range []time.Duration{time.Nanosecond, 300 * time.Millisecond} {
		t.Run(g.String(), func(t *testing.T) {
			t.Parallel()
			maintainUnderPushes(t, g)
		})
	}
}

func maintainUnderPushes(t *testing.T, g time.Duration) {
	t.Helper()
	storage := mem.New()
	a := found(t, storage.Handle(), grace(g), keep(8))
	a.mustPush("refs/heads/main", a.line("main", 1)[0])
	pushers, each := 8, scaled(40, 6)
	var pushing, all sync.WaitGroup
	var mu sync.Mutex
	acknowledged := map[string]string{}
	var every []string
	for i := range pushers {
		m := a.join(eager{storage.Handle()}, grace(g), keep(8))
		m.mustFetch()
		branch := fmt.Sprintf("b%d", i)
		m.git("branch", branch, "refs/bucket/heads/main")
		ids := m.line(branch, each)
		pushing.Go(func() {
			for _, id := range ids {
				if err := m.push("refs/heads/"+branch, id); err != nil {
					t.Errorf("push: %v (%s)", err, fault.HintOf(err))
					return
				}
				mu.Lock()
				acknowledged["refs/heads/"+branch] = id
				every = append(every, id)
				mu.Unlock()
			}
		})
	}
	stop := make(chan struct{})
	opt := a.consolidation()
	again := a.join(storage.Handle(), grace(g), keep(8))
	other := again.consolidation()
	other.Alternates = nil
	all.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			opt.Full = i%5 == 4
			err := a.bucket.Maintain(t.Context(), opt)
			if err == nil && i%2 == 0 {
				err = again.bucket.Maintain(t.Context(), other)
			}
			if err != nil && !fault.Is(err, fault.Conflict) {
				t.Errorf("maintain: %v (%s)", err, fault.HintOf(err))
			}
		}
	})
	pushing.Wait()
	close(stop)
	all.Wait()
	st := a.clone(storage, every...)
	for ref, id := range acknowledged {
		if st.Refs[ref] != id {
			t.Errorf("%s is %s, want %s", ref, st.Refs[ref], id)
		}
	}
	a.mustMaintain(full(opt))
	a.clone(storage, every...)
	t.Logf("%d pushes made generation %d", len(every), a.head().Generation)
}

// A push that stood still at any step, until all that it knew was collected, and
// the names it would write to were free again, is in the bucket when it is
// answered.
func TestPushThatStoodStill(t *testing.T) {
	t.Parallel()
	for _, point := range []failpoint.Point{"bucket.staging", "bucket.stored", "bucket.manifest", "bucket.made", "bucket.hint"} {
		for _, others := range []int{0, 2, 12} {
			t.Run(fmt.Sprintf("%s, %d others", point, others), func(t *testing.T) {
				t.Parallel()
				stoodStill(t, point, others)
			})
		}
	}
}

func stoodStill(t *testing.T, point failpoint.Point, others int) {
	t.Helper()
	storage := mem.New()
	points := t.TempDir()
	a, ids := pushed(t, storage, 10, grace(time.Nanosecond), keep(4))
	b := a.join(eager{storage.Handle()}, grace(time.Nanosecond), keep(4), func(o *bucket.Options) { o.Failpoints = failpoint.New(points) })
	b.mustFetch()
	b.git("branch", "side", ids[9])
	side := b.line("side", 1)[0]
	for range 4 {
		a.mustCollect() // until there is nothing else to remove
	}
	if err := failpoint.Arm(points, point); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- b.push("refs/heads/side", side) }()
	reached(t, points, point)
	opt := a.consolidation()
	for i := range others {
		a.mustPush("refs/heads/main", ids[i%10], forced)
		a.mustConsolidate(opt)
		a.mustCollect()
	}
	a.mustCollect()
	if err := failpoint.Release(points, point); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatalf("push: %v (%s)", err, fault.HintOf(err))
	}
	if got := a.head().Refs["refs/heads/side"]; got != side {
		t.Errorf("it is not in the bucket: %q", got)
	}
	a.mustPush("refs/heads/main", ids[2], forced)
	for range 3 {
		a.mustCollect()
	}
	a.clone(storage, side, ids[2])
	b.open()
	b.mustFetch()
}

// The same in a real directory, and of the other object format.
func TestMaintainInADirectory(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"sha1", "sha256"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			at := t.TempDir()
			handle := func() blob.Store {
				s, err := dir.Open(at, dir.Options{})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = s.Close() })
				return s
			}
			tiny := func(o *bucket.Options) { o.Grace, o.Keep = time.Nanosecond, 4 }
			a := &machine{tb: t, who: newPerson(t), state: t.TempDir(), store: handle()}
			b, err := bucket.Create(t.Context(), optionsOf(a, tiny), bucket.CreateOptions{Members: []manifestv1.Member{a.who.member("jane")}, ObjectFormat: format})
			if err != nil {
				t.Fatal(err)
			}
			a.bucket = b
			a.withRepo()
			if format == "sha256" {
				a.dir = t.TempDir()
				a.git("init", "-q", "-b", "main", "--object-format=sha256")
				if a.repo, err = bucket.OpenRepo(t.Context(), newGit(t).Repo(filepath.Join(a.dir, ".git"))); err != nil {
					t.Fatal(err)
				}
			}
			ids := a.line("main", 30)
			opt := a.consolidation()
			for i, id := range ids {
				a.mustPush("refs/heads/main", id)
				opt.Full = i%10 == 9
				a.mustMaintain(opt)
			}
			a.mustMaintain(opt)
			a.mustMaintain(opt)
			if st := a.head(); len(st.Packs) != 1 || a.unused() > 2 {
				t.Errorf("%d packs, and %d other objects", len(st.Packs), a.unused())
			}
			c := &machine{tb: t, who: a.who, state: t.TempDir(), store: handle()}
			c.open(tiny)
			c.dir = t.TempDir()
			c.git("init", "-q", "-b", "main", "--object-format="+format)
			if c.repo, err = bucket.OpenRepo(t.Context(), newGit(t).Repo(filepath.Join(c.dir, ".git"))); err != nil {
				t.Fatal(err)
			}
			c.mustFetch()
			if n := len(strings.Fields(c.git("rev-list", ids[29]))); n != 30 {
				t.Errorf("%d commits", n)
			}
		})
	}
}
