package bucket_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
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

	base := next(t, joe)
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
		"HEAD":                          {func(m *manifestv1.Manifest) { m.Head = "refs/heads/joe/work" }, "HEAD"},
		"a pack of an older generation": {func(m *manifestv1.Manifest) { m.Packs[len(m.Packs)-1].Generation = 1 }, "changes what is said of them"},
		"a pack of another size":        {func(m *manifestv1.Manifest) { m.Packs[0].Size++ }, "changes what is said of them"},
		"a pack twice":                  {func(m *manifestv1.Manifest) { m.Packs = append(m.Packs, m.Packs[len(m.Packs)-1]) }, "changes what is said of them"},
		"a new pack from the past": {func(m *manifestv1.Manifest) {
			m.Packs = append(m.Packs, manifestv1.Pack{SHA256: strings.Repeat("b", 64), Size: 1, Kind: "segment", Objects: 1, Generation: 2})
		}, "changes what is said of them"},
		"a pack to be removed": {func(m *manifestv1.Manifest) {
			m.Retired = append(m.Retired, manifestv1.Retired{SHA256: m.Packs[0].SHA256, Generation: 1})
		}, "gives up objects"},
		"no packs": {func(m *manifestv1.Manifest) { m.Packs = []manifestv1.Pack{} }, "takes packs away"},
		"another index": {func(m *manifestv1.Manifest) {
			m.Packs[0].Index = &manifestv1.Object{SHA256: strings.Repeat("a", 64), Size: 1}
			m.Packs[0].Kind = "base"
		}, "takes packs away"},
	} {
		m := base
		m.Refs, m.Packs, m.Retired = slices.Clone(base.Refs), slices.Clone(base.Packs), slices.Clone(base.Retired)
		c.edit(&m)
		at := bucket.ManifestName(m.Generation)
		sign(t, joe, m)
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

// next is the manifest that would follow the newest one and changes nothing.
func next(t *testing.T, m *machine) manifestv1.Manifest {
	t.Helper()
	out, err := bucket.NextOf(t.Context(), m.bucket)
	if err != nil {
		t.Fatal(err)
	}
	out.Refs, out.Packs, out.Retired = slices.Clone(out.Refs), slices.Clone(out.Packs), slices.Clone(out.Retired)
	return out
}

// sign stores a manifest as somebody's own client might, and returns its hash.
func sign(t *testing.T, by *machine, m manifestv1.Manifest) string {
	t.Helper()
	stored, err := bucket.EncodeManifest(m, by.who.signer, bucket.EpochKeys(by.bucket)[0].Recipient())
	if err == nil {
		err = by.store.Create(t.Context(), bucket.ManifestName(m.Generation), stored)
	}
	if err != nil {
		t.Fatal(err)
	}
	return bucket.Sum(stored)
}

// setMain moves main in a manifest.
func setMain(m *manifestv1.Manifest, id string) {
	for i := range m.Refs {
		if m.Refs[i].Name == "refs/heads/main" {
			m.Refs[i].ID = id
		}
	}
}

// TestRightsBehindWhatFollows: what was beyond somebody's rights stays so, however
// much they sign after it, and where they have the storage remove what it was.
func TestRightsBehindWhatFollows(t *testing.T) {
	t.Parallel()
	for name, hide := range map[string]func(t *testing.T, joe *machine, work string){
		"three generations later": func(t *testing.T, joe *machine, work string) {
			t.Helper()
			m := next(t, joe)
			setMain(&m, work)
			for range 4 {
				m.Previous = sign(t, joe, m)
				m.Generation++
			}
		},
		"with a log of their own": func(t *testing.T, joe *machine, work string) {
			t.Helper()
			m, before := next(t, joe), joe.mustFetch()
			setMain(&m, work)
			all := map[int64]string{before.Generation: before.SHA256}
			for g := range before.Generation {
				if data, err := blob.ReadAll(t.Context(), joe.store, bucket.ManifestName(g+1), 1<<20); err == nil {
					all[g+1] = bucket.Sum(data)
				}
			}
			text, err := bucket.Encrypt(bucket.EncodeLog(all), bucket.EpochKeys(joe.bucket)[0].Recipient())
			if err != nil {
				t.Fatal(err)
			}
			w, err := joe.store.Stage(t.Context())
			if err == nil {
				_, err = w.Write(text)
			}
			if err == nil {
				err = w.Commit(t.Context(), bucket.ObjectName(bucket.Sum(text)))
			}
			if err != nil {
				t.Fatal(err)
			}
			m.Log = &manifestv1.Log{SHA256: bucket.Sum(text), Size: int64(len(text)), Generation: before.Generation}
			sign(t, joe, m)
			if err := joe.store.Remove(t.Context(), bucket.ManifestName(before.Generation)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storage, jane, joe := shared(t)
			c, _, err := jane.bucket.Checkpoint(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			joe.mustPush("refs/heads/joe/work", joe.commit("b", "2\n"))
			work := joe.commit("b", "3\n")
			joe.mustPush("refs/heads/joe/work", work)
			hide(t, joe, work)
			newcomer := &machine{tb: t, who: jane.who, state: t.TempDir(), store: storage.Handle()}
			newcomer.reopen()
			_, _, joined := bucket.Join(t.Context(), options(jane.who, storage.Handle(), t.TempDir()), c)
			_, stayed := jane.bucket.Head(t.Context())
			_, came := newcomer.bucket.Head(t.Context())
			for who, err := range map[string]error{"who was there": stayed, "a newcomer": came, "who was invited": joined} {
				if err == nil || fault.HintOf(err) == "" {
					t.Errorf("%s takes it: %v", who, err)
				}
			}
		})
	}
}

// TestInUseStays: a collection keeps what is in use, whoever says that it is not.
func TestInUseStays(t *testing.T) {
	t.Parallel()
	_, jane, _ := shared(t)
	m := next(t, jane)
	for _, p := range m.Packs {
		m.Retired = append(m.Retired, manifestv1.Retired{SHA256: p.SHA256, Generation: 1})
	}
	sign(t, jane, m) // who may write everything may also be wrong
	jane.open(grace(time.Nanosecond))
	if _, err := jane.bucket.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Packs {
		if _, err := jane.store.Stat(t.Context(), bucket.ObjectName(p.SHA256)); err != nil {
			t.Errorf("%v", err)
		}
	}
}

// TestHonestClientsKeepToRights: what everybody would refuse is not signed.
func TestHonestClientsKeepToRights(t *testing.T) {
	t.Parallel()
	_, jane, joe := shared(t)
	for i := range 3 {
		joe.mustPush("refs/heads/joe/w", joe.commit("b", fmt.Sprint(i)))
	}
	if _, err := jane.bucket.SetMembership(t.Context(), bucket.Edit(true, func(*manifestv1.Membership) error { return nil })); err != nil {
		t.Fatal(err)
	}
	before := jane.mustFetch().Generation
	opt := bucket.ConsolidateOptions{Git: newGit(t), Scratch: t.TempDir(), Full: true}
	_, again := joe.bucket.Reencrypt(t.Context())
	_, joined := joe.bucket.Consolidate(t.Context(), opt)
	for what, err := range map[string]error{"encrypts again": again, "joins packs": joined} {
		if !fault.Is(err, fault.Denied) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if now := jane.mustFetch().Generation; now != before {
		t.Errorf("generation %d, then %d", before, now)
	}
	joe.mustPush("refs/heads/joe/w", joe.commit("b", "after"))
	jane.mustFetch()
}
