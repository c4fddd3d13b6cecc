package bucket_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/failpoint"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/blobtest"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

func full(opt bucket.ConsolidateOptions) bucket.ConsolidateOptions {
	opt.Full = true
	return opt
}

// What no ref reaches is in no pack afterwards.
func TestRewrite(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	a, ids := pushed(t, storage, 5)
	secret := a.commit("password", "hunter2\n")
	a.mustPush("refs/heads/side", secret)
	a.mustPush("refs/tags/v1", ids[2])
	a.mustPush("refs/heads/side", ids[1], forced)
	a.git("branch", "-f", "side", ids[1])
	a.git("checkout", "-q", "--detach", ids[4])
	b := a.another(storage.Handle()) // nothing is in its repository
	for name, m := range map[string]*machine{"from a clone": a, "from the bucket": b} {
		out := m.mustConsolidate(full(m.consolidation()))
		if name == "from a clone" != (out.Packs > 0) && out.Packs != 0 && len(out.State.Packs) != 1 {
			t.Errorf("%s: %+v", name, out)
		}
	}
	st := a.head()
	if len(st.Packs) != 1 || st.Packs[0].Kind != "base" || len(st.Refs) != 3 {
		t.Fatalf("%+v", st)
	}
	c := a.another(storage.Handle())
	c.mustFetch()
	if _, err := c.tryGit("cat-file", "-e", secret); err == nil {
		t.Error("what nothing refers to is still there")
	}
	a.clone(storage, ids...)
	a.mustPush("refs/heads/again", secret)
	a.clone(storage, secret)
	for ref := range a.head().Refs {
		if ref != "refs/heads/main" {
			a.mustPush(ref, "")
		}
	}
	out := b.mustConsolidate(full(b.consolidation()))
	if out.Packs != 2 || len(out.State.Packs) != 1 || len(out.State.Refs) != 1 {
		t.Errorf("%+v", out)
	}
	again := b.mustConsolidate(full(b.consolidation()))
	if again.Packs != 0 || again.State.Generation != out.State.Generation {
		t.Errorf("again: %+v", again)
	}
	a.clone(storage, ids...)
}

// While everything is written anew others push, delete and bring back what was
// just left out: all they are told is there stays there.
func TestRewriteWhileOthersPush(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(a *machine, ids, more []string){
		"a push": func(a *machine, _, more []string) {
			a.mustPush("refs/heads/main", more[0])
			a.mustPush("refs/heads/main", more[1])
		},
		"a branch goes": func(a *machine, _, _ []string) { a.mustPush("refs/heads/side", "") },
		"a branch comes back": func(a *machine, ids, more []string) {
			a.mustPush("refs/heads/side", "")
			a.mustPush("refs/heads/other", more[1])
			a.mustPush("refs/heads/other", "")
			a.mustPush("refs/heads/side", more[1])
		},
		"others join packs": func(a *machine, _, more []string) {
			for _, id := range more {
				a.mustPush("refs/heads/main", id)
			}
			a.mustConsolidate(a.consolidation())
		},
		"everything goes": func(a *machine, ids, _ []string) {
			a.mustPush("refs/heads/side", "")
			a.mustPush("refs/heads/last", ids[0])
			a.mustPush("refs/heads/last", "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storage := mem.New()
			a, ids := pushed(t, storage, 6)
			a.git("branch", "side", ids[3])
			side := a.line("side", 3)
			a.mustPush("refs/heads/side", side[2])
			more := a.line("main", 9)
			var once sync.Once
			b := a.join(&blobtest.Faulty{Store: storage.Handle(), Before: func(op, name string) error {
				if op == blobtest.OpCommit && strings.HasPrefix(name, "o/") {
					once.Do(func() { meanwhile(a, ids, more) })
				}
				return nil
			}})
			out := b.mustConsolidate(full(b.consolidation()))
			if !slices.ContainsFunc(out.State.Packs, func(p manifestv1.Pack) bool { return p.Kind == "base" }) {
				t.Fatalf("%+v", out)
			}
			want := a.head().Refs
			for ref, id := range a.clone(storage).Refs {
				if want[ref] != id {
					t.Errorf("%s is %s, want %s", ref, id, want[ref])
				}
				a.clone(storage, id)
			}
			a.mustPush("refs/heads/next", a.line("next", 1)[0])
			a.clone(storage)
		})
	}
}

// A push that began before may build on what is left out meanwhile: it is made
// again.
func TestRewriteUnderAPush(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	a, ids := pushed(t, storage, 6)
	a.git("branch", "side", ids[3])
	side := a.line("side", 4)
	a.mustPush("refs/heads/side", side[1])
	b := a.another(storage.Handle())
	opt := full(b.consolidation())
	var once sync.Once
	c := a.join(&blobtest.Faulty{Store: storage.Handle(), Before: func(op, name string) error {
		if op == blobtest.OpCreate && strings.HasPrefix(name, "m/") {
			once.Do(func() {
				b.mustPush("refs/heads/side", "")
				b.mustConsolidate(opt)
			})
		}
		return nil
	}})
	c.repo = a.repo
	c.mustPush("refs/heads/new", side[3]) // thin, on what side was
	a.clone(storage, side[3])
	if got := a.head().Refs; len(got) != 2 || got["refs/heads/new"] != side[3] {
		t.Errorf("refs: %v", got)
	}
}

// What such a push brings while everything is written anew may build on what no
// ref reached in between: then it is written once more.
func TestRewriteAfterAPush(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	points := t.TempDir()
	a, ids := pushed(t, storage, 6)
	a.git("branch", "side", ids[3])
	side := a.line("side", 4)
	a.mustPush("refs/heads/side", side[1])
	c := a.join(storage.Handle(), func(o *bucket.Options) { o.Failpoints = failpoint.New(points) })
	c.repo = a.repo
	if err := failpoint.Arm(points, "bucket.manifest"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.push("refs/heads/new", side[3]) }()
	reached(t, points, "bucket.manifest")
	a.mustPush("refs/heads/side", "")
	var once sync.Once
	b := a.join(&blobtest.Faulty{Store: storage.Handle(), Before: func(op, name string) error {
		if op == blobtest.OpCommit && strings.HasPrefix(name, "o/") {
			once.Do(func() {
				if err := errors.Join(failpoint.Release(points, "bucket.manifest"), <-done); err != nil {
					t.Error(err)
				}
			})
		}
		return nil
	}})
	out := b.mustConsolidate(full(b.consolidation()))
	if len(out.State.Packs) != 1 || out.State.Refs["refs/heads/new"] != side[3] {
		t.Errorf("%+v", out.State)
	}
	a.clone(storage, side[3])
}

// Nothing is left of a bucket whose refs are all gone, and it goes on.
func TestRewriteToNothing(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	a := found(t, storage.Handle())
	if out := a.mustConsolidate(full(a.consolidation())); out.Packs != 0 {
		t.Errorf("of an empty bucket: %+v", out)
	}
	id := a.line("topic", 3)[2]
	a.mustPush("refs/tags/v1", id)
	a.mustPush("refs/tags/v1", "")
	out := a.mustConsolidate(full(a.consolidation()))
	if out.Packs != 1 || len(out.State.Packs) != 0 || out.Objects != 0 {
		t.Errorf("%+v", out)
	}
	a.clone(storage)
	a.mustPush("refs/heads/topic", id)
	a.clone(storage, id)
}

// What a clone says an object is counts for nothing: the packs that come of it
// have what was pushed.
func TestJoiningBelievesNoClone(t *testing.T) {
	t.Parallel()
	for name, all := range map[string]bool{"joined": false, "written anew": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storage := mem.New()
			a := found(t, storage.Handle())
			long := strings.Repeat("a line that is long enough for a delta\n", 50)
			var ids []string
			for i := range 10 {
				ids = append(ids, a.commit("a", long+strings.Repeat("more\n", i)))
				a.mustPush("refs/heads/main", ids[i])
			}
			forged, other := a.git("rev-parse", ids[0]+":a"), a.git("rev-parse", ids[9]+":a")
			path := func(id string) string { return filepath.Join(a.repo.Objects, id[:2], id[2:]) }
			data, err := os.ReadFile(path(other))
			if err == nil {
				err = errors.Join(os.Remove(path(forged)), os.WriteFile(path(forged), data, 0o400))
			}
			if err != nil {
				t.Fatal(err)
			}
			opt := a.consolidation()
			opt.Full = all
			if out := a.mustConsolidate(opt); out.Packs != 10 {
				t.Fatalf("%+v", out)
			}
			left, err := a.bucket.Unverified(a.head())
			if err != nil || len(left) != 0 {
				t.Errorf("%d packs are to be verified, %v", len(left), err)
			}
			b := a.another(storage.Handle())
			b.mustFetch()
			if got := b.git("cat-file", "blob", forged); got+"\n" != long {
				t.Errorf("the clone's word was taken: %.100q", got)
			}
			got, err := b.bucket.VerifyPacks(t.Context(), bucket.VerifyPacksOptions{Git: newGit(t), Scratch: t.TempDir()})
			if err != nil || len(got.Findings) > 0 {
				t.Errorf("%+v, %v", got.Findings, err)
			}
		})
	}
}
