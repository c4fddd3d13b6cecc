package workspace

import (
	"context"

	"github.com/vexa-ai/vexa/pkg/contract/proposalv1"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/proposal"
)

// Behind reports whether a new checkout is to take the place of c: main, as it
// is here, holds what c has and something else by now, which an undo or another
// dispatch made, or what c has was proposed and is not wanted. Work that still
// waits to be merged is nowhere but in c, which then is not behind.
func (s *Store) Behind(ctx context.Context, c *Checkout) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, err := s.open(ctx, c.note.Workspace)
	if err != nil {
		return false, err
	}
	tip, err := object.ParseID(c.note.Tip)
	if err != nil {
		return false, fault.New(fault.Invalid, "the note of a checkout is damaged", "")
	}
	main, err := r.ref(refMain)
	if err != nil || main == tip {
		return false, err
	}
	held, err := r.isAncestor(ctx, tip, main)
	if err != nil {
		return false, err
	}
	if !held {
		return r.unwanted(ctx, c)
	}
	has, err := r.treeOf(ctx, tip)
	if err != nil {
		return false, err
	}
	now, err := r.treeOf(ctx, main)
	return now != has, err
}

// unwanted reports whether what a checkout's branch proposed was rejected.
func (r *repo) unwanted(ctx context.Context, c *Checkout) (bool, error) {
	if c.note.Mode != unitv1.ReadWrite {
		return false, nil
	}
	at, err := r.ref(proposal.Ref(c.note.Unit))
	if err != nil || at.IsZero() {
		return false, err
	}
	f, err := r.readProposal(ctx, c.note.Unit, at)
	if err != nil {
		return false, err
	}
	return f.Status == proposalv1.StatusRejected, nil
}
