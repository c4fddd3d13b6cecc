package workspace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/contract/proposalv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/proposal"
)

// proposalFiles are what the newest commit of a proposal says. Any member may have
// written it.
type proposalFiles struct {
	proposalv1.Proposal
	body         string
	conflicts    []proposalv1.Conflict
	approvals    []proposal.Signed
	badApprovals map[string]string // by name: why it is none

	tip    object.ID
	raw    []byte // the commit
	commit object.Commit

	review, signed []object.TreeEntry // of the directories of comments and approvals
}

// readProposal reads the proposal of an id at a commit. It is fault.Invalid where
// what it says breaks its contract.
func (r *repo) readProposal(ctx context.Context, id string, tip object.ID) (*proposalFiles, error) {
	f := &proposalFiles{tip: tip, badApprovals: map[string]string{}}
	if err := r.fillProposal(ctx, f, id); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, &fault.Error{Kind: fault.Invalid, Msg: "the proposal " + id + " of " + r.name + " is damaged", Hint: "git log " + proposal.Ref(id) + " in a clone shows who wrote it", Err: err}
	}
	return f, nil
}

func (r *repo) fillProposal(ctx context.Context, f *proposalFiles, id string) (err error) {
	if f.raw, err = r.Object(ctx, f.tip.String(), "commit", maxCommit); err != nil {
		return err
	}
	if f.commit, err = object.ParseCommit(f.raw); err != nil {
		return err
	}
	root, err := r.entriesOf(ctx, f.commit.Tree)
	if err != nil {
		return err
	}
	text, err := r.blobOf(ctx, root[proposal.TextFile], proposal.MaxText)
	if err != nil {
		return fmt.Errorf("%s: %w", proposal.TextFile, err)
	}
	if f.Proposal, f.body, err = proposal.DecodeText(text); err != nil {
		return err
	}
	if f.ID != id {
		return errors.New("it says that it is another one")
	}
	for _, ref := range []string{f.Target, f.Branch} {
		if ref != "" && !strings.HasPrefix(ref, "refs/heads/") {
			return errors.New("it is not about branches")
		}
	}
	if result := root[proposal.ResultDir]; f.Result != emptyTree && (result.Mode != object.ModeDir || result.ID.String() != f.Result) {
		return errors.New("the files of its result are others than it says")
	}
	text, err = r.blobOf(ctx, root[proposal.ConflictsFile], proposal.MaxConflicts)
	if err != nil {
		return fmt.Errorf("%s: %w", proposal.ConflictsFile, err)
	}
	if f.conflicts, err = proposal.DecodeConflicts(text); err != nil {
		return err
	}
	if f.review, err = r.listOf(ctx, root[proposal.ReviewDir], proposal.MaxComments); err != nil {
		return err
	}
	if f.signed, err = r.listOf(ctx, root[proposal.ApprovalsDir], 2*proposal.MaxApprovals); err != nil {
		return err
	}
	return r.fillApprovals(ctx, f)
}

func (r *repo) fillApprovals(ctx context.Context, f *proposalFiles) error {
	byName := map[string]object.TreeEntry{}
	for _, e := range f.signed {
		byName[e.Name] = e
	}
	for _, e := range f.signed {
		name, ok := strings.CutSuffix(e.Name, ".json")
		if !ok {
			continue
		}
		text, err := r.blobOf(ctx, e, 64<<10)
		if err != nil {
			return err
		}
		armoured, err := r.blobOf(ctx, byName[e.Name+".sig"], 64<<10)
		if err != nil && ctx.Err() != nil {
			return err
		}
		a, err := proposal.Verify(name, text, armoured)
		if err != nil {
			f.badApprovals[name] = err.Error()
			continue
		}
		f.approvals = append(f.approvals, a)
	}
	return nil
}

// listOf lists a directory of an entry, which need not be there.
func (r *repo) listOf(ctx context.Context, e object.TreeEntry, most int) ([]object.TreeEntry, error) {
	if e.ID.IsZero() {
		return nil, nil
	}
	data, err := r.Object(ctx, e.ID.String(), "tree", maxTree)
	if err != nil {
		return nil, err
	}
	list, err := object.ParseTree(data)
	if err == nil && len(list) > most {
		return nil, fmt.Errorf("%s has %d files", e.Name, len(list))
	}
	return list, err
}

// entriesOf returns the entries of a tree by name.
func (r *repo) entriesOf(ctx context.Context, id object.ID) (map[string]object.TreeEntry, error) {
	list, err := r.listOf(ctx, object.TreeEntry{ID: id}, 100)
	out := make(map[string]object.TreeEntry, len(list))
	for _, e := range list {
		out[e.Name] = e
	}
	return out, err
}

// blobOf reads the file of an entry.
func (r *repo) blobOf(ctx context.Context, e object.TreeEntry, most int64) ([]byte, error) {
	if e.Mode != object.ModeFile {
		return nil, errors.New("it is missing")
	}
	return r.Object(ctx, e.ID.String(), "blob", most)
}

// maxEvents is how many events of a proposal are read.
const maxEvents = 20_000

// events reads the history of a proposal, back to the commit that opened it.
func (r *repo) events(ctx context.Context, m manifestv1.Membership, f *proposalFiles) ([]ProposalEvent, error) {
	var out []ProposalEvent
	known := map[string]bool{} // comments that are there still
	for _, e := range f.review {
		known[e.Name] = true
	}
	for at := f.tip; ; {
		raw, err := r.Object(ctx, at.String(), "commit", maxCommit)
		if err != nil {
			return nil, err
		}
		c, err := object.ParseCommit(raw)
		if err != nil {
			return nil, err
		}
		kind := proposal.Trailer(c.Message, proposal.TrailerEvent)
		if proposal.Trailer(c.Message, proposal.TrailerID) != f.ID || kind == "" || len(c.Parents) == 0 || len(out) == maxEvents {
			return nil, fault.New(fault.Invalid, "the history of the proposal "+f.ID+" of "+r.name+" is broken at commit "+at.String()[:12], "git log "+proposal.Ref(f.ID)+" in a clone shows who wrote it")
		}
		e := ProposalEvent{Kind: kind, Commit: at.String(), By: signerOf(m, raw), Time: c.Committer.Time}
		if e.Text, err = r.commentOf(ctx, c, kind); err != nil {
			return nil, err
		}
		out = append(out, e)
		if kind == proposal.Opened {
			slices.Reverse(out)
			return out, nil
		}
		at = c.Parents[0]
	}
}

// commentOf returns the comment that an event brought; "" where it brought none.
func (r *repo) commentOf(ctx context.Context, c object.Commit, kind string) (string, error) {
	if kind == proposal.Opened {
		return "", nil
	}
	parent, err := r.readCommit(ctx, c.Parents[0])
	if err != nil {
		return "", err
	}
	var dirs [2]map[string]object.TreeEntry
	for i, root := range []object.ID{parent.Tree, c.Tree} {
		top, err := r.entriesOf(ctx, root)
		if err != nil {
			return "", err
		}
		list, err := r.listOf(ctx, top[proposal.ReviewDir], proposal.MaxComments)
		if err != nil {
			return "", err
		}
		dirs[i] = make(map[string]object.TreeEntry, len(list))
		for _, e := range list {
			dirs[i][e.Name] = e
		}
	}
	for name, e := range dirs[1] {
		if _, old := dirs[0][name]; !old {
			text, err := r.blobOf(ctx, e, proposal.MaxComment)
			return strings.TrimSpace(string(text)), err
		}
	}
	return "", nil
}

// commitKey returns the key whose signature a commit carries.
func commitKey(raw []byte) (signature.Key, error) {
	content, armoured, err := object.CutSignature(raw)
	if err != nil {
		return signature.Key{}, err
	}
	if armoured == nil {
		return signature.Key{}, fault.New(fault.Denied, "it is not signed", "")
	}
	key, err := signature.KeyOf(armoured)
	if err != nil {
		return key, err
	}
	return key, key.Verify(proposal.SignatureNamespace, content, armoured)
}

// treeFiles lists the files of a tree with their modes, in the order of their
// paths.
func (r *repo) treeFiles(ctx context.Context, q string, id object.ID) ([]FileEntry, error) {
	res, err := r.Run(ctx, git.Cmd{Args: []string{"ls-tree", "-r", "-z", "--full-tree", id.String()}, Objects: q, Limit: 1 << 30})
	if err != nil {
		return nil, err
	}
	var out []FileEntry
	for line := range strings.SplitSeq(string(res.Stdout), "\x00") {
		head, path, ok := strings.Cut(line, "\t")
		parts := strings.Fields(head)
		if ok && len(parts) == 3 {
			out = append(out, FileEntry{Path: path, Mode: parts[0], SHA: parts[2]})
		}
	}
	return out, nil
}
