package bucket_test

import (
	"errors"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/blobtest"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

func TestReencrypt(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	a := create(t, storage)
	var last string
	for _, text := range []string{"1\n", "2\n", "3\n"} {
		last = a.commit("a", text)
		a.mustPush("refs/heads/main", last)
	}
	if n, err := a.bucket.Reencrypt(t.Context()); n != 0 || err != nil {
		t.Fatalf("%d packs of the newest epoch, %v", n, err)
	}
	behind := a.another(storage.Handle())
	behind.mustFetch()
	st, err := a.bucket.SetMembership(t.Context(), bucket.Edit(true, func(*manifestv1.Membership) error { return nil }))
	if err != nil {
		t.Fatal(err)
	}
	before := map[string]bool{}
	for _, p := range st.Packs {
		before[p.SHA256] = true
	}
	if n, err := a.bucket.Reencrypt(t.Context()); n != len(st.Packs) || err != nil {
		t.Fatalf("%d of %d packs, %v", n, len(st.Packs), err)
	}
	fresh := a.another(storage.Handle())
	st = fresh.mustFetch()
	for _, p := range st.Packs {
		if before[p.SHA256] {
			t.Errorf("pack %s is as it was", p.SHA256)
		}
	}
	if got := fresh.git("show", last+":a"); got != "3" {
		t.Errorf("read %q", got)
	}
	if got := behind.mustFetch(); got.Generation != st.Generation {
		t.Errorf("generation %d", got.Generation)
	}
}

// Re-encryption that is stopped at any of its writes leaves a bucket that everybody
// reads, and goes on where it was: what is encrypted already is not done again.
func TestReencryptGoesOn(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	a := create(t, storage)
	var last string
	for _, text := range []string{"1\n", "2\n", "3\n"} {
		last = a.commit("a", text)
		a.mustPush("refs/heads/main", last)
	}
	st, err := a.bucket.SetMembership(t.Context(), bucket.Edit(true, func(*manifestv1.Membership) error { return nil }))
	if err != nil {
		t.Fatal(err)
	}
	stopped := errors.New("stopped")
	total, runs := 0, 0
	for left := 0; ; left++ { // each run gets one write further than the one before
		writes := 0
		b := a.another(&blobtest.Faulty{Store: storage.Handle(), Before: func(op, _ string) error {
			switch op {
			case blobtest.OpCommit, blobtest.OpCreate, blobtest.OpReplace:
				if writes++; writes > left {
					return stopped
				}
			}
			return nil
		}})
		n, err := b.bucket.Reencrypt(t.Context())
		total += n
		reader := a.another(storage.Handle())
		reader.mustFetch()
		if got := reader.git("show", last+":a"); got != "3" {
			t.Fatalf("after a stop at write %d: read %q", left, got)
		}
		if err == nil {
			break
		}
		if runs++; runs > 20 {
			t.Fatalf("it never ends: %v", err)
		}
	}
	if runs == 0 || total != len(st.Packs) {
		t.Errorf("%d packs were encrypted in %d runs; there are %d", total, runs+1, len(st.Packs))
	}
}
