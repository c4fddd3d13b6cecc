package workspace

import (
	"context"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/contract/proposalv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/proposal"
)

// What a dispatch left and main does not take becomes a merge proposal, whose id is
// the dispatch's: a later turn of it adds to the same one.

// proposed is the move of a proposal that a landing brings, with its pack; the zero
// value is none.
type proposed struct {
	move
	pack string
}

// standing is the proposal of a dispatch's branch as it is.
type standing struct {
	id    string          // empty: there can be none
	files *proposal.Files // nil: it is not there yet
}

// rejected reports whether people said no to what a landing has, or to what it builds
// on: it does not land by itself then.
func (p standing) rejected() bool {
	return p.files != nil && p.files.Status == proposalv1.StatusRejected
}

// maxStanding is how many names are tried for the proposal of a dispatch.
const maxStanding = 9

// standingOf finds the proposal of a landing: its id is the dispatch's, or where
// somebody put something else there, the next one.
func (s *Store) standingOf(ctx context.Context, r *repo, st *bucket.State, l landing) (standing, error) {
	for n := 1; n <= maxStanding; n++ {
		id := l.unit()
		if n > 1 {
			id += "-" + strconv.Itoa(n)
		}
		tip, err := r.ref(proposal.Ref(id))
		if err != nil || tip.IsZero() {
			return standing{id: id}, err
		}
		f, why := r.soundProposal(ctx, st.Membership, id, tip)
		if ctx.Err() != nil {
			return standing{}, context.Cause(ctx)
		}
		if why == "" && f.Target == refMain && f.Branch == l.ref && f.Unit == l.unit() {
			return standing{id: id, files: f}, nil
		}
		s.opt.Log.WarnContext(ctx, "the proposal of a dispatch is somebody else's", "workspace", r.id, "proposal", id, "problem", why)
	}
	return standing{}, nil
}

// soundProposal reads a proposal and says what is wrong with it or its history; "" is
// nothing.
func (r *repo) soundProposal(ctx context.Context, m manifestv1.Membership, id string, tip object.ID) (*proposal.Files, string) {
	f, err := r.readProposal(ctx, id, tip)
	if err != nil {
		return nil, err.Error()
	}
	events, err := f.Events(ctx, r.Repo)
	if err != nil {
		return nil, err.Error()
	}
	for _, e := range events {
		_, who := whoSigned(m, e.Raw)
		if who.Name == "" {
			return nil, "its event " + e.Kind + " is signed by nobody who is or was a member"
		}
		if e.Kind == proposal.Rejected && !mayDecide(who, f.Target) {
			return nil, who.Name + " rejected it, and may neither write nor approve " + f.Target
		}
	}
	return f, ""
}

// mayDecide reports whether a member may reject what is proposed for a ref: who may
// write it, or approve for it.
func mayDecide(who manifestv1.Member, ref string) bool {
	return bucket.Allows(who, bucket.RightWrite, ref) || bucket.Allows(who, bucket.RightApprove, ref)
}

// proposeLanding opens the proposal of a dispatch's branch, or brings it up to the
// commit. A proposal of the very commit stays as it is, whatever became of it.
func (r *repo) proposeLanding(ctx context.Context, st *bucket.State, l landing, at standing) (proposed, error) {
	return r.landingEvent(ctx, st, at.files, l.author.Subject, func(p *proposing) (event, error) {
		f := p.files
		if f == nil {
			return p.open(ctx, proposalv1.Proposal{
				Kind: proposalv1.KindProposal, ID: at.id, Title: proposal.Title(l.msg.String()), Target: refMain, Branch: l.ref, Source: l.id.String(),
				Subject: l.author.Subject, Unit: l.unit(),
			}, "")
		}
		if f.Source == l.id.String() {
			return nothingToDo()
		}
		e := p.next(proposal.Refreshed)
		if f.Status != proposalv1.StatusOpen {
			e.kind = proposal.Reopened
		}
		e.void, e.source = true, l.id
		e.after.Status, e.after.Source, e.after.Merge = proposalv1.StatusOpen, l.id.String(), ""
		var err error
		e.paths, err = p.merge(ctx, &e.after)
		e.what = "Merge again: " + f.Title
		return e, err
	})
}

// obsolete closes the proposal of a dispatch's branch that main takes after all.
func (r *repo) obsolete(ctx context.Context, st *bucket.State, l landing, at standing) (proposed, error) {
	if at.files == nil || at.files.Status != proposalv1.StatusOpen {
		return proposed{}, nil
	}
	return r.landingEvent(ctx, st, at.files, l.author.Subject, func(p *proposing) (event, error) {
		e := p.next(proposal.Obsoleted)
		e.after.Status, e.what = proposalv1.StatusObsolete, "Obsolete: "+p.files.Title
		return e, nil
	})
}

// landingEvent writes an event of the proposal of a dispatch's branch. The
// workspace's lock is held.
func (r *repo) landingEvent(ctx context.Context, st *bucket.State, f *proposal.Files, subject string, fn func(*proposing) (event, error)) (proposed, error) {
	p, err := r.proposing(ctx, st, f, subject)
	if err != nil {
		return proposed{}, err
	}
	m, name, _, err := p.make(ctx, fn)
	return proposed{move: m, pack: name}, err
}

// unit is the dispatch whose branch it is.
func (l landing) unit() string { return strings.TrimPrefix(l.ref, refBranches) }

// proposeOrNot is proposeLanding where a proposal cannot say what conflicts: then
// there is the branch alone, and the log says why.
func (s *Store) proposeOrNot(ctx context.Context, r *repo, st *bucket.State, l landing, at standing) (proposed, error) {
	if at.id == "" {
		return proposed{}, nil
	}
	p, err := r.proposeLanding(ctx, st, l, at)
	if fault.Is(err, fault.Invalid) || fault.Is(err, fault.Conflict) {
		s.opt.Log.ErrorContext(ctx, "what a dispatch left became no proposal", "workspace", r.id, "branch", l.ref, "error", err)
		return proposed{}, nil
	}
	return p, err
}
