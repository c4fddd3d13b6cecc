package workspace

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/vexa-ai/vexa/pkg/contract/proposalv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/proposal"
)

// ProposeRequest asks to open a proposal of a branch.
type ProposeRequest struct {
	Workspace string // name or id
	Branch    string // whose newest commit is to be merged: "joe/prices", or a full ref
	Target    string // the branch that is to take it; empty: main
	Title     string // empty: the first line of that commit's message
	Body      string
	Author    Author
}

// Propose opens a proposal to merge a branch. It is fault.Conflict where the target
// holds the branch, or where an open proposal is about it.
func (s *Store) Propose(ctx context.Context, req ProposeRequest) (Proposal, error) {
	r, err := s.open(ctx, req.Workspace)
	if err != nil {
		return Proposal{}, err
	}
	branch, err := branchRef(req.Branch, "")
	if err != nil {
		return Proposal{}, err
	}
	target, err := branchRef(req.Target, refMain)
	if err != nil {
		return Proposal{}, err
	}
	if strings.HasPrefix(target, refBranches) {
		return Proposal{}, fault.New(fault.Invalid, "the branches below "+branchSpace+" are those of dispatches, which go on from what they left", "propose it for another branch: --into main")
	}
	id := ""
	err = r.change(ctx, func() error {
		id = s.opt.NewID()
		st, err := r.head(ctx)
		if err != nil {
			return err
		}
		source, err := r.branchCommit(branch)
		if err != nil {
			return err
		}
		if err := r.unproposed(ctx, branch, target); err != nil {
			return err
		}
		p, err := r.proposing(ctx, st, nil, req.Author.Subject)
		if err != nil {
			return err
		}
		c, err := r.readCommit(ctx, source)
		if err != nil {
			return err
		}
		title := req.Title
		if strings.TrimSpace(title) == "" {
			title = c.Message
		}
		return p.run(ctx, func(p *proposing) (event, error) {
			return p.open(ctx, proposalv1.Proposal{
				Kind: proposalv1.KindProposal, ID: id, Title: proposal.Title(title), Target: target, Branch: branch, Source: source.String(), Subject: req.Author.Subject,
			}, req.Body)
		})
	})
	if err != nil {
		return Proposal{}, err
	}
	return r.changed(ctx, id)
}

// branchRef returns the full name of a branch.
func branchRef(name, otherwise string) (string, error) {
	if name == "" && otherwise != "" {
		return otherwise, nil
	}
	if !strings.HasPrefix(name, "refs/") {
		name = "refs/heads/" + name
	}
	if err := bucket.CheckRef(name); err != nil || !strings.HasPrefix(name, "refs/heads/") {
		return "", fault.Newf(fault.Invalid, "not a branch: %q", name).WithHint("give the name of one, as git branch -r shows it after origin/")
	}
	return name, nil
}

// branchCommit returns the commit of a branch that has to be there.
func (r *repo) branchCommit(ref string) (object.ID, error) {
	id, err := r.ref(ref)
	if err == nil && id.IsZero() {
		name := strings.TrimPrefix(ref, "refs/heads/")
		return id, fault.New(fault.NotFound, r.name+" has no branch "+name, "push it: git push origin "+name)
	}
	return id, err
}

// unproposed refuses a second open proposal of a branch for the same target.
func (r *repo) unproposed(ctx context.Context, branch, target string) error {
	refs, err := r.refsBelow(proposal.Space)
	if err != nil {
		return err
	}
	for name, tip := range refs {
		f, err := r.readProposal(ctx, strings.TrimPrefix(name, proposal.Space), tip)
		if err == nil && f.Status == proposalv1.StatusOpen && f.Branch == branch && f.Target == target {
			return fault.New(fault.Conflict, "there is an open proposal of "+strings.TrimPrefix(branch, "refs/heads/")+": "+f.ID, "vexa proposal refresh "+r.name+" "+f.ID+" takes what the branch has now")
		}
	}
	return nil
}

// open is the first event of a proposal whose sides are known but for the target's.
func (p *proposing) open(ctx context.Context, after proposalv1.Proposal, body string) (event, error) {
	after.Status = proposalv1.StatusOpen
	source, err := parseID(after.Source)
	if err != nil {
		return event{}, err
	}
	e := event{kind: proposal.Opened, body: body, what: "Propose: " + after.Title, source: source}
	if after.Branch != "" { // else it was made just now, and is nowhere yet
		held, err := p.held(ctx, after)
		if err != nil {
			return event{}, err
		}
		if held {
			return event{}, fault.New(fault.Conflict, strings.TrimPrefix(after.Target, "refs/heads/")+" holds "+after.Source[:12]+" already", "vexa workspace log "+p.repo.name)
		}
	}
	if e.paths, err = p.merge(ctx, &after); err != nil {
		return event{}, err
	}
	e.after = after
	return e, nil
}

// held reports whether the target of a proposal holds its source.
func (p *proposing) held(ctx context.Context, of proposalv1.Proposal) (bool, error) {
	source, err := parseID(of.Source)
	if err != nil {
		return false, err
	}
	target, err := p.repo.branchCommit(of.Target)
	if err != nil {
		return false, err
	}
	return p.repo.isAncestor(ctx, source, target)
}

// merge merges the sides of a proposal anew: after gets what its target is now, and
// the result. What was resolved before is so again where the three versions are the
// same.
func (p *proposing) merge(ctx context.Context, after *proposalv1.Proposal) ([]proposalv1.Conflict, error) {
	ours, err := p.repo.branchCommit(after.Target)
	if err != nil {
		return nil, err
	}
	theirs, err := parseID(after.Source)
	if err != nil {
		return nil, err
	}
	after.From = ours.String()
	root, paths, err := p.mergeSides(ctx, ours, theirs)
	if err != nil {
		return nil, err
	}
	if p.files != nil {
		if root, err = p.resolveAgain(ctx, root, paths); err != nil {
			return nil, err
		}
	}
	after.Result = root.String()
	return paths, nil
}

// mergeSides merges two commits and describes what conflicts, in order.
func (p *proposing) mergeSides(ctx context.Context, ours, theirs object.ID) (object.ID, []proposalv1.Conflict, error) {
	r := p.repo
	root, conflicts, err := r.mergeDetail(ctx, p.q, ours, theirs)
	if err != nil || len(conflicts) == 0 {
		return root, nil, err
	}
	trees, err := p.threeTrees(ctx, ours, theirs)
	if err != nil {
		return root, nil, err
	}
	var paths []proposalv1.Conflict
	for _, c := range conflicts {
		if !utf8.ValidString(c.path) {
			return root, nil, fault.New(fault.Invalid, fmt.Sprintf("the path %q conflicts and is not UTF-8", c.path), "merge it in a clone, with git")
		}
		out := proposalv1.Conflict{Path: c.path, Why: c.why[:min(len(c.why), 64)]}
		for i := range out.Why {
			out.Why[i] = strings.ToValidUTF8(out.Why[i][:min(len(out.Why[i]), 256)], "")
		}
		if err := p.fillSides(ctx, &out, c, trees); err != nil {
			return root, nil, err
		}
		paths = append(paths, out)
	}
	slices.SortFunc(paths, func(a, b proposalv1.Conflict) int { return strings.Compare(a.Path, b.Path) })
	return root, paths, nil
}

// fillSides fills in the versions of a path: those that git said, or where it said
// none those that the three trees have.
func (p *proposing) fillSides(ctx context.Context, out *proposalv1.Conflict, c conflict, trees [3]string) (err error) {
	for i, to := range []**proposalv1.File{&out.Base, &out.Ours, &out.Theirs} {
		switch {
		case c.stages != [3]treeStage{}:
			*to = fileOf(c.stages[i])
		case trees[i] != "":
			if *to, err = p.repo.fileAt(ctx, p.q, trees[i], c.path); err != nil {
				return err
			}
		}
	}
	return nil
}

// threeTrees are the trees of the merge base, empty where there is not one, and of
// two commits.
func (p *proposing) threeTrees(ctx context.Context, ours, theirs object.ID) ([3]string, error) {
	var out [3]string
	base, err := p.repo.mergeBase(ctx, p.q, ours, theirs)
	if err != nil {
		return out, err
	}
	for i, commit := range []string{base, ours.String(), theirs.String()} {
		if commit == "" {
			continue
		}
		id, err := object.ParseID(commit)
		if err != nil {
			return out, err
		}
		trees, err := p.repo.treesOf(ctx, p.q, id)
		if err != nil {
			return out, err
		}
		out[i] = trees[0].String()
	}
	return out, nil
}

func fileOf(s treeStage) *proposalv1.File {
	if s.id == "" {
		return nil
	}
	return &proposalv1.File{Mode: s.mode, ID: s.id}
}

// fileAt finds the file at a path of a tree, given by its id; nil: there is none.
func (r *repo) fileAt(ctx context.Context, q, root, path string) (*proposalv1.File, error) {
	id, err := parseID(root)
	if err != nil {
		return nil, err
	}
	for {
		data, err := r.objectIn(ctx, q, id, object.KindTree)
		if err != nil {
			return nil, err
		}
		entries, err := object.ParseTree(data)
		if err != nil {
			return nil, err
		}
		name, rest, below := strings.Cut(path, "/")
		i := slices.IndexFunc(entries, func(e object.TreeEntry) bool { return e.Name == name })
		switch {
		case i < 0 || below != (entries[i].Mode == object.ModeDir):
			return nil, nil //nolint:nilnil // there is none
		case !below:
			return &proposalv1.File{Mode: strconv.FormatUint(uint64(entries[i].Mode), 8), ID: entries[i].ID.String()}, nil
		}
		id, path = entries[i].ID, rest
	}
}

// resolveAgain resolves conflicts as they were resolved before, where the versions
// are the same, and says so in them.
func (p *proposing) resolveAgain(ctx context.Context, root object.ID, paths []proposalv1.Conflict) (object.ID, error) {
	var changes []treeChange
	for i := range paths {
		old := slices.IndexFunc(p.files.Conflicts, func(c proposalv1.Conflict) bool { return c.Path == paths[i].Path })
		if old < 0 {
			continue
		}
		was := p.files.Conflicts[old]
		if was.Resolution == "" || !sameSides(was, paths[i]) {
			continue
		}
		c, err := p.asInResult(ctx, was.Path)
		if err != nil {
			return root, err
		}
		changes = append(changes, c)
		paths[i].Resolution = was.Resolution
	}
	return p.repo.editTree(ctx, p.q, root, changes)
}

// sameSides reports whether two conflicts are of the same versions.
func sameSides(a, b proposalv1.Conflict) bool {
	return sameFile(a.Base, b.Base) && sameFile(a.Ours, b.Ours) && sameFile(a.Theirs, b.Theirs)
}

func sameFile(a, b *proposalv1.File) bool { return a == b || a != nil && b != nil && *a == *b }

// asInResult is what has at a path what the proposal's result has there.
func (p *proposing) asInResult(ctx context.Context, path string) (treeChange, error) {
	now, err := p.repo.fileAt(ctx, p.q, p.files.Result, path)
	if err != nil {
		return treeChange{}, err
	}
	return changeTo(path, now)
}

// changeTo is what has a file at a path; nil: none.
func changeTo(path string, f *proposalv1.File) (treeChange, error) {
	c := treeChange{path: path}
	if f == nil {
		return c, nil
	}
	var err error
	if c.id, err = parseID(f.ID); err != nil {
		return c, err
	}
	c.mode, err = object.ParseMode(f.Mode)
	return c, err
}

// RefreshProposal merges a proposal anew with what its target and its branch are
// now. Approvals are void unless nothing changed; what was resolved stays so where
// the versions are the same.
func (s *Store) RefreshProposal(ctx context.Context, nameOrID, id string, by Author) (Proposal, error) {
	return s.changeProposal(ctx, nameOrID, id, by, func(p *proposing) (event, error) {
		if err := p.mustBeOpen(); err != nil {
			return event{}, err
		}
		return p.refresh(ctx)
	})
}

// refresh is the event of merging anew; without a kind where nothing changed.
func (p *proposing) refresh(ctx context.Context) (event, error) {
	f := p.files
	e := p.next(proposal.Refreshed)
	e.void = true
	branch, err := p.repo.newerSource(ctx, f)
	if err != nil {
		return e, err
	}
	if !branch.IsZero() {
		e.source, e.after.Source = branch, branch.String()
	}
	held, err := p.held(ctx, e.after)
	if err != nil {
		return e, err
	}
	if held {
		e.kind, e.after.Status, e.what = proposal.Obsoleted, proposalv1.StatusObsolete, "Obsolete: "+f.Title
		return e, nil
	}
	if e.paths, err = p.merge(ctx, &e.after); err != nil {
		return e, err
	}
	if e.after.From == f.From && e.after.Source == f.Source && e.after.Result == f.Result {
		return nothingToDo()
	}
	e.what = "Merge again: " + f.Title
	return e, nil
}
