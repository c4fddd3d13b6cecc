package workspace

import (
	"context"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/proposalv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
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

// proposeLanding opens the proposal of a dispatch's branch, or brings it up to the
// commit. A proposal of the very commit stays as it is, whatever became of it.
func (s *Store) proposeLanding(ctx context.Context, r *repo, st *bucket.State, l landing) (proposed, error) {
	return s.landingEvent(ctx, r, st, l, func(p *proposing) (event, error) {
		f := p.files
		if f == nil {
			return p.open(ctx, proposalv1.Proposal{
				Kind: proposalv1.KindProposal, ID: l.unit(), Title: proposal.Title(l.msg.String()), Target: refMain, Branch: l.ref, Source: l.id.String(),
				Subject: l.author.Subject, Unit: l.unit(),
			}, "")
		}
		if f.Source == l.id.String() {
			return nothingToDo()
		}
		e := next(f, proposal.Refreshed)
		if f.Status != proposalv1.StatusOpen {
			e.kind = proposal.Reopened
		}
		e.void, e.source = true, l.id
		e.after.Status, e.after.Source, e.after.Merge = proposalv1.StatusOpen, l.id.String(), ""
		var err error
		e.paths, err = p.merge(ctx, &e.after, false)
		e.what = "Merge again: " + f.Title
		return e, err
	})
}

// obsolete closes the proposal of a dispatch's branch that main takes after all.
func (s *Store) obsolete(ctx context.Context, r *repo, st *bucket.State, l landing) (proposed, error) {
	return s.landingEvent(ctx, r, st, l, func(p *proposing) (event, error) {
		if p.files == nil || p.files.Status != proposalv1.StatusOpen {
			return nothingToDo()
		}
		e := next(p.files, proposal.Obsoleted)
		e.after.Status, e.what = proposalv1.StatusObsolete, "Obsolete: "+p.files.Title
		return e, nil
	})
}

// landingEvent writes an event of the proposal of a dispatch's branch. The
// workspace's lock is held.
func (s *Store) landingEvent(ctx context.Context, r *repo, st *bucket.State, l landing, fn func(*proposing) (event, error)) (proposed, error) {
	tip, err := r.ref(proposal.Ref(l.unit()))
	if err != nil {
		return proposed{}, err
	}
	var f *proposal.Files
	if !tip.IsZero() {
		if f, err = r.readProposal(ctx, l.unit(), tip); err != nil {
			return proposed{}, err
		}
	}
	_, by, err := s.self(ctx, r, st)
	if err != nil {
		return proposed{}, err
	}
	by.Subject = l.author.Subject
	p := &proposing{store: s, repo: r, state: st, files: f, by: by}
	m, name, _, err := p.make(ctx, fn)
	return proposed{move: m, pack: name}, err
}

// unit is the dispatch whose branch it is.
func (l landing) unit() string { return strings.TrimPrefix(l.ref, refBranches) }

// proposeOrNot is proposeLanding where a proposal cannot say what conflicts, or the
// one that is there is damaged: then there is the branch alone, and the log says
// why.
func (s *Store) proposeOrNot(ctx context.Context, r *repo, st *bucket.State, l landing) (proposed, error) {
	p, err := s.proposeLanding(ctx, r, st, l)
	if fault.Is(err, fault.Invalid) {
		s.opt.Log.ErrorContext(ctx, "what a dispatch left became no proposal", "workspace", r.id, "branch", l.ref, "error", err)
		return proposed{}, nil
	}
	return p, err
}
