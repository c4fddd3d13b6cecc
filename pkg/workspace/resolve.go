package workspace

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/proposalv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/proposal"
	"github.com/vexa-ai/vexa/pkg/workspace/tree"
)

// Resolution says what becomes of paths that conflict.
type Resolution struct {
	Paths   []string // none: all that are open
	How     string   // ours | theirs | edited | removed
	Content []byte   // of the one path that was edited
	// From and Source are the sides that were looked at: where the proposal merges
	// others by now it is a conflict. Empty: whatever they are.
	From, Source string
	Author       Author
}

// ResolveProposal resolves conflicts of a proposal. Approvals that were given are
// void. Content with a conflict marker is fault.Invalid.
func (s *Store) ResolveProposal(ctx context.Context, nameOrID, id string, res Resolution) (Proposal, error) {
	return s.changeProposal(ctx, nameOrID, id, res.Author, func(p *proposing) (event, error) {
		if err := p.mustBeOpen(); err != nil {
			return event{}, err
		}
		return p.resolution(ctx, res)
	})
}

// resolution is the event of resolving conflicts.
func (p *proposing) resolution(ctx context.Context, res Resolution) (event, error) {
	if f := p.files; res.From != "" && res.From != f.From || res.Source != "" && res.Source != f.Source {
		return event{}, fault.New(fault.Conflict, "what the proposal "+f.ID+" merges is something else than was looked at by now", "look at it again: vexa proposal show "+p.repo.name+" "+f.ID)
	}
	e := p.next(proposal.Resolved)
	e.void, e.paths = true, slices.Clone(e.paths)
	at, err := p.chosen(res)
	if err != nil {
		return e, err
	}
	root, err := parseID(p.files.Result)
	if err != nil {
		return e, err
	}
	changes := make([]treeChange, 0, len(at))
	for _, i := range at {
		c, err := p.resolve(ctx, &e.paths[i], res)
		if err != nil {
			return e, err
		}
		changes = append(changes, c)
	}
	if root, err = p.repo.editTree(ctx, p.q, root, changes); err != nil {
		return e, err
	}
	e.after.Result = root.String()
	if len(proposal.Open(e.paths)) == 0 {
		if err := p.noTwins(ctx, e.after, e.paths); err != nil {
			return e, err
		}
	}
	e.what = "Resolve " + tree.Escape(e.paths[at[0]].Path)
	if len(at) > 1 {
		e.what = "Resolve " + strconv.Itoa(len(at)) + " conflicts"
	}
	return e, nil
}

// chosen are the indexes of the conflicts that are to be resolved.
func (p *proposing) chosen(res Resolution) ([]int, error) {
	hint := "vexa proposal show " + p.repo.name + " " + p.files.ID + " lists them"
	var at []int
	for i, c := range p.files.Conflicts {
		if len(res.Paths) == 0 && c.Resolution == "" || slices.Contains(res.Paths, c.Path) {
			at = append(at, i)
		}
	}
	switch {
	case len(at) == 0 && len(res.Paths) == 0:
		return nil, fault.New(fault.Conflict, "nothing of the proposal "+p.files.ID+" is left to be resolved", "vexa proposal approve "+p.repo.name+" "+p.files.ID)
	case len(at) < len(res.Paths):
		for _, path := range res.Paths {
			if !slices.ContainsFunc(p.files.Conflicts, func(c proposalv1.Conflict) bool { return c.Path == path }) {
				return nil, fault.New(fault.NotFound, tree.Escape(path)+" does not conflict", hint)
			}
		}
		return nil, fault.New(fault.Usage, "a path is named twice", "")
	case res.How == proposalv1.ResolutionEdited && len(at) != 1:
		return nil, fault.New(fault.Usage, "content is given for one path", hint)
	}
	return at, nil
}

// resolve says what is to be at one path as it was chosen, and notes that.
func (p *proposing) resolve(ctx context.Context, c *proposalv1.Conflict, res Resolution) (treeChange, error) {
	var f *proposalv1.File
	switch res.How {
	case proposalv1.ResolutionOurs:
		f = c.Ours
	case proposalv1.ResolutionTheirs:
		f = c.Theirs
	case proposalv1.ResolutionRemoved:
	case proposalv1.ResolutionEdited:
		if c.Base == nil && c.Ours == nil && c.Theirs == nil {
			return treeChange{}, fault.New(fault.Invalid, tree.Escape(c.Path)+" is no file: "+strings.Join(c.Why, "; "), "look at the files below it: vexa proposal diff NAME ID; then say --ours, which leaves them as they are")
		}
		if err := p.noMarkers(ctx, c, res.Content); err != nil {
			return treeChange{}, err
		}
		id, err := object.WriteLoose(p.q, object.KindBlob, res.Content)
		if err != nil {
			return treeChange{}, err
		}
		f = &proposalv1.File{Mode: modeOf(c), ID: id.String()}
	default:
		return treeChange{}, fault.Newf(fault.Invalid, "not a way to resolve a conflict: %q", res.How).WithHint("ours, theirs, edited or removed")
	}
	c.Resolution = res.How
	return changeTo(c.Path, f)
}

// noMarkers refuses content with a conflict marker that none of the versions has.
func (p *proposing) noMarkers(ctx context.Context, c *proposalv1.Conflict, content []byte) error {
	for n, line := range markersIn(content) {
		known := false
		for _, f := range []*proposalv1.File{c.Base, c.Ours, c.Theirs} {
			if f == nil || f.Mode == "160000" {
				continue
			}
			text, err := p.repo.Object(ctx, f.ID, "blob", maxFile)
			if err != nil {
				return err
			}
			known = known || bytes.Contains(text, line)
		}
		if !known {
			return fault.Newf(fault.Invalid, "line %d of %s is a conflict marker", n, tree.Escape(c.Path)).WithHint("leave of each part between <<<<<<< and >>>>>>> what is to stay, and no marker")
		}
	}
	return nil
}

// modeOf is the mode of an edited file: executable where a side made it so.
func modeOf(c *proposalv1.Conflict) string {
	for _, f := range []*proposalv1.File{c.Theirs, c.Ours} {
		if f != nil && f.Mode == "100755" {
			return f.Mode
		}
	}
	return "100644"
}

// noTwins refuses a result with names that some file systems take for each other. Where
// nothing conflicted the merge has looked: they would.
func (p *proposing) noTwins(ctx context.Context, of proposalv1.Proposal, paths []proposalv1.Conflict) error {
	if len(paths) == 0 {
		return nil
	}
	from, err := parseID(of.From)
	if err != nil {
		return err
	}
	root, err := parseID(of.Result)
	if err != nil {
		return err
	}
	twins, err := p.repo.mergedTwins(ctx, from, root, p.q)
	if err != nil || len(twins) == 0 {
		return err
	}
	return fault.New(fault.Conflict, "the result would have "+tree.Escape(twins[0])+" beside a name that differs only in case or Unicode form", "remove one: vexa proposal resolve "+p.repo.name+" "+of.ID+" '"+tree.Escape(twins[0])+"' --remove")
}

// The markers of a conflict, as git writes them.
const (
	markerOurs   = "<<<<<<< "
	markerBase   = "||||||| "
	markerSplit  = "======="
	markerTheirs = ">>>>>>> "
)

// markersIn returns the lines that are conflict markers of git's, by their numbers.
func markersIn(text []byte) map[int][]byte {
	out := map[int][]byte{}
	n := 0
	for line := range bytes.Lines(text) {
		n++
		for _, marker := range []string{markerOurs, markerBase, markerTheirs} {
			if bytes.HasPrefix(line, []byte(marker)) {
				out[n] = line
			}
		}
	}
	return out
}

// Sides are the versions of a path that conflicts; nil: no file.
type Sides struct {
	From     string // commit of the target
	Source   string // commit that is proposed
	Conflict proposalv1.Conflict
	Base     []byte
	Ours     []byte // of the target
	Theirs   []byte // of the source
	Merged   []byte // with markers where they disagree; nil where that is no text
}

// ProposalSides returns the versions of one path that conflicts.
func (s *Store) ProposalSides(ctx context.Context, nameOrID, id, path string) (Sides, error) {
	r, f, _, err := s.openProposal(ctx, nameOrID, id)
	if err != nil {
		return Sides{}, err
	}
	i := slices.IndexFunc(f.Conflicts, func(c proposalv1.Conflict) bool { return c.Path == path })
	if i < 0 {
		return Sides{}, fault.New(fault.NotFound, tree.Escape(path)+" does not conflict", "vexa proposal show "+r.name+" "+f.ID+" lists what does")
	}
	out := Sides{From: f.From, Source: f.Source, Conflict: f.Conflicts[i]}
	for _, side := range []struct {
		file *proposalv1.File
		to   *[]byte
	}{{out.Conflict.Base, &out.Base}, {out.Conflict.Ours, &out.Ours}, {out.Conflict.Theirs, &out.Theirs}} {
		if side.file == nil || side.file.Mode == "160000" {
			continue
		}
		if *side.to, err = r.Object(ctx, side.file.ID, "blob", maxFile); err != nil {
			return out, err
		}
	}
	if out.Conflict.Resolution == proposalv1.ResolutionEdited { // go on from there
		now, err := r.fileAt(ctx, "", f.Result, path)
		if err != nil || now == nil {
			return out, err
		}
		out.Merged, err = r.Object(ctx, now.ID, "blob", maxFile)
		return out, err
	}
	out.Merged, err = r.merged(ctx, out)
	return out, err
}

// merged is what an editor shows of a conflict: git's markers where the versions
// disagree; of a file that one side alone has it is that one; nil where that is no
// text.
func (r *repo) merged(ctx context.Context, v Sides) ([]byte, error) {
	for _, f := range []*proposalv1.File{v.Conflict.Base, v.Conflict.Ours, v.Conflict.Theirs} {
		if f != nil && f.Mode != "100644" && f.Mode != "100755" {
			return nil, nil
		}
	}
	for _, side := range [][]byte{v.Base, v.Ours, v.Theirs} {
		if bytes.IndexByte(side, 0) >= 0 || len(side) > maxPage {
			return nil, nil
		}
	}
	switch {
	case v.Ours == nil:
		return v.Theirs, nil
	case v.Theirs == nil:
		return v.Ours, nil
	}
	scratch, err := r.store.scratch()
	if err != nil {
		return nil, err
	}
	return withMarkers(ctx, r.store.opt.Git, scratch, [3][]byte{v.Base, v.Ours, v.Theirs})
}

// ProposalDiff returns what a proposal changes of its target, as a unified diff.
func (s *Store) ProposalDiff(ctx context.Context, nameOrID, id, path string) (string, proposalv1.Proposal, error) {
	r, f, _, err := s.openProposal(ctx, nameOrID, id)
	if err != nil {
		return "", proposalv1.Proposal{}, err
	}
	if path != "" {
		if err := git.CheckPath(path); err != nil {
			return "", f.Proposal, err
		}
	}
	from, err := parseID(f.From)
	if err != nil {
		return "", f.Proposal, err
	}
	if _, err := r.readCommit(ctx, from); errors.Is(err, git.ErrMissing) {
		return "", f.Proposal, fault.New(fault.Conflict, "what the proposal "+f.ID+" was merged with is gone: its target was set back", "vexa proposal refresh "+r.name+" "+f.ID)
	}
	patch, err := r.diff(ctx, f.From, f.Result, path)
	return patch, f.Proposal, err
}
