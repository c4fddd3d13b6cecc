package bucket_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// shared is a bucket of Jane's in which Joe may write refs/heads/joe/ alone.
func shared(t *testing.T) (storage *mem.Storage, jane, joe *machine) {
	t.Helper()
	storage = mem.New()
	jane = create(t, storage)
	first := jane.commit("a", "1\n")
	jane.mustPush("refs/heads/main", first)
	jane.mustPush("refs/heads/other", first)
	joe = &machine{tb: t, who: newPerson(t), state: t.TempDir(), store: storage.Handle()}
	limited := joe.who.member("joe")
	limited.Rights = []manifestv1.Right{{Refs: "refs/heads/joe/*", Allow: []string{"write"}}}
	_, err := jane.bucket.SetMembership(t.Context(), bucket.Edit(false, func(m *manifestv1.Membership) error {
		m.Members = append(m.Members, limited)
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	joe.reopen()
	joe.withRepo().mustFetch()
	joe.git("checkout", "-q", "-b", "work", first)
	return storage, jane, joe
}

// TestRightsAreKept: what somebody does within their rights is taken, however
// they write it down.
func TestRightsAreKept(t *testing.T) {
	t.Parallel()
	storage, jane, joe := shared(t)
	old := jane.another(storage.Handle())
	old.mustFetch()
	id := joe.commit("b", "2\n")
	if err := joe.push("refs/heads/main", id); err == nil || !strings.Contains(err.Error(), bucket.ErrRights.Error()) {
		t.Errorf("an honest client: %v", err)
	}
	joe.mustPush("refs/heads/joe/work", id)
	if _, err := bucket.WriteSnapshot(t.Context(), joe.bucket); err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		joe.mustPush(fmt.Sprintf("refs/heads/joe/b%02d", i), id)
	}
	joe.mustPush("refs/heads/joe/b07", "")
	if err := joe.bucket.Maintain(t.Context(), bucket.ConsolidateOptions{Git: newGit(t), Scratch: t.TempDir()}); err != nil {
		t.Errorf("to tidy what one may not: %v", err)
	}
	for name, m := range map[string]*machine{"who was there": jane, "who was away": old, "a newcomer": jane.another(storage.Handle())} {
		if st := m.mustFetch(); st.Refs["refs/heads/joe/work"] != id || len(st.Refs) != 42 {
			t.Errorf("%s: %d refs", name, len(st.Refs))
		}
	}
	if rep, err := jane.bucket.Verify(t.Context(), bucket.VerifyOptions{}); err != nil || !rep.Healthy {
		t.Errorf("%+v, %v", rep, err)
	}
}

// TestRightsAreVerified: what somebody signs beyond their rights, with a client
// that does not mind, is refused by everybody, by name.
func TestRightsAreVerified(t *testing.T) {
	t.Parallel()
	storage, jane, joe := shared(t)
	work := joe.commit("b", "2\n")
	joe.mustPush("refs/heads/joe/work", work)
	stale := jane.another(storage.Handle())
	stale.mustFetch()
	joe.mustPush("refs/heads/joe/more", work)
	jane.mustFetch()

	base, err := bucket.NextOf(t.Context(), joe.bucket)
	if err != nil {
		t.Fatal(err)
	}
	main := slices.IndexFunc(base.Refs, func(r manifestv1.Ref) bool { return r.Name == "refs/heads/main" })
	for name, c := range map[string]struct {
		edit func(*manifestv1.Manifest)
		says string
	}{
		"a branch that is not theirs": {func(m *manifestv1.Manifest) { m.Refs[main].ID = work }, "changes refs/heads/main"},
		"a branch gone":               {func(m *manifestv1.Manifest) { m.Refs = slices.Delete(m.Refs, main, main+1) }, "changes refs/heads/main"},
		"a new branch elsewhere": {func(m *manifestv1.Manifest) {
			m.Refs = append(m.Refs, manifestv1.Ref{Name: "refs/heads/zoe", ID: work})
		}, "changes refs/heads/zoe"},
		"almost their own": {func(m *manifestv1.Manifest) {
			m.Refs = append(m.Refs, manifestv1.Ref{Name: "refs/heads/zjoe/x", ID: work})
		}, "changes refs/heads/zjoe/x"},
		"HEAD":     {func(m *manifestv1.Manifest) { m.Head = "refs/heads/joe/work" }, "HEAD"},
		"no packs": {func(m *manifestv1.Manifest) { m.Packs = []manifestv1.Pack{} }, "takes packs away"},
		"another index": {func(m *manifestv1.Manifest) {
			m.Packs[0].Index = &manifestv1.Object{SHA256: strings.Repeat("a", 64), Size: 1}
			m.Packs[0].Kind = "base"
		}, "takes packs away"},
	} {
		m := base
		m.Refs, m.Packs = slices.Clone(base.Refs), slices.Clone(base.Packs)
		c.edit(&m)
		stored, err := bucket.EncodeManifest(m, joe.who.signer, bucket.EpochKeys(joe.bucket)[0].Recipient())
		if err != nil {
			t.Fatal(err)
		}
		at := bucket.ManifestName(m.Generation)
		if err := joe.store.Create(t.Context(), at, stored); err != nil {
			t.Fatal(err)
		}
		newcomer := &machine{tb: t, who: jane.who, state: t.TempDir(), store: storage.Handle()}
		newcomer.reopen()
		for who, b := range map[string]*bucket.Bucket{"who was there": jane.bucket, "who was away": stale.bucket, "a newcomer": newcomer.bucket} {
			_, err := b.Head(t.Context())
			if !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "joe") || !strings.Contains(err.Error(), at) || fault.HintOf(err) == "" {
				t.Errorf("%s, %s: %v", name, who, err)
			}
		}
		if err := joe.store.Remove(t.Context(), at); err != nil {
			t.Fatal(err)
		}
	}
	if st := jane.mustFetch(); st.Refs["refs/heads/joe/more"] != work {
		t.Errorf("%v", st.Refs)
	}
}
