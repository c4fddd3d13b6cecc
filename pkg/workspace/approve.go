package workspace

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/proposalv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/proposal"
)

// CommentProposal says something to a proposal.
func (s *Store) CommentProposal(ctx context.Context, nameOrID, id, text string, by Author) (Proposal, error) {
	if strings.TrimSpace(text) == "" {
		return Proposal{}, fault.New(fault.Usage, "there is nothing to say", "give it with --message, or write it in your editor")
	}
	return s.changeProposal(ctx, nameOrID, id, by, func(p *proposing) (event, error) {
		e := p.next(proposal.Commented)
		e.comment, e.what = text, "Comment: "+p.files.Title
		return e, nil
	})
}

// RejectProposal closes a proposal without merging it; text says why, and may be
// empty. Nothing of it is removed.
func (s *Store) RejectProposal(ctx context.Context, nameOrID, id, text string, by Author) (Proposal, error) {
	return s.changeProposal(ctx, nameOrID, id, by, func(p *proposing) (event, error) {
		if err := p.mustBeOpen(); err != nil {
			return event{}, err
		}
		if ref := p.files.Target; !mayDecide(p.self, ref) {
			return event{}, fault.New(fault.Denied, "you may neither write "+ref+" nor approve for it, so that you cannot reject what is proposed for it", "say what you think: vexa proposal comment "+p.repo.name+" "+p.files.ID)
		}
		e := p.next(proposal.Rejected)
		e.after.Status, e.comment, e.what = proposalv1.StatusRejected, text, "Reject: "+p.files.Title
		return e, nil
	})
}

// ApproveProposal signs that a proposal's target may get its result. Every pack of
// the workspace is verified first, so that its files are what the ids say. It is
// fault.Denied where the policy gives this installation no right to approve, and
// fault.Conflict where conflicts are open, the target moved, or the result is another
// tree than the one whose id begins so; empty is any.
func (s *Store) ApproveProposal(ctx context.Context, nameOrID, id, result string, by Author) (Proposal, error) {
	r, err := s.openVerified(ctx, nameOrID)
	if err != nil {
		return Proposal{}, err
	}
	return r.changeProposal(ctx, id, by, func(p *proposing) (event, error) {
		if err := p.mustHave(result); err != nil {
			return event{}, err
		}
		if err := p.mustBeOpen(); err != nil {
			return event{}, err
		}
		content, err := p.sound(ctx)
		if err != nil {
			return event{}, err
		}
		about := p.subject(content)
		a := about.Approval(s.opt.Now().UTC().Format(time.RFC3339))
		if _, why := about.Why(proposal.Signed{Approval: a, Key: p.signer.Key()}); why != "" {
			return event{}, fault.New(fault.Denied, "your approval would not count: "+why, "vexa workspace member list "+p.repo.name+" shows who may approve")
		}
		for _, old := range p.files.Approvals {
			if _, why := about.Why(old); why == "" && old.Key.String() == p.signer.Key().String() {
				return nothingToDo()
			}
		}
		text, armoured, err := proposal.Sign(a, p.signer)
		if err != nil {
			return event{}, err
		}
		e := p.next(proposal.Approved)
		e.approval = &signedFile{name: proposal.ApprovalName(p.signer.Key()), text: text, armoured: armoured}
		e.what = "Approve: " + p.files.Title
		return e, nil
	})
}

// mustHave refuses a proposal whose result is another one than was looked at.
func (p *proposing) mustHave(result string) error {
	const short = 12
	switch {
	case result == "":
		return nil
	case len(result) < short:
		return fault.New(fault.Invalid, "the id of a result is 12 digits at least", "vexa proposal show "+p.repo.name+" "+p.files.ID+" prints it")
	case strings.HasPrefix(p.files.Result, strings.ToLower(result)):
		return nil
	}
	return fault.New(fault.Conflict, "the proposal "+p.files.ID+" has another result by now: "+p.files.Result[:12], "look at it again: vexa proposal show "+p.repo.name+" "+p.files.ID)
}

func (p *proposing) subject(content string) proposal.Subject {
	return proposal.Subject{Bucket: p.repo.bucket.ID(), Content: content, Proposal: p.files.Proposal, Policy: p.state.Membership}
}

// sound verifies that an open proposal is what it says before anybody signs or merges
// it, and returns the digest of its result's files: it is merged with what its target
// is now, nothing of it conflicts, members signed its history, and its result is the
// merge of its sides, less what was resolved.
func (p *proposing) sound(ctx context.Context) (content string, err error) {
	f, r := p.files, p.repo
	if open := proposal.Open(f.Conflicts); len(open) > 0 {
		return "", fault.New(fault.Conflict, conflicting(len(open))+" of the proposal "+f.ID+" conflicts", "vexa proposal resolve "+r.name+" "+f.ID)
	}
	stale, err := r.stale(ctx, f)
	if err != nil {
		return "", err
	}
	if stale {
		return "", fault.New(fault.Conflict, "what the proposal "+f.ID+" merges has moved since", "vexa proposal refresh "+r.name+" "+f.ID)
	}
	left, err := r.bucket.Unverified(p.state)
	if err != nil {
		return "", err
	}
	if len(left) > 0 { // of who pushed meanwhile
		if err := r.verifyPacks(ctx); err != nil {
			return "", err
		}
		p.believed = false // it was read of what was not verified
	}
	if err := p.believable(ctx); err != nil {
		return "", err
	}
	if err := p.isTheMerge(ctx); err != nil {
		return "", err
	}
	result, err := parseID(f.Result)
	if err != nil {
		return "", err
	}
	return r.contentDigest(ctx, result)
}

// conflicting counts paths.
func conflicting(n int) string {
	if n == 1 {
		return "1 path"
	}
	return "each of " + strconv.Itoa(n) + " paths"
}

// believable verifies that members signed every event of a proposal's history.
func (p *proposing) believable(ctx context.Context) error {
	if p.believed {
		return nil
	}
	events, err := p.repo.events(ctx, p.state.Membership, p.files)
	if err != nil {
		return err
	}
	if why := unsigned(events); why != "" {
		return fault.New(fault.Denied, "the proposal "+p.files.ID+" is not to be believed: "+why, "open another one: vexa proposal create "+p.repo.name)
	}
	p.believed = true
	return nil
}

// isTheMerge verifies that a proposal's result is the merge of its sides in all but
// the paths that conflict, and that those are the ones that do.
func (p *proposing) isTheMerge(ctx context.Context) error {
	f := p.files
	bad := func(why string) error {
		return fault.New(fault.Denied, "the proposal "+f.ID+" is not to be believed: "+why, "vexa proposal diff "+p.repo.name+" "+f.ID+" shows what it would change; open another one: vexa proposal create "+p.repo.name)
	}
	ours, err := parseID(f.From)
	if err != nil {
		return err
	}
	theirs, err := parseID(f.Source)
	if err != nil {
		return err
	}
	root, paths, err := p.mergeSides(ctx, ours, theirs)
	if err != nil {
		return err
	}
	same := slices.EqualFunc(paths, f.Conflicts, func(a, b proposalv1.Conflict) bool {
		return a.Path == b.Path && sameSides(a, b)
	})
	if !same {
		return bad("its sides conflict in other paths than it says")
	}
	changes := make([]treeChange, 0, len(paths))
	for _, c := range paths {
		change, err := p.asInResult(ctx, c.Path)
		if err != nil {
			return err
		}
		changes = append(changes, change)
	}
	if root, err = p.repo.editTree(ctx, p.q, root, changes); err != nil {
		return err
	}
	if root.String() != f.Result {
		return bad("its result is not the merge of its sides")
	}
	return p.noTwins(ctx, f.Proposal, paths)
}

// contentDigest is the digest of a tree's files, see proposal.Digest.
func (r *repo) contentDigest(ctx context.Context, root object.ID) (string, error) {
	files, err := r.filesOf(ctx, root)
	if err != nil {
		return "", err
	}
	d := proposal.NewDigest()
	ids := make([]string, 0, len(files))
	for _, f := range files {
		if f.Mode != "160000" {
			ids = append(ids, f.SHA)
		}
	}
	next := 0
	add := func(sum [sha256.Size]byte) {
		d.Add(files[next].Mode, sum, files[next].Path)
		next++
	}
	links := func() {
		for next < len(files) && files[next].Mode == "160000" {
			add(sha256.Sum256([]byte(files[next].SHA)))
		}
	}
	links()
	err = r.Objects(ctx, ids, func(o git.Object) error {
		if o.Type != "blob" || o.ID != files[next].SHA {
			return fmt.Errorf("%s is a %s", o.ID, o.Type)
		}
		h := sha256.New()
		if _, err := io.Copy(h, o.Content); err != nil {
			return err
		}
		add([sha256.Size]byte(h.Sum(nil)))
		links()
		return nil
	})
	return d.String(), err
}

// openVerified opens a workspace whose packs are what they say.
func (s *Store) openVerified(ctx context.Context, nameOrID string) (*repo, error) {
	r, err := s.open(ctx, nameOrID)
	if err != nil {
		return nil, err
	}
	return r, r.verifyPacks(ctx)
}

// verifyPacks has git look at every pack of a workspace that this installation has
// not verified: whoever stored one stored its index, too, and may have lied in it.
func (r *repo) verifyPacks(ctx context.Context) error {
	scratch, err := r.store.scratch()
	if err != nil {
		return err
	}
	found, err := r.bucket.VerifyPacks(ctx, bucket.VerifyPacksOptions{Git: r.store.opt.Git, Scratch: scratch, Repo: r.asBucketRepo()})
	if err != nil || len(found.Findings) == 0 {
		return err
	}
	return fault.New(fault.Denied, "a pack of "+r.name+" is not what it says, so that nothing of it can be signed: "+found.Findings[0].String(), "vexa workspace verify "+r.name+" --paranoid shows all that is wrong")
}

// AcceptProposal merges a proposal: its target gets a commit with its result, and
// the proposal says so, in one generation. Where the policy asks for approvals,
// fewer than that are fault.Denied. Where it asks for none, a target or branch that
// moved is merged again first, and what then conflicts is fault.Conflict.
func (s *Store) AcceptProposal(ctx context.Context, nameOrID, id, result string, by Author) (Proposal, error) {
	r, err := s.openVerified(ctx, nameOrID)
	if err != nil {
		return Proposal{}, err
	}
	return r.changeProposal(ctx, id, by, func(p *proposing) (event, error) {
		if err := p.mustHave(result); err != nil {
			return event{}, err
		}
		return p.accept(ctx, result != "")
	})
}

// accept is the event of accepting; with exact what is merged is what was looked at.
func (p *proposing) accept(ctx context.Context, exact bool) (event, error) {
	f, r := p.files, p.repo
	if err := p.mustBeOpen(); err != nil {
		return event{}, err
	}
	if err := p.believable(ctx); err != nil {
		return event{}, err
	}
	needed := bucket.Threshold(p.state.Membership, f.Target)
	stale, err := r.stale(ctx, f)
	if err != nil {
		return event{}, err
	}
	if stale && !exact && needed == 0 && len(proposal.Open(f.Conflicts)) == 0 {
		return p.acceptAgain(ctx)
	}
	content, err := p.sound(ctx)
	if err != nil {
		return event{}, err
	}
	about := p.subject(content)
	if got := len(about.Count(f.Approvals)); got < needed {
		return event{}, fault.Newf(fault.Denied, "%s takes what %d members approved, and %d approved the proposal %s%s", strings.TrimPrefix(f.Target, "refs/heads/"), needed, got, f.ID, about.Uncounted(f.Approvals)).
			WithHint("vexa proposal show " + r.name + " " + f.ID + " says who; approve it yourself: vexa proposal approve " + r.name + " " + f.ID)
	}
	return p.merged(p.next(proposal.Accepted), about.Approvers(f.Approvals))
}

// acceptAgain is accept where what is merged has moved, and needs nobody's approval.
func (p *proposing) acceptAgain(ctx context.Context) (event, error) {
	e, err := p.refresh(ctx)
	if err != nil || e.after.Status != proposalv1.StatusOpen {
		return e, err
	}
	if open := proposal.Open(e.paths); len(open) > 0 {
		return event{}, fault.New(fault.Conflict, "what the proposal "+e.after.ID+" merges has moved since, and now "+conflicting(len(open))+" of it conflicts", "vexa proposal refresh "+p.repo.name+" "+e.after.ID)
	}
	if err := p.noTwins(ctx, e.after, e.paths); err != nil {
		return event{}, err
	}
	e.kind = proposal.Accepted
	return p.merged(e, nil)
}

// merged makes the commit that the target gets.
func (p *proposing) merged(e event, approvedBy []string) (event, error) {
	var parents []object.ID
	for _, text := range []string{e.after.From, e.after.Source} {
		id, err := parseID(text)
		if err != nil {
			return e, err
		}
		parents = append(parents, id)
	}
	root, err := parseID(e.after.Result)
	if err != nil {
		return e, err
	}
	msg := message{subject: "Accept: " + e.after.Title, trailers: [][2]string{{trailerSubject, p.by.Subject}, {proposal.TrailerID, e.after.ID}}}
	for _, who := range approvedBy {
		msg.trailers = append(msg.trailers, [2]string{trailerApproved, who})
	}
	for _, undone := range e.after.Undoes {
		msg.trailers = append(msg.trailers, [2]string{trailerUndo, undone})
	}
	id, err := p.signedCommit(root, parents, msg)
	if err != nil {
		return e, err
	}
	e.after.Status, e.after.Merge, e.what = proposalv1.StatusAccepted, id.String(), "Accept: "+e.after.Title
	p.moves = append(p.moves, move{ref: e.after.Target, from: parents[0], to: id})
	p.approved = append(p.approved, e.after.Target)
	return e, nil
}
