package bucket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/seal"
)

// note stores moves, encrypted, and returns the name under which the pin has them; ""
// where there are none.
func (b *Bucket) note(st *State) (string, error) {
	if len(b.unproven) == 0 {
		return "", nil
	}
	plain, err := json.Marshal(b.unproven)
	if err != nil {
		return "", err
	}
	to, err := seal.ParseRecipient(st.Membership.Recipient)
	if err != nil {
		return "", err
	}
	stored, err := encrypt(plain, to)
	if err != nil {
		return "", err
	}
	return sum(stored), b.local.keepPending(sum(stored), stored)
}

// pending returns what is to be proven since the pin's last fetch, the oldest first.
func (b *Bucket) pending(p pin) ([]Move, error) {
	var out []Move
	for _, name := range p.Unproven {
		stored := b.local.pending(name)
		if stored == nil {
			return nil, fault.New(fault.Denied, "what this installation noted of the bucket at "+b.store.URL()+" is gone: whether what others moved was approved cannot be told", accepts)
		}
		plain, err := decrypt(stored, b.epoch, maxSnapshot)
		if err != nil {
			return nil, b.damaged(name, "a note of this installation's", "whether what others moved was approved cannot be told", err)
		}
		var moves []Move
		if err := json.Unmarshal(plain, &moves); err != nil {
			return nil, err
		}
		out = append(out, moves...)
	}
	return out, nil
}

// Unproven reports whether something is to be proven before refs are used: a fetch
// does that.
func (b *Bucket) Unproven() (bool, error) {
	pin, err := b.local.readPin()
	return len(pin.Unproven) > 0, err
}

// prove verifies what was noted, with a repository that has every object of a state.
func (b *Bucket) prove(ctx context.Context, r *Repo, st *State) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	pin, err := b.local.readPin()
	if err != nil || len(pin.Unproven) == 0 || pin.Generation != st.Generation {
		return err // a newer one is fetched next
	}
	all, err := b.pending(pin)
	if err != nil {
		return err
	}
	refs := map[string][]Move{}
	for _, m := range all {
		refs[m.Ref] = append(refs[m.Ref], m)
	}
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		if err := b.proveRef(ctx, r, refs[name]); err != nil {
			return err
		}
	}
	return b.local.proven(ctx, pin)
}

// proveRef verifies the moves of one ref in their order. A move that nobody approved
// does not count where a later one puts back what was there before.
func (b *Bucket) proveRef(ctx context.Context, r *Repo, moves []Move) error {
	for i := 0; i < len(moves); i++ {
		err := b.proveOne(ctx, r, moves[i])
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		back := slices.IndexFunc(moves[i+1:], func(m Move) bool { return m.To == moves[i].From })
		if back < 0 {
			return err
		}
		i += 1 + back
	}
	return nil
}

func (b *Bucket) proveOne(ctx context.Context, r *Repo, m Move) error {
	switch {
	case !m.needsProof():
		return nil
	case m.Ref == headRef:
		if m.Admin {
			return nil
		}
		return b.unprovenMove(m, errNoProof)
	case strings.HasPrefix(m.Ref, proposals):
		return b.goesOn(ctx, r, m)
	}
	for _, a := range m.Anchors {
		s, err := b.membersAt(ctx, a)
		if err != nil {
			return err
		}
		m.Policies = append(m.Policies, *s.Membership)
	}
	err := errNoProof
	if b.opt.Prove != nil && m.To != "" {
		err = b.opt.Prove(ctx, r, m)
	}
	if err == nil {
		return nil
	}
	return b.unprovenMove(m, err)
}

func (b *Bucket) unprovenMove(m Move, why error) error {
	by := m.By + ", who signed it, shows"
	if m.Gap {
		by = "what is left of the generations before it shows"
	}
	return &fault.Error{
		Kind: fault.Denied, Err: why,
		Msg: fmt.Sprintf("%s moves %s, which takes what %d members approved, and %s no such approval; generations up to %d can be used",
			b.where(m.Generation), m.Ref, m.Threshold, by, m.Generation-1),
		Hint: "tell an administrator, who can take it back: vexa workspace policy set, and a push of what was there before; to go by it nevertheless: vexa workspace restore NAME --accept-older",
	}
}

// goesOn verifies that the history of a proposal was added to, and nothing else,
// unless by an administrator, who put it back.
func (b *Bucket) goesOn(ctx context.Context, r *Repo, m Move) error {
	if m.Admin && m.To != "" {
		return nil
	}
	if m.To != "" {
		on, err := r.IsAncestor(ctx, m.From, m.To)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil && on {
			return nil // else it is another history, or what it was is gone
		}
	}
	by := "was signed by " + m.By
	if m.Gap {
		by = "cannot be read any more"
	}
	return &fault.Error{
		Kind: fault.Denied, Err: errRewritten,
		Msg:  fmt.Sprintf("%s takes back what was said to the proposal %s, and %s; generations up to %d can be used", b.where(m.Generation), strings.TrimPrefix(m.Ref, proposals), by, m.Generation-1),
		Hint: "tell an administrator, who can put it back: git push --force of what it was, " + m.From[:min(len(m.From), 12)] + "; to go by it nevertheless: vexa workspace restore NAME --accept-older",
	}
}

var (
	errNoProof   = errors.New("nothing says who approved it")
	errRewritten = errors.New("a proposal is only ever added to")
)
