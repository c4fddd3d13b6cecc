package workspace

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/vexa-ai/vexa/pkg/contract/proposalv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
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
		_, by, err := s.self(ctx, r, st)
		if err != nil {
			return err
		}
		by.Subject = req.Author.Subject
		c, err := r.readCommit(ctx, source)
		if err != nil {
			return err
		}
		title := req.Title
		if strings.TrimSpace(title) == "" {
			title = c.Message
		}
		p := &proposing{store: s, repo: r, state: st, by: by}
		return p.run(ctx, func(p *proposing) (event, error) {
			return p.open(ctx, proposalv1.Proposal{
				Kind: proposalv1.KindProposal, ID: id, Title: proposal.Title(title), Target: target, Branch: branch, Source: source.String(), Subject: req.Author.Subject,
			}, req.Body)
		})
	})
	if err != nil {
		return Proposal{}, err
	}
	return s.Proposal(ctx, r.id, id)
}

// branchRef returns the full name of a branch.
func branchRef(name, otherwise string) (string, error) {
	if name == "" && otherwise != "" {
		return otherwise, nil
	}
	if !strings.HasPrefix(name, "refs/") {
		name = "refs/heads/" + name
	}
	rev, err := git.CheckRev(name)
	if err != nil || rev != name || !strings.HasPrefix(name, "refs/heads/") {
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
	// What is from no branch was made just now, and is nowhere yet.
	if e.paths, err = p.merge(ctx, &after, after.Branch != ""); err != nil {
		return event{}, err
	}
	e.after = after
	return e, nil
}

// merge merges the sides of a proposal anew: after gets what its target is now, and
// the result. What was resolved before is so again where the three versions are the
// same. It is fault.Conflict where the target holds the source, unless not asked to
// look.
func (p *proposing) merge(ctx context.Context, after *proposalv1.Proposal, look bool) ([]proposalv1.Conflict, error) {
	r := p.repo
	ours, err := r.branchCommit(after.Target)
	if err != nil {
		return nil, err
	}
	theirs, err := parseID(after.Source)
	if err != nil {
		return nil, err
	}
	if look {
		held, err := r.isAncestor(ctx, theirs, ours)
		if err != nil {
			return nil, err
		}
		if held {
			return nil, fault.New(fault.Conflict, strings.TrimPrefix(after.Target, "refs/heads/")+" holds "+after.Source[:12]+" already", "vexa workspace log "+r.name)
		}
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
	base, err := r.mergeBase(ctx, p.q, ours, theirs)
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
		if c.stages == [3]treeStage{} {
			for i, rev := range []string{base, ours.String(), theirs.String()} {
				if c.stages[i], err = r.stageOf(ctx, p.q, rev, c.path); err != nil {
					return root, nil, err
				}
			}
		}
		out.Base, out.Ours, out.Theirs = fileOf(c.stages[0]), fileOf(c.stages[1]), fileOf(c.stages[2])
		paths = append(paths, out)
	}
	slices.SortFunc(paths, func(a, b proposalv1.Conflict) int { return strings.Compare(a.Path, b.Path) })
	return root, paths, nil
}

func fileOf(s treeStage) *proposalv1.File {
	if s.id == "" {
		return nil
	}
	return &proposalv1.File{Mode: s.mode, ID: s.id}
}

// stageOf finds the file at a path of a commit or tree; "" is none.
func (r *repo) stageOf(ctx context.Context, q, rev, path string) (treeStage, error) {
	if rev == "" {
		return treeStage{}, nil
	}
	res, err := r.Run(ctx, git.Cmd{Args: []string{"ls-tree", "-z", "--full-tree", rev, "--", path}, Objects: q})
	if err != nil {
		return treeStage{}, err
	}
	head, _, _ := strings.Cut(string(res.Stdout), "\t")
	parts := strings.Fields(head)
	if len(parts) != 3 || parts[1] == "tree" {
		return treeStage{}, nil
	}
	return treeStage{mode: parts[0], id: parts[2]}, nil
}

// resolveAgain resolves conflicts as they were resolved before, where the versions
// are the same, and says so in them.
func (p *proposing) resolveAgain(ctx context.Context, root object.ID, paths []proposalv1.Conflict) (object.ID, error) {
	for i := range paths {
		old := slices.IndexFunc(p.files.Conflicts, func(c proposalv1.Conflict) bool { return c.Path == paths[i].Path })
		if old < 0 {
			continue
		}
		was := p.files.Conflicts[old]
		if was.Resolution == "" || !sameFile(was.Base, paths[i].Base) || !sameFile(was.Ours, paths[i].Ours) || !sameFile(was.Theirs, paths[i].Theirs) {
			continue
		}
		now, err := p.repo.stageOf(ctx, p.q, p.files.Result, was.Path)
		if err == nil {
			root, err = p.put(ctx, root, was.Path, fileOf(now))
		}
		if err != nil {
			return root, err
		}
		paths[i].Resolution = was.Resolution
	}
	return root, nil
}

func sameFile(a, b *proposalv1.File) bool { return a == b || a != nil && b != nil && *a == *b }

// put makes a tree that has a file at a path; nil: none.
func (p *proposing) put(ctx context.Context, root object.ID, path string, f *proposalv1.File) (object.ID, error) {
	return p.repo.setIn(ctx, p.q, root, path, func(e *object.TreeEntry) (bool, error) {
		if f == nil {
			return false, nil
		}
		var err error
		if e.ID, err = parseID(f.ID); err != nil {
			return false, err
		}
		e.Mode, err = object.ParseMode(f.Mode)
		return true, err
	})
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
	f, r := p.files, p.repo
	e := next(f, proposal.Refreshed)
	e.void = true
	if f.Branch != "" {
		branch, err := r.ref(f.Branch)
		if err != nil {
			return e, err
		}
		if !branch.IsZero() && branch.String() != f.Source {
			e.source, e.after.Source = branch, branch.String()
		}
	}
	source, err := parseID(e.after.Source)
	if err != nil {
		return e, err
	}
	target, err := r.branchCommit(f.Target)
	if err != nil {
		return e, err
	}
	held, err := r.isAncestor(ctx, source, target)
	if err != nil {
		return e, err
	}
	if held {
		e.kind, e.after.Status, e.what = proposal.Obsoleted, proposalv1.StatusObsolete, "Obsolete: "+f.Title
		return e, nil
	}
	if e.paths, err = p.merge(ctx, &e.after, false); err != nil {
		return e, err
	}
	if e.after.From == f.From && e.after.Source == f.Source && e.after.Result == f.Result {
		return nothingToDo()
	}
	e.what = "Merge again: " + f.Title
	return e, nil
}
