package workspace_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/contract/proposalv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/require"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/proposal"
)

func may(refs string, allow ...string) []manifestv1.Right {
	return []manifestv1.Right{{Refs: refs, Allow: allow}}
}

// lets has a member of another world join the workspace notes of w.
func (w *world) lets(t *testing.T, other *world, name string, rights []manifestv1.Right) {
	t.Helper()
	ctx := context.Background()
	if _, _, err := w.AddMember(ctx, "notes", workspace.NewMember{Introduction: other.introduced(t, name), Rights: rights}); err != nil {
		t.Fatal(err)
	}
	text, err := w.Invite(ctx, "notes", name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Join(ctx, workspace.JoinRequest{Invitation: text, Name: "notes"}); err != nil {
		t.Fatal(err)
	}
}

// parallel has a dispatch of w and one of other change files from the same commit,
// w's first.
func parallel(t *testing.T, w, other *world, first, second map[string]string) (unit string, out workspace.Sealed) {
	t.Helper()
	unit = "01UNITP"
	one, two := w.checkout(t, "01UNITO"), other.checkout(t, unit)
	write(t, one.Dir(), first)
	if got := w.seal(t, one, "first"); !got.Merged {
		t.Fatalf("%+v", got)
	}
	write(t, two.Dir(), second)
	return unit, other.seal(t, two, "Second, with a title")
}

const page = "---\nstatus: open\nowner: jane\n---\n\n# Plan\n\none\n"

// TestProposal is the story of one: two edit the same key, the second becomes a
// proposal, is resolved, two approve, and it is accepted; git and ssh-keygen verify
// who did what.
func TestProposal(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, joe, ann := newWorld(t), newWorld(t), newWorld(t)
	info := w.create(t, "notes", map[string]string{"plan.md": page, "other.md": "x\n"})
	w.lets(t, joe, "joe", may("refs/*", "write", "approve"))
	w.lets(t, ann, "ann", may("refs/heads/main", "approve"))
	unit, out := parallel(t, w, joe,
		map[string]string{"plan.md": strings.Replace(page, "open", "done", 1)},
		map[string]string{"plan.md": strings.Replace(page, "open", "late", 1), "new.md": "new\n"})
	if out.Merged || out.Proposal != unit || !slices.Equal(out.Conflicts, []string{"plan.md"}) {
		t.Fatalf("%+v", out)
	}
	p, err := w.Proposal(ctx, "notes", strings.ToLower(unit[:5]))
	if err != nil || p.ID != unit || p.Status != "open" || p.Title != "Second, with a title" || p.By.Name != "joe" || p.Problem != "" || len(p.Conflicts) != 1 {
		t.Fatalf("%+v, %v", p, err)
	}
	if c := p.Conflicts[0]; c.Path != "plan.md" || !strings.HasPrefix(c.Why[0], "status: ") || c.Base == nil || c.Ours == nil || c.Theirs == nil {
		t.Errorf("%+v", c)
	}
	if list, err := ann.Proposals(ctx, "notes", false); err != nil || len(list) != 1 || list[0].ID != unit {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := w.SetApprovals(ctx, "notes", "refs/heads/main", 4); !fault.Is(err, fault.Conflict) {
		t.Errorf("more approvals than there are members: %v", err)
	}
	if pol, err := w.SetApprovals(ctx, "notes", "refs/heads/main", 2); err != nil || pol.Approvals[0].Threshold != 2 {
		t.Fatalf("%+v, %v", pol, err)
	}
	if _, err := w.ApproveProposal(ctx, "notes", unit, "", jane); !fault.Is(err, fault.Conflict) || !strings.Contains(fault.HintOf(err), "resolve") {
		t.Errorf("approved what conflicts: %v", err)
	}
	sides, err := w.ProposalSides(ctx, "notes", unit, "plan.md")
	if err != nil || !strings.Contains(string(sides.Ours), "done") || !strings.Contains(string(sides.Theirs), "late") || !strings.Contains(string(sides.Base), "open") {
		t.Fatalf("%+v, %v", sides, err)
	}
	if _, err := w.ResolveProposal(ctx, "notes", unit, workspace.Resolution{Paths: []string{"plan.md"}, How: "edited", Content: sides.Merged, Author: jane}); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "marker") {
		t.Errorf("resolved with markers: %v\n%s", err, sides.Merged)
	}
	if _, err := w.CommentProposal(ctx, "notes", unit, "Which is it?", jane); err != nil {
		t.Fatal(err)
	}
	p, err = w.ResolveProposal(ctx, "notes", unit, workspace.Resolution{How: "edited", Content: []byte(strings.Replace(page, "open", "late but done", 1)), Author: jane})
	if err != nil || p.Conflicts[0].Resolution != "edited" || p.Needed != 2 {
		t.Fatalf("%+v, %v", p, err)
	}
	diff, _, err := ann.ProposalDiff(ctx, "notes", unit, "")
	if err != nil || !strings.Contains(diff, "-status: done") || !strings.Contains(diff, "+status: late but done") || !strings.Contains(diff, "+new") {
		t.Errorf("%s, %v", diff, err)
	}
	if p, err = ann.ApproveProposal(ctx, "notes", unit, "", jane); err != nil || p.Approved != 1 || len(p.Approvals) != 1 || p.Approvals[0].By.Name != "ann" {
		t.Fatalf("%+v, %v", p, err)
	}
	if again, err := ann.ApproveProposal(ctx, "notes", unit, "", jane); err != nil || again.Approved != 1 || len(again.Events) != len(p.Events) {
		t.Errorf("approved twice: %+v, %v", again, err)
	}
	if _, err := joe.AcceptProposal(ctx, "notes", unit, "", jane); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "1 approved") {
		t.Errorf("accepted with one approval: %v", err)
	}
	if p, err = w.ApproveProposal(ctx, "notes", unit, "", jane); err != nil || p.Approved != 2 {
		t.Fatalf("%+v, %v", p, err)
	}
	if _, err := ann.AcceptProposal(ctx, "notes", unit, "", jane); !fault.Is(err, fault.Denied) {
		t.Errorf("who may not write accepts: %v", err)
	}
	if p, err = joe.AcceptProposal(ctx, "notes", unit, "", jane); err != nil || p.Status != "accepted" || p.Problem != "" {
		t.Fatalf("%+v, %v", p, err)
	}
	var kinds []string
	for _, e := range p.Events {
		kinds = append(kinds, e.Kind+" "+e.By.Name)
	}
	if want := []string{"opened joe", "commented test", "resolved test", "approved ann", "approved test", "accepted joe"}; !slices.Equal(kinds, want) || p.Events[1].Text != "Which is it?" {
		t.Errorf("%q", kinds)
	}
	if got := w.read(t, "plan.md") + w.read(t, "new.md"); got != strings.Replace(page, "open", "late but done", 1)+"new\n" {
		t.Errorf("main has %q", got)
	}
	if list, err := w.Proposals(ctx, "notes", false); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	w.fsck(t, info.ID)
	storyOf(t, w, joe, ann, info.ID, p)
}

// storyOf reads a proposal with git and ssh-keygen alone.
func storyOf(t *testing.T, w, joe, ann *world, id string, p workspace.Proposal) {
	t.Helper()
	keygen := require.Tool(t, "ssh-keygen")
	dir := t.TempDir()
	var allowed strings.Builder
	for name, x := range map[string]*world{"test": w, "joe": joe, "ann": ann} {
		key := x.introduced(t, name).Signer
		allowed.WriteString(name + ` namespaces="git,` + proposal.ApprovalNamespace + `" ` + key + "\n")
	}
	signers := filepath.Join(dir, "allowed_signers")
	if err := os.WriteFile(signers, []byte(allowed.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	repo := "--git-dir=" + w.repo(id)
	log := plainGit(t, "/", repo, "-c", "gpg.ssh.allowedSignersFile="+signers, "-c", "gpg.format=ssh", "log", "--first-parent", "--format=%G? %GS %s", proposal.Ref(p.ID), "--not", p.Source)
	want := "G joe Accept: Second, with a title\nG test Approve: Second, with a title\nG ann Approve: Second, with a title\nG test Resolve plan.md\nG test Comment: Second, with a title\nG joe Propose: Second, with a title\n"
	if log != want {
		t.Errorf("git says\n%swant\n%s", log, want)
	}
	if got := plainGit(t, "/", repo, "-c", "gpg.ssh.allowedSignersFile="+signers, "-c", "gpg.format=ssh", "log", "-1", "--format=%G? %GS %s%n%(trailers:key=Approved-by,valueonly)", "refs/heads/main"); !strings.HasPrefix(got, "G joe Accept: Second, with a title\n") || !strings.Contains(got, "ann SHA256:") || !strings.Contains(got, "test SHA256:") {
		t.Errorf("main's commit: %s", got)
	}
	files := strings.Fields(plainGit(t, "/", repo, "ls-tree", "-r", "--name-only", proposal.Ref(p.ID)))
	if !slices.Contains(files, "result/new.md") || !slices.Contains(files, "proposal.md") {
		t.Errorf("%q", files)
	}
	approvals := 0
	for _, f := range files {
		if !strings.HasPrefix(f, "approvals/") || !strings.HasSuffix(f, ".json") {
			continue
		}
		approvals++
		text := plainGit(t, "/", repo, "cat-file", "blob", proposal.Ref(p.ID)+":"+f)
		sig := filepath.Join(dir, "sig")
		if err := os.WriteFile(sig, []byte(plainGit(t, "/", repo, "cat-file", "blob", proposal.Ref(p.ID)+":"+f+".sig")), 0o600); err != nil {
			t.Fatal(err)
		}
		ok := false
		for _, name := range []string{"test", "joe", "ann"} {
			cmd := exec.Command(keygen, "-Y", "verify", "-f", signers, "-I", name, "-n", proposal.ApprovalNamespace, "-s", sig)
			cmd.Stdin = strings.NewReader(text)
			ok = ok || cmd.Run() == nil
		}
		var a proposalv1.Approval
		if err := json.Unmarshal([]byte(text), &a); !ok || err != nil || a.Result != p.Result || a.From != p.From {
			t.Errorf("%s: verified %v, %v", text, ok, err)
		}
	}
	if approvals != 2 {
		t.Errorf("%d approvals", approvals)
	}
}

// TestProtectedMain: where the policy asks for approvals, nothing reaches main but
// through proposals: not a dispatch that merges, not an undo, not a push.
func TestProtectedMain(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	c := w.checkout(t, "01UNITA")
	write(t, c.Dir(), map[string]string{"a.md": "2\n"})
	w.seal(t, c, "before the rule")
	for _, bad := range []string{"refs/tags/*", "refs/heads/*", "refs/heads/vexa/*", "main", "refs/heads/../x"} {
		if _, err := w.SetApprovals(ctx, "notes", bad, 1); !fault.Is(err, fault.Invalid) {
			t.Errorf("a rule for %s: %v", bad, err)
		}
	}
	if _, err := w.SetApprovals(ctx, "notes", "refs/heads/main", 1); err != nil {
		t.Fatal(err)
	}
	write(t, c.Dir(), map[string]string{"b.md": "by an agent\n"})
	out := w.seal(t, c, "after the rule")
	if out.Merged || out.Proposal != "01UNITA" || len(out.Conflicts) != 0 || w.read(t, "b.md") != "(none)" {
		t.Fatalf("%+v", out)
	}
	write(t, c.Dir(), map[string]string{"b.md": "by an agent, again\n"})
	if again := w.seal(t, c, "more"); again.Proposal != "01UNITA" {
		t.Fatalf("%+v", again)
	}
	undone, err := w.Undo(ctx, "notes", workspace.UndoRequest{Author: jane})
	if err != nil || undone.SHA != "" || undone.Proposal == "" || w.read(t, "a.md") != "2\n" {
		t.Fatalf("%+v, %v", undone, err)
	}
	b, err := w.buckets.Open(ctx, info.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	repo := w.bucketRepo(t, info.ID)
	tip := strings.TrimSpace(plainGit(t, "/", "--git-dir="+w.repo(info.ID), "rev-parse", "refs/heads/vexa/01UNITA"))
	pRef := proposal.Ref("01UNITA")
	for name, u := range map[string]bucket.Update{
		"a push":               {Ref: "refs/heads/main", New: tip},
		"a forced one":         {Ref: "refs/heads/main", New: tip, Force: true},
		"one with a lease":     {Ref: "refs/heads/main", New: tip, Lease: &info.Head},
		"a deletion":           {Ref: "refs/heads/main"},
		"a proposal's removal": {Ref: pRef},
	} {
		_, results, err := b.Push(ctx, repo, []bucket.Update{u}, bucket.PushOptions{})
		if err != nil || results[0].Err == nil {
			t.Errorf("%s: %+v, %v", name, results, err)
		}
	}
	for _, id := range []string{"01UNITA", undone.Proposal} {
		if _, err := w.AcceptProposal(ctx, "notes", id, "", jane); !fault.Is(err, fault.Denied) && !fault.Is(err, fault.Conflict) {
			t.Errorf("accepted without approval: %v", err)
		}
		if _, err := w.ApproveProposal(ctx, "notes", id, "", jane); err != nil && !fault.Is(err, fault.Conflict) {
			t.Fatal(err)
		}
		if p, err := w.AcceptProposal(ctx, "notes", id, "", jane); err == nil {
			continue
		} else if _, err := w.RefreshProposal(ctx, "notes", id, jane); err != nil {
			t.Fatalf("%+v, %v", p, err)
		}
		if p, err := w.ApproveProposal(ctx, "notes", id, "", jane); err != nil || p.Approved != 1 {
			t.Fatalf("%+v, %v", p, err)
		}
		if p, err := w.AcceptProposal(ctx, "notes", id, "", jane); err != nil || p.Status != "accepted" {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	if got := w.read(t, "a.md") + w.read(t, "b.md"); got != "1\nby an agent, again\n" {
		t.Errorf("main has %q", got)
	}
	if log, err := w.Log(ctx, "notes", workspace.LogQuery{Limit: 1}); err != nil || log[0].Subject != jane.Subject || strings.Contains(log[0].Message, "\n") {
		t.Errorf("%+v, %v", log, err)
	}
	if log, err := w.Log(ctx, "notes", workspace.LogQuery{Unit: "01UNITA"}); err != nil || len(log) < 3 {
		t.Errorf("%d commits of the dispatch, %v", len(log), err)
	}
	if again, err := w.Undo(ctx, "notes", workspace.UndoRequest{Author: jane}); err != nil || again.Proposal == "" {
		t.Errorf("undo of what was accepted: %+v, %v", again, err)
	}
	if _, err := w.SetApprovals(ctx, "notes", "refs/heads/main", 0); err != nil {
		t.Fatal(err)
	}
	write(t, c.Dir(), map[string]string{"c.md": "merged\n"})
	if out := w.seal(t, c, "without the rule"); !out.Merged || w.read(t, "c.md") != "merged\n" {
		t.Errorf("%+v", out)
	}
}

// bucketRepo is the open repository of a workspace as the bucket takes it.
func (w *world) bucketRepo(t *testing.T, id string) *bucket.Repo {
	t.Helper()
	r := w.git.Repo(w.repo(id))
	t.Cleanup(r.Close)
	out, err := bucket.OpenRepo(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestProposalOfAPerson: a branch that somebody pushed is proposed, moves on, is
// refreshed, keeps what was resolved, and is rejected or merged.
func TestProposalOfAPerson(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "1\n", "b.md": "1\n", "old.md": "1\n"})
	clone := w.clone(t, info)
	push := func(branch string, files map[string]string) {
		t.Helper()
		write(t, clone, files)
		plainGit(t, clone, "add", "-A")
		plainGit(t, clone, "commit", "-q", "-m", "Mine: \x1b[31mred\x1b[0m")
		w.push(t, info, clone, "HEAD:refs/heads/"+branch)
	}
	push("joe/x", map[string]string{"a.md": "joe's\n"})
	if _, err := w.Propose(ctx, workspace.ProposeRequest{Workspace: "notes", Branch: "joe/none", Author: jane}); !fault.Is(err, fault.NotFound) {
		t.Errorf("a branch that is not there: %v", err)
	}
	for _, bad := range []string{"", "--all", "refs/tags/x", "a..b"} {
		if _, err := w.Propose(ctx, workspace.ProposeRequest{Workspace: "notes", Branch: bad, Author: jane}); err == nil {
			t.Errorf("the branch %q: %v", bad, err)
		}
	}
	p, err := w.Propose(ctx, workspace.ProposeRequest{Workspace: "notes", Branch: "joe/x", Body: "Please.\n", Author: jane})
	if err != nil || strings.Contains(p.Title, "\x1b") || !strings.HasPrefix(p.Title, "Mine") || p.Body != "Please." || len(p.Conflicts) != 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	if _, err := w.Propose(ctx, workspace.ProposeRequest{Workspace: "notes", Branch: "joe/x", Author: jane}); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), p.ID) {
		t.Errorf("proposed twice: %v", err)
	}
	c := w.checkout(t, "01UNITA")
	write(t, c.Dir(), map[string]string{"a.md": "an agent's\n", "b.md": "an agent's\n"})
	w.seal(t, c, "meanwhile")
	if _, err := w.AcceptProposal(ctx, "notes", p.ID, "", jane); !fault.Is(err, fault.Conflict) {
		t.Errorf("accepted what conflicts by now: %v", err)
	}
	if p, err = w.RefreshProposal(ctx, "notes", p.ID, jane); err != nil || len(p.Conflicts) != 1 || p.Conflicts[0].Path != "a.md" {
		t.Fatalf("%+v, %v", p, err)
	}
	for _, bad := range []workspace.Resolution{
		{Paths: []string{"b.md"}, How: "ours"}, {Paths: []string{"a.md"}, How: "both"}, {Paths: []string{"a.md", "a.md"}, How: "ours"},
	} {
		if _, err := w.ResolveProposal(ctx, "notes", p.ID, bad); err == nil {
			t.Errorf("resolved: %+v", bad)
		}
	}
	if p, err = w.ResolveProposal(ctx, "notes", p.ID, workspace.Resolution{How: "theirs", Author: jane}); err != nil || p.Conflicts[0].Resolution != "theirs" {
		t.Fatalf("%+v, %v", p, err)
	}
	push("joe/x", map[string]string{"new.md": "more\n"})
	if p, err = w.Proposal(ctx, "notes", p.ID); err != nil || !p.Stale {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err = w.RefreshProposal(ctx, "notes", p.ID, jane); err != nil || p.Stale || p.Conflicts[0].Resolution != "theirs" {
		t.Fatalf("what was resolved is lost: %+v, %v", p, err)
	}
	if again, err := w.RefreshProposal(ctx, "notes", p.ID, jane); err != nil || len(again.Events) != len(p.Events) {
		t.Errorf("refreshed for nothing: %+v, %v", again, err)
	}
	if p, err = w.AcceptProposal(ctx, "notes", p.ID, "", jane); err != nil || p.Status != "accepted" {
		t.Fatalf("%+v, %v", p, err)
	}
	if got := w.read(t, "a.md") + w.read(t, "b.md") + w.read(t, "new.md"); got != "joe's\nan agent's\nmore\n" {
		t.Errorf("main has %q", got)
	}
	for _, do := range []func() error{
		func() error { _, err := w.AcceptProposal(ctx, "notes", p.ID, "", jane); return err },
		func() error { _, err := w.RejectProposal(ctx, "notes", p.ID, "", jane); return err },
		func() error { _, err := w.RefreshProposal(ctx, "notes", p.ID, jane); return err },
	} {
		if err := do(); !fault.Is(err, fault.Conflict) {
			t.Errorf("after it was accepted: %v", err)
		}
	}
	push("joe/y", map[string]string{"never.md": "never\n"})
	p, err = w.Propose(ctx, workspace.ProposeRequest{Workspace: "notes", Branch: "joe/y", Title: "Never", Author: jane})
	if err != nil {
		t.Fatal(err)
	}
	if p, err = w.RejectProposal(ctx, "notes", p.ID, "No.", jane); err != nil || p.Status != "rejected" || p.Events[1].Text != "No." {
		t.Errorf("%+v, %v", p, err)
	}
	if all, err := w.Proposals(ctx, "notes", true); err != nil || len(all) != 2 {
		t.Errorf("%+v, %v", all, err)
	}
	w.fsck(t, info.ID)
}

// clone is an ordinary clone of the open repository.
func (w *world) clone(t *testing.T, info workspace.Info) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "clone")
	if _, err := w.Files(context.Background(), info.Name, ""); err != nil {
		t.Fatal(err)
	}
	plainGit(t, t.TempDir(), "clone", "-q", w.repo(info.ID), dir)
	return dir
}

// push pushes from a clone into the bucket, as git-remote-vexa does.
func (w *world) push(t *testing.T, info workspace.Info, clone, spec string) {
	t.Helper()
	ctx := context.Background()
	b, err := w.buckets.Open(ctx, info.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	from, to, _ := strings.Cut(spec, ":")
	r := w.git.Repo(filepath.Join(clone, ".git"))
	defer r.Close()
	repo, err := bucket.OpenRepo(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	_, results, err := b.Push(ctx, repo, []bucket.Update{{Ref: to, New: strings.TrimSpace(plainGit(t, clone, "rev-parse", from))}}, bucket.PushOptions{})
	if err != nil || results[0].Err != nil {
		t.Fatal(results, err)
	}
}

// TestProposalSidesOfEveryKind: removed, added on both sides, binary and renamed
// files are resolved to either side.
func TestProposalSidesOfEveryKind(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	binary := "\x00\x01\x02"
	files := map[string]string{"gone.md": "1\n", "kept.md": "1\n", "bin": binary, "dir/deep/x.md": "1\n"}
	for _, how := range []string{"ours", "theirs", "removed"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.create(t, "notes", files)
			one, two := w.checkout(t, "01UNITO"), w.checkout(t, "01UNITP")
			for _, gone := range []struct{ dir, path string }{{one.Dir(), "gone.md"}, {one.Dir(), "dir/deep/x.md"}, {two.Dir(), "kept.md"}} {
				if err := os.Remove(filepath.Join(gone.dir, gone.path)); err != nil {
					t.Fatal(err)
				}
			}
			write(t, one.Dir(), map[string]string{"kept.md": "ours\n", "bin": binary + "ours", "both.md": "ours\n"})
			write(t, two.Dir(), map[string]string{"gone.md": "theirs\n", "bin": binary + "theirs", "both.md": "theirs\n", "dir/deep/x.md": "theirs\n"})
			w.seal(t, one, "one")
			out := w.seal(t, two, "two")
			if len(out.Conflicts) != 5 {
				t.Fatalf("%+v", out)
			}
			for _, path := range out.Conflicts {
				sides, err := w.ProposalSides(ctx, "notes", out.Proposal, path)
				if err != nil || path == "bin" && sides.Merged != nil {
					t.Errorf("%s: %+v, %v", path, sides, err)
				}
			}
			if _, err := w.ResolveProposal(ctx, "notes", out.Proposal, workspace.Resolution{How: how, Author: jane}); err != nil {
				t.Fatal(err)
			}
			if p, err := w.AcceptProposal(ctx, "notes", out.Proposal, "", jane); err != nil || p.Status != "accepted" {
				t.Fatalf("%+v, %v", p, err)
			}
			want := map[string][3]string{
				"gone.md": {"(none)", "theirs\n", "(none)"}, "kept.md": {"ours\n", "(none)", "(none)"}, "bin": {binary + "ours", binary + "theirs", "(none)"},
				"both.md": {"ours\n", "theirs\n", "(none)"}, "dir/deep/x.md": {"(none)", "theirs\n", "(none)"},
			}
			for path, each := range want {
				if got := w.read(t, path); got != each[slices.Index([]string{"ours", "theirs", "removed"}, how)] {
					t.Errorf("%s is %q", path, got)
				}
			}
		})
	}
}

// TestObsoleteProposal: what conflicted lands with a later turn after all.
func TestObsoleteProposal(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	w.create(t, "notes", map[string]string{"a.md": "1\n"})
	one, two := w.checkout(t, "01UNITO"), w.checkout(t, "01UNITP")
	write(t, one.Dir(), map[string]string{"a.md": "one\n"})
	w.seal(t, one, "one")
	write(t, two.Dir(), map[string]string{"a.md": "two\n", "b.md": "b\n"})
	if out := w.seal(t, two, "two"); out.Proposal != "01UNITP" {
		t.Fatalf("%+v", out)
	}
	write(t, two.Dir(), map[string]string{"a.md": "one\n"})
	if out := w.seal(t, two, "as they have it"); !out.Merged {
		t.Fatalf("%+v", out)
	}
	if p, err := w.Proposal(ctx, "notes", "01UNITP"); err != nil || p.Status != "obsolete" {
		t.Errorf("%+v, %v", p, err)
	}
	three := w.checkout(t, "01UNITQ")
	write(t, three.Dir(), map[string]string{"b.md": "three\n"})
	w.seal(t, three, "again")
	write(t, two.Dir(), map[string]string{"b.md": "two\n"})
	out := w.seal(t, two, "and again")
	p, err := w.Proposal(ctx, "notes", "01UNITP")
	if err != nil || out.Merged || p.Status != "open" || p.Events[len(p.Events)-1].Kind != "reopened" {
		t.Errorf("%+v, %+v, %v", out, p, err)
	}
}

// TestUndoProposes: an undo that conflicts waits for people, and what they accept
// counts as an undo.
func TestUndoProposes(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	w.create(t, "notes", map[string]string{"a.md": "1\n2\n3\n"})
	c := w.checkout(t, "01UNITA")
	write(t, c.Dir(), map[string]string{"a.md": "one\n2\n3\n"})
	w.seal(t, c, "the first")
	write(t, c.Dir(), map[string]string{"a.md": "one and more\n2\n3\n"})
	first := w.seal(t, c, "the second")
	d := w.checkout(t, "01UNITB")
	write(t, d.Dir(), map[string]string{"a.md": "one and more and more\n2\n3\n"})
	w.seal(t, d, "another's")
	out, err := w.Undo(ctx, "notes", workspace.UndoRequest{Dispatch: "01UNITA", Author: jane, Launcher: "user:u_jane"})
	if err != nil || out.SHA != "" || out.Proposal == "" || !slices.Equal(out.Conflicts, []string{"a.md"}) || w.read(t, "a.md") != "one and more and more\n2\n3\n" {
		t.Fatalf("%+v, %v", out, err)
	}
	p, err := w.Proposal(ctx, "notes", out.Proposal)
	if err != nil || len(p.Undoes) != 2 || p.Undoes[0] != first.SHA || p.Problem != "" || p.Branch != "" {
		t.Fatalf("%+v, %v", p, err)
	}
	if _, err := w.ResolveProposal(ctx, "notes", p.ID, workspace.Resolution{How: "theirs", Author: jane}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.AcceptProposal(ctx, "notes", p.ID, "", jane); err != nil {
		t.Fatal(err)
	}
	if got := w.read(t, "a.md"); got != "1\n2\n3\n" {
		t.Errorf("main has %q", got)
	}
	next, err := w.Undo(ctx, "notes", workspace.UndoRequest{Author: jane})
	if err != nil || len(next.Conflicts) == 0 && len(next.Reverted) == 0 {
		t.Fatalf("%+v, %v", next, err)
	}
	for _, sha := range next.Reverted {
		if sha == first.SHA {
			t.Error("what was taken back is taken back again")
		}
	}
}

// forge rewrites the newest commit of a proposal in a world's open repository and
// pushes it, as a member does whose client has no scruples. sign may be nil.
func (w *world) forge(t *testing.T, info workspace.Info, id string, edit map[string]func(string) string, message string, sign signature.Signer) {
	t.Helper()
	ctx := context.Background()
	if _, err := w.Proposals(ctx, "notes", true); err != nil { // what is newest
		t.Fatal(err)
	}
	repo, ref := "--git-dir="+w.repo(info.ID), proposal.Ref(id)
	tip := strings.TrimSpace(plainGit(t, "/", repo, "rev-parse", ref))
	index := "GIT_INDEX_FILE=" + filepath.Join(t.TempDir(), "index")
	run := func(stdin string, args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{repo}, args...)...)
		cmd.Dir, cmd.Stdin = "/", strings.NewReader(stdin)
		cmd.Env = append(os.Environ(), index, "GIT_AUTHOR_NAME=x", "GIT_AUTHOR_EMAIL=x@x", "GIT_COMMITTER_NAME=x", "GIT_COMMITTER_EMAIL=x@x", "GIT_CONFIG_GLOBAL=/dev/null")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("git %q: %v", args, err)
		}
		return strings.TrimSuffix(string(out), "\n")
	}
	run("", "read-tree", tip)
	for path, change := range edit {
		old := ""
		if strings.TrimSpace(run("", "ls-files", "--", path)) != "" {
			old = run("", "cat-file", "blob", tip+":"+path) + "\n"
		}
		blob := run(change(old), "hash-object", "-w", "--stdin")
		run("", "update-index", "--add", "--cacheinfo", "100644,"+blob+","+path)
	}
	tree := run("", "write-tree")
	text := "tree " + tree + "\nparent " + tip + "\nauthor x <x@x> 1700000000 +0000\ncommitter x <x@x> 1700000000 +0000\n"
	body := "\n" + message + "\n\n" + proposal.TrailerID + ": " + id + "\n" + proposal.TrailerEvent + ": commented\n"
	if sign != nil {
		sig, err := sign.Sign(proposal.SignatureNamespace, []byte(text+body))
		if err != nil {
			t.Fatal(err)
		}
		text += "gpgsig " + strings.ReplaceAll(strings.TrimSpace(string(sig)), "\n", "\n ") + "\n"
	}
	commit := run(text+body, "hash-object", "-t", "commit", "-w", "--stdin")
	b, err := w.buckets.Open(ctx, info.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	_, results, err := b.Push(ctx, w.bucketRepo(t, info.ID), []bucket.Update{{Ref: ref, New: commit}}, bucket.PushOptions{})
	if err != nil || results[0].Err != nil {
		t.Fatal(results, err)
	}
}

func signerOf(t *testing.T, w *world) signature.Signer {
	t.Helper()
	s, err := w.buckets.Signer(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestProposalAttacks: a member with the right to speak writes what is not so. The
// others do not believe it, and main stays as it is.
func TestProposalAttacks(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	type stage struct {
		w, joe, ann, eve *world
		info             workspace.Info
		p                workspace.Proposal
	}
	start := func(t *testing.T) stage {
		t.Helper()
		s := stage{w: newWorld(t), joe: newWorld(t), ann: newWorld(t), eve: newWorld(t)}
		s.info = s.w.create(t, "notes", map[string]string{"a.md": "1\n"})
		s.w.lets(t, s.joe, "joe", may("refs/heads/main", "write", "approve"))
		s.w.lets(t, s.ann, "ann", may("refs/heads/main", "approve"))
		s.w.lets(t, s.eve, "eve", may("refs/heads/eve/*", "write", "approve"))
		if _, err := s.w.SetApprovals(ctx, "notes", "refs/heads/main", 2); err != nil {
			t.Fatal(err)
		}
		c := s.w.checkout(t, "01UNITA")
		write(t, c.Dir(), map[string]string{"a.md": "2\n"})
		out := s.w.seal(t, c, "proposed")
		p, err := s.w.ApproveProposal(ctx, "notes", out.Proposal, "", jane)
		if err != nil || p.Approved != 1 {
			t.Fatalf("%+v, %v", p, err)
		}
		s.p = p
		return s
	}
	refused := func(t *testing.T, s stage, what string) {
		t.Helper()
		if p, err := s.joe.AcceptProposal(ctx, "notes", s.p.ID, "", jane); err == nil {
			t.Errorf("%s: it was accepted: %+v", what, p)
		}
		if got := s.w.read(t, "a.md"); got != "1\n" {
			t.Errorf("%s: main has %q", what, got)
		}
	}
	approval := func(t *testing.T, s stage, by *world, change func(*proposalv1.Approval)) (name, text, sig string) {
		t.Helper()
		ref := proposal.Ref(s.p.ID)
		repo := "--git-dir=" + s.w.repo(s.info.ID)
		old := plainGit(t, "/", repo, "cat-file", "blob", ref+":approvals/"+proposal.ApprovalName(signerOf(t, s.w).Key())+".json")
		var a proposalv1.Approval
		if err := json.Unmarshal([]byte(old), &a); err != nil {
			t.Fatal(err)
		}
		change(&a)
		data, armoured, err := proposal.Sign(a, signerOf(t, by))
		if err != nil {
			t.Fatal(err)
		}
		return "approvals/" + proposal.ApprovalName(signerOf(t, by).Key()) + ".json", string(data), string(armoured)
	}
	is := func(text string) func(string) string { return func(string) string { return text } }

	for name, by := range map[string]func(stage) *world{
		"a non-member":                    func(stage) *world { return newWorld(t) },
		"a member without the right":      func(s stage) *world { return s.eve },
		"the same member, a second time":  func(s stage) *world { return s.w },
		"a member who was removed since":  func(s stage) *world { return s.ann },
		"a member who lost the right":     func(s stage) *world { return s.ann },
		"a member, under an older policy": func(s stage) *world { return s.ann },
	} {
		t.Run("approval by "+name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			file, text, sig := approval(t, s, by(s), func(*proposalv1.Approval) {})
			s.eve.forge(t, s.info, s.p.ID, map[string]func(string) string{file: is(text), file + ".sig": is(sig)}, "approved", signerOf(t, s.eve))
			var err error
			switch name {
			case "a member who was removed since":
				_, err = s.w.RemoveMember(ctx, "notes", "ann")
			case "a member who lost the right":
				_, _, err = s.w.SetRights(ctx, "notes", "ann", nil)
			case "a member, under an older policy":
				_, _, err = s.w.AddMember(ctx, "notes", workspace.NewMember{Introduction: newWorld(t).introduced(t, "zoe")})
			}
			if err != nil {
				t.Fatal(err)
			}
			refused(t, s, name)
			p, err := s.joe.Proposal(ctx, "notes", s.p.ID)
			if err != nil || p.Approved > 1 {
				t.Errorf("%+v, %v", p, err)
			}
			for _, a := range p.Approvals {
				if !a.Counts && a.Why == "" {
					t.Errorf("nothing says why it does not count: %+v", a)
				}
			}
		})
	}
	for name, change := range map[string]func(*proposalv1.Approval){
		"tree":       func(a *proposalv1.Approval) { a.Result = strings.Repeat("a", 40) },
		"content":    func(a *proposalv1.Approval) { a.Content = strings.Repeat("a", 64) },
		"target":     func(a *proposalv1.Approval) { a.Target = "refs/heads/joe/x" },
		"from":       func(a *proposalv1.Approval) { a.From = strings.Repeat("a", 40) },
		"source":     func(a *proposalv1.Approval) { a.Source = strings.Repeat("a", 40) },
		"repository": func(a *proposalv1.Approval) { a.Bucket = strings.Repeat("a", 32) },
		"proposal":   func(a *proposalv1.Approval) { a.Proposal = "01OTHER" },
		"policy":     func(a *proposalv1.Approval) { a.Policy-- },
	} {
		t.Run("approval of another "+name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			file, text, sig := approval(t, s, s.ann, change)
			s.eve.forge(t, s.info, s.p.ID, map[string]func(string) string{file: is(text), file + ".sig": is(sig)}, "approved", signerOf(t, s.eve))
			refused(t, s, name)
		})
	}
	t.Run("approval that was changed", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		file, _, sig := approval(t, s, s.ann, func(a *proposalv1.Approval) { a.Result = strings.Repeat("a", 40) })
		_, text, _ := approval(t, s, s.ann, func(*proposalv1.Approval) {})
		s.eve.forge(t, s.info, s.p.ID, map[string]func(string) string{file: is(text), file + ".sig": is(sig)}, "approved", signerOf(t, s.eve))
		refused(t, s, "a signature of something else")
	})
	t.Run("approval that counts", func(t *testing.T) { // so that the others are refused for what they are
		t.Parallel()
		s := start(t)
		file, text, sig := approval(t, s, s.ann, func(*proposalv1.Approval) {})
		s.eve.forge(t, s.info, s.p.ID, map[string]func(string) string{file: is(text), file + ".sig": is(sig)}, "approved", signerOf(t, s.eve))
		if p, err := s.joe.AcceptProposal(ctx, "notes", s.p.ID, "", jane); err != nil || p.Status != "accepted" {
			t.Errorf("%+v, %v", p, err)
		}
	})
	for name, edit := range map[string]map[string]func(string) string{
		"result":             {"result/evil.md": is("evil\n")},
		"status":             {"proposal.md": func(s string) string { return strings.Replace(s, `status: "open"`, `status: "accepted"`, 1) }},
		"another id":         {"proposal.md": func(s string) string { return strings.Replace(s, `id: "`, `id: "X`, 1) }},
		"no proposal":        {"proposal.md": is("# nothing\n")},
		"hidden conflicts":   {"conflicts.json": is(`{"kind":"conflicts","paths":[{"path":"zzz.md","why":["x"],"resolution":"edited"}]}` + "\n")},
		"another target":     {"proposal.md": func(s string) string { return strings.Replace(s, `"refs/heads/main"`, `"refs/tags/main"`, 1) }},
		"controls in titles": {"proposal.md": func(s string) string { return strings.Replace(s, `title: "`, "title: \"\x1b[2J", 1) }},
		"escaped controls":   {"proposal.md": func(s string) string { return strings.Replace(s, `title: "`, `title: "\u001b[2J`, 1) }},
	} {
		t.Run("files of another "+name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			s.eve.forge(t, s.info, s.p.ID, edit, "just so", signerOf(t, s.eve))
			if p, err := s.ann.ApproveProposal(ctx, "notes", s.p.ID, "", jane); err == nil {
				t.Errorf("approved: %+v", p)
			}
			refused(t, s, name)
			list, err := s.joe.Proposals(ctx, "notes", false)
			if err != nil || len(list) != 1 || strings.Contains(list[0].Title+list[0].Problem, "\x1b") {
				t.Errorf("%+v, %v", list, err)
			}
		})
	}
	t.Run("result that says what it is", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		repo := "--git-dir=" + s.eve.repo(s.info.ID)
		if _, err := s.eve.Proposals(ctx, "notes", true); err != nil {
			t.Fatal(err)
		}
		blob := strings.TrimSpace(gitInput(t, "evil\n", repo, "hash-object", "-w", "--stdin"))
		old := strings.TrimSpace(plainGit(t, "/", repo, "rev-parse", proposal.Ref(s.p.ID)+":result"))
		tree := strings.TrimSpace(gitInput(t, plainGit(t, "/", repo, "ls-tree", old)+"100644 blob "+blob+"\tevil.md\n", repo, "mktree"))
		s.eve.forge(t, s.info, s.p.ID, map[string]func(string) string{
			"result/evil.md": is("evil\n"),
			"proposal.md":    func(text string) string { return strings.Replace(text, s.p.Result, tree, 1) },
		}, "just so", signerOf(t, s.eve))
		if p, err := s.ann.ApproveProposal(ctx, "notes", s.p.ID, "", jane); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "not the merge") {
			t.Errorf("approved: %+v, %v", p, err)
		}
		refused(t, s, "an evil result")
	})
	for name, by := range map[string]signature.Signer{"nobody": nil, "a non-member": signerOf(t, newWorld(t))} {
		t.Run("event by "+name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			s.eve.forge(t, s.info, s.p.ID, nil, "just so", by)
			p, err := s.joe.Proposal(ctx, "notes", s.p.ID)
			if err != nil || p.Problem == "" {
				t.Errorf("%+v, %v", p, err)
			}
			if _, err := s.ann.ApproveProposal(ctx, "notes", s.p.ID, "", jane); !fault.Is(err, fault.Denied) {
				t.Errorf("approved: %v", err)
			}
			refused(t, s, name)
			if _, err := s.ann.CommentProposal(ctx, "notes", s.p.ID, "on top of it", jane); err != nil {
				t.Fatal(err)
			}
			if p, err := s.joe.Proposal(ctx, "notes", s.p.ID); err != nil || p.Problem == "" {
				t.Errorf("an honest event hides it: %+v, %v", p, err)
			}
			refused(t, s, name+", hidden")
		})
	}
	t.Run("an approver alone", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		if _, err := s.eve.ApproveProposal(ctx, "notes", s.p.ID, "", jane); !fault.Is(err, fault.Denied) {
			t.Errorf("who has no right for main: %v", err)
		}
		if _, err := s.ann.ApproveProposal(ctx, "notes", s.p.ID, "", jane); err != nil {
			t.Fatal(err)
		}
		if _, err := s.ann.AcceptProposal(ctx, "notes", s.p.ID, "", jane); !fault.Is(err, fault.Denied) {
			t.Errorf("who may not write main: %v", err)
		}
		if got := s.w.read(t, "a.md"); got != "1\n" {
			t.Errorf("main has %q", got)
		}
		if p, err := s.joe.AcceptProposal(ctx, "notes", s.p.ID, "", jane); err != nil || p.Status != "accepted" {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

func gitInput(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stdin = "/", strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, stderr.String())
	}
	return string(out)
}

// TestUnapprovedMoves: a member with every right to write moves main with a client
// that asks for no approvals. Nobody takes it; an administrator takes it back.
func TestUnapprovedMoves(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	const main = "refs/heads/main"
	for name, attack := range map[string]func(w, eve *world, p workspace.Proposal) (map[string]string, bool){
		"a plain push": func(w, eve *world, p workspace.Proposal) (map[string]string, bool) {
			return map[string]string{main: p.Source}, false
		},
		"back": func(w, eve *world, p workspace.Proposal) (map[string]string, bool) {
			return map[string]string{main: plainID(t, eve, p, p.From+"^")}, false
		},
		"with a proposal that is open": func(w, eve *world, p workspace.Proposal) (map[string]string, bool) {
			return map[string]string{main: p.Source, proposal.Ref(p.ID): plainID(t, eve, p, proposal.Ref(p.ID)+"^")}, false
		},
		"as approved": func(w, eve *world, p workspace.Proposal) (map[string]string, bool) {
			for _, x := range []*world{w, eve} {
				if _, err := x.ApproveProposal(ctx, "notes", p.ID, "", jane); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := eve.AcceptProposal(ctx, "notes", p.ID, "", jane); err != nil {
				t.Fatal(err)
			}
			return nil, true
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, eve, ann := newWorld(t), newWorld(t), newWorld(t)
			info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
			c := w.checkout(t, "01UNITA")
			write(t, c.Dir(), map[string]string{"a.md": "2\n"})
			w.seal(t, c, "second")
			w.lets(t, eve, "eve", may("refs/*", "write", "approve"))
			w.lets(t, ann, "ann", may("refs/heads/main", "approve"))
			if _, err := w.SetApprovals(ctx, "notes", main, 2); err != nil {
				t.Fatal(err)
			}
			write(t, c.Dir(), map[string]string{"a.md": "3\n"})
			out := w.seal(t, c, "third")
			p, err := eve.CommentProposal(ctx, "notes", out.Proposal, "so that it has a history", jane)
			if err != nil {
				t.Fatal(err)
			}
			if got := ann.read(t, "a.md"); got != "2\n" {
				t.Fatal(got)
			}
			moves, honest := attack(w, eve, p)
			b, err := eve.buckets.Open(ctx, info.Bucket)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			var updates []bucket.Update
			for _, ref := range slices.Sorted(maps.Keys(moves)) { // main before the proposal, which a bucket does not let be set back
				updates = append(updates, bucket.Update{Ref: ref, New: moves[ref], Force: true})
			}
			if len(updates) > 0 {
				_, results, err := b.Push(ctx, eve.bucketRepo(t, info.ID), updates, bucket.PushOptions{Approved: []string{main}})
				if err != nil || results[0].Err != nil {
					t.Fatal(results, err)
				}
			}
			_, err = ann.ReadFile(ctx, "notes", "", "a.md")
			if honest {
				if err != nil || ann.read(t, "a.md") != "3\n" || w.read(t, "a.md") != "3\n" {
					t.Errorf("what was approved is refused: %v", err)
				}
				return
			}
			for try := range 2 {
				if !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "eve") || !strings.Contains(err.Error(), main) || fault.HintOf(err) == "" {
					t.Errorf("try %d: %v", try, err)
				}
				_, err = ann.ReadFile(ctx, "notes", "", "a.md")
			}
			if _, err := w.SetApprovals(ctx, "notes", main, 0); err != nil {
				t.Fatal(err)
			}
			own, err := w.buckets.Open(ctx, info.Bucket)
			if err != nil {
				t.Fatal(err)
			}
			defer own.Close()
			if _, results, err := own.Push(ctx, w.bucketRepo(t, info.ID), []bucket.Update{{Ref: main, New: p.From, Force: true}}, bucket.PushOptions{}); err != nil || results[0].Err != nil {
				t.Fatal(results, err)
			}
			if got := ann.read(t, "a.md") + w.read(t, "a.md"); got != "2\n2\n" {
				t.Errorf("after it was taken back: %q", got)
			}
		})
	}
}

// plainID is what an expression means in a world's open repository.
func plainID(t *testing.T, w *world, p workspace.Proposal, expr string) string {
	t.Helper()
	return strings.TrimSpace(plainGit(t, "/", "--git-dir="+w.repo(p.Workspace), "rev-parse", expr))
}
