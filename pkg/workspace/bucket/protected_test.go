package bucket_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

const protectedRef = "refs/heads/main"

// protectedScene is a bucket of jane's, who administers it, and joe's, who may write
// everything, with a main that takes what one member approved. a is main, c builds on
// it and is approved, x builds on it and is not.
type protectedScene struct {
	jane, joe *machine
	storage   *mem.Storage
	a, c, x   string
}

// guarded opens the bucket for a machine, by whom c alone is approved.
func (s *protectedScene) guarded(t *testing.T, m *machine) *machine {
	t.Helper()
	opt := options(m.who, m.store, m.state)
	opt.Prove = func(_ context.Context, _ *bucket.Repo, mv bucket.Move) error {
		if mv.To == s.c && mv.From == s.a {
			return nil
		}
		return errors.New("it was not approved")
	}
	b, err := bucket.Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	m.bucket = b
	return m
}

// reader is another installation of jane's that has seen what is there.
func (s *protectedScene) reader(t *testing.T) *machine {
	t.Helper()
	r := s.guarded(t, &machine{tb: t, who: s.jane.who, state: t.TempDir(), store: s.storage.Handle()}).withRepo()
	r.mustFetch()
	return r
}

func startProtected(t *testing.T) *protectedScene {
	t.Helper()
	s := &protectedScene{storage: mem.New()}
	s.jane = create(t, s.storage)
	s.a = s.jane.commit("a", "1\n")
	s.jane.mustPush(protectedRef, s.a)
	s.joe = &machine{tb: t, who: newPerson(t), state: t.TempDir(), store: s.storage.Handle()}
	m := s.joe.who.member("joe")
	m.Rights = []manifestv1.Right{{Refs: "refs/*", Allow: []string{bucket.RightWrite}}}
	s.policy(t, 1, m)
	s.guarded(t, s.joe).withRepo().mustFetch()
	s.joe.git("checkout", "-q", "-b", "evil", s.a)
	s.x = s.joe.commit("evil", "evil\n")
	s.joe.git("checkout", "-q", "-b", "good", s.a)
	s.c = s.joe.commit("good", "good\n")
	s.joe.mustPush("refs/heads/j/x", s.x)
	s.joe.mustPush("refs/heads/j/c", s.c)
	s.jane.git("fetch", "-q", s.joe.dir, "evil", "good")
	return s
}

func (s *protectedScene) policy(t *testing.T, threshold int, more ...manifestv1.Member) {
	t.Helper()
	_, err := s.jane.bucket.SetMembership(t.Context(), bucket.Edit(false, func(m *manifestv1.Membership) error {
		m.Members, m.Approvals = append(m.Members, more...), nil
		if threshold > 0 {
			m.Approvals = []manifestv1.Approval{{Refs: protectedRef, Threshold: threshold}}
		}
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
}

// move moves main with a client that does not ask.
func (m *machine) move(id string) {
	m.tb.Helper()
	_, res, err := m.bucket.Push(m.tb.Context(), m.repo, []bucket.Update{{Ref: protectedRef, New: id, Force: true}}, bucket.PushOptions{Approved: []string{protectedRef}})
	if err != nil || res[0].Err != nil {
		m.tb.Fatal(err, res)
	}
}

// make makes the next generation by hand.
func (s *protectedScene) make(t *testing.T, edit func(*manifestv1.Manifest)) {
	t.Helper()
	st, err := s.joe.bucket.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	next, err := bucket.NextOf(t.Context(), s.joe.bucket)
	if err != nil {
		t.Fatal(err)
	}
	edit(&next)
	data, err := bucket.EncodeManifest(next, s.joe.who.signer, st.Membership.Recipient)
	if err == nil {
		err = s.joe.store.Create(t.Context(), bucket.ManifestName(next.Generation), data)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestProtectedRefs: whoever may write everything moves main, hides that they did, or
// undoes what was approved: no reader goes by it, whenever it looks. What was approved,
// what an administrator put back or decided, and what came after, is taken.
func TestProtectedRefs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do    func(*testing.T, *protectedScene)
		taken bool
	}{
		"unapproved":          {func(_ *testing.T, s *protectedScene) { s.joe.move(s.x) }, false},
		"approved":            {func(_ *testing.T, s *protectedScene) { s.joe.move(s.c) }, true},
		"approved and undone": {func(_ *testing.T, s *protectedScene) { s.joe.move(s.c); s.joe.move(s.a) }, false},
		"unapproved and put back": {func(_ *testing.T, s *protectedScene) {
			s.joe.move(s.x)
			s.joe.move(s.a)
		}, true},
		"put back, and then approved": {func(t *testing.T, s *protectedScene) {
			t.Helper()
			s.joe.move(s.x)
			s.policy(t, 0)
			s.jane.move(s.a)
			s.policy(t, 1)
			s.jane.move(s.c)
		}, true},
		"without a policy": {func(t *testing.T, s *protectedScene) {
			t.Helper()
			s.joe.move(s.c)
			s.policy(t, 0)
			s.jane.move(s.x)
		}, true},
		"a snapshot that was never stored": {func(t *testing.T, s *protectedScene) {
			t.Helper()
			st, err := s.joe.bucket.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			next, err := bucket.NextOf(t.Context(), s.joe.bucket)
			if err != nil {
				t.Fatal(err)
			}
			next.Refs = slices.Clone(next.Refs)
			for i := range next.Refs {
				if next.Refs[i].Name == protectedRef {
					next.Refs[i].ID = s.x
				}
			}
			next.Snapshot = &manifestv1.Object{SHA256: strings.Repeat("ab", 32), Size: 100}
			for range 2 {
				data, err := bucket.EncodeManifest(next, s.joe.who.signer, st.Membership.Recipient)
				if err == nil {
					err = s.joe.store.Create(t.Context(), bucket.ManifestName(next.Generation), data)
				}
				if err != nil {
					t.Fatal(err)
				}
				next.Snapshot, next.Generation, next.Previous = nil, next.Generation+1, bucket.Sum(data)
			}
		}, false},
		"generations that were removed": {func(t *testing.T, s *protectedScene) {
			t.Helper()
			st, err := s.joe.bucket.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			s.joe.move(s.x)
			s.joe.mustPush("refs/heads/j/y", s.a)
			s.joe.mustPush("refs/heads/j/z", s.a)
			if _, err := bucket.RemoveManifests(t.Context(), s.joe.bucket, st.Generation, st.Generation+1); err != nil {
				t.Fatal(err)
			}
		}, false},
		"another HEAD": {func(t *testing.T, s *protectedScene) {
			t.Helper()
			s.make(t, func(m *manifestv1.Manifest) { m.Head = "refs/heads/j/x" })
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startProtected(t)
			r := s.reader(t)
			c.do(t, s)
			for try := range 2 { // it is refused again, too
				st, err := r.fetch()
				if c.taken != (err == nil) || err != nil && (!fault.Is(err, fault.Denied) || fault.HintOf(err) == "") {
					t.Errorf("try %d: %v, %v", try, st, err)
				}
			}
			r.reopen()
			s.guarded(t, r)
			if _, err := r.fetch(); c.taken != (err == nil) {
				t.Errorf("opened anew: %v", err)
			}
		})
	}
}

// TestNothingIsBuiltOnWhatIsRefused: who has to verify something first does not sign
// what comes after it, unless as an administrator.
func TestNothingIsBuiltOnWhatIsRefused(t *testing.T) {
	t.Parallel()
	s := startProtected(t)
	ann := &machine{tb: t, who: newPerson(t), state: t.TempDir(), store: s.storage.Handle()}
	m := ann.who.member("ann")
	m.Rights = []manifestv1.Right{{Refs: "refs/heads/ann/*", Allow: []string{bucket.RightWrite}}}
	s.policy(t, 1, m)
	s.guarded(t, ann).withRepo().mustFetch()
	s.joe.move(s.x)
	if err := ann.push("refs/heads/ann/x", s.a); !errors.Is(err, bucket.ErrFetchFirst) {
		t.Errorf("%v", err)
	}
	r := s.reader(t) // for the first time: it goes by what is there
	if err := r.push("refs/heads/j/mine", s.a); err != nil {
		t.Error(err)
	}
	s.joe.move(s.a)
	if err := ann.push("refs/heads/ann/x", s.a); !errors.Is(err, bucket.ErrFetchFirst) {
		t.Errorf("before it fetched: %v", err)
	}
	ann.mustFetch()
	if err := ann.push("refs/heads/ann/x", s.a); err != nil {
		t.Errorf("after it was put back: %v", err)
	}
}
