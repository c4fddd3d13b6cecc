package workspace

import (
	"context"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/inbox"
)

// setMembership changes the membership, and tells those who deliver.
func (r *repo) setMembership(ctx context.Context, edit func(m *manifestv1.Membership, newest *bucket.State) (rotate bool, err error)) (*bucket.State, error) {
	st, err := r.bucket.SetMembership(ctx, edit)
	if err != nil {
		return st, err
	}
	r.store.step("members")
	if err := r.announce(ctx, st, true); err != nil { // it has happened; who tidies next tells them
		r.store.opt.Log.WarnContext(ctx, "those who deliver were not told of a change", "workspace", r.id, "error", err)
	}
	return st, nil
}

// announce tells those who write and do not read what there is to know of the
// membership; unless it changed just now, only where this installation did not yet.
func (r *repo) announce(ctx context.Context, st *bucket.State, changed bool) error {
	box := inbox.Of(r.bucket)
	if ok, err := r.administers(ctx, st); err != nil || !ok || !changed && box.Announced(st) {
		return err
	}
	return box.Announce(ctx, st)
}

// renew is announce after the bucket was set back.
func (r *repo) renew(ctx context.Context, st *bucket.State) error {
	if ok, err := r.administers(ctx, st); err != nil || !ok {
		return err
	}
	return inbox.Of(r.bucket).Renew(ctx, st)
}

// administers reports whether this installation has anybody to tell, and is believed.
func (r *repo) administers(ctx context.Context, st *bucket.State) (bool, error) {
	if !inbox.Open(st.Membership) {
		return false, nil
	}
	signer, err := r.bucket.Signer(ctx)
	if err != nil {
		return false, err
	}
	me, ok := bucket.MemberWith(st.Membership, signer.Key())
	return ok && !me.Recovery && bucket.Allows(me, bucket.RightAdmin, bucket.Everything), nil
}

// mayBeBlind refuses to let a member write and not read that could do neither, or has
// rights for which one reads.
func mayBeBlind(m manifestv1.Member) error {
	if len(m.Signers) == 0 || len(m.Rights) == 0 {
		return fault.New(fault.Invalid, m.Name+" could neither read nor write", "say which refs they may write: --write")
	}
	for _, r := range m.Rights {
		for _, what := range r.Allow {
			if what != bucket.RightWrite {
				return fault.New(fault.Invalid, m.Name+" does not read, and whoever cannot read can neither approve nor administer", "leave --"+what+" out, or let them read")
			}
		}
	}
	for _, text := range m.Signers {
		if _, err := seal.ParseRecipient(text); err != nil { // they are told by it whom to encrypt to
			return fault.New(fault.Invalid, "the signing key of "+m.Name+" signs only, and what it takes to deliver is encrypted to it", "have them introduce themselves with an ssh-ed25519 key: vexa key introduce")
		}
	}
	return nil
}
