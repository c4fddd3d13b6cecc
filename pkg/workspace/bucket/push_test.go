package bucket_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

func TestPushAndFetch(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	a := create(t, storage)
	first := a.commit("notes/a.md", "one\n")
	a.mustPush("refs/heads/main", first)
	b := a.another(storage.Handle())
	if st := b.mustFetch(); st.Refs["refs/heads/main"] != first || st.Generation != 2 {
		t.Fatalf("fetched %+v", st)
	}
	second := a.commit("notes/a.md", "one\ntwo\n")
	a.mustPush("refs/heads/main", second)
	if st := b.mustFetch(); st.Refs["refs/heads/main"] != second {
		t.Fatalf("fetched %+v", st)
	}
	if got := b.git("show", second+":notes/a.md"); got != "one\ntwo" {
		t.Fatalf("read %q", got)
	}
	b.reopen()
	b.mustFetch()
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	a := create(t, storage)
	first := a.commit("a", "1\n")
	second := a.commit("a", "2\n")
	a.git("checkout", "-q", "-b", "side", first)
	side := a.commit("a", "side\n")
	a.mustPush("refs/heads/main", second)
	a.mustPush("refs/tags/v1", first)
	b := a.another(storage.Handle())
	foreign := b.commit("b", "unrelated\n")
	blobID := a.git("rev-parse", first+":a")

	for name, c := range map[string]struct {
		m    *machine
		ref  string
		id   string
		with func(*bucket.Update)
		want error
	}{
		"not a fast-forward":    {a, "refs/heads/main", side, nil, bucket.ErrNonFastForward},
		"unknown history":       {b, "refs/heads/main", foreign, nil, bucket.ErrFetchFirst},
		"a tag that exists":     {a, "refs/tags/v1", second, nil, bucket.ErrExists},
		"a lease that is over":  {a, "refs/heads/main", side, lease(first), bucket.ErrStale},
		"a lease on a new ref":  {a, "refs/heads/main", side, lease(""), bucket.ErrStale},
		"the current branch":    {a, "refs/heads/main", "", nil, bucket.ErrCurrent},
		"a ref that is not one": {a, "refs/heads/none", "", nil, bucket.ErrNoRef},
		"a branch at a file":    {a, "refs/heads/blob", blobID, nil, bucket.ErrNotCommit},
	} {
		with := c.with
		if with == nil {
			with = func(*bucket.Update) {}
		}
		if err := c.m.push(c.ref, c.id, with); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if st := a.mustFetch(); st.Refs["refs/heads/main"] != second || len(st.Refs) != 2 {
		t.Fatalf("a refusal changed something: %v", st.Refs)
	}

	a.mustPush("refs/heads/main", side, lease(second))
	a.mustPush("refs/heads/main", second, forced)
	a.mustPush("refs/tags/v1", second, forced)
	a.mustPush("refs/heads/other", side)
	a.mustPush("refs/heads/other", "")
	if st := b.mustFetch(); st.Refs["refs/heads/main"] != second || st.Refs["refs/tags/v1"] != second || len(st.Refs) != 2 {
		t.Fatalf("refs: %v", st.Refs)
	}
}

func TestAtomicAndDryRun(t *testing.T) {
	t.Parallel()
	a := create(t, mem.New())
	first := a.commit("a", "1\n")
	a.git("checkout", "-q", "--orphan", "side")
	side := a.commit("a", "2\n")
	a.mustPush("refs/heads/main", first)
	updates := []bucket.Update{{Ref: "refs/heads/new", New: side}, {Ref: "refs/heads/main", New: side}}
	st, results, err := a.bucket.Push(t.Context(), a.repo, updates, bucket.PushOptions{Atomic: true})
	if err != nil || !errors.Is(results[0].Err, bucket.ErrAtomic) || !errors.Is(results[1].Err, bucket.ErrNonFastForward) || st.Generation != 2 {
		t.Fatalf("%v, %v, generation %d", results, err, st.Generation)
	}
	st, results, err = a.bucket.Push(t.Context(), a.repo, updates[:1], bucket.PushOptions{DryRun: true})
	if err != nil || results[0].Err != nil || st.Generation != 2 {
		t.Fatalf("%v, %v, generation %d", results, err, st.Generation)
	}
	st, results, err = a.bucket.Push(t.Context(), a.repo, updates, bucket.PushOptions{})
	if err != nil || results[0].Err != nil || results[1].Err == nil || st.Refs["refs/heads/new"] != side {
		t.Fatalf("%v, %v, refs %v", results, err, st.Refs)
	}
}

// Many pushes: snapshots keep each manifest small, and what is read afterwards
// is what was pushed.
func TestManyPushes(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	a := create(t, storage)
	want := map[string]string{}
	for i := range 90 {
		id := a.commit("a", fmt.Sprintf("%d\n", i))
		ref := fmt.Sprintf("refs/heads/b%d", i%40)
		if i < 50 {
			ref = "refs/heads/main"
		}
		a.mustPush(ref, id)
		want[ref] = id
		if i == 80 {
			a.mustPush("refs/heads/b12", "")
			delete(want, "refs/heads/b12")
		}
	}
	b := a.another(storage.Handle())
	st := b.mustFetch()
	for ref, id := range want {
		if st.Refs[ref] != id {
			t.Errorf("%s is %s, want %s", ref, st.Refs[ref], id)
		}
	}
	if len(st.Refs) != len(want) {
		t.Errorf("%d refs, want %d", len(st.Refs), len(want))
	}
}

func TestCheckRef(t *testing.T) {
	t.Parallel()
	for _, ok := range []string{"refs/heads/main", "refs/heads/é", "refs/vexa/sessions/u_jane/01J", "refs/heads/a@b"} {
		if err := bucket.CheckRef(ok); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
	for _, bad := range []string{
		"", "HEAD", "refs/", "refs/heads/", "refs/heads/a b", "refs/heads/a\nb", "refs/heads/..", "refs/heads/.a", "refs/heads/a.lock",
		"refs/heads/a.lock/b", "refs//a", "refs/heads/a~1", "refs/heads/a^", "refs/heads/a:b", "refs/heads/a?", "refs/heads/*", "refs/heads/[a",
		`refs/heads/a\b`, "refs/heads/a@{1}", "refs/heads/a.", "refs/heads/\x7f", "refs/tags/\xe9", "refs/" + strings.Repeat("x", 1100),
	} {
		if err := bucket.CheckRef(bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q was taken: %v", bad, err)
		}
	}
}
