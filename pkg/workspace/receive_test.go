package workspace_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/inboxv1"
	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/inbox"
)

// blind is somebody who writes a workspace and does not read it.
type blind struct {
	*world
	tb     testing.TB
	who    string
	bucket *bucket.Bucket
	box    *inbox.Box
	repo   *bucket.Repo
	dir    string // of their own repository
}

// blind lets somebody write and not read, and has them join.
func (w *world) blind(tb testing.TB, name string, refs ...string) *blind {
	tb.Helper()
	ctx := context.Background()
	them := newWorld(tb)
	if _, _, err := w.AddMember(ctx, "notes", workspace.NewMember{Introduction: them.introduced(tb, name), Rights: writes(refs...), WriteOnly: true}); err != nil {
		tb.Fatal(err)
	}
	return w.invited(tb, them, name)
}

func (w *world) invited(tb testing.TB, them *world, name string) *blind {
	tb.Helper()
	ctx := context.Background()
	text, err := w.Invite(ctx, "notes", name)
	if err != nil {
		tb.Fatal(err)
	}
	joined, err := them.Join(ctx, workspace.JoinRequest{Invitation: text})
	if err != nil || !joined.Info.WriteOnly || joined.Inviter != "" {
		tb.Fatalf("%+v, %v", joined, err)
	}
	b := &blind{world: them, tb: tb, who: name, dir: filepath.Join(them.tmp, "own")}
	b.reopen(joined.Info.Bucket)
	plainGit(tb, them.tmp, "init", "-q", "-b", "main", b.dir)
	plainGit(tb, b.dir, "config", "user.name", name)
	plainGit(tb, b.dir, "config", "user.email", name+"@example.org")
	b.repo, err = bucket.OpenRepo(ctx, them.git.Repo(filepath.Join(b.dir, ".git")))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(b.repo.Close)
	return b
}

func (b *blind) reopen(url string) {
	b.tb.Helper()
	var err error
	if b.bucket, err = b.buckets.Open(context.Background(), url); err != nil {
		b.tb.Fatal(err)
	}
	b.tb.Cleanup(func() { _ = b.bucket.Close() })
	b.box = inbox.Of(b.bucket)
}

// commit writes files and commits them in their own repository.
func (b *blind) commit(files map[string]string) string {
	b.tb.Helper()
	write(b.tb, b.dir, files)
	plainGit(b.tb, b.dir, "add", "-A")
	plainGit(b.tb, b.dir, "commit", "-q", "-m", "By "+b.who)
	return strings.TrimSpace(plainGit(b.tb, b.dir, "rev-parse", "HEAD"))
}

// push delivers a commit, and returns why it was refused here.
func (b *blind) push(ref, id string) error {
	b.tb.Helper()
	res, err := b.box.Push(context.Background(), b.repo, []bucket.Update{{Ref: ref, New: id}}, inbox.PushOptions{})
	if err != nil {
		b.tb.Fatal(err)
	}
	return res[0].Err
}

func (b *blind) mustPush(ref, id string) {
	b.tb.Helper()
	if err := b.push(ref, id); err != nil {
		b.tb.Fatal(err)
	}
}

// inbox returns what was delivered, and what became of it: for each the state, and the
// outcomes or why there is none.
func (w *world) inbox(tb testing.TB) []string {
	tb.Helper()
	all, err := w.Deliveries(context.Background(), "notes", 100)
	if err != nil {
		tb.Fatal(err)
	}
	var out []string
	for _, d := range all {
		text := d.State
		for _, r := range d.Refs {
			text += " " + r.Ref
			if r.Outcome != "" {
				text += " " + r.Outcome
			}
		}
		if d.Why != "" {
			text += ": " + d.Why
		}
		out = append(out, text)
	}
	return out
}

// heads returns the refs of the newest generation.
func (w *world) heads(tb testing.TB) map[string]string {
	tb.Helper()
	info, err := w.Lookup(context.Background(), "notes")
	if err != nil {
		tb.Fatal(err)
	}
	b, err := w.buckets.Open(context.Background(), info.Bucket)
	if err != nil {
		tb.Fatal(err)
	}
	defer b.Close()
	st, err := b.Head(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	return st.Refs
}

// TestWriteOnlyMember: what somebody delivers who reads nothing is there, in order,
// merged where others were faster, and a proposal where that takes people.
func TestWriteOnlyMember(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "what Jane knows\n"})
	ci := w.blind(t, "ci", "refs/heads/ci/*", "refs/heads/main", "refs/tags/*")

	// A branch that is new, forward, and again: what was sent before is left out.
	first := ci.commit(map[string]string{"log.md": strings.Repeat("a line of a log\n", 1000)})
	ci.mustPush("refs/heads/ci/nightly", first)
	second := ci.commit(map[string]string{"more.md": "2\n"})
	ci.mustPush("refs/heads/ci/nightly", second)
	ci.mustPush("refs/tags/v1", second)
	if err := ci.push("refs/heads/other", second); !errors.Is(err, bucket.ErrRights) {
		t.Errorf("a ref that is not theirs: %v", err)
	}
	if got := w.inbox(t); !slices.Equal(got, []string{"taken refs/tags/v1 landed", "taken refs/heads/ci/nightly landed", "taken refs/heads/ci/nightly landed"}) {
		t.Errorf("%q", got)
	}
	if refs := w.heads(t); refs["refs/heads/ci/nightly"] != second || refs["refs/tags/v1"] != second {
		t.Errorf("%v", refs)
	}
	w.fsck(t, info.ID)

	// Nothing is read back: not with everything that they have.
	if _, err := ci.ReadFile(ctx, "notes", "", "a.md"); !fault.Is(err, fault.Denied) || !strings.Contains(fault.HintOf(err), "git push") {
		t.Errorf("it is read: %v", err)
	}
	if _, err := ci.bucket.Head(ctx); !fault.Is(err, fault.Denied) {
		t.Errorf("the newest generation is read: %v", err)
	}
	opened := 0
	everyBlob(t, info.Bucket, func(name string, data []byte) {
		if plain, err := ci.buckets.OpenKeyring(ctx, data); err == nil {
			opened++
			if !strings.HasPrefix(name, "n/") || bytes.Contains(plain, []byte("SECRET")) || bytes.Contains(plain, []byte("notes")) {
				t.Errorf("%s opens with their keys: %q", name, plain)
			}
		}
	})
	if opened == 0 {
		t.Error("the notice does not open")
	}

	// main has no commit in common with what they have, and keeps to itself.
	ci.mustPush("refs/heads/main", second)
	if got := w.inbox(t)[0]; got != "taken refs/heads/main kept: it has no commit in common with what is there" {
		t.Errorf("%q", got)
	}
	// A tag stays what it is; a branch is in the way of another.
	if err := ci.push("refs/tags/v1", first); !errors.Is(err, bucket.ErrExists) {
		t.Errorf("a tag is moved: %v", err)
	}
	ci.mustPush("refs/heads/ci/nightly/deep", second)
	if got := w.inbox(t)[0]; got != "taken refs/heads/ci/nightly/deep kept: refs/heads/ci/nightly is in its way" {
		t.Errorf("%q %q", got, w.inbox(t))
	}

	// Somebody else goes on with their branch: it is merged, and where it conflicts
	// people decide.
	clone := filepath.Join(w.tmp, "clone")
	plainGit(t, w.tmp, "clone", "-q", "-b", "ci/nightly", w.repo(info.ID), clone)
	write(t, clone, map[string]string{"jane.md": "Jane's\n"})
	plainGit(t, clone, "add", "-A")
	plainGit(t, clone, "-c", "user.name=Jane", "-c", "user.email=j@example.org", "commit", "-q", "-m", "Jane's")
	w.pushFrom(t, clone, "refs/heads/ci/nightly")
	third := ci.commit(map[string]string{"more.md": "3\n"})
	ci.mustPush("refs/heads/ci/nightly", third)
	if got := w.inbox(t)[0]; got != "taken refs/heads/ci/nightly merged" {
		t.Errorf("%q", got)
	}
	plainGit(t, clone, "pull", "-q")
	write(t, clone, map[string]string{"more.md": "Jane's 4\n"})
	plainGit(t, clone, "-c", "user.name=Jane", "-c", "user.email=j@example.org", "commit", "-q", "-a", "-m", "Jane's")
	w.pushFrom(t, clone, "refs/heads/ci/nightly")
	before := w.heads(t)["refs/heads/ci/nightly"]
	fourth := ci.commit(map[string]string{"more.md": "4\n"})
	ci.mustPush("refs/heads/ci/nightly", fourth)
	got := w.inbox(t)[0]
	id, proposed := strings.CutPrefix(got, "taken refs/heads/ci/nightly proposed ")
	if !proposed {
		t.Fatalf("%q", got)
	}
	p, err := w.Proposal(ctx, "notes", id)
	if err != nil || p.Target != "refs/heads/ci/nightly" || len(p.Conflicts) != 1 || p.Source != fourth {
		t.Fatalf("%+v, %v", p, err)
	}
	if now := w.heads(t)["refs/heads/ci/nightly"]; now != before {
		t.Errorf("the branch is %s, and was %s", now, before)
	}
	// A branch that takes approvals gets proposals alone.
	if _, err := w.SetApprovals(ctx, "notes", "refs/heads/ci/gate", 1); err != nil {
		t.Fatal(err)
	}
	ci.mustPush("refs/heads/ci/gate", first)
	ci.mustPush("refs/heads/ci/gate", second)
	if got := w.inbox(t); got[1] != "taken refs/heads/ci/gate landed" || !strings.HasPrefix(got[0], "taken refs/heads/ci/gate proposed ") {
		t.Errorf("%q", got[:2])
	}
	// What they signed is there as it came, for stock commands.
	list := plainGit(t, w.repo(info.ID), "ls-tree", "-r", "--name-only", "refs/vexa/deliveries/u_ci")
	if n := strings.Count(list, ".json\n"); n != strings.Count(list, ".json.sig\n") || n != len(w.inbox(t)) {
		t.Errorf("%d deliveries are recorded of %d:\n%s", n, len(w.inbox(t)), list)
	}
	w.fsck(t, info.ID)
}

// pushFrom brings a commit of a clone into the workspace, as git-remote-vexa does.
func (w *world) pushFrom(tb testing.TB, dir, ref string) {
	tb.Helper()
	ctx := context.Background()
	info, err := w.Lookup(ctx, "notes")
	if err != nil {
		tb.Fatal(err)
	}
	b, err := w.buckets.Open(ctx, info.Bucket)
	if err != nil {
		tb.Fatal(err)
	}
	defer b.Close()
	r, err := bucket.OpenRepo(ctx, w.git.Repo(filepath.Join(dir, ".git")))
	if err != nil {
		tb.Fatal(err)
	}
	defer r.Close()
	id := strings.TrimSpace(plainGit(tb, dir, "rev-parse", "HEAD"))
	_, res, err := b.Push(ctx, r, []bucket.Update{{Ref: ref, New: id}}, bucket.PushOptions{})
	if err != nil || res[0].Err != nil {
		tb.Fatalf("%v, %v", res, err)
	}
}

// everyBlob calls fn with each blob of a bucket in a directory.
func everyBlob(tb testing.TB, url string, fn func(name string, data []byte)) {
	tb.Helper()
	root := strings.TrimPrefix(url, "file://")
	root = strings.NewReplacer("%20", " ", "%22", `"`, "%5C", `\`, "%C3%A9", "é", "%3A", ":").Replace(root)
	n := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		n++
		fn(strings.TrimPrefix(path, root+"/"), data)
		return err
	})
	if err != nil || n == 0 {
		tb.Fatalf("%d blobs: %v", n, err)
	}
}

// TestUnfitWriteOnlyMembers: what such a member cannot be.
func TestUnfitWriteOnlyMembers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	w.create(t, "notes", map[string]string{"a.md": "1\n"})
	rights := func(what ...string) []manifestv1.Right { return []manifestv1.Right{{Refs: "refs/*", Allow: what}} }
	for name, list := range map[string][]manifestv1.Right{"nothing": nil, "approves": rights("approve"), "administers": rights("write", "admin")} {
		_, _, err := w.AddMember(ctx, "notes", workspace.NewMember{Introduction: newWorld(t).introduced(t, "ci"), Rights: list, WriteOnly: true})
		if !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	unsigned := newWorld(t).introduced(t, "ci")
	unsigned.Signer = ""
	if _, _, err := w.AddMember(ctx, "notes", workspace.NewMember{Introduction: unsigned, Rights: writes("refs/*"), WriteOnly: true}); !fault.Is(err, fault.Invalid) {
		t.Errorf("without a signing key: %v", err)
	}
	hardware := newWorld(t).introduced(t, "ci")
	hardware.Signer = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABHNzaDo="
	if _, _, err := w.AddMember(ctx, "notes", workspace.NewMember{Introduction: hardware, Rights: writes("refs/*"), WriteOnly: true}); !fault.Is(err, fault.Invalid) {
		t.Errorf("with a key that only signs: %v", err)
	}
	ci := w.blind(t, "ci", "refs/heads/ci/*")
	if _, _, err := w.SetRights(ctx, "notes", "ci", rights("admin")); !fault.Is(err, fault.Invalid) {
		t.Errorf("made an administrator: %v", err)
	}
	if _, _, err := w.AddKeys(ctx, "notes", "ci", newWorld(t).introduced(t, "ci")); err != nil {
		t.Errorf("another machine of theirs: %v", err)
	}
	if all, err := w.Members(ctx, "notes"); err != nil || len(all.All[1].Recipients) != 0 || len(all.All[1].Signers) != 2 {
		t.Errorf("%+v, %v", all, err)
	}
	list, err := ci.List(ctx)
	if err != nil || len(list) != 1 || !list[0].WriteOnly || list[0].Problem != "" {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := ci.tryCheckout("01UNIT", "rw"); !fault.Is(err, fault.Denied) {
		t.Errorf("a dispatch works on it: %v", err)
	}
}

// TestMembersWhoDeliverFollow: a new epoch, other rights and a removal reach who
// delivers by what administrators sign alone.
func TestMembersWhoDeliverFollow(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	ci := w.blind(t, "ci", "refs/heads/ci/*")
	joe := newWorld(t)
	w.lets(t, joe, "joe", append(writes("refs/*"), manifestv1.Right{Refs: "refs/*", Allow: []string{"admin"}}))
	one := ci.commit(map[string]string{"log.md": "1\n"})
	ci.mustPush("refs/heads/ci/a", one)

	// What was encrypted to an epoch is taken up in the next one.
	if _, err := w.Rotate(ctx, "notes", true, false); err != nil {
		t.Fatal(err)
	}
	n, err := ci.box.Newest(ctx)
	if err != nil || n.Epoch != 2 {
		t.Fatalf("epoch %d, %v", n.Epoch, err)
	}
	ci.mustPush("refs/heads/ci/b", one)
	if got := w.inbox(t); !slices.Equal(got, []string{"taken refs/heads/ci/b landed", "taken refs/heads/ci/a landed"}) {
		t.Errorf("%q", got)
	}
	// An administrator whom the notices name changes the rights.
	if _, _, err := joe.SetRights(ctx, "notes", "ci", writes("refs/heads/results")); err != nil {
		t.Fatal(err)
	}
	if err := ci.push("refs/heads/ci/c", one); !errors.Is(err, bucket.ErrRights) {
		t.Errorf("beyond the new rights: %v", err)
	}
	ci.mustPush("refs/heads/results", one)

	// Whoever was killed before the notice left it to who tidies next.
	notices := func() (names []string) {
		everyBlob(t, info.Bucket, func(name string, _ []byte) {
			if strings.HasPrefix(name, "n/") {
				names = append(names, name)
			}
		})
		return names
	}
	kept := notices()
	if _, err := w.Rotate(ctx, "notes", true, false); err != nil {
		t.Fatal(err)
	}
	root := bucketDir(info.Bucket)
	for _, name := range notices() {
		if !slices.Contains(kept, name) {
			if err := os.Remove(filepath.Join(root, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	ci.mustPush("refs/heads/results", ci.commit(map[string]string{"log.md": "2\n"})) // by the epoch before
	for _, b := range []string{info.ID} {                                            // as if it had been killed before it noted that
		if err := os.Remove(filepath.Join(w.root+"-at-rest", "state", w.bucketID(t, b), "announced")); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Tidy(ctx, info.ID); err != nil {
		t.Fatal(err)
	}
	if n, err := ci.box.Newest(ctx); err != nil || n.Epoch != 3 {
		t.Errorf("after tidying: epoch %d, %v", n.Epoch, err)
	}
	if got := w.inbox(t)[0]; got != "taken refs/heads/results landed" {
		t.Errorf("%q", got)
	}

	// Who was removed is told, and what was delivered before and waits is refused.
	late := ci.commit(map[string]string{"log.md": "3\n"})
	ci.mustPush("refs/heads/results", late)
	if _, err := w.RemoveMember(ctx, "notes", "ci"); err != nil {
		t.Fatal(err)
	}
	if _, err := ci.box.Push(ctx, ci.repo, []bucket.Update{{Ref: "refs/heads/results", New: late}}, inbox.PushOptions{}); !fault.Is(err, fault.Denied) {
		t.Errorf("who was removed delivers: %v", err)
	}
	if got := w.inbox(t); !strings.HasPrefix(got[len(got)-1], "refused refs/heads/results: ci signed it, who is no member any more") {
		t.Errorf("%q", got)
	}
	st, err := w.Status(ctx, "notes")
	if err != nil || st.Inbox != 1 {
		t.Errorf("%+v, %v", st, err)
	}
	all, err := w.Deliveries(ctx, "notes", 0)
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	if err := w.DropDelivery(ctx, "notes", all[0].ID); err != nil {
		t.Fatal(err)
	}
	if err := w.DropDelivery(ctx, "notes", all[0].ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("dropped twice: %v", err)
	}
	if got, err := w.Deliveries(ctx, "notes", 0); err != nil || len(got) != 0 {
		t.Errorf("%+v, %v", got, err)
	}

	// Let in again, to read this time: the same name becomes what the invitation is for.
	if _, _, err := w.AddMember(ctx, "notes", workspace.NewMember{Introduction: ci.introduced(t, "ci"), Rights: writes("refs/*")}); err != nil {
		t.Fatal(err)
	}
	text, err := w.Invite(ctx, "notes", "ci")
	if err != nil {
		t.Fatal(err)
	}
	joined, err := ci.Join(ctx, workspace.JoinRequest{Invitation: text})
	if err != nil || joined.Info.WriteOnly || joined.Inviter != "test" || ci.box.Joined() {
		t.Fatalf("%+v, %v", joined, err)
	}
	if data, err := ci.ReadFile(ctx, "notes", "", "a.md"); err != nil || string(data) != "1\n" {
		t.Errorf("%q, %v", data, err)
	}
}

// bucketDir is the directory of a bucket.
func bucketDir(url string) string {
	root := strings.TrimPrefix(url, "file://")
	return strings.NewReplacer("%20", " ", "%22", `"`, "%5C", `\`, "%C3%A9", "é", "%3A", ":").Replace(root)
}

// delivery is one that is made by hand, to be wrong.
type delivery struct {
	inboxv1.Delivery
	by        signature.Signer
	to        string // recipient
	namespace string
	name      string
	pack      []byte // as stored
}

// TestForgedDeliveries: what is not as a member signed it, or is not that member's to
// bring, is not taken up, whoever put it there, and harms nothing else.
func TestForgedDeliveries(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	ci := w.blind(t, "ci", "refs/heads/ci/*")
	other := w.blind(t, "other", "refs/heads/other/*")
	stranger := newWorld(t)
	root := bucketDir(info.Bucket)

	// A genuine one, of which the others are made.
	one := ci.commit(map[string]string{"log.md": "1\n"})
	ci.mustPush("refs/heads/ci/a", one)
	stored, packs := map[string][]byte{}, map[string][]byte{}
	everyBlob(t, info.Bucket, func(name string, data []byte) {
		id, in := strings.CutPrefix(name, "d/")
		if pack, ok := strings.CutSuffix(id, ".pack"); in && ok {
			packs[pack] = data
		} else if in {
			stored[id] = data
		}
	})
	if len(stored) != 1 || len(packs) != 1 {
		t.Fatalf("%d deliveries, %d packs", len(stored), len(packs))
	}
	var genuine string
	for genuine = range stored {
		break
	}
	box := inbox.Of(w.atRest(t, info.Bucket))
	good, err := box.Read(ctx, genuine)
	if err != nil {
		t.Fatal(err)
	}
	n, err := ci.box.Newest(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.inbox(t); !slices.Equal(got, []string{"taken refs/heads/ci/a landed"}) {
		t.Fatalf("%q", got)
	}
	before := w.heads(t)

	ids := 0
	forge := func(edit func(d *delivery)) {
		t.Helper()
		ids++
		signer, err := ci.buckets.Signer(ctx)
		if err != nil {
			t.Fatal(err)
		}
		d := delivery{Delivery: good.Delivery, by: signer, to: n.Recipient, namespace: inbox.DeliveryNamespace, pack: packs[genuine]}
		d.ID = fmt.Sprintf("01FAKE%020d", ids)
		d.Updates = []inboxv1.Update{{Ref: "refs/heads/ci/forged", ID: one}}
		edit(&d)
		if d.name == "" {
			d.name = d.ID
		}
		line, err := jsonLine(d.Delivery)
		if err != nil {
			t.Fatal(err)
		}
		text, err := signature.SignLine(d.by, d.namespace, line)
		if err != nil {
			t.Fatal(err)
		}
		to, err := seal.ParseRecipient(d.to)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := seal.EncryptBytes(text, to)
		if err != nil {
			t.Fatal(err)
		}
		put := func(name string, data []byte) {
			if err := os.WriteFile(filepath.Join(root, "d", name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		put(d.name, sealed)
		if d.pack != nil {
			put(d.name+".pack", d.pack)
		}
	}
	sign := func(w *world) signature.Signer {
		s, err := w.buckets.Signer(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	sealPack := func(plain []byte) []byte {
		to, err := seal.ParseRecipient(n.Recipient)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := seal.EncryptBytes(plain, to)
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	hostile := hostilePack(t, ci.dir)
	for _, c := range []struct {
		name string
		edit func(*delivery)
		want string
	}{
		{"a stranger's", func(d *delivery) { d.by = sign(stranger) }, "no member signed it"},
		{"another member's ref", func(d *delivery) { d.by = sign(other.world) }, "you may not write this ref"},
		{"a ref beyond the rights", func(d *delivery) { d.Updates[0].Ref = "refs/heads/main" }, "you may not write this ref"},
		{"a ref of Vexa's own", func(d *delivery) { d.Updates[0].Ref = "refs/vexa/deliveries/u_ci" }, "branches and tags alone"},
		{"a dispatch's branch", func(d *delivery) { d.Updates[0].Ref = "refs/heads/vexa/01UNIT" }, "a dispatch's own"},
		{"a ref with an escape", func(d *delivery) { d.Updates[0].Ref = "refs/heads/ci/../main" }, "refs/heads/ci/../main"},
		{"twice the same ref", func(d *delivery) { d.Updates = append(d.Updates, d.Updates[0]) }, "twice"},
		{"of another bucket", func(d *delivery) { d.Bucket = strings.Repeat("0", 32) }, "another bucket"},
		{"under another name", func(d *delivery) { d.name = "01FAKENAME0000000000000000" }, "another one's name"},
		{"signed as a manifest", func(d *delivery) { d.namespace = bucket.Namespace }, ""},
		{"signed as a notice", func(d *delivery) { d.namespace = inbox.NoticeNamespace }, ""},
		{"encrypted to another key", func(d *delivery) { d.to = stranger.buckets.Recipient() }, "sealed for another key"},
		{"another pack than was signed", func(d *delivery) { d.pack = sealPack([]byte("PACK")) }, "not the one that was signed"},
		{"a pack that is longer", func(d *delivery) { d.pack = append(slices.Clone(d.pack), 0) }, ""},
		{"a pack that is cut short", func(d *delivery) { d.pack = d.pack[:len(d.pack)-1] }, ""},
		{"without its pack", func(d *delivery) { d.pack = nil }, "its pack is missing"},
		{"what is no pack", func(d *delivery) { d.pack = sealPack([]byte("no pack")); d.Pack = packOf(d.pack, 1) }, "not sound"},
		{"a pack with a hostile tree", func(d *delivery) {
			d.pack = sealPack(hostile.data)
			d.Pack = packOf(d.pack, 3)
			d.Updates[0].ID = hostile.commit
		}, "not sound"},
		{"what nobody sent", func(d *delivery) { d.Updates[0].ID = strings.Repeat("1", 40) }, "lacks objects"},
		{"a tree for a branch", func(d *delivery) {
			d.Updates[0].ID = strings.TrimSpace(plainGit(t, ci.dir, "rev-parse", one+"^{tree}"))
		}, "leads to no commit"},
		{"what builds on something else", func(d *delivery) { d.Requires = []string{strings.Repeat("2", 40)} }, "builds on an earlier delivery"},
		{"sha256", func(d *delivery) { d.ObjectFormat = "sha256" }, "format sha256"},
	} {
		forge(c.edit)
		all, err := w.Deliveries(ctx, "notes", 0)
		if err != nil || len(all) != 1 {
			t.Fatalf("%s: %+v, %v", c.name, all, err)
		}
		if state := all[0].State; state == workspace.DeliveryTaken || !strings.Contains(all[0].Why, c.want) {
			t.Errorf("%s: %s: %q, want %q", c.name, state, all[0].Why, c.want)
		}
		if err := w.DropDelivery(ctx, "notes", all[0].ID); err != nil {
			t.Fatal(err)
		}
	}
	// One that was taken up is none the second time, whoever puts it back.
	for _, put := range []func() error{
		func() error { return os.WriteFile(filepath.Join(root, "d", genuine), stored[genuine], 0o600) },
		func() error { return os.WriteFile(filepath.Join(root, "d", genuine+".pack"), packs[genuine], 0o600) },
	} {
		if err := put(); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.inbox(t); got[len(got)-1] != "taken refs/heads/ci/a landed" || slices.ContainsFunc(got[:len(got)-1], func(s string) bool { return !strings.HasPrefix(s, "dropped ") }) {
		t.Errorf("%q", got)
	}
	if _, err := os.Stat(filepath.Join(root, "d", genuine)); !os.IsNotExist(err) {
		t.Errorf("it stays in the inbox: %v", err)
	}
	after := w.heads(t)
	for name, id := range after {
		if before[name] != id && !strings.HasPrefix(name, "refs/vexa/deliveries/") {
			t.Errorf("%s is %s, and was %s", name, id, before[name])
		}
	}
	// And what nobody can open, besides what is genuine.
	if err := os.WriteFile(filepath.Join(root, "d", "01FAKEJVNK0000000000000000"), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	ci.mustPush("refs/heads/ci/b", one)
	got := w.inbox(t)
	if !slices.Contains(got, "taken refs/heads/ci/b landed") || !strings.HasPrefix(got[len(got)-1], "refused: ") {
		t.Errorf("%q", got)
	}
	w.fsck(t, info.ID)
}

// TestForgedNotices: to whom somebody encrypts who does not read is the word of an
// administrator whom they know, and of nobody else.
func TestForgedNotices(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	joe, zoe := newWorld(t), newWorld(t)
	ci := w.blind(t, "ci", "refs/heads/ci/*")
	w.lets(t, joe, "joe", writes("refs/*")) // no administrator
	root := bucketDir(info.Bucket)
	n, err := ci.box.Newest(ctx)
	if err != nil {
		t.Fatal(err)
	}
	own, err := ci.buckets.Signer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	put := func(by *world, edit func(*inboxv1.Notice), name string) {
		t.Helper()
		next := n.Notice
		next.Version, next.Epoch, next.Recipient = next.Version+1, next.Epoch+1, zoe.buckets.Recipient()
		edit(&next)
		signer, err := by.buckets.Signer(ctx)
		if err != nil {
			t.Fatal(err)
		}
		line, err := jsonLine(next)
		if err != nil {
			t.Fatal(err)
		}
		text, err := signature.SignLine(signer, inbox.NoticeNamespace, line)
		if err != nil {
			t.Fatal(err)
		}
		to, err := seal.ParseRecipient(own.Key().String())
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := seal.EncryptBytes(text, to)
		if err != nil {
			t.Fatal(err)
		}
		if name == "" {
			name = fmt.Sprintf("%06d.%06d.%s", next.Epoch, next.Version, hashOf(sealed)[:16])
		}
		if err := os.WriteFile(filepath.Join(root, "n", name), sealed, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	same := func(*inboxv1.Notice) {}
	put(zoe, same, "")                                                                // a stranger
	put(joe, same, "")                                                                // a member who is no administrator
	put(ci.world, same, "")                                                           // who delivers
	put(w, func(n *inboxv1.Notice) { n.Bucket = strings.Repeat("0", 32) }, "")        // another bucket's
	put(w, same, "000009.000009.0123456789abcdef")                                    // under another name
	put(w, func(x *inboxv1.Notice) { x.Version, x.Epoch = n.Version-1, n.Epoch }, "") // an old one again
	if err := os.WriteFile(filepath.Join(root, "n", "000008.000008.0123456789abcdef"), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	if now, err := ci.box.Newest(ctx); err != nil || now.Recipient != n.Recipient || now.Version != n.Version {
		t.Fatalf("%+v, %v", now.Notice, err)
	}
	one := ci.commit(map[string]string{"log.md": "1\n"})
	ci.mustPush("refs/heads/ci/a", one)
	everyBlob(t, info.Bucket, func(name string, data []byte) {
		if strings.HasPrefix(name, "d/") {
			if plain, err := zoe.buckets.OpenKeyring(ctx, data); err == nil {
				t.Errorf("a stranger reads %s: %q", name, plain)
			}
		}
	})
	if got := w.inbox(t); !slices.Equal(got, []string{"taken refs/heads/ci/a landed"}) {
		t.Errorf("%q", got)
	}
	// What was there is missed.
	if err := os.Rename(filepath.Join(root, "n"), filepath.Join(root, "n.gone")); err != nil {
		t.Fatal(err)
	}
	if now, err := ci.box.Newest(ctx); !fault.Is(err, fault.Denied) || !strings.Contains(fault.HintOf(err), "--anew") {
		t.Errorf("%+v, %v", now.Notice, err)
	}
	if err := os.Rename(filepath.Join(root, "n.gone"), filepath.Join(root, "n")); err != nil {
		t.Fatal(err)
	}
	// An invitation of a stranger leads nowhere.
	fresh := newWorld(t)
	text, err := w.Invite(ctx, "notes", "ci")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fresh.Join(ctx, workspace.JoinRequest{Invitation: text}); !fault.Is(err, fault.Denied) {
		t.Errorf("somebody else takes up the invitation: %v", err)
	}
}

// TestKilledWhileTakingUp: a delivery whose taker dies is taken up once.
func TestKilledWhileTakingUp(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"published", "taken"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
			ci := w.blind(t, "ci", "refs/heads/ci/*")
			one := ci.commit(map[string]string{"log.md": "1\n"})
			ci.mustPush("refs/heads/ci/a", one)
			if !killed(t, w.root, "", "receive "+step, 0) {
				t.Fatal("it was not killed")
			}
			if got := w.inbox(t); !slices.Equal(got, []string{"taken refs/heads/ci/a landed"}) {
				t.Errorf("%q", got)
			}
			if refs := w.heads(t); refs["refs/heads/ci/a"] != one {
				t.Errorf("%v", refs)
			}
			everyBlob(t, info.Bucket, func(name string, _ []byte) {
				if strings.HasPrefix(name, "d/") {
					t.Errorf("%s stays", name)
				}
			})
			w.fsck(t, info.ID)
		})
	}
}

// TestDeliveriesSurviveABackup: what waits is no less there in a bucket that was
// restored, and who delivers goes on.
func TestDeliveriesSurviveABackup(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	ci := w.blind(t, "ci", "refs/heads/ci/*")
	one := ci.commit(map[string]string{"log.md": "1\n"})
	ci.mustPush("refs/heads/ci/a", one)
	to := "file://" + filepath.Join(w.tmp, "backup")
	if _, err := w.buckets.Backup(ctx, info.Bucket, to, false); err != nil {
		t.Fatal(err)
	}
	root := bucketDir(info.Bucket)
	for _, name := range []string{"d", "n"} {
		if err := os.RemoveAll(filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.buckets.Restore(ctx, to, info.Bucket, false); err != nil {
		t.Fatal(err)
	}
	if got := w.inbox(t); !slices.Equal(got, []string{"taken refs/heads/ci/a landed"}) {
		t.Errorf("%q", got)
	}
}

// TestAbandonedPacks: a pack without its delivery goes when it is a day old.
func TestAbandonedPacks(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	w.blind(t, "ci", "refs/heads/ci/*")
	at := filepath.Join(bucketDir(info.Bucket), "d")
	if err := os.MkdirAll(at, 0o700); err != nil {
		t.Fatal(err)
	}
	now := time.Unix(w.now.Load(), 0)
	for name, age := range map[string]time.Duration{"01FAKE0000000000000000000A.pack": time.Hour, "01FAKE0000000000000000000B.pack": 25 * time.Hour} {
		path := filepath.Join(at, name)
		if err := errors.Join(os.WriteFile(path, []byte("x"), 0o600), os.Chtimes(path, now.Add(-age), now.Add(-age))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Tidy(ctx, info.ID); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(at)
	if err != nil || len(left) != 1 || left[0].Name() != "01FAKE0000000000000000000A.pack" {
		t.Errorf("%v, %v", left, err)
	}
	if got := w.inbox(t); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

// atRest opens a bucket as another program of the same person does.
func (w *world) atRest(tb testing.TB, url string) *bucket.Bucket {
	tb.Helper()
	b, err := w.buckets.Open(context.Background(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = b.Close() })
	return b
}

func jsonLine(v any) ([]byte, error) { return json.Marshal(v) }

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func packOf(stored []byte, objects int64) *inboxv1.Pack {
	return &inboxv1.Pack{SHA256: hashOf(stored), Size: int64(len(stored)), Objects: objects}
}

// hostile is a pack whose commit has a tree that would be a repository's own directory.
type hostile struct {
	data   []byte
	commit string
}

func hostilePack(tb testing.TB, dir string) hostile {
	tb.Helper()
	run := func(stdin string, args ...string) string {
		cmd := exec.CommandContext(context.Background(), "git", append([]string{"-C", dir, "-c", "user.name=x", "-c", "user.email=x@example.org"}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.Output()
		if err != nil {
			tb.Fatalf("git %v: %v", args, err)
		}
		return string(out)
	}
	file := strings.TrimSpace(run("[core]\n\tfsmonitor = touch /tmp/pwned\n", "hash-object", "-w", "--stdin"))
	tree := strings.TrimSpace(run("100644 blob "+file+"\t.git\n", "mktree"))
	commit := strings.TrimSpace(run("", "commit-tree", "-m", "hostile", tree))
	return hostile{data: []byte(run(file+"\n"+tree+"\n"+commit+"\n", "pack-objects", "-q", "--stdout")), commit: commit}
}

// bucketID is the id of a workspace's bucket.
func (w *world) bucketID(tb testing.TB, id string) string {
	tb.Helper()
	url, err := w.Bucket(context.Background(), id)
	if err != nil {
		tb.Fatal(err)
	}
	return w.atRest(tb, url).ID()
}
