package bucket_test

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/blobtest"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// pushed is a machine that has pushed n commits, one at a time.
func pushed(t *testing.T, storage *mem.Storage, n int, with ...func(*bucket.Options)) (*machine, []string) {
	t.Helper()
	a := found(t, storage.Handle(), with...)
	ids := a.line("main", n)
	for _, id := range ids {
		a.mustPush("refs/heads/main", id)
	}
	return a, ids
}

// Many packs become few, and everybody has what they need.
func TestConsolidate(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	a := found(t, storage.Handle())
	ids := a.line("main", 40)
	for _, id := range ids[:20] {
		a.mustPush("refs/heads/main", id)
	}
	behind := a.another(storage.Handle())
	since := behind.mustFetch().Generation
	for _, id := range ids[20:] {
		a.mustPush("refs/heads/main", id)
	}
	a.mustPush("refs/tags/v1", ids[7])
	before := a.head()
	out := a.mustConsolidate(a.consolidation())
	if out.Packs != 40 || len(out.State.Packs) != 1 || out.State.Generation != before.Generation+1 || out.Objects < 100 {
		t.Fatalf("%+v, %d packs", out, len(out.State.Packs))
	}
	if got := out.State.Packs[0].Generation; got != 41 {
		t.Errorf("the pack is of generation %d; the last push with objects made 41", got)
	}
	st := a.clone(storage, ids...)
	if st.Refs["refs/heads/main"] != ids[39] || st.Refs["refs/tags/v1"] != ids[7] || len(st.Refs) != 2 {
		t.Errorf("refs: %v", st.Refs)
	}
	for name, c := range map[string]struct {
		m     *machine
		since int64
		packs int
	}{"up to date": {a, before.Generation, 0}, "behind": {behind, since, 1}} {
		got, err := c.m.bucket.Fetch(t.Context(), c.m.repo, bucket.FetchOptions{Since: c.since})
		if err != nil || got.Packs != c.packs {
			t.Errorf("%s: fetched %d packs, want %d; %v", name, got.Packs, c.packs, err)
		}
		if ok, err := c.m.repo.Connected(t.Context(), []string{ids[39]}); err != nil || !ok {
			t.Errorf("%s: not connected, %v", name, err)
		}
	}
	if again := a.mustConsolidate(a.consolidation()); again.Packs != 0 || again.State.Generation != out.State.Generation {
		t.Errorf("again: %+v", again)
	}
	next := a.line("main", 1)[0]
	a.mustPush("refs/heads/main", next)
	behind.mustFetch()
	a.clone(storage, next)
}

// The number of packs stays small however many pushes there are, and so does what
// is written again.
func TestPacksStayFew(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	a := found(t, storage.Handle())
	n := 300
	ids := a.line("main", n)
	opt := a.consolidation()
	var most, again int64
	for i, id := range ids {
		a.mustPush("refs/heads/main", id)
		out := a.mustConsolidate(opt)
		if out.Packs > 0 {
			again += out.Objects
		}
		st := a.head()
		var objects int64
		for _, p := range st.Packs {
			objects += p.Objects
		}
		if limit := math.Log2(float64(objects)) + 8; float64(len(st.Packs)) > limit {
			t.Fatalf("%d packs of %d objects after %d pushes", len(st.Packs), objects, i+1)
		}
		most = max(most, int64(len(st.Packs)))
		if i == n-1 && float64(again) > float64(objects)*math.Log2(float64(objects)) {
			t.Errorf("%d objects were written again, of %d", again, objects)
		}
	}
	t.Logf("at most %d packs; %d objects written again in %d pushes", most, again, n)
	st := a.clone(storage, ids...)
	if st.Refs["refs/heads/main"] != ids[n-1] {
		t.Errorf("refs: %v", st.Refs)
	}
}

// A consolidation reads what it joins; what that builds on it finds in a clone,
// and without one reads everything, where there is room.
func TestConsolidateReads(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	a, ids := pushed(t, storage, 12)
	many := a.line("main", 300) // so many objects that their pack is left alone
	a.mustPush("refs/heads/main", many[299])
	packs := a.head().Packs
	big := packs[len(packs)-1]
	for _, id := range a.line("main", 9) {
		ids = append(ids, id)
		a.mustPush("refs/heads/main", id)
	}
	var opened atomic.Int64
	store := &blobtest.Faulty{Store: storage.Handle(), Before: func(op, name string) error {
		if op == blobtest.OpOpen && strings.HasPrefix(name, "o/") {
			opened.Add(1)
		}
		return nil
	}}
	b := a.join(store)
	opt := b.consolidation() // its repository has nothing
	opt.Limit = -1           // one byte less than everything
	for _, p := range a.head().Packs {
		opt.Limit += p.Size
	}
	if out, err := b.bucket.Consolidate(t.Context(), opt); !fault.Is(err, fault.Unavailable) || fault.HintOf(err) == "" {
		t.Fatalf("without room: %+v, %v", out, err)
	}
	opt.Limit = 0
	opt.Alternates = []string{a.repo.Objects, filepath.Join(t.TempDir(), "none")}
	opened.Store(0)
	out := b.mustConsolidate(opt)
	if out.Packs < 8 || opened.Load() != int64(out.Packs) {
		t.Errorf("joined %d packs and read %d", out.Packs, opened.Load())
	}
	if !slices.ContainsFunc(out.State.Packs, func(p manifestv1.Pack) bool { return p.SHA256 == big.SHA256 }) {
		t.Errorf("the large pack was joined, too: %+v", out.State.Packs)
	}
	for _, id := range a.line("main", 9) {
		ids = append(ids, id)
		a.mustPush("refs/heads/main", id)
	}
	opt.Alternates = nil
	if out := b.mustConsolidate(opt); out.Packs < 8 {
		t.Errorf("without a clone: %+v", out)
	}
	a.clone(storage, append(ids, many...)...)
}

// What a killed process left is removed, what another one uses stays, and nothing
// is joined where it does not fit.
func TestConsolidateScratch(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	a, ids := pushed(t, storage, 10)
	opt := a.consolidation()
	if err := os.MkdirAll(filepath.Join(opt.Scratch, "vexa-packs-1", "objects"), 0o700); err != nil {
		t.Fatal(err)
	}
	opt.Limit = 1
	if out, err := a.bucket.Consolidate(t.Context(), opt); err != nil || out.Packs != 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	opt.Limit = 0
	if out := a.mustConsolidate(opt); out.Packs != 10 {
		t.Fatalf("%+v", out)
	}
	a.clone(storage, ids...)
	for name, bad := range map[string]bucket.ConsolidateOptions{
		"no git":               {Scratch: opt.Scratch},
		"a relative directory": {Git: opt.Git, Scratch: "x"},
		"a relative clone":     {Git: opt.Git, Scratch: opt.Scratch, Alternates: []string{"x"}},
	} {
		if _, err := a.bucket.Consolidate(t.Context(), bad); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// Whoever may not sign leaves the bucket alone.
func TestReadersDoNotMaintain(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	a, _ := pushed(t, storage, 10)
	b := a.another(storage.Handle())
	opt := b.consolidation()
	b.who = &person{id: a.who.id, signer: newPerson(t).signer}
	b.reopen()
	if _, err := b.bucket.Consolidate(t.Context(), opt); !fault.Is(err, fault.Denied) {
		t.Errorf("consolidate: %v", err)
	}
	if _, err := b.bucket.Collect(t.Context()); !fault.Is(err, fault.Denied) {
		t.Errorf("collect: %v", err)
	}
	if err := b.bucket.Maintain(t.Context(), opt); err != nil {
		t.Errorf("maintain: %v", err)
	}
	if got := a.head().Generation; got != 11 {
		t.Errorf("generation %d", got)
	}
}
