package workspace_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/inboxv1"
	"github.com/vexa-ai/vexa/pkg/contract/invitationv1"
	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/require"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/inbox"
)

func (w *world) signer(tb testing.TB) signature.Signer {
	tb.Helper()
	s, err := w.buckets.Signer(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// sealedLine signs a text as somebody and encrypts it.
func sealedLine(tb testing.TB, v any, namespace string, by signature.Signer, to string) []byte {
	tb.Helper()
	line, err := jsonLine(v)
	must(tb, err)
	text, err := signature.SignLine(by, namespace, line)
	must(tb, err)
	r, err := seal.ParseRecipient(to)
	must(tb, err)
	sealed, err := seal.EncryptBytes(text, r)
	must(tb, err)
	return sealed
}

// plantNotice leaves a notice at a storage.
func plantNotice(tb testing.TB, root string, n inboxv1.Notice, by signature.Signer, to signature.Key) {
	tb.Helper()
	sealed := sealedLine(tb, n, inbox.NoticeNamespace, by, to.String())
	must(tb, os.MkdirAll(filepath.Join(root, "n"), 0o700))
	must(tb, os.WriteFile(filepath.Join(root, "n", fmt.Sprintf("%06d.%06d.%s", n.Epoch, n.Version, hashOf(sealed)[:16])), sealed, 0o600))
}

// plantDelivery leaves a delivery at a storage; pack is not encrypted yet, nil is none.
func plantDelivery(tb testing.TB, root string, d inboxv1.Delivery, by signature.Signer, to string, pack []byte, objects int64) {
	tb.Helper()
	must(tb, os.MkdirAll(filepath.Join(root, "d"), 0o700))
	if pack != nil {
		r, err := seal.ParseRecipient(to)
		must(tb, err)
		sealed, err := seal.EncryptBytes(pack, r)
		must(tb, err)
		d.Pack = packOf(sealed, objects)
		must(tb, os.WriteFile(filepath.Join(root, "d", d.ID+".pack"), sealed, 0o600))
	}
	must(tb, os.WriteFile(filepath.Join(root, "d", d.ID), sealedLine(tb, d, inbox.DeliveryNamespace, by, to), 0o600))
}

// evil is a storage of a stranger that says it is a bucket, and their invitation to it.
func (w *world) evil(tb testing.TB, stranger *world, victim signature.Key, url string, version int) (invitation []byte) {
	tb.Helper()
	at := filepath.Join(stranger.tmp, "evil")
	must(tb, os.MkdirAll(at, 0o700))
	format, err := os.ReadFile(filepath.Join(bucketDir(url), "FORMAT"))
	must(tb, err)
	must(tb, os.WriteFile(filepath.Join(at, "FORMAT"), format, 0o600))
	id, s := w.atRest(tb, url).ID(), stranger.signer(tb)
	plantNotice(tb, at, inboxv1.Notice{
		Kind: inboxv1.KindNotice, Bucket: id, Version: version, Epoch: version, Recipient: stranger.buckets.Recipient(), ObjectFormat: "sha1", Administrators: []string{s.Key().String()},
		Depositors: []inboxv1.Depositor{{Signer: victim.Fingerprint(), Rights: writes("refs/*")}}, Time: time.Now().UTC().Format(time.RFC3339),
	}, s, victim)
	line, err := jsonLine(invitationv1.Invitation{
		Kind: invitationv1.KindInvitation, Bucket: id, URL: "file://" + at, Name: "fun", Roots: []string{s.Key().Fingerprint()}, Generation: 1, SHA256: strings.Repeat("0", 64), To: "x",
		Time: time.Now().UTC().Format(time.RFC3339),
	})
	must(tb, err)
	invitation, err = signature.SignLine(s, "vexa-invitation@v1", line)
	must(tb, err)
	return invitation
}

// TestInvitationsOfStrangers: an invitation by who is nobody changes nothing of a bucket
// that this installation reads, or delivers to.
func TestInvitationsOfStrangers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, jane, mallory := newWorld(t), newWorld(t), newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	w.lets(t, jane, "jane", writes("refs/*"))
	text := w.evil(t, mallory, jane.signer(t).Key(), info.Bucket, 1)
	if _, err := jane.Join(ctx, workspace.JoinRequest{Invitation: text}); err == nil {
		t.Error("who reads becomes one who delivers to a stranger")
	}
	if inbox.Of(jane.atRest(t, info.Bucket)).Joined() {
		t.Error("git of who reads delivers from now on")
	}
	ci := w.blind(t, "ci", "refs/heads/ci/*")
	n, err := ci.box.Newest(ctx)
	must(t, err)
	text = w.evil(t, newWorld(t), ci.signer(t).Key(), info.Bucket, 900)
	if _, err := ci.Join(ctx, workspace.JoinRequest{Invitation: text}); !fault.Is(err, fault.Denied) || !strings.Contains(fault.HintOf(err), "--anew") {
		t.Errorf("a stranger's invitation: %v", err)
	}
	if now, err := ci.box.Newest(ctx); err != nil || now.Recipient != n.Recipient {
		t.Errorf("%+v, %v", now.Notice, err)
	}
	if list, err := ci.List(ctx); err != nil || list[0].Bucket != info.Bucket {
		t.Errorf("%+v, %v", list, err)
	}
	// Who reads does not become one who writes alone by the way; it says how.
	if _, err := w.RemoveMember(ctx, "notes", "jane"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.AddMember(ctx, "notes", workspace.NewMember{Introduction: jane.introduced(t, "jane"), Rights: writes("refs/*"), WriteOnly: true}); err != nil {
		t.Fatal(err)
	}
	text, err = w.Invite(ctx, "notes", "jane")
	must(t, err)
	if _, err := jane.Join(ctx, workspace.JoinRequest{Invitation: text, Name: "other"}); !fault.Is(err, fault.Conflict) || !strings.Contains(fault.HintOf(err), "VEXA_HOME") {
		t.Errorf("%v", err)
	}
}

// TestFormerAdministratorsNotice: who was removed does not lead those astray who deliver,
// whichever notice they see first.
func TestFormerAdministratorsNotice(t *testing.T) {
	t.Parallel()
	for _, first := range []bool{false, true} {
		ctx := context.Background()
		w, mallory := newWorld(t), newWorld(t)
		info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
		w.lets(t, mallory, "mallory", append(writes("refs/*"), manifestv1.Right{Refs: "refs/*", Allow: []string{"admin"}}))
		ci := w.blind(t, "ci", "refs/heads/ci/*")
		n, err := ci.box.Newest(ctx)
		must(t, err)
		forged := n.Notice
		forged.Version++
		forged.Recipient, forged.Administrators = mallory.buckets.Recipient(), []string{mallory.signer(t).Key().String()}
		plant := func() {
			plantNotice(t, bucketDir(info.Bucket), forged, mallory.signer(t), ci.signer(t).Key())
		}
		if first {
			plant() // while she may, and it is seen: what she makes of it is hers
			if now, err := ci.box.Newest(ctx); err != nil || now.Recipient != mallory.buckets.Recipient() {
				t.Fatalf("%+v, %v", now.Notice, err)
			}
		}
		_, err = w.RemoveMember(ctx, "notes", "mallory")
		must(t, err)
		if !first {
			plant()
		}
		one := ci.commit(map[string]string{"log.md": "secret\n"})
		_, err = ci.box.Push(ctx, ci.repo, []bucket.Update{{Ref: "refs/heads/ci/a", New: one}}, inbox.PushOptions{})
		if !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "different things") {
			t.Errorf("first %v: %v", first, err)
		}
		text, err := w.Invite(ctx, "notes", "ci")
		must(t, err)
		if _, err := ci.Join(ctx, workspace.JoinRequest{Invitation: text}); !fault.Is(err, fault.Denied) {
			t.Errorf("first %v: joined again: %v", first, err)
		}
		if _, err := ci.Join(ctx, workspace.JoinRequest{Invitation: text, Anew: true}); err != nil {
			t.Fatal(err)
		}
		ci.mustPush("refs/heads/ci/a", one)
		if got := w.inbox(t); !slices.Equal(got, []string{"taken refs/heads/ci/a landed"}) {
			t.Errorf("first %v: %q", first, got)
		}
	}
	// What she leaves for later versions counts for nobody once somebody removed her.
	ctx := context.Background()
	w, mallory := newWorld(t), newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	w.lets(t, mallory, "mallory", append(writes("refs/*"), manifestv1.Right{Refs: "refs/*", Allow: []string{"admin"}}))
	ci := w.blind(t, "ci", "refs/heads/ci/*")
	n, err := ci.box.Newest(ctx)
	must(t, err)
	_, err = w.RemoveMember(ctx, "notes", "mallory")
	must(t, err)
	for _, v := range []int{n.Version + 2, n.Version + 900} {
		forged := n.Notice
		forged.Version, forged.Recipient = v, mallory.buckets.Recipient()
		plantNotice(t, bucketDir(info.Bucket), forged, mallory.signer(t), ci.signer(t).Key())
	}
	if now, err := ci.box.Newest(ctx); err != nil || now.Recipient == mallory.buckets.Recipient() || now.Epoch != 2 {
		t.Errorf("%+v, %v", now.Notice, err)
	}
}

// TestNothingSuppressesANotice: what somebody left under the names of notices to come.
func TestNothingSuppressesANotice(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, joe := newWorld(t), newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	w.lets(t, joe, "joe", writes("refs/*"))
	ci := w.blind(t, "ci", "refs/heads/ci/*")
	n, err := ci.box.Newest(ctx)
	must(t, err)
	for i := range 15 {
		must(t, os.WriteFile(filepath.Join(bucketDir(info.Bucket), "n", fmt.Sprintf("%06d.%06d.0123456789abcdef", n.Epoch+i/5, n.Version+i%5)), []byte("junk"), 0o600))
	}
	_, err = w.RemoveMember(ctx, "notes", "joe")
	must(t, err)
	if now, err := ci.box.Newest(ctx); err != nil || now.Epoch != n.Epoch+1 {
		t.Errorf("who was removed reads what is delivered: %+v, %v", now.Notice, err)
	}
}

// TestLongRefsBreakNothing: a name that no file can have.
func TestLongRefsBreakNothing(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, zed := newWorld(t), newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	w.lets(t, zed, "zed", writes("refs/*"))
	ci := w.blind(t, "ci", "refs/heads/ci/*")
	long := "refs/heads/ci/" + strings.Repeat("b", 252)
	one := ci.commit(map[string]string{"log.md": "1\n"})
	if err := ci.push(long, one); err == nil || !strings.Contains(err.Error(), "longer than files have names") {
		t.Errorf("it is delivered: %v", err)
	}
	n, err := ci.box.Newest(ctx)
	must(t, err)
	plantDelivery(t, bucketDir(info.Bucket), inboxv1.Delivery{
		Kind: inboxv1.KindDelivery, Bucket: n.Bucket, ID: "01FAKE00000000000000000001", Epoch: n.Epoch, ObjectFormat: "sha1",
		Updates: []inboxv1.Update{{Ref: long, ID: one}}, Time: n.Time,
	}, ci.signer(t), n.Recipient, nil, 0)
	if got := w.inbox(t); len(got) != 1 || !strings.HasPrefix(got[0], "refused ") {
		t.Errorf("%q", got)
	}
	for _, reader := range []*world{w, zed} {
		if data, err := reader.ReadFile(ctx, "notes", "", "a.md"); err != nil || string(data) != "1\n" {
			t.Errorf("%q, %v", data, err)
		}
	}
}

// TestABucketThatWasSetBack: who delivered to what is no more is told, and goes on by a
// new invitation.
func TestABucketThatWasSetBack(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	ci := w.blind(t, "ci", "refs/heads/ci/*")
	to := "file://" + filepath.Join(w.tmp, "backup")
	_, err := w.buckets.Backup(ctx, info.Bucket, to, false)
	must(t, err)
	_, err = w.Rotate(ctx, "notes", true, false)
	must(t, err)
	if n, err := ci.box.Newest(ctx); err != nil || n.Epoch != 2 {
		t.Fatalf("%+v, %v", n.Notice, err)
	}
	root := bucketDir(info.Bucket)
	for _, name := range []string{"m", "k", "o", "n", "d", "hint"} {
		must(t, os.RemoveAll(filepath.Join(root, name)))
	}
	if _, _, err := w.Restore(ctx, workspace.RestoreRequest{Workspace: "notes", From: to, AcceptOlder: true}); err != nil {
		t.Fatal(err)
	}
	one := ci.commit(map[string]string{"log.md": "1\n"})
	if _, err := ci.box.Push(ctx, ci.repo, []bucket.Update{{Ref: "refs/heads/ci/a", New: one}}, inbox.PushOptions{}); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "set back") {
		t.Errorf("what nobody can read is acknowledged: %v", err)
	}
	text, err := w.Invite(ctx, "notes", "ci")
	must(t, err)
	if _, err := ci.Join(ctx, workspace.JoinRequest{Invitation: text, Anew: true}); err != nil {
		t.Fatal(err)
	}
	ci.mustPush("refs/heads/ci/a", one)
	if got := w.inbox(t); !slices.Equal(got, []string{"taken refs/heads/ci/a landed"}) {
		t.Errorf("%q", got)
	}
}

// TestWhatWasDropped stays dropped, and keeps nothing else from being taken up.
func TestWhatWasDropped(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	ci := w.blind(t, "ci", "refs/heads/ci/*")
	one := ci.commit(map[string]string{"log.md": "1\n"})
	ci.mustPush("refs/heads/ci/a", one)
	at := filepath.Join(bucketDir(info.Bucket), "d")
	kept := map[string][]byte{}
	entries, err := os.ReadDir(at)
	must(t, err)
	for _, e := range entries {
		kept[e.Name()], err = os.ReadFile(filepath.Join(at, e.Name()))
		must(t, err)
	}
	must(t, w.DropDelivery(ctx, "notes", entries[0].Name()))
	for name, data := range kept {
		must(t, os.WriteFile(filepath.Join(at, name), data, 0o600))
	}
	if got := w.inbox(t); !slices.Equal(got, []string{"dropped refs/heads/ci/a"}) {
		t.Errorf("%q", got)
	}
	plainGit(t, ci.dir, "checkout", "-q", "--orphan", "other")
	for i := range 2 {
		ci.mustPush("refs/heads/ci/b", ci.commit(map[string]string{"x.md": fmt.Sprint(i)}))
		if got := w.inbox(t)[0]; got != "taken refs/heads/ci/b landed" {
			t.Errorf("%q", got)
		}
	}
	// What builds on it waits, until everything is sent.
	plainGit(t, ci.dir, "checkout", "-q", "main")
	ci.mustPush("refs/heads/ci/a", ci.commit(map[string]string{"log.md": "2\n"}))
	if got := w.inbox(t); !strings.HasPrefix(got[len(got)-1], "waiting refs/heads/ci/a: it builds on an earlier delivery") {
		t.Errorf("%q", got)
	}
	text, err := w.Invite(ctx, "notes", "ci")
	must(t, err)
	_, err = ci.Join(ctx, workspace.JoinRequest{Invitation: text, Anew: true})
	must(t, err)
	ci.mustPush("refs/heads/ci/a", ci.commit(map[string]string{"log.md": "3\n"}))
	if got := w.inbox(t); !slices.Contains(got, "taken refs/heads/ci/a landed") || strings.Contains(strings.Join(got, " "), "waiting") {
		t.Errorf("%q", got)
	}
}

// TestOneWhoWaitsKeepsNobodyElse: deliveries that have to wait, before one that has not.
func TestOneWhoWaitsKeepsNobodyElse(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	ci := w.blind(t, "ci", "refs/heads/ci/*")
	other := w.blind(t, "other", "refs/heads/other/*")
	n, err := ci.box.Newest(ctx)
	must(t, err)
	const many = 5
	for i := range many {
		plantDelivery(t, bucketDir(info.Bucket), inboxv1.Delivery{
			Kind: inboxv1.KindDelivery, Bucket: n.Bucket, ID: fmt.Sprintf("00000%021d", i), Epoch: n.Epoch, ObjectFormat: "sha1", Requires: []string{strings.Repeat("2", 40)},
			Updates: []inboxv1.Update{{Ref: "refs/heads/ci/x", ID: strings.Repeat("1", 40)}}, Time: n.Time,
		}, ci.signer(t), n.Recipient, nil, 0)
	}
	other.mustPush("refs/heads/other/a", other.commit(map[string]string{"log.md": "1\n"}))
	workspace.SetReceiveFor(w.Store, time.Nanosecond) // one for each time that it is opened
	for range many + 1 {
		if _, err := w.ReadFile(ctx, "notes", "", "a.md"); err != nil {
			t.Fatal(err)
		}
	}
	b := w.atRest(t, info.Bucket)
	st, err := b.Head(ctx)
	if err != nil || st.Refs["refs/heads/other/a"] == "" {
		t.Errorf("%v, %v", st.Refs, err)
	}
}

// TestNobodyFindsOutWhatIsThere: what becomes of a delivery does not tell who cannot read
// whether a file that they guess is in the workspace.
func TestNobodyFindsOutWhatIsThere(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	var became []string
	for _, guess := range []string{"pin: 4711\n", "pin: 4712\n"} {
		w := newWorld(t)
		info := w.create(t, "notes", map[string]string{"secret.md": "pin: 4711\n"})
		ci := w.blind(t, "ci", "refs/heads/ci/*")
		n, err := ci.box.Newest(ctx)
		must(t, err)
		one := ci.commit(map[string]string{"g.md": guess})
		tree := strings.TrimSpace(plainGit(t, ci.dir, "rev-parse", one+"^{tree}"))
		cmd := exec.CommandContext(ctx, "git", "-C", ci.dir, "pack-objects", "-q", "--stdout")
		cmd.Stdin = strings.NewReader(one + "\n" + tree + "\n")
		pack, err := cmd.Output()
		must(t, err)
		plantDelivery(t, bucketDir(info.Bucket), inboxv1.Delivery{
			Kind: inboxv1.KindDelivery, Bucket: n.Bucket, ID: "01FAKE00000000000000000001", Epoch: n.Epoch, ObjectFormat: "sha1",
			Updates: []inboxv1.Update{{Ref: "refs/heads/ci/x", ID: one}}, Time: n.Time,
		}, ci.signer(t), n.Recipient, pack, 2)
		got := w.inbox(t)
		_, err = os.Stat(filepath.Join(bucketDir(info.Bucket), "d", "01FAKE00000000000000000001"))
		became = append(became, fmt.Sprintf("%v %q", os.IsNotExist(err), got))
	}
	if became[0] != became[1] || !strings.Contains(became[0], "lacks objects") {
		t.Errorf("what is there is %s, and what is not is %s", became[0], became[1])
	}
}

// TestWhatFormerMembersAreTold is that they are none any more.
func TestWhatFormerMembersAreTold(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	ci := w.blind(t, "ci", "refs/heads/ci/*")
	removed, err := w.RemoveMember(ctx, "notes", "ci")
	must(t, err)
	if removed.Epoch != 1 {
		t.Errorf("a new key for who had none: epoch %d", removed.Epoch)
	}
	w.blind(t, "other", "refs/heads/project-SECRETNAME/*")
	told := 0
	everyBlob(t, info.Bucket, func(name string, data []byte) {
		plain, err := ci.buckets.OpenKeyring(ctx, data)
		if err != nil {
			return
		}
		told++
		if strings.Contains(string(plain), "SECRETNAME") {
			t.Errorf("%s tells who was removed: %.600s", name, plain)
		}
	})
	if told < 2 {
		t.Errorf("%d notices", told)
	}
}

// TestAStorageThatRefusesForAWhile: that is no verdict on what was delivered.
func TestAStorageThatRefusesForAWhile(t *testing.T) {
	t.Parallel()
	require.Unprivileged(t)
	w := newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	ci := w.blind(t, "ci", "refs/heads/ci/*")
	ci.mustPush("refs/heads/ci/a", ci.commit(map[string]string{"log.md": "1\n"}))
	at := filepath.Join(bucketDir(info.Bucket), "d")
	chmod := func(mode os.FileMode) {
		entries, err := os.ReadDir(at)
		must(t, err)
		for _, e := range entries {
			must(t, os.Chmod(filepath.Join(at, e.Name()), mode))
		}
	}
	chmod(0)
	if got := w.inbox(t); len(got) != 1 || !strings.HasPrefix(got[0], "waiting: ") || !strings.Contains(got[0], "permission denied") {
		t.Errorf("%q", got)
	}
	chmod(0o600)
	if got := w.inbox(t); !slices.Equal(got, []string{"taken refs/heads/ci/a landed"}) {
		t.Errorf("%q", got)
	}
	// Where it cannot be removed it is taken up once all the same.
	ci.mustPush("refs/heads/ci/b", ci.commit(map[string]string{"log.md": "2\n"}))
	must(t, os.Chmod(at, 0o500))
	if got := w.inbox(t); got[0] != "taken refs/heads/ci/b landed" {
		t.Errorf("%q", got)
	}
	must(t, os.Chmod(at, 0o700))
	if got := w.inbox(t); !slices.Equal(got, []string{"taken refs/heads/ci/b landed", "taken refs/heads/ci/a landed"}) {
		t.Errorf("%q", got)
	}
}

// TestWhoMayTakeUp: a member of few rights neither takes up nor drops, and invites nobody
// who would believe them.
func TestWhoMayTakeUp(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, joe := newWorld(t), newWorld(t)
	w.create(t, "notes", map[string]string{"a.md": "1\n"})
	w.lets(t, joe, "joe", writes("refs/heads/joe/*"))
	ci := w.blind(t, "ci", "refs/heads/ci/*")
	ci.mustPush("refs/heads/ci/a", ci.commit(map[string]string{"log.md": "1\n"}))
	all, err := joe.Deliveries(ctx, "notes", 10)
	if err != nil || len(all) != 1 || all[0].State != workspace.DeliveryWaiting || all[0].Member != "ci" {
		t.Fatalf("%+v, %v", all, err)
	}
	if err := joe.DropDelivery(ctx, "notes", all[0].ID); !fault.Is(err, fault.Denied) {
		t.Errorf("who may write little drops: %v", err)
	}
	if _, err := joe.Invite(ctx, "notes", "ci"); !fault.Is(err, fault.Denied) {
		t.Errorf("who is no administrator invites: %v", err)
	}
	if got := w.inbox(t); !slices.Equal(got, []string{"taken refs/heads/ci/a landed"}) {
		t.Errorf("%q", got)
	}
	// What only a reader of everything would be asked, who has no keys is not.
	if _, err := ci.Rekey(ctx); err != nil {
		t.Error(err)
	}
}
