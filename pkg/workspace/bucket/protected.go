package bucket

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
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
	Ref        string // or HEAD
	From, To   string // object ids; To is empty where it was removed. Of HEAD they are refs
	// Proposals are the proposals that the same generation moved: refs, and where to.
	// Of a gap they are all that there are.
	Proposals map[string]string
	Threshold int // approvals that the policy asked for; 0: it asked for none
	By        string
	Admin     bool // an administrator signed it
	// Gap says that generations in between cannot be read: it is several moves, and
	// who made them is not known.
	Gap     bool
	Anchors []manifestv1.Anchor // of the policies that were in force, the newest first

	Policies []manifestv1.Membership `json:"-"` // that they have
}

// headRef stands for HEAD in a move.
const headRef = "HEAD"

// needsProof reports whether a move is not believed by itself.
func (m Move) needsProof() bool {
	return m.Ref == headRef || m.Threshold > 0 || strings.HasPrefix(m.Ref, proposals)
}

// movesSince returns what manifests since the pin, the newest first, moved that has to
// be proven, and what else happened to such refs, the oldest first. Generations that
// cannot be read any more are one move with the next that can.
func (b *Bucket) movesSince(ctx context.Context, chain []*signed, p pin) ([]Move, error) {
	pending, err := b.pending(p)
	if err != nil {
		return nil, err
	}
	w := &watch{b: b, ctx: ctx, touched: map[string]bool{}}
	for _, m := range pending {
		w.touched[m.Ref] = true
	}
	need, err := w.isNeeded(chain)
	if err != nil || !need && len(pending) == 0 {
		return nil, err
	}
	seen, err := b.manifestAt(ctx, manifestv1.Anchor{Generation: p.Generation, SHA256: p.SHA256})
	if err == nil {
		w.last = seen
		w.state, err = b.stateOf(ctx, seen)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		b.opt.Log.WarnContext(ctx, "what this installation has seen is gone: whether what came next was approved cannot be told", "bucket", b.id, "generation", p.Generation)
	}
	for _, at := range slices.Backward(chain) {
		if err := w.step(at); err != nil {
			return nil, err
		}
	}
	return w.moves, nil
}

// watch follows the refs through generations.
type watch struct {
	b       *Bucket
	ctx     context.Context //nolint:containedctx // of the one call
	last    *signed         // that could be read; nil: none
	state   *State          // that it meant
	touched map[string]bool // refs whose every move is noted
	moves   []Move
}

// isNeeded reports whether anything that manifests did may have to be proven: cheaply,
// so that it may say so where nothing has.
func (w *watch) isNeeded(chain []*signed) (bool, error) {
	for i, at := range chain {
		policy, err := w.b.policyOf(w.ctx, at)
		if err != nil || policy != nil && len(policy.Approvals) > 0 {
			return true, err
		}
		var prev *signed
		if i+1 < len(chain) {
			prev = chain[i+1]
		} else if prev, err = w.b.before(w.ctx, chain, i); err != nil {
			return true, err
		}
		if prev == nil || mayMoveProposals(prev, at) {
			return true, nil
		}
	}
	return false, nil
}

// mayMoveProposals reports whether one manifest may say something else of proposals
// than the one before.
func mayMoveProposals(prev, at *signed) bool {
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

// policyOf returns the membership that was in force when a manifest was made; nil of
// the first.
func (b *Bucket) policyOf(ctx context.Context, at *signed) (*manifestv1.Membership, error) {
	if at.Anchor == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	s, err := b.membersAt(ctx, *at.Anchor)
	if err != nil {
		return nil, err
	}
	return s.Membership, nil
}

// step notes what a manifest moved. One that cannot be read is told from the next.
func (w *watch) step(at *signed) error {
	st, err := w.b.stateOf(w.ctx, at)
	if fault.Is(err, fault.Invalid) {
		return nil // its snapshot is gone
	}
	if err != nil {
		return err
	}
	if w.last != nil && w.state != nil {
		if err := w.compare(at, st); err != nil {
			return err
		}
	}
	w.last, w.state = at, st
	return nil
}

// compare notes what changed up to a manifest.
func (w *watch) compare(at *signed, st *State) error {
	m := Move{Bucket: w.b.id, Generation: at.Generation, Gap: predecessor(at) != w.last.anchor(), Proposals: map[string]string{}}
	if at.Repairs != nil { // an administrator's, see signedByMember
		m.Admin, m.Gap = true, false
	}
	policies, err := w.policies(at, &m)
	if err != nil {
		return err
	}
	if !m.Gap {
		who, err := w.b.signerOf(w.ctx, at)
		if err != nil {
			return err
		}
		m.By, m.Admin = who.Name, Allows(who, RightAdmin, Everything)
	}
	changed := changedRefs(w.state.Refs, st.Refs)
	if w.state.Head != st.Head {
		changed[headRef] = true
	}
	for name, id := range st.Refs {
		if strings.HasPrefix(name, proposals) && (m.Gap || changed[name]) {
			m.Proposals[name] = id
		}
	}
	for _, name := range slices.Sorted(maps.Keys(changed)) {
		m.Ref, m.From, m.To = name, w.state.Refs[name], st.Refs[name]
		about := name
		if name == headRef {
			m.From, m.To = w.state.Head, st.Head
			about = m.From
		}
		m.Threshold = 0
		for _, p := range policies {
			if at.Repairs == nil {
				m.Threshold = max(m.Threshold, Threshold(p, about))
			}
		}
		w.add(m)
	}
	return nil
}

// add notes a move that has to be proven, and whatever happens to its ref later.
func (w *watch) add(m Move) {
	starts := m.From != "" && m.needsProof() && (m.Ref != headRef || m.Threshold > 0)
	if starts || w.touched[m.Ref] {
		w.touched[m.Ref] = true
		w.moves = append(w.moves, m)
	}
}

// policies are those that were in force between the last manifest and this one.
func (w *watch) policies(at *signed, m *Move) ([]manifestv1.Membership, error) {
	var out []manifestv1.Membership
	for a := at.Anchor; a != nil; {
		s, err := w.b.membersAt(w.ctx, *a)
		if err != nil {
			return nil, err
		}
		m.Anchors, out = append(m.Anchors, *a), append(out, *s.Membership)
		if !m.Gap || a.Generation <= anchorOf(w.last).Generation {
			break
		}
		a = s.Anchor
	}
	return out, nil
}

// watchOwn notes what this installation itself did to refs of which something has to
// be proven: it may have put them back.
func (b *Bucket) watchOwn(before, st *State) error {
	pin, err := b.local.readPin()
	if err != nil || len(pin.Unproven) == 0 || before == nil {
		return err
	}
	pending, err := b.pending(pin)
	if err != nil {
		return err
	}
	b.unproven = nil
	for name := range changedRefs(before.Refs, st.Refs) {
		if slices.ContainsFunc(pending, func(m Move) bool { return m.Ref == name }) {
			b.unproven = append(b.unproven, Move{Bucket: b.id, Generation: st.Generation, Ref: name, From: before.Refs[name], To: st.Refs[name], Admin: true})
		}
	}
	return nil
}
