package proposal

import (
	"context"
	"fmt"

	"github.com/vexa-ai/vexa/pkg/contract/proposalv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// Prove verifies that a move of somebody else's was approved: the same generation
// accepts a proposal, the target got the merge of its sides with its result, and as
// many members as the policy asks for have signed that. The digest of the files was
// compared by who signed and who accepted; here the ids have to do, whose packs are
// verified in the background. It is the bucket's Options.Prove.
func Prove(ctx context.Context, r *bucket.Repo, m bucket.Move) error {
	var why error
	for ref, tip := range m.Proposals {
		if why = prove(ctx, r, m, ref, tip); why == nil || ctx.Err() != nil {
			return why
		}
	}
	if why == nil {
		why = fault.New(fault.Denied, "no proposal was accepted with it", "")
	}
	return why
}

func prove(ctx context.Context, r *bucket.Repo, m bucket.Move, ref, tip string) error {
	id, err := object.ParseID(tip)
	if err != nil {
		return err
	}
	f, err := Read(ctx, r.Repo, ref[len(Space):], id)
	if err != nil {
		return err
	}
	if f.Status != proposalv1.StatusAccepted || f.Target != m.Ref || f.From != m.From || f.Merge != m.To {
		return fault.New(fault.Denied, "the proposal "+f.ID+" does not say that it became "+m.To[:12], "")
	}
	data, err := r.Object(ctx, m.To, "commit", maxCommit)
	if err != nil {
		return err
	}
	c, err := object.ParseCommit(data)
	if err != nil {
		return err
	}
	if len(c.Parents) != 2 || c.Parents[0].String() != f.From || c.Parents[1].String() != f.Source || c.Tree.String() != f.Result {
		return fault.New(fault.Denied, "the commit "+m.To[:12]+" is not the merge of the proposal "+f.ID, "")
	}
	about := Subject{Bucket: m.Bucket, Proposal: f.Proposal, Policy: m.Policy}
	if got, want := len(about.Count(f.Approvals)), bucket.Threshold(m.Policy, m.Ref); got < want {
		return fault.New(fault.Denied, fmt.Sprintf("%d of %d approvals of the proposal %s count", got, want, f.ID), "")
	}
	return nil
}
