package workspace_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/proposal"
)

// commitOn commits all of a clone on a branch that begins at a revision, and pushes it.
func (w *world) commitOn(t *testing.T, info workspace.Info, clone, branch, from string, change func(dir string)) {
	t.Helper()
	plainGit(t, clone, "checkout", "-q", "-B", "now", from)
	change(clone)
	plainGit(t, clone, "add", "-A")
	plainGit(t, clone, "commit", "-q", "--allow-empty", "-m", "On "+branch)
	w.push(t, info, clone, "HEAD:refs/heads/"+branch)
}

func files(t *testing.T, add map[string]string, remove ...string) func(string) {
	t.Helper()
	return func(dir string) {
		for _, path := range remove {
			if err := os.RemoveAll(filepath.Join(dir, path)); err != nil {
				t.Fatal(err)
			}
		}
		write(t, dir, add)
	}
}

// TestEveryKindOfConflict: whatever git calls a conflict becomes one that people can
// resolve, or an error that says what to do.
func TestEveryKindOfConflict(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	long := strings.Repeat("a line that is long enough to be recognised\n", 20)
	link := func(target string) func(string) {
		return func(dir string) {
			plainGit(t, dir, "update-index", "--add", "--cacheinfo", "160000,"+strings.Repeat(target, 40)+",sub")
			if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	foo := map[string]string{"foo": "file\n"}
	split := map[string]string{"y/b": long + "b", "w/c": long + "c"}
	for name, c := range map[string]struct {
		base         map[string]string
		ours, theirs func(string)
		how          string
		paths        []string // that conflict
		main         []string // afterwards
		refused      string   // in place of them
	}{
		"a file and a directory, ours":    {map[string]string{"a": "1"}, files(t, foo), files(t, map[string]string{"foo/x": "x\n"}), "ours", []string{"foo"}, []string{"a", "foo"}, ""},
		"a file and a directory, theirs":  {map[string]string{"a": "1"}, files(t, foo), files(t, map[string]string{"foo/x": "x\n"}), "theirs", []string{"foo"}, []string{"a", "foo/x"}, ""},
		"a directory and a file, theirs":  {map[string]string{"a": "1"}, files(t, map[string]string{"foo/x": "x\n"}), files(t, foo), "theirs", []string{"foo"}, []string{"a", "foo"}, ""},
		"a file that became a directory":  {map[string]string{"a": "1", "foo": "1\n"}, files(t, foo), files(t, map[string]string{"foo/x": "x\n"}, "foo"), "ours", []string{"foo"}, []string{"a", "foo"}, ""},
		"two new names":                   {map[string]string{"a": long}, files(t, map[string]string{"b": long}, "a"), files(t, map[string]string{"c": long}, "a"), "ours", []string{"a", "b", "c"}, []string{"b"}, ""},
		"a directory that went two ways":  {map[string]string{"z/b": long + "b", "z/c": long + "c", "q": "q"}, files(t, split, "z"), files(t, map[string]string{"z/d": "d\n"}), "ours", []string{"z"}, []string{"q", "w/c", "y/b", "z/d"}, ""},
		"links":                           {map[string]string{"a": "1", "l": "->a"}, files(t, map[string]string{"l": "->b"}, "l"), files(t, map[string]string{"l": "->c"}, "l"), "theirs", []string{"l"}, []string{"a", "l"}, ""},
		"a name with control characters":  {map[string]string{"a\x1b[31m": "1\n"}, files(t, map[string]string{"a\x1b[31m": "2\n"}), files(t, map[string]string{"a\x1b[31m": "3\n"}), "theirs", []string{"a\x1b[31m"}, []string{"a\x1b[31m"}, ""},
		"everything removed":              {map[string]string{"a": "1\n"}, files(t, map[string]string{"a": "2\n"}), files(t, nil, "a"), "theirs", []string{"a"}, nil, ""},
		"submodules":                      {map[string]string{"a": "1"}, link("1"), link("2"), "theirs", []string{"sub"}, []string{"a", "sub"}, ""},
		"names that differ by case":       {map[string]string{"a": "1"}, files(t, map[string]string{"Read.md": "1", "a": "2"}), files(t, map[string]string{"read.md": "2", "a": "3"}), "theirs", []string{"a", "read.md"}, nil, "differs only in case"},
		"names that differ by case, ours": {map[string]string{"a": "1"}, files(t, map[string]string{"Read.md": "1", "a": "2"}), files(t, map[string]string{"read.md": "2", "a": "3"}), "ours", []string{"a", "read.md"}, []string{"Read.md", "a"}, ""},
		"nothing in common": {map[string]string{"a": "1"}, files(t, nil), func(dir string) {
			plainGit(t, dir, "checkout", "-q", "--orphan", "o")
			write(t, dir, map[string]string{"n": "n"})
		}, "", nil, nil, "no commit in common"},
		"a name that is no text": {map[string]string{"a\xe9": "1\n"}, files(t, map[string]string{"a\xe9": "2\n"}), files(t, map[string]string{"a\xe9": "3\n"}), "", nil, nil, "not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			info := w.create(t, "notes", c.base)
			clone := w.clone(t, info)
			w.commitOn(t, info, clone, "main", info.Head, c.ours)
			w.commitOn(t, info, clone, "joe/x", info.Head, c.theirs)
			p, err := w.Propose(ctx, workspace.ProposeRequest{Workspace: "notes", Branch: "joe/x", Author: jane})
			if err == nil {
				var paths []string
				for _, x := range p.Conflicts {
					paths = append(paths, x.Path)
					if _, err := w.ProposalSides(ctx, "notes", p.ID, x.Path); err != nil {
						t.Errorf("the sides of %q: %v", x.Path, err)
					}
				}
				if !slices.Equal(paths, c.paths) {
					t.Fatalf("conflicts %q", paths)
				}
				_, err = w.ResolveProposal(ctx, "notes", p.ID, workspace.Resolution{How: c.how, Author: jane})
			}
			if c.refused != "" {
				if err == nil || fault.Is(err, fault.Internal) || !strings.Contains(err.Error(), c.refused) || fault.HintOf(err) == "" {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if p, err = w.AcceptProposal(ctx, "notes", p.ID, "", jane); err != nil || p.Status != "accepted" {
				t.Fatalf("%+v, %v", p, err)
			}
			if got := strings.Fields(strings.ReplaceAll(plainGit(t, "/", "--git-dir="+w.repo(info.ID), "ls-tree", "-r", "-z", "--name-only", "refs/heads/main"), "\x00", " ")); !slices.Equal(got, c.main) {
				t.Errorf("main has %q", got)
			}
			w.fsck(t, info.ID)
		})
	}
}

// TestRetriedChangesAreWhole: a merge that was made, lost a race, was interrupted, and
// is made again, brings everything: a third installation has all of it.
func TestRetriedChangesAreWhole(t *testing.T) {
	t.Parallel()
	base := strings.Repeat("x\n", 20)
	type scene struct {
		w, joe, ann *world
		info        workspace.Info
	}
	start := func(t *testing.T) scene {
		t.Helper()
		s := scene{w: newWorld(t), joe: newWorld(t), ann: newWorld(t)}
		s.info = s.w.create(t, "notes", map[string]string{"a.md": base})
		s.w.lets(t, s.joe, "joe", may("refs/*", "write", "approve"))
		s.w.lets(t, s.ann, "ann", may("refs/*", "write", "approve"))
		return s
	}
	propose := func(t *testing.T, s scene) string {
		t.Helper()
		s.w.commitOn(t, s.info, s.w.clone(t, s.info), "joe/x", s.info.Head, files(t, map[string]string{"a.md": "first\n" + base}))
		p, err := s.w.Propose(t.Context(), workspace.ProposeRequest{Workspace: "notes", Branch: "joe/x", Author: jane})
		if err != nil {
			t.Fatal(err)
		}
		c := s.w.checkout(t, "01UNITA")
		write(t, c.Dir(), map[string]string{"a.md": base + "last\n"})
		s.w.seal(t, c, "meanwhile")
		return p.ID
	}
	at := func(w *world, step string, do func()) func() {
		done := false
		workspace.SetStep(w.Store, func(name string) {
			if name == step && !done {
				done = true
				do()
			}
		})
		return func() { workspace.SetStep(w.Store, func(string) {}) }
	}
	whole := func(t *testing.T, s scene) {
		t.Helper()
		if got := s.ann.read(t, "a.md"); !strings.Contains(got, "last") {
			t.Errorf("%q", got)
		}
		if _, err := s.ann.Proposals(t.Context(), "notes", true); err != nil {
			t.Error(err)
		}
		s.ann.fsck(t, s.info.ID)
	}
	t.Run("a turn", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		c, one, two := s.w.checkout(t, "01UNITA"), s.joe.checkout(t, "01UNITB"), s.joe.checkout(t, "01UNITC")
		write(t, one.Dir(), map[string]string{"a.md": "first\n" + base})
		s.joe.seal(t, one, "one")
		write(t, c.Dir(), map[string]string{"a.md": base + "last\n"})
		write(t, two.Dir(), map[string]string{"b.md": "b"})
		defer at(s.w, "merged", func() { s.joe.seal(t, two, "two") })()
		s.w.seal(t, c, "meanwhile")
		whole(t, s)
	})
	t.Run("a proposal", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		id := propose(t, s)
		if _, err := s.joe.Proposal(t.Context(), "notes", id); err != nil {
			t.Fatal(err)
		}
		defer at(s.w, "proposal", func() {
			if _, err := s.joe.CommentProposal(t.Context(), "notes", id, "faster", jane); err != nil {
				t.Error(err)
			}
		})()
		if _, err := s.w.RefreshProposal(t.Context(), "notes", id, jane); err != nil {
			t.Fatal(err)
		}
		whole(t, s)
	})
	t.Run("interrupted", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		id := propose(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		defer at(s.w, "proposal", cancel)()
		if _, err := s.w.RefreshProposal(ctx, "notes", id, jane); err == nil {
			t.Fatal("it was not interrupted")
		}
		if _, err := s.w.RefreshProposal(t.Context(), "notes", id, jane); err != nil {
			t.Fatal(err)
		}
		if _, err := s.w.AcceptProposal(t.Context(), "notes", id, "", jane); err != nil {
			t.Fatal(err)
		}
		whole(t, s)
	})
}

// TestProposalOnTwoMachines: what a second machine has seen of a dispatch's branch
// does not set the proposal back.
func TestProposalOnTwoMachines(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, joe := newWorld(t), newWorld(t)
	w.create(t, "notes", map[string]string{"a.md": "1\n"})
	w.lets(t, joe, "joe", may("refs/*", "write", "approve"))
	one, two := w.checkout(t, "01UNITO"), joe.checkout(t, "01UNITP")
	write(t, one.Dir(), map[string]string{"a.md": "one\n"})
	w.seal(t, one, "one")
	write(t, two.Dir(), map[string]string{"a.md": "two\n"})
	out := joe.seal(t, two, "two")
	if p, err := w.Proposal(ctx, "notes", out.Proposal); err != nil || p.Stale || p.Source != out.SHA {
		t.Fatalf("%+v, %v", p, err)
	}
	write(t, two.Dir(), map[string]string{"a.md": "two\n", "b.md": "second turn\n"})
	out = joe.seal(t, two, "turn two")
	if p, err := w.Proposal(ctx, "notes", out.Proposal); err != nil || p.Stale || p.Source != out.SHA {
		t.Errorf("it is behind: %+v, %v", p, err)
	}
	if _, err := w.RefreshProposal(ctx, "notes", out.Proposal, jane); err != nil {
		t.Fatal(err)
	}
	if _, err := w.ResolveProposal(ctx, "notes", out.Proposal, workspace.Resolution{How: "theirs", Author: jane}); err != nil {
		t.Fatal(err)
	}
	if p, err := w.AcceptProposal(ctx, "notes", out.Proposal, "", jane); err != nil || p.Source != out.SHA || w.read(t, "b.md") != "second turn\n" {
		t.Errorf("%+v, %v, %q", p, err, w.read(t, "b.md"))
	}
}

// TestResolveWhatWasLookedAt: sides that changed while an editor was open are looked
// at again, and what was rejected does not land by itself.
func TestResolveWhatWasLookedAt(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	w.create(t, "notes", map[string]string{"a.md": "1\n"})
	c, d := w.checkout(t, "01UNITA"), w.checkout(t, "01UNITB")
	write(t, c.Dir(), map[string]string{"a.md": "ours\n"})
	w.seal(t, c, "x")
	write(t, d.Dir(), map[string]string{"a.md": "theirs\n"})
	out := w.seal(t, d, "y")
	sides, err := w.ProposalSides(ctx, "notes", out.Proposal, "a.md")
	if err != nil {
		t.Fatal(err)
	}
	write(t, c.Dir(), map[string]string{"a.md": "ours\nan important line\n"})
	w.seal(t, c, "z")
	if _, err := w.RefreshProposal(ctx, "notes", out.Proposal, jane); err != nil {
		t.Fatal(err)
	}
	edited := workspace.Resolution{How: "edited", Paths: []string{"a.md"}, Content: []byte("ours and theirs\n"), From: sides.From, Source: sides.Source, Author: jane}
	if _, err := w.ResolveProposal(ctx, "notes", out.Proposal, edited); !fault.Is(err, fault.Conflict) || fault.HintOf(err) == "" {
		t.Errorf("what was edited before: %v", err)
	}
	marked := workspace.Resolution{How: "edited", Paths: []string{"a.md"}, Content: []byte("<<<<<<< mine\n"), Author: jane}
	if _, err := w.ResolveProposal(ctx, "notes", out.Proposal, marked); !fault.Is(err, fault.Invalid) {
		t.Errorf("a marker: %v", err)
	}
	if _, err := w.RejectProposal(ctx, "notes", out.Proposal, "Never.", jane); err != nil {
		t.Fatal(err)
	}
	write(t, c.Dir(), map[string]string{"a.md": "1\n"})
	w.seal(t, c, "back")
	if got := w.seal(t, d, "nothing new"); got.Merged || w.read(t, "a.md") != "1\n" {
		t.Errorf("what was rejected landed: %+v, %q", got, w.read(t, "a.md"))
	}
	write(t, d.Dir(), map[string]string{"b.md": "more\n"})
	got := w.seal(t, d, "more")
	if p, err := w.Proposal(ctx, "notes", out.Proposal); err != nil || got.Merged || p.Status != "open" || w.read(t, "a.md") != "1\n" {
		t.Errorf("%+v, %+v, %v", got, p, err)
	}
}

// TestNobodyBlocksADispatch: whatever a member of few rights puts in the place of a
// dispatch's proposal, its turns land, and what conflicts is proposed.
func TestNobodyBlocksADispatch(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, conflicts := range []bool{false, true} {
		t.Run(fmt.Sprint("conflicts ", conflicts), func(t *testing.T) {
			t.Parallel()
			w, eve := newWorld(t), newWorld(t)
			info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
			w.lets(t, eve, "eve", may("refs/heads/eve/*", "write"))
			c := w.checkout(t, "01UNITA")
			write(t, c.Dir(), map[string]string{"b.md": "2\n"})
			first := w.seal(t, c, "turn 1")
			if eve.read(t, "b.md") != "2\n" {
				t.Fatal("eve sees nothing")
			}
			eve.pushes(t, info, bucket.Update{Ref: proposal.Ref("01UNITA"), New: first.SHA})
			if conflicts {
				d := w.checkout(t, "01UNITB")
				write(t, d.Dir(), map[string]string{"a.md": "other\n"})
				w.seal(t, d, "other")
			}
			write(t, c.Dir(), map[string]string{"a.md": "3\n"})
			out := w.seal(t, c, "turn 2")
			if out.Merged == conflicts || conflicts && out.Proposal != "01UNITA-2" {
				t.Fatalf("%+v", out)
			}
			if !conflicts {
				return
			}
			if p, err := w.Proposal(ctx, "notes", out.Proposal); err != nil || p.Problem != "" || p.Source != out.SHA {
				t.Errorf("%+v, %v", p, err)
			}
		})
	}
}

// pushes pushes what is in a world's open repository, and must succeed.
func (w *world) pushes(t *testing.T, info workspace.Info, updates ...bucket.Update) {
	t.Helper()
	b, err := w.buckets.Open(context.Background(), info.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	_, results, err := b.Push(context.Background(), w.bucketRepo(t, info.ID), updates, bucket.PushOptions{})
	if err != nil || slices.ContainsFunc(results, func(r bucket.Result) bool { return r.Err != nil }) {
		t.Fatal(results, err)
	}
}

// signedEvent makes a commit on top of another one, with its tree, in the open
// repository of a world, signed by it.
func (w *world) signedEvent(t *testing.T, info workspace.Info, parent, tree, trailers string) string {
	t.Helper()
	text := "tree " + tree + "\nparent " + parent + "\nauthor x <x@x> 1700000000 +0000\ncommitter x <x@x> 1700000000 +0000\n"
	body := "\nx\n\n" + trailers
	sig, err := signerOf(t, w).Sign(proposal.SignatureNamespace, []byte(text+body))
	if err != nil {
		t.Fatal(err)
	}
	text += "gpgsig " + strings.ReplaceAll(strings.TrimSpace(string(sig)), "\n", "\n ") + "\n"
	return strings.TrimSpace(gitInput(t, text+body, "--git-dir="+w.repo(info.ID), "hash-object", "-t", "commit", "-w", "--stdin"))
}

// TestHistoryThatHides: a member of few rights writes events that hide others, play
// with the terminal, take back what was said, or pass for another proposal.
func TestHistoryThatHides(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	start := func(t *testing.T) (w, eve *world, info workspace.Info, id string) {
		t.Helper()
		w, eve = newWorld(t), newWorld(t)
		info = w.create(t, "notes", map[string]string{"a.md": "1\n"})
		w.lets(t, eve, "eve", may("refs/heads/eve/*", "write"))
		c, d := w.checkout(t, "01UNITA"), w.checkout(t, "01UNITB")
		write(t, c.Dir(), map[string]string{"a.md": "2\n"})
		w.seal(t, c, "x")
		write(t, d.Dir(), map[string]string{"a.md": "3\n"})
		id = w.seal(t, d, "y").Proposal
		if _, err := w.ResolveProposal(ctx, "notes", id, workspace.Resolution{How: "theirs", Author: jane}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.CommentProposal(ctx, "notes", id, "Do not merge.", jane); err != nil {
			t.Fatal(err)
		}
		if _, err := eve.Proposals(ctx, "notes", true); err != nil {
			t.Fatal(err)
		}
		return w, eve, info, id
	}
	rev := func(t *testing.T, w *world, info workspace.Info, expr string) string {
		t.Helper()
		return strings.TrimSpace(plainGit(t, "/", "--git-dir="+w.repo(info.ID), "rev-parse", expr))
	}
	refused := func(t *testing.T, w *world, id string) {
		t.Helper()
		if p, err := w.AcceptProposal(ctx, "notes", id, "", jane); err == nil {
			t.Errorf("accepted: %+v", p)
		}
		if got := w.read(t, "a.md"); got != "2\n" {
			t.Errorf("main has %q", got)
		}
	}
	t.Run("it begins twice", func(t *testing.T) {
		t.Parallel()
		w, eve, info, id := start(t)
		eve.forge(t, info, id, nil, "unsigned", nil)
		if _, err := eve.Proposals(ctx, "notes", true); err != nil {
			t.Fatal(err)
		}
		ref := proposal.Ref(id)
		tip := eve.signedEvent(t, info, rev(t, eve, info, ref), rev(t, eve, info, ref+"^{tree}"), proposal.TrailerID+": "+id+"\n"+proposal.TrailerEvent+": opened\n")
		eve.pushes(t, info, bucket.Update{Ref: ref, New: tip})
		if p, err := w.Proposal(ctx, "notes", id); err == nil && p.Problem == "" {
			t.Errorf("%+v", p)
		}
		refused(t, w, id)
	})
	t.Run("a kind that plays with the terminal", func(t *testing.T) {
		t.Parallel()
		w, eve, info, id := start(t)
		ref := proposal.Ref(id)
		tip := eve.signedEvent(t, info, rev(t, eve, info, ref), rev(t, eve, info, ref+"^{tree}"), proposal.TrailerID+": "+id+"\n"+proposal.TrailerEvent+": \x1b[2Japproval\n")
		eve.pushes(t, info, bucket.Update{Ref: ref, New: tip})
		if p, err := w.Proposal(ctx, "notes", id); err == nil {
			t.Errorf("%+v", p)
		}
		refused(t, w, id)
	})
	t.Run("unsigned, and main moved", func(t *testing.T) {
		t.Parallel()
		w, eve, info, id := start(t)
		eve.forge(t, info, id, nil, "unsigned", nil)
		e := w.checkout(t, "01UNITE")
		write(t, e.Dir(), map[string]string{"z.md": "z\n"})
		w.seal(t, e, "z")
		refused(t, w, id)
	})
	t.Run("taken back", func(t *testing.T) {
		t.Parallel()
		w, eve, info, id := start(t)
		p, err := w.RejectProposal(ctx, "notes", id, "Never.", jane)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := eve.Proposals(ctx, "notes", true); err != nil {
			t.Fatal(err)
		}
		b, err := eve.buckets.Open(ctx, info.Bucket)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		tip, opened := p.Events[len(p.Events)-1].Commit, p.Events[0].Commit
		back := []bucket.Update{{Ref: proposal.Ref(id), New: opened, Force: true, Lease: &tip}}
		if _, results, err := b.Push(ctx, eve.bucketRepo(t, info.ID), back, bucket.PushOptions{}); err != nil || results[0].Err == nil {
			t.Errorf("an honest client does it: %v, %v", results, err)
		}
		// One without scruples says that it brings a pack along.
		list := w.packs(t, info.ID)
		name := strings.TrimSuffix(filepath.Base(list[0]), filepath.Ext(list[0]))
		for _, ext := range []string{".pack", ".idx"} {
			data, err := os.ReadFile(filepath.Join(w.repo(info.ID), "objects/pack", name+ext))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(eve.repo(info.ID), "objects/pack", name+ext), data, 0o600); err != nil && !os.IsPermission(err) {
				t.Fatal(err)
			}
		}
		if _, results, err := b.Push(ctx, eve.bucketRepo(t, info.ID), back, bucket.PushOptions{Packs: []string{name}}); err != nil || results[0].Err != nil {
			t.Fatal(results, err)
		}
		if p, err := w.Proposal(ctx, "notes", id); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "eve") || fault.HintOf(err) == "" {
			t.Errorf("%+v, %v", p, err)
		}
		w.pushes(t, info, bucket.Update{Ref: proposal.Ref(id), New: tip})
		if p, err := w.Proposal(ctx, "notes", id); err != nil || p.Status != "rejected" {
			t.Errorf("after it was put back: %+v, %v", p, err)
		}
	})
	t.Run("another id", func(t *testing.T) {
		t.Parallel()
		w, eve, info, id := start(t)
		ref, repo := proposal.Ref(id), "--git-dir="+eve.repo(info.ID)
		other := strings.ToLower(id)
		md := gitInput(t, strings.Replace(plainGit(t, "/", repo, "cat-file", "blob", ref+":proposal.md"), `id: "`+id, `id: "`+other, 1), repo, "hash-object", "-w", "--stdin")
		tree := strings.TrimSpace(gitInput(t, strings.Replace(plainGit(t, "/", repo, "ls-tree", ref), rev(t, eve, info, ref+":proposal.md"), strings.TrimSpace(md), 1), repo, "mktree"))
		source := rev(t, eve, info, "refs/heads/vexa/"+id)
		tip := eve.signedEvent(t, info, source, tree, proposal.TrailerID+": "+other+"\n"+proposal.TrailerEvent+": opened\n")
		eve.pushes(t, info, bucket.Update{Ref: proposal.Ref(other), New: tip})
		for range 20 {
			if p, err := w.Proposal(ctx, "notes", id); err != nil || p.ID != id {
				t.Fatalf("%+v, %v", p, err)
			}
		}
		if p, err := w.Proposal(ctx, "notes", id[:5]); !fault.Is(err, fault.Invalid) {
			t.Errorf("either: %+v, %v", p, err)
		}
	})
}

// TestWhatAProposalShows: a submodule that is added is in the diff, branches have any
// name that git gives them, and an agent's branch takes no proposal.
func TestWhatAProposalShows(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	clone := w.clone(t, info)
	for i, branch := range []string{"joe/prix-été", "fix/#12", "a+b", "_x"} {
		w.commitOn(t, info, clone, branch, info.Head, func(dir string) {
			plainGit(t, dir, "update-index", "--add", "--cacheinfo", "160000,"+strings.Repeat(fmt.Sprint(i+1), 40)+",sub")
			if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o755); err != nil {
				t.Fatal(err)
			}
		})
		p, err := w.Propose(ctx, workspace.ProposeRequest{Workspace: "notes", Branch: branch, Author: jane})
		if err != nil {
			t.Errorf("%q: %v", branch, err)
			continue
		}
		if diff, _, err := w.ProposalDiff(ctx, "notes", p.ID, ""); err != nil || !strings.Contains(diff, "+Subproject commit "+strings.Repeat(fmt.Sprint(i+1), 40)) {
			t.Errorf("%q: %s, %v", branch, diff, err)
		}
	}
	if _, err := w.Propose(ctx, workspace.ProposeRequest{Workspace: "notes", Branch: "a+b", Target: "vexa/01UNITA", Author: jane}); !fault.Is(err, fault.Invalid) {
		t.Errorf("into an agent's branch: %v", err)
	}
}

// TestManyConflicts: a thousand conflicts in one directory are one tree, not a thousand.
func TestManyConflicts(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	const n = 1000
	versions := [3]map[string]string{{}, {}, {}}
	for v := range versions {
		for i := range n {
			versions[v][fmt.Sprintf("dir/f%04d.txt", i)] = fmt.Sprint(v, " ", i, "\n")
		}
	}
	w := newWorld(t)
	info := w.create(t, "notes", versions[0])
	clone := w.clone(t, info)
	w.commitOn(t, info, clone, "main", info.Head, files(t, versions[1]))
	w.commitOn(t, info, clone, "joe/x", info.Head, files(t, versions[2]))
	p, err := w.Propose(ctx, workspace.ProposeRequest{Workspace: "notes", Branch: "joe/x", Author: jane})
	if err != nil || len(p.Conflicts) != n {
		t.Fatalf("%d conflicts, %v", len(p.Conflicts), err)
	}
	size := func() int64 {
		var total int64
		for _, path := range w.packs(t, info.ID) {
			if st, err := os.Stat(path); err == nil {
				total += st.Size()
			}
		}
		return total
	}
	before := size()
	if _, err := w.ResolveProposal(ctx, "notes", p.ID, workspace.Resolution{How: "theirs", Author: jane}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.AcceptProposal(ctx, "notes", p.ID, "", jane); err != nil {
		t.Fatal(err)
	}
	if grown := size() - before; grown > 1<<20 {
		t.Errorf("it takes %d bytes", grown)
	}
	if got := w.read(t, "dir/f0999.txt"); got != "2 999\n" {
		t.Error(got)
	}
}

// rewritten has a world's installation join all packs of the bucket to what its refs
// reach.
func (w *world) rewritten(t *testing.T, info workspace.Info) {
	t.Helper()
	b, err := w.buckets.Open(t.Context(), info.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := b.Consolidate(t.Context(), bucket.ConsolidateOptions{Git: w.git, Scratch: t.TempDir(), Full: true}); err != nil {
		t.Fatal(err)
	}
}

// TestMainIsSetBack: what is proposed stays whole where main is set back and the
// bucket is written anew, meanwhile or afterwards.
func TestMainIsSetBack(t *testing.T) {
	t.Parallel()
	t.Run("meanwhile", func(t *testing.T) {
		t.Parallel()
		w, joe, ann := newWorld(t), newWorld(t), newWorld(t)
		info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
		w.lets(t, joe, "joe", may("refs/*", "write", "approve"))
		one := w.checkout(t, "01UNITO")
		write(t, one.Dir(), map[string]string{"base.md": "base\n"})
		w.seal(t, one, "base")
		two := w.checkout(t, "01UNITP")
		write(t, one.Dir(), map[string]string{"a.md": "one\n"})
		w.seal(t, one, "one")
		joe.read(t, "a.md")
		write(t, two.Dir(), map[string]string{"a.md": "two\n"})
		done := false
		workspace.SetStep(w.Store, func(name string) {
			if name != "merged" || done {
				return
			}
			done = true
			joe.pushes(t, info, bucket.Update{Ref: "refs/heads/main", New: info.Head, Force: true})
			joe.rewritten(t, info)
		})
		out := w.seal(t, two, "two")
		workspace.SetStep(w.Store, func(string) {})
		w.lets(t, ann, "ann", may("refs/*", "write", "approve"))
		if list, err := ann.Proposals(t.Context(), "notes", true); err != nil || out.Merged == (len(list) == 1) {
			t.Errorf("%+v, %+v, %v", out, list, err)
		}
		ann.fsck(t, info.ID)
	})
	t.Run("afterwards", func(t *testing.T) {
		t.Parallel()
		ctx := t.Context()
		w, ann := newWorld(t), newWorld(t)
		info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
		one, two := w.checkout(t, "01UNITO"), w.checkout(t, "01UNITP")
		write(t, one.Dir(), map[string]string{"a.md": "one\n"})
		w.seal(t, one, "one")
		write(t, two.Dir(), map[string]string{"a.md": "two\n"})
		id := w.seal(t, two, "two").Proposal
		w.pushes(t, info, bucket.Update{Ref: "refs/heads/main", New: info.Head, Force: true})
		w.rewritten(t, info)
		w.lets(t, ann, "ann", may("refs/*", "write", "approve"))
		if _, err := ann.CommentProposal(ctx, "notes", id, "still there", jane); err != nil {
			t.Error(err)
		}
		if _, _, err := ann.ProposalDiff(ctx, "notes", id, ""); err != nil && (!fault.Is(err, fault.Conflict) || fault.HintOf(err) == "") {
			t.Error(err)
		}
		if p, err := ann.RefreshProposal(ctx, "notes", id, jane); err != nil || p.From != info.Head {
			t.Errorf("%+v, %v", p, err)
		}
		if p, err := ann.AcceptProposal(ctx, "notes", id, "", jane); err != nil || ann.read(t, "a.md") != "two\n" {
			t.Errorf("%+v, %v", p, err)
		}
		ann.fsck(t, info.ID)
	})
}

// TestAcceptWhatWasLookedAt: a result that is named is the one that is merged, and
// nobody but its dispatch moves a dispatch's branch.
func TestAcceptWhatWasLookedAt(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	clone := w.clone(t, info)
	w.commitOn(t, info, clone, "joe/x", info.Head, files(t, map[string]string{"b.md": "seen\n"}))
	p, err := w.Propose(ctx, workspace.ProposeRequest{Workspace: "notes", Branch: "joe/x", Author: jane})
	if err != nil {
		t.Fatal(err)
	}
	w.commitOn(t, info, clone, "joe/x", "now", files(t, map[string]string{"b.md": "never looked at\n"}))
	if q, err := w.AcceptProposal(ctx, "notes", p.ID, p.Result, jane); !fault.Is(err, fault.Conflict) || w.read(t, "b.md") != "(none)" {
		t.Errorf("%+v, %v", q, err)
	}
	b, err := w.buckets.Open(ctx, info.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	tip := strings.TrimSpace(plainGit(t, "/", "--git-dir="+w.repo(info.ID), "rev-parse", "refs/heads/joe/x"))
	if _, results, err := b.Push(ctx, w.bucketRepo(t, info.ID), []bucket.Update{{Ref: "refs/heads/vexa/01UNITX", New: tip}}, bucket.PushOptions{}); err != nil || results[0].Err == nil {
		t.Errorf("a push to a dispatch's branch: %v, %v", results, err)
	}
}

// TestRejectionsOfStrangers: who may neither write main nor approve for it rejects
// nothing, and what they say does not keep a dispatch from landing.
func TestRejectionsOfStrangers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, eve := newWorld(t), newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	w.lets(t, eve, "eve", may("refs/heads/eve/*", "write"))
	c, d := w.checkout(t, "01UNITA"), w.checkout(t, "01UNITB")
	write(t, c.Dir(), map[string]string{"a.md": "2\n"})
	w.seal(t, c, "x")
	write(t, d.Dir(), map[string]string{"a.md": "3\n"})
	id := w.seal(t, d, "y").Proposal
	if _, err := eve.RejectProposal(ctx, "notes", id, "", jane); !fault.Is(err, fault.Denied) || fault.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	ref, repo := proposal.Ref(id), "--git-dir="+eve.repo(info.ID)
	rev := func(expr string) string { return strings.TrimSpace(plainGit(t, "/", repo, "rev-parse", expr)) }
	md := gitInput(t, strings.Replace(plainGit(t, "/", repo, "cat-file", "blob", ref+":proposal.md"), `status: "open"`, `status: "rejected"`, 1), repo, "hash-object", "-w", "--stdin")
	tree := strings.TrimSpace(gitInput(t, strings.Replace(plainGit(t, "/", repo, "ls-tree", ref), rev(ref+":proposal.md"), strings.TrimSpace(md), 1), repo, "mktree"))
	eve.pushes(t, info, bucket.Update{Ref: ref, New: eve.signedEvent(t, info, rev(ref), tree, proposal.TrailerID+": "+id+"\n"+proposal.TrailerEvent+": rejected\n")})
	write(t, d.Dir(), map[string]string{"a.md": "2\n", "b.md": "b\n"})
	if out := w.seal(t, d, "no conflict any more"); !out.Merged {
		t.Errorf("%+v", out)
	}
}
