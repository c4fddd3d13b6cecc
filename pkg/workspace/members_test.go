package workspace_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/invitationv1"
	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// introduced is what a world's person says of themselves.
func (w *world) introduced(tb testing.TB, name string) invitationv1.Introduction {
	tb.Helper()
	own, err := w.buckets.Members(false)
	if err != nil {
		tb.Fatal(err)
	}
	return invitationv1.Introduction{Kind: invitationv1.KindIntroduction, Name: name, Recipients: own[0].Recipients, Signer: own[0].Signers[0]}
}

func writes(refs ...string) []manifestv1.Right {
	var out []manifestv1.Right
	for _, r := range refs {
		out = append(out, manifestv1.Right{Refs: r, Allow: []string{bucket.RightWrite}})
	}
	return out
}

// TestSharing: somebody is let in, invited, works, and is shut out: what they
// could read they can, what comes later they cannot, and what they signed counts.
func TestSharing(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, joe := newWorld(t), newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	if _, err := joe.Add(ctx, "notes", info.Bucket); !fault.Is(err, fault.Denied) {
		t.Fatalf("a stranger: %v", err)
	}
	added, all, err := w.AddMember(ctx, "notes", workspace.NewMember{Introduction: joe.introduced(t, "joe"), Rights: writes("refs/*")})
	if err != nil || added.ID != "u_joe" || len(all.All) != 2 || all.Self != "u_test" {
		t.Fatalf("%+v, %+v, %v", added, all, err)
	}
	for name, who := range map[string]workspace.NewMember{
		"the same key":  {Introduction: joe.introduced(t, "joseph"), Rights: writes("refs/*")},
		"the same name": {Introduction: newWorld(t).introduced(t, "joe"), Rights: writes("refs/*")},
	} {
		if _, _, err := w.AddMember(ctx, "notes", who); !fault.Is(err, fault.Conflict) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	text, err := w.Invite(ctx, "notes", "joe")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Invite(ctx, "notes", "zoe"); !fault.Is(err, fault.NotFound) {
		t.Errorf("nobody is invited: %v", err)
	}
	for name, spoil := range map[string]func(string) string{
		"nothing":         func(string) string { return "" },
		"another url":     func(s string) string { return strings.Replace(s, "file://", "file:///x", 1) },
		"no signature":    func(s string) string { line, _, _ := strings.Cut(s, "\n"); return line },
		"another message": func(s string) string { return strings.Replace(s, `"to":"joe"`, `"to":"zoe"`, 1) },
	} {
		if _, err := joe.Join(ctx, workspace.JoinRequest{Invitation: []byte(spoil(string(text)))}); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	mailed := "\r\n" + strings.ReplaceAll(string(text), "\n", "\r\n") + "\r\n\r\n"
	joined, err := joe.Join(ctx, workspace.JoinRequest{Invitation: []byte(mailed), Name: "notes"})
	if err != nil || joined.Info.Name != "notes" || joined.Inviter != "test" || len(joined.Roots) != 1 {
		t.Fatalf("%+v, %v", joined, err)
	}
	if _, err := joe.Join(ctx, workspace.JoinRequest{Invitation: text, Name: "again"}); !fault.Is(err, fault.Conflict) {
		t.Errorf("joined twice: %v", err)
	}
	if data, err := joe.ReadFile(ctx, "notes", "", "a.md"); err != nil || string(data) != "1\n" {
		t.Fatalf("%q, %v", data, err)
	}
	c := joe.checkout(t, "01UNITJ")
	write(t, c.Dir(), map[string]string{"joe.md": "joe was here\n"})
	joe.seal(t, c, "from joe")

	if m, _, err := w.SetRights(ctx, "notes", "joe", writes("refs/heads/joe/*")); err != nil || len(m.Rights) != 1 {
		t.Fatalf("%+v, %v", m, err)
	}
	write(t, c.Dir(), map[string]string{"joe.md": "more than joe may\n"})
	if out, err := joe.trySeal(c, "beyond his rights"); err == nil {
		t.Errorf("he writes main: %+v", out)
	}

	removed, err := w.RemoveMember(ctx, "notes", "joe")
	if err != nil || removed.Member.ID != "u_joe" || removed.Epoch != 2 || removed.Until < 2 || removed.Generation != removed.Until+1 {
		t.Fatalf("%+v, %v", removed, err)
	}
	if _, err := joe.ReadFile(ctx, "notes", "", "a.md"); !fault.Is(err, fault.Denied) || fault.HintOf(err) == "" {
		t.Errorf("who was shut out reads on: %v", err)
	}
	if _, err := joe.Invite(ctx, "notes", "joe"); err == nil {
		t.Error("who was shut out invites")
	}
	if _, err := newWorld(t).Join(ctx, workspace.JoinRequest{Invitation: text, Name: "late"}); !fault.Is(err, fault.Denied) {
		t.Errorf("an invitation of another's: %v", err)
	}
	out, err := w.Rotate(ctx, "notes", true, true)
	if err != nil || out.Epoch != 3 || out.Packs == 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	if again, err := w.Rotate(ctx, "notes", false, true); err != nil || again.Packs != 0 || again.Epoch != 3 {
		t.Errorf("encrypted again, and again: %+v, %v", again, err)
	}
	for path, want := range map[string]string{"a.md": "1\n", "joe.md": "joe was here\n"} {
		if data, err := w.ReadFile(ctx, "notes", "", path); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", path, data, err)
		}
	}
	if rep, err := w.Verify(ctx, "notes", true); err != nil || !rep.Healthy {
		t.Errorf("%+v, %v", rep, err)
	}
	back, _, err := w.AddMember(ctx, "notes", workspace.NewMember{Introduction: joe.introduced(t, "joe")})
	if err != nil || back.ID == "u_joe" || len(back.Rights) != 0 {
		t.Fatalf("let in again: %+v, %v", back, err)
	}
	if data, err := joe.ReadFile(ctx, "notes", "", "a.md"); err != nil || string(data) != "1\n" {
		t.Errorf("let in again: %q, %v", data, err)
	}
}

func TestLastAdministratorStays(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, joe := newWorld(t), newWorld(t)
	w.create(t, "notes", nil)
	if _, err := w.RemoveMember(ctx, "notes", "test"); !fault.Is(err, fault.Conflict) || fault.HintOf(err) == "" {
		t.Errorf("the only one removes herself: %v", err)
	}
	rights := append(writes("refs/*"), manifestv1.Right{Refs: "refs/*", Allow: []string{bucket.RightAdmin}})
	if _, _, err := w.AddMember(ctx, "notes", workspace.NewMember{Introduction: joe.introduced(t, "joe"), Rights: rights}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.RemoveMember(ctx, "notes", "test"); err != nil {
		t.Errorf("one of two: %v", err)
	}
	if _, err := w.Members(ctx, "notes"); !fault.Is(err, fault.Denied) {
		t.Errorf("she is still in: %v", err)
	}
}

// TestUnfitMembers: who cannot become a member is told why, and what to do.
func TestUnfitMembers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	w.create(t, "notes", nil)
	hybrid, err := seal.NewHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	fine := newWorld(t).introduced(t, "joe")
	change := func(edit func(*workspace.NewMember)) workspace.NewMember {
		m := workspace.NewMember{Introduction: fine, Rights: writes("refs/*")}
		edit(&m)
		return m
	}
	for name, c := range map[string]struct {
		who  workspace.NewMember
		says string
	}{
		"post-quantum keys alone":   {change(func(m *workspace.NewMember) { m.Recipients = []string{hybrid.Recipient()} }), "post-quantum"},
		"a writer without a key":    {change(func(m *workspace.NewMember) { m.Signer = "" }), "no signing key"},
		"a signing key that is not": {change(func(m *workspace.NewMember) { m.Signer = "ssh-ed25519 AAAA" }), "signing key"},
		"an unknown right":          {change(func(m *workspace.NewMember) { m.Rights[0].Allow = []string{"sudo"} }), "sudo"},
		"half an administrator": {change(func(m *workspace.NewMember) {
			m.Rights = []manifestv1.Right{{Refs: "refs/heads/x", Allow: []string{"admin"}}}
		}), "administers"},
		"a name that is not what it seems": {change(func(m *workspace.NewMember) { m.Name = "jane\u200b" }), "cannot be seen"},
		"a name like a fingerprint":        {change(func(m *workspace.NewMember) { m.Name = "SHA256:" + strings.Repeat("a", 43) }), "looks like"},
		"a name like an id":                {change(func(m *workspace.NewMember) { m.Name = "u_test" }), "looks like"},
		"a name like one's own":            {change(func(m *workspace.NewMember) { m.Name = "test (you)" }), "looks like"},
		"a long name":                      {change(func(m *workspace.NewMember) { m.Name = strings.Repeat("a", 65) }), "longer"},
		"a right on no ref":                {change(func(m *workspace.NewMember) { m.Rights = writes("refs/heads/../x") }), "refs"},
	} {
		if _, _, err := w.AddMember(ctx, "notes", c.who); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	all, err := w.Members(ctx, "notes")
	if err != nil || len(all.All) != 1 || all.Version != 1 {
		t.Errorf("%+v, %v", all, err)
	}
	mixed := change(func(m *workspace.NewMember) { m.Recipients = append(m.Recipients, hybrid.Recipient()) })
	if added, _, err := w.AddMember(ctx, "notes", mixed); err != nil || len(added.Recipients) != 1 {
		t.Errorf("of both kinds, the one that fits is taken: %+v, %v", added, err)
	}
}

// reads reports whether a recipient is among those of the members.
func reads(all workspace.Members, recipient string) bool {
	return slices.ContainsFunc(all.All, func(m manifestv1.Member) bool { return m.Until == 0 && slices.Contains(m.Recipients, recipient) })
}

// TestRecoveryKeysHaveOwners: each person's recovery key is theirs: another's does
// not take its place, and it goes with who is shut out.
func TestRecoveryKeysHaveOwners(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, joe := newWorld(t), newWorld(t)
	janes := w.buckets.MakeRecovery(t)
	w.create(t, "notes", nil)
	rights := append(writes("refs/*"), manifestv1.Right{Refs: "refs/*", Allow: []string{bucket.RightAdmin}})
	if _, _, err := w.AddMember(ctx, "notes", workspace.NewMember{Introduction: joe.introduced(t, "joe"), Rights: rights}); err != nil {
		t.Fatal(err)
	}
	text, err := w.Invite(ctx, "notes", "joe")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := joe.Join(ctx, workspace.JoinRequest{Invitation: text}); err != nil {
		t.Fatal(err)
	}
	rekey := func(x *world) {
		t.Helper()
		rows, err := x.Rekey(ctx)
		if err != nil || len(rows) != 1 || rows[0].Err != nil {
			t.Fatalf("%+v, %v", rows, err)
		}
	}
	first := joe.buckets.MakeRecovery(t)
	rekey(joe)
	joes := joe.buckets.MakeRecovery(t)
	rekey(joe)
	rekey(w)
	all, err := w.Members(ctx, "notes")
	if err != nil || !reads(all, janes) || !reads(all, joes) || reads(all, first) || all.Epoch != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	for _, m := range all.All {
		if !m.Recovery || m.Until != 0 {
			continue
		}
		if _, err := w.RemoveMember(ctx, "notes", m.ID); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
			t.Errorf("a recovery key is removed by hand: %v", err)
		}
		if _, _, err := w.SetRights(ctx, "notes", m.ID, nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("its rights are set by hand: %v", err)
		}
	}
	if _, err := w.RemoveMember(ctx, "notes", "joe"); err != nil {
		t.Fatal(err)
	}
	if all, err = w.Members(ctx, "notes"); err != nil || !reads(all, janes) || reads(all, joes) {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := w.RemoveMember(ctx, "notes", "test"); !fault.Is(err, fault.Conflict) {
		t.Errorf("a key in a safe administers nothing: %v", err)
	}
	if _, _, err := w.SetRights(ctx, "notes", "test", writes("refs/*")); !fault.Is(err, fault.Conflict) {
		t.Errorf("the last administrator gives it up: %v", err)
	}
}

// TestLimitedMembers: what could not be saved is not begun, and who was shut out
// closes what they have.
func TestLimitedMembers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, joe := newWorld(t), newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	if _, _, err := w.AddMember(ctx, "notes", workspace.NewMember{Introduction: joe.introduced(t, "joe"), Rights: writes("refs/heads/joe/*")}); err != nil {
		t.Fatal(err)
	}
	if _, err := joe.Add(ctx, "notes", info.Bucket); err != nil {
		t.Fatal(err)
	}
	if _, err := joe.tryCheckout("01UNITA", unitv1.ReadWrite); !fault.Is(err, fault.Denied) || !strings.Contains(fault.HintOf(err), "notes:ro") {
		t.Errorf("work that cannot be saved: %v", err)
	}
	joe.checkoutMode(t, "01UNITB", unitv1.ReadOnly)
	if _, err := w.RemoveMember(ctx, "notes", "joe"); err != nil {
		t.Fatal(err)
	}
	if err := joe.Shut(ctx, "notes"); err != nil {
		t.Errorf("who was shut out and changed nothing: %v", err)
	}
	if left, err := os.ReadDir(joe.repos()); err != nil || len(left) != 0 {
		t.Errorf("readable: %v, %v", left, err)
	}
}

// TestShutOutBesideOthers: who was shut out closes a workspace in which others have
// branches that are not merged.
func TestShutOutBesideOthers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, joe := newWorld(t), newWorld(t)
	w.create(t, "notes", map[string]string{"a.md": "1\n"})
	w.lets(t, joe, "joe", writes("refs/*"))
	if _, out := parallel(t, w, w, map[string]string{"a.md": "2\n"}, map[string]string{"a.md": "3\n"}); out.Merged {
		t.Fatalf("%+v", out)
	}
	if info, err := joe.Lookup(ctx, "notes"); err != nil || len(info.Unmerged) != 1 {
		t.Fatalf("%+v, %v", info, err)
	}
	if _, err := w.RemoveMember(ctx, "notes", "joe"); err != nil {
		t.Fatal(err)
	}
	if err := joe.Shut(ctx, "notes"); err != nil {
		t.Error(err)
	}
}

// TestThousandMembers: each of them reads and writes, and one is shut out.
func TestThousandMembers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, last := newWorld(t), newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	b, err := w.buckets.Open(ctx, info.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	_, err = b.SetMembership(ctx, func(m *manifestv1.Membership, _ *bucket.State) (bool, error) {
		for i := range 1000 {
			id, err := seal.NewIdentity()
			if err != nil {
				return false, err
			}
			signer, err := signature.Derive(id.String())
			if err != nil {
				return false, err
			}
			m.Members = append(m.Members, manifestv1.Member{
				ID: fmt.Sprintf("u_%04d", i), Name: fmt.Sprintf("member %04d", i), Recipients: []string{id.Recipient()}, Signers: []string{signer.Key().String()}, Rights: writes("refs/*"),
			})
		}
		return false, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.AddMember(ctx, "notes", workspace.NewMember{Introduction: last.introduced(t, "joe"), Rights: writes("refs/*")}); err != nil {
		t.Fatal(err)
	}
	if _, err := last.Add(ctx, "notes", info.Bucket); err != nil {
		t.Fatal(err)
	}
	c := last.checkout(t, "01UNITA")
	write(t, c.Dir(), map[string]string{"b.md": "from the last of them\n"})
	last.seal(t, c, "b")
	removed, err := w.RemoveMember(ctx, "notes", "member 0500")
	if err != nil || removed.Epoch != 2 {
		t.Fatalf("%+v, %v", removed, err)
	}
	if data, err := last.ReadFile(ctx, "notes", "", "b.md"); err != nil || string(data) != "from the last of them\n" {
		t.Errorf("%q, %v", data, err)
	}
	if all, err := last.Members(ctx, "notes"); err != nil || len(all.All) != 1002 || all.Self != "u_joe" {
		t.Errorf("%d members, you are %q, %v", len(all.All), all.Self, err)
	}
	if rep, err := w.Verify(ctx, "notes", false); err != nil || !rep.Healthy {
		t.Errorf("%+v, %v", rep, err)
	}
}

// TestMoreKeys: another machine of a member's, with keys of its own, is the same
// member.
func TestMoreKeys(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, joe, laptop := newWorld(t), newWorld(t), newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	if _, _, err := w.AddMember(ctx, "notes", workspace.NewMember{Introduction: joe.introduced(t, "joe"), Rights: writes("refs/*")}); err != nil {
		t.Fatal(err)
	}
	if _, err := laptop.Add(ctx, "notes", info.Bucket); !fault.Is(err, fault.Denied) {
		t.Fatalf("a key that nobody knows: %v", err)
	}
	m, _, err := w.AddKeys(ctx, "notes", "joe", laptop.introduced(t, "whatever"))
	if err != nil || len(m.Signers) != 2 || len(m.Recipients) != 2 || m.Name != "joe" || len(m.Rights) != 1 {
		t.Fatalf("%+v, %v", m, err)
	}
	if again, _, err := w.AddKeys(ctx, "notes", "joe", laptop.introduced(t, "joe")); err != nil || len(again.Signers) != 2 || len(again.Recipients) != 2 {
		t.Errorf("twice: %+v, %v", again, err)
	}
	if _, err := laptop.Add(ctx, "notes", info.Bucket); err != nil {
		t.Fatal(err)
	}
	c := laptop.checkout(t, "01UNITA")
	write(t, c.Dir(), map[string]string{"b.md": "from the laptop\n"})
	laptop.seal(t, c, "b")
	if data, err := w.ReadFile(ctx, "notes", "", "b.md"); err != nil || string(data) != "from the laptop\n" {
		t.Errorf("%q, %v", data, err)
	}
	if _, _, err := w.AddKeys(ctx, "notes", "test", joe.introduced(t, "joe")); !fault.Is(err, fault.Conflict) {
		t.Errorf("a key of two members: %v", err)
	}
	if _, err := w.RemoveMember(ctx, "notes", "joe"); err != nil {
		t.Fatal(err)
	}
	if _, err := laptop.ReadFile(ctx, "notes", "", "a.md"); !fault.Is(err, fault.Denied) {
		t.Errorf("one of a removed member's keys reads on: %v", err)
	}
}
