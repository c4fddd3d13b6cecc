package workspace

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/tree"
)

// landing is a commit on its way to a branch and to main.
type landing struct {
	ref    string // the branch
	tip    object.ID
	id     object.ID // the commit; may be the tip
	pack   string    // that has the commit; empty where it is the tip
	author Author
	msg    message
}

// land moves the branch to the commit and merges it into main. In the bucket
// main has the commit from then on, or where they conflict, or the policy asks for
// approvals, the branch and a proposal of it.
func (s *Store) land(ctx context.Context, r *repo, l landing, out *Sealed) error {
	return r.change(ctx, func() error { return s.tryLand(ctx, r, l, out) })
}

func (s *Store) tryLand(ctx context.Context, r *repo, l landing, out *Sealed) error {
	branch, err := r.ref(l.ref)
	if err != nil {
		return err
	}
	if branch != l.id { // an earlier try may have moved it
		if err := r.setRef(l.ref, l.id, l.tip); err != nil {
			return err
		}
	}
	s.step("branch")
	main, err := r.ref(refMain)
	if err != nil {
		return err
	}
	next, mergePack, conflicts, err := s.mergeInto(ctx, r, main, l)
	if err != nil {
		return err
	}
	st, err := r.known(ctx) // under another policy by now the push is stale
	if err != nil {
		return err
	}
	at, err := s.standingOf(ctx, r, st, l)
	if err != nil {
		return err
	}
	out.Conflicts, out.Merged, out.Main, out.Proposal = conflicts, false, main.String(), ""
	m := move{ref: refMain, from: main, to: next}
	var p proposed
	if len(conflicts) == 0 && (next == main || bucket.Threshold(st.Membership, refMain) == 0 && !at.rejected()) {
		out.Merged, out.Main = true, next.String()
		p, err = r.obsolete(ctx, st, l, at)
	} else {
		mergePack = ""
		m, p, err = s.besideMain(ctx, r, st, l, at)
		if at.files != nil || !p.to.IsZero() {
			out.Proposal = at.id
		}
	}
	if err != nil {
		return err
	}
	packs, err := r.packsOf(ctx, l, mergePack)
	if err != nil {
		return err
	}
	return r.bring(ctx, approved{policy: st.Membership.Version, base: map[string]string{refMain: main.String()}}, packs, proposed{move: m}, p)
}

// bring publishes what moves something of a landing, with its packs.
func (r *repo) bring(ctx context.Context, by approved, packs []string, all ...proposed) error {
	var moves []move
	for _, p := range all {
		if p.from == p.to {
			continue
		}
		moves = append(moves, p.move)
		if packs != nil && p.pack != "" {
			packs = append(packs, p.pack)
		}
	}
	if len(moves) == 0 {
		return nil
	}
	r.store.step("merged")
	err := r.publishApproved(ctx, moves, packs, by)
	r.store.step("main")
	return err
}

// besideMain leaves a landing on its branch, and proposes it.
func (s *Store) besideMain(ctx context.Context, r *repo, st *bucket.State, l landing, at standing) (m move, p proposed, err error) {
	if m, err = branchMove(st, l); err != nil {
		return m, p, err
	}
	p, err = s.proposeOrNot(ctx, r, st, l, at)
	return m, p, err
}

// branchMove is the move of a branch that main does not take.
func branchMove(st *bucket.State, l landing) (m move, err error) {
	m = move{ref: l.ref, to: l.id}
	if id := st.Refs[l.ref]; id != "" {
		m.from, err = object.ParseID(id)
	}
	return m, err
}

// packsOf returns the packs that have all of a landing that the bucket has not;
// nil where git has to find out.
func (r *repo) packsOf(ctx context.Context, l landing, mergePack string) ([]string, error) {
	if l.pack == "" {
		return nil, nil
	}
	held, err := r.holds(ctx, l.tip)
	if err != nil || !held {
		return nil, err
	}
	if mergePack == "" {
		return []string{l.pack}, nil
	}
	return []string{l.pack, mergePack}, nil
}

// mergeInto returns what main becomes when it takes the commit: the commit
// itself where main is behind it, a merge commit where both moved, with the pack
// that has it, main where it has the commit already or where they conflict, with
// the paths.
func (s *Store) mergeInto(ctx context.Context, r *repo, main object.ID, l landing) (next object.ID, pack string, conflicts []string, err error) {
	if main == l.tip {
		return l.id, "", nil, nil
	}
	if behind, err := r.isAncestor(ctx, main, l.id); err != nil || behind {
		return l.id, "", nil, err
	}
	if held, err := r.isAncestor(ctx, l.id, main); err != nil || held {
		return main, "", nil, err
	}
	p := object.NewPack(r.packDir(), nil)
	defer p.Abort()
	root, conflicts, err := r.mergeTrees(ctx, main, l.id, p)
	if err != nil || len(conflicts) > 0 {
		return main, "", conflicts, err
	}
	msg := l.msg
	msg.subject = "Merge " + strings.TrimPrefix(l.ref, "refs/heads/") + ": " + msg.subject
	merge, err := p.Add(object.KindCommit, s.commit(l.author, root, []object.ID{main, l.id}, msg))
	if err != nil {
		return main, "", nil, err
	}
	pack, err = p.Finish()
	return merge, pack, nil, err
}

// mergeTrees merges two commits' trees and adds what is new of the result to
// the pack.
func (r *repo) mergeTrees(ctx context.Context, ours, theirs object.ID, pack *object.Pack) (object.ID, []string, error) {
	q, drop, err := r.quarantine()
	if err != nil {
		return object.ID{}, nil, err
	}
	defer drop()
	root, conflicts, err := r.mergeIn(ctx, q, ours, theirs)
	if err != nil || len(conflicts) > 0 {
		return root, conflicts, err
	}
	known, err := r.treesOf(ctx, q, ours, theirs)
	if err != nil {
		return root, nil, err
	}
	return root, nil, r.addNew(ctx, q, pack, root, known...)
}

// treesOf returns the trees of commits, which may be in a quarantine.
func (r *repo) treesOf(ctx context.Context, q string, commits ...object.ID) ([]object.ID, error) {
	out := make([]object.ID, 0, len(commits))
	for _, id := range commits {
		data, err := r.objectIn(ctx, q, id, object.KindCommit)
		if err != nil {
			return nil, err
		}
		c, err := object.ParseCommit(data)
		if err != nil {
			return nil, fmt.Errorf("commit %s: %w", id, err)
		}
		out = append(out, c.Tree)
	}
	return out, nil
}

// mergeIn is mergeDetail for who asks for paths alone, escaped.
func (r *repo) mergeIn(ctx context.Context, q string, ours, theirs object.ID) (object.ID, []string, error) {
	root, conflicts, err := r.mergeDetail(ctx, q, ours, theirs)
	var paths []string
	for _, c := range conflicts {
		paths = append(paths, tree.Escape(c.path))
	}
	return root, paths, err
}

// mergeDetail merges two commits' trees: by lines as git does, and the frontmatter
// of pages by key. New objects go to the quarantine q. Git's exit code and its list
// of conflicts decide, less what is merged by key; a clean merge that brings
// together names which some file systems take for each other is a conflict too.
// Where something conflicts the tree is git's, with its markers.
func (r *repo) mergeDetail(ctx context.Context, q string, ours, theirs object.ID) (object.ID, []conflict, error) {
	res, err := r.Run(ctx, git.Cmd{
		Args: []string{"merge-tree", "--write-tree", "-z", "--messages", ours.String(), theirs.String()},
		OK:   []int{1}, Objects: q,
	})
	if failed, ok := errors.AsType[*git.Error](err); ok && strings.Contains(failed.Stderr, "unrelated histories") {
		err = fault.New(fault.Conflict, "the two have no commit in common, so that nothing tells what each of them changed", "make the change on a branch of what it is to be merged into")
	}
	if err != nil {
		return object.ID{}, nil, err
	}
	m, err := parseMergeTree(res.Stdout)
	if err != nil {
		return object.ID{}, nil, err
	}
	root, conflicts, err := r.mergePages(ctx, q, ours, theirs, m)
	if err != nil {
		return root, conflicts, err
	}
	nameless := m.nameless()
	if res.Code != 0 && len(m.conflict)+len(nameless) == 0 {
		return root, nil, errors.New("git merge-tree reports a conflict without a path")
	}
	conflicts = append(conflicts, nameless...)
	var back []treeChange // a file that was moved out of the way is a conflict where it was
	for _, c := range conflicts {
		if c.moved != "" {
			back = append(back, treeChange{path: c.moved})
		}
	}
	if len(back) > 0 {
		if root, err = r.editTree(ctx, q, root, back); err != nil {
			return root, nil, err
		}
	}
	twins, err := r.mergedTwins(ctx, ours, root, q)
	for _, path := range twins {
		if slices.ContainsFunc(conflicts, func(c conflict) bool { return c.path == path }) {
			continue
		}
		conflicts = append(conflicts, conflict{path: path, why: []string{"its name differs from another one only in case or Unicode form"}})
	}
	return root, conflicts, err
}

// quarantine makes a directory for objects that may not be kept, and returns
// what removes it. The caller holds the workspace's lock, so that whatever else
// is there was left by a process that was killed.
func (r *repo) quarantine() (dir string, drop func(), err error) {
	dir = filepath.Join(r.store.openDir(r.id), "quarantine")
	if err := os.RemoveAll(dir); err != nil {
		return "", nil, err
	}
	return dir, func() { _ = os.RemoveAll(dir) }, os.Mkdir(dir, 0o700)
}

// mergedTwins returns the paths that a merge adds to ours beside a name that
// differs only in case or Unicode form.
func (r *repo) mergedTwins(ctx context.Context, ours, root object.ID, q string) ([]string, error) {
	res, err := r.Run(ctx, git.Cmd{Args: []string{"diff-tree", "-r", "-z", "--no-renames", "--name-only", "--diff-filter=A", ours.String(), root.String()}, Objects: q})
	if err != nil || len(res.Stdout) == 0 {
		return nil, err
	}
	added := strings.Split(strings.TrimRight(string(res.Stdout), "\x00"), "\x00")
	list, err := r.Run(ctx, git.Cmd{Args: []string{"ls-tree", "-r", "-z", "--full-tree", "--name-only", root.String()}, Objects: q, Limit: 1 << 30})
	if err != nil {
		return nil, err
	}
	return tree.Twins(added, strings.Split(strings.TrimRight(string(list.Stdout), "\x00"), "\x00")), nil
}
