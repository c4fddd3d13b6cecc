package bucket

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// Where the policy asks for approvals, every reader verifies them: whoever may write
// a ref could move it with a client that does not ask. And whoever may say something
// to a proposal could make unsaid what others said. To see that needs the objects,
// which a fetch brings. So what is to be proven is noted with the pin when a
// generation is accepted, and no fetch is complete while it is not.

// Move is a change of a ref by somebody else, for which the policy asked for
// approvals, or of a proposal.
type Move struct {
	Bucket     string // id
	Generation int64
	Ref        string
	From, To   string // object ids; To is empty where it was removed
	// Proposals are the proposals that the same generation moved: refs, and where to.
	Proposals map[string]string
	Policy    manifestv1.Membership // that was in force
	By        string                // name of the member who signed the generation
}

// protectedIn names those manifests of a chain, the newest first, that move a ref
// for which the policy asked for approvals.
func (b *Bucket) protectedIn(ctx context.Context, chain []*signed) ([]manifestv1.Anchor, error) {
	var out []manifestv1.Anchor
	for i, at := range slices.Backward(chain) {
		policy, err := b.policyOf(ctx, at)
		if err != nil {
			return nil, err
		}
		prev, err := b.before(ctx, chain, i)
		if err != nil {
			return nil, err
		}
		if policy == nil && !mayMoveProposals(prev, at) {
			continue
		}
		moves, err := b.movesOf(ctx, at, prev, policy)
		if err != nil {
			return nil, err
		}
		if len(moves) > 0 {
			out = append(out, at.anchor())
		}
	}
	return out, nil
}

// mayMoveProposals reports whether one manifest may say something else of proposals
// than the one before: cheaply, so that it may be wrong.
func mayMoveProposals(prev, at *signed) bool {
	if prev == nil || at.Repairs != nil {
		return false
	}
	of := func(s *signed) map[string]string {
		out := map[string]string{}
		for _, r := range s.Refs {
			if strings.HasPrefix(r.Name, proposals) {
				out[r.Name] = r.ID
			}
		}
		for _, name := range s.Deleted {
			if strings.HasPrefix(name, proposals) {
				out[name] = ""
			}
		}
		return out
	}
	return !sameObject(prev.Snapshot, at.Snapshot) || !maps.Equal(of(prev), of(at))
}

// policyOf returns the policy by which a manifest was made; nil where that asks for
// no approval, or where an administrator repaired the bucket.
func (b *Bucket) policyOf(ctx context.Context, at *signed) (*manifestv1.Membership, error) {
	if at.Anchor == nil || at.Repairs != nil {
		return nil, nil //nolint:nilnil // there is none
	}
	s, err := b.membersAt(ctx, *at.Anchor)
	if err != nil || len(s.Membership.Approvals) == 0 {
		return nil, err
	}
	return s.Membership, nil
}

// movesOf returns what a manifest moves that the policy protects. What others
// removed cannot be compared: then it is nothing, and the log says so.
func (b *Bucket) movesOf(ctx context.Context, at, prev *signed, policy *manifestv1.Membership) ([]Move, error) {
	if policy == nil {
		policy = &manifestv1.Membership{}
	}
	var before, after *State
	var err error
	if prev != nil {
		if before, err = b.stateOf(ctx, prev); err == nil {
			after, err = b.stateOf(ctx, at)
		}
	}
	if prev == nil || fault.Is(err, fault.Invalid) {
		b.opt.Log.WarnContext(ctx, "whether what a generation changed was approved cannot be told any more", "bucket", b.id, "generation", at.Generation)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	who, err := b.signerOf(ctx, at)
	if err != nil {
		return nil, err
	}
	changed := changedRefs(before.Refs, after.Refs)
	moved := map[string]string{}
	var out []Move
	for name := range changed {
		if strings.HasPrefix(name, proposals) {
			moved[name] = after.Refs[name]
		}
		if before.Refs[name] != "" && (strings.HasPrefix(name, proposals) || Threshold(*policy, name) > 0) {
			out = append(out, Move{Bucket: b.id, Generation: at.Generation, Ref: name, From: before.Refs[name], To: after.Refs[name], Proposals: moved, Policy: *policy, By: who.Name})
		}
	}
	return out, nil
}

// prove verifies what was noted, with a repository that has every object of a state.
func (b *Bucket) prove(ctx context.Context, r *Repo, st *State) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	pin, err := b.local.readPin()
	if err != nil || len(pin.Unproven) == 0 {
		return err
	}
	var all []Move
	for _, a := range pin.Unproven {
		if a.Generation > st.Generation {
			continue // the repository may lack it
		}
		moves, err := b.noted(ctx, a)
		if err != nil {
			return err
		}
		all = append(all, moves...)
	}
	for i, m := range all {
		first := slices.IndexFunc(all, func(x Move) bool { return x.Ref == m.Ref })
		if st.Refs[m.Ref] == all[first].From {
			continue // it was taken back
		}
		if err := b.proveOne(ctx, r, all[i]); err != nil {
			return err
		}
	}
	return b.local.proven(ctx, st.Generation)
}

func (b *Bucket) proveOne(ctx context.Context, r *Repo, m Move) error {
	if strings.HasPrefix(m.Ref, proposals) {
		return b.goesOn(ctx, r, m)
	}
	err := errNoProof
	if b.opt.Prove != nil && m.To != "" {
		err = b.opt.Prove(ctx, r, m)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	return &fault.Error{
		Kind: fault.Denied, Err: err,
		Msg: fmt.Sprintf("%s moves %s, which takes what %d members approved, and %s, who signed it, shows no such approval; generations up to %d can be used",
			b.where(m.Generation), m.Ref, Threshold(m.Policy, m.Ref), m.By, m.Generation-1),
		Hint: "tell an administrator, who can take it back: vexa workspace policy set, and a push of what was there before; to go by it nevertheless: vexa workspace restore NAME --accept-older",
	}
}

// goesOn verifies that the history of a proposal was added to, and nothing else.
func (b *Bucket) goesOn(ctx context.Context, r *Repo, m Move) error {
	on := false
	if m.To != "" {
		var err error
		if on, err = r.IsAncestor(ctx, m.From, m.To); err != nil {
			return err
		}
	}
	if on {
		return nil
	}
	return &fault.Error{
		Kind: fault.Denied, Err: errRewritten,
		Msg:  fmt.Sprintf("%s takes back what was said to the proposal %s, and was signed by %s; generations up to %d can be used", b.where(m.Generation), strings.TrimPrefix(m.Ref, proposals), m.By, m.Generation-1),
		Hint: "tell an administrator, who can put it back: git push --force of what it was, " + m.From[:min(len(m.From), 12)] + "; to go by it nevertheless: vexa workspace restore NAME --accept-older",
	}
}

var errRewritten = errors.New("a proposal is only ever added to")

var errNoProof = errors.New("nothing says who approved it")

// noted reads a manifest that was noted, and what it moves.
func (b *Bucket) noted(ctx context.Context, a manifestv1.Anchor) ([]Move, error) {
	at, err := b.manifestAt(ctx, a)
	if errors.Is(err, blob.ErrNotExist) {
		return nil, b.missing(manifestName(a.Generation), "the manifest", "whether what it moved was approved cannot be told")
	}
	if err != nil {
		return nil, err
	}
	policy, err := b.policyOf(ctx, at)
	if err != nil {
		return nil, err
	}
	prev, err := b.before(ctx, []*signed{at}, 0)
	if err != nil {
		return nil, err
	}
	return b.movesOf(ctx, at, prev, policy)
}

// proven forgets what was to be proven up to a generation.
func (l local) proven(ctx context.Context, generation int64) error {
	unlock, err := l.lock(ctx, lockFile)
	if err != nil {
		return err
	}
	defer unlock()
	now, err := l.readPin()
	if err != nil {
		return err
	}
	now.Unproven = slices.DeleteFunc(now.Unproven, func(a manifestv1.Anchor) bool { return a.Generation <= generation })
	return l.writePin(now)
}
