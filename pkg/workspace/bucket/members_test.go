package bucket_test

import (
	"slices"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// TestMembers: somebody who is let in reads and writes everything, and who was
// shut out reads what they could and nothing that came later.
func TestMembers(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	jane := create(t, storage)
	first := jane.commit("a", "1\n")
	jane.mustPush("refs/heads/main", first)

	joe := &machine{tb: t, who: newPerson(t), state: t.TempDir(), store: storage.Handle()}
	b, err := bucket.Open(t.Context(), options(joe.who, joe.store, joe.state))
	if err == nil {
		_, err = b.Head(t.Context())
	}
	if !fault.Is(err, fault.Denied) || fault.HintOf(err) == "" {
		t.Fatalf("a stranger: %v", err)
	}
	add := func(m *manifestv1.Membership) error {
		m.Members = append(m.Members, joe.who.member("joe"))
		return nil
	}
	st, err := jane.bucket.SetMembership(t.Context(), bucket.Edit(false, add))
	if err != nil || st.Membership.Version != 2 || st.Epoch() != 1 {
		t.Fatalf("%+v, %v", st, err)
	}
	joe.reopen()
	joe.withRepo().mustFetch()
	joe.git("checkout", "-q", "-b", "work", first)
	second := joe.commit("a", "2\n")
	joe.mustPush("refs/heads/main", second)

	until := jane.mustFetch().Generation
	st, err = jane.bucket.SetMembership(t.Context(), bucket.Edit(true, func(m *manifestv1.Membership) error {
		i := slices.IndexFunc(m.Members, func(x manifestv1.Member) bool { return x.Name == "joe" })
		m.Members[i].Until = until
		return nil
	}))
	if err != nil || st.Epoch() != 2 {
		t.Fatalf("%+v, %v", st, err)
	}
	jane.git("checkout", "-q", second)
	third := jane.commit("a", "3\n")
	jane.mustPush("refs/heads/main", third)
	jane.reopen()
	if st := jane.mustFetch(); st.Refs["refs/heads/main"] != third {
		t.Fatalf("refs %v", st.Refs)
	}
	// A new machine of Jane's verifies what Joe signed while he was a member.
	if st := jane.another(storage.Handle()).mustFetch(); st.Refs["refs/heads/main"] != third {
		t.Fatalf("refs %v", st.Refs)
	}
	joe.reopen()
	if _, err := joe.bucket.Head(t.Context()); !fault.Is(err, fault.Denied) {
		t.Errorf("who was shut out reads on: %v", err)
	}
	if _, err := joe.bucket.SetMembership(t.Context(), bucket.Edit(false, add)); err == nil {
		t.Error("who was shut out let himself in")
	}
}

func TestLastAdministrator(t *testing.T) {
	t.Parallel()
	a := create(t, mem.New())
	for name, edit := range map[string]func(*manifestv1.Membership) error{
		"nobody":           func(m *manifestv1.Membership) error { m.Members[0].Until = 1; return nil },
		"no administrator": func(m *manifestv1.Membership) error { m.Members[0].Rights = nil; return nil },
		"no signer":        func(m *manifestv1.Membership) error { m.Members[0].Signers = nil; return nil },
	} {
		if _, err := a.bucket.SetMembership(t.Context(), bucket.Edit(false, edit)); !fault.Is(err, fault.Conflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if st := a.mustFetch(); st.Generation != 1 {
		t.Errorf("generation %d", st.Generation)
	}
}
