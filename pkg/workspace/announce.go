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
	if err := r.announce(ctx, st); err != nil { // it has happened; who tidies next tells them
		r.store.opt.Log.WarnContext(ctx, "those who deliver were not told of a change", "workspace", r.id, "error", err)
	}
	return st, nil
}

// announce tells those who write and do not read what there is to know of the
// membership, unless somebody did.
func (r *repo) announce(ctx context.Context, st *bucket.State) error {
	if !inbox.Open(st.Membership) {
		return nil
	}
	signer, err := r.bucket.Signer(ctx)
	if err != nil {
		return err
	}
	if me, ok := bucket.MemberWith(st.Membership, signer.Key()); !ok || me.Recovery || !bucket.Allows(me, bucket.RightAdmin, bucket.Everything) {
		return nil
	}
	box := inbox.Of(r.bucket)
	if done, err := box.Announced(ctx, st); err != nil || done {
		return err
	}
	return box.Announce(ctx, st)
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
