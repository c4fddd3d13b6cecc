package proposal

import (
	"context"
	"fmt"

	"github.com/vexa-ai/vexa/pkg/contract/proposalv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// maxGap is how many accepted proposals are followed through a gap.
const maxGap = 10_000

// Prove verifies that a move of somebody else's was approved: the same generation
// accepts a proposal, the target got the merge of its sides with its result, and as
// many members as the policy asks for have signed that. Through a gap it follows one
// accepted proposal after the other, each by a policy that was in force in it. The
// digest of the files was compared by who signed and who accepted; here the ids have
// to do, whose packs are verified in the background. It is the bucket's Options.Prove.
func Prove(ctx context.Context, r *bucket.Repo, m bucket.Move) error {
	p := &prover{ctx: ctx, repo: r, move: m, accepted: map[string]*Files{}}
	if err := p.read(); err != nil {
		return err
	}
	at := m.To
	for range maxGap {
		before, err := p.step(at)
		if err != nil || before == m.From {
			return err
		}
		if !m.Gap {
			return fault.New(fault.Denied, "the proposal that became "+at[:12]+" was made from another commit", "")
		}
		at = before
	}
	return fault.New(fault.Denied, "too much was merged in between", "")
}

// prover is one Prove under way.
type prover struct {
	ctx      context.Context //nolint:containedctx // of the one call
	repo     *bucket.Repo
	move     bucket.Move
	accepted map[string]*Files // by the commit that the target got
	why      error             // the last proposal that could not be read
}

// read finds the accepted proposals for the target.
func (p *prover) read() error {
	for ref, tip := range p.move.Proposals {
		id, err := object.ParseID(tip)
		if err != nil {
			return err
		}
		f, err := Read(p.ctx, p.repo.Repo, ref[len(Space):], id)
		if p.ctx.Err() != nil {
			return context.Cause(p.ctx)
		}
		switch {
		case err != nil:
			p.why = err // others do not depend on it
		case f.Status == proposalv1.StatusAccepted && f.Target == p.move.Ref:
			p.accepted[f.Merge] = f
		}
	}
	return nil
}

// step verifies that a commit of the target is an approved merge, and returns what the
// target was before.
func (p *prover) step(at string) (before string, err error) {
	f := p.accepted[at]
	if f == nil {
		if p.why != nil {
			return "", p.why
		}
		return "", fault.New(fault.Denied, "no proposal was accepted as "+at[:min(len(at), 12)], "")
	}
	id, err := object.ParseID(at)
	if err != nil {
		return "", err
	}
	_, c, err := reader{p.repo.Repo}.commitOf(p.ctx, id)
	if err != nil {
		return "", err
	}
	if !f.IsMerge(c) {
		return "", fault.New(fault.Denied, "the commit "+at[:12]+" is not the merge of the proposal "+f.ID, "")
	}
	most := 0
	for _, policy := range p.move.Policies {
		about := Subject{Bucket: p.move.Bucket, Proposal: f.Proposal, Policy: policy}
		needed := bucket.Threshold(policy, p.move.Ref)
		if p.move.Gap {
			needed = max(needed, 1)
		}
		got := len(about.Count(f.Approvals))
		if got >= needed {
			return f.From, nil
		}
		most = max(most, got)
	}
	if len(f.Approvals) == 0 {
		return "", fault.New(fault.Denied, "nobody approved the proposal "+f.ID, "")
	}
	return "", fault.New(fault.Denied, fmt.Sprintf("%d of %d approvals of the proposal %s count", most, p.move.Threshold, f.ID), "")
}
