package bucket

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// Whether a manifest is believed: it follows from the newest that this
// installation saw, by hashes; every one in between is signed by somebody who
// was a member then; and who is a member follows in the same way. A manifest
// that names older members than were in force is refused, or who was removed
// could sign on as if nothing had happened.

// follows verifies that a manifest was signed by a member and comes after the
// pin.
func (b *Bucket) follows(ctx context.Context, head *signed, p pin) error {
	switch {
	case p.Generation == 0:
		return b.firstContact(ctx, head)
	case p.Generation == head.Generation && p.SHA256 != head.sha256:
		return b.forked(head.Generation, head.sha256, p.SHA256)
	case p.Generation == head.Generation && p.Unverified:
		return b.firstContact(ctx, head)
	case p.Generation == head.Generation:
		return nil // it was verified when it was pinned
	}
	chain, err := b.chain(ctx, head, p)
	if err != nil {
		return err
	}
	for _, m := range slices.Backward(chain) {
		if err := b.signedByMember(ctx, m); err != nil {
			return err
		}
	}
	if p.Unverified {
		if err := b.firstContact(ctx, head); err != nil {
			return err
		}
		if err := b.keepsToRights(ctx, chain); err != nil {
			return err
		}
		b.unproven, err = b.movesSince(ctx, chain, p)
		return err
	}
	if err := b.membersSince(ctx, head, p.Anchor); err != nil {
		return err
	}
	if err := b.keepsToRights(ctx, chain); err != nil {
		return err
	}
	b.unproven, err = b.movesSince(ctx, chain, p)
	return err
}

// chain returns the manifests from head back to the pin, head first, without
// that of the pin; where those in between were removed, those up to there.
func (b *Bucket) chain(ctx context.Context, head *signed, p pin) ([]*signed, error) {
	chain := []*signed{head}
	for at := head; ; {
		if r := at.Repairs; r != nil && p.Generation > r.Generation {
			return chain, b.repairedOver(ctx, at, p)
		}
		before := predecessor(at)
		if before.Generation <= p.Generation {
			if before.Generation != p.Generation || before.SHA256 != p.SHA256 {
				return nil, b.forked(p.Generation, before.SHA256, p.SHA256)
			}
			return chain, b.sincePin(ctx, at, p)
		}
		prev, err := b.manifestAt(ctx, before)
		if errors.Is(err, blob.ErrNotExist) {
			return chain, b.inLog(ctx, head, before, p)
		}
		if errors.Is(err, errChanged) && b.inLog(ctx, head, before, p) == nil {
			return chain, nil // a repair noted what it was
		}
		if err != nil {
			return nil, err
		}
		if err := b.anchored(ctx, at, prev); err != nil {
			return nil, err
		}
		chain = append(chain, prev)
		at = prev
	}
}

// sincePin holds the first manifest after the pin to that of the pin.
func (b *Bucket) sincePin(ctx context.Context, at *signed, p pin) error {
	seen, err := b.manifestAt(ctx, manifestv1.Anchor{Generation: p.Generation, SHA256: p.SHA256})
	if err == nil {
		return b.anchored(ctx, at, seen)
	}
	if !errors.Is(err, blob.ErrNotExist) && !errors.Is(err, errChanged) {
		return err
	}
	if !p.Unverified && p.Anchor.Generation != 0 && *at.Anchor != p.Anchor {
		return b.oldMembers(ctx, at, p.Anchor)
	}
	return nil
}

// predecessor names the manifest that one builds on: the generation before, or
// the one that it repaired the bucket from. Of the first there is none.
func predecessor(s *signed) manifestv1.Anchor {
	if s.Repairs != nil {
		return *s.Repairs
	}
	return manifestv1.Anchor{Generation: s.Generation - 1, SHA256: s.Previous}
}

// repairedOver decides whether a manifest that repairs the bucket may pass over
// the pin: not where what this installation saw is there to be read.
func (b *Bucket) repairedOver(ctx context.Context, at *signed, p pin) error {
	stored, err := b.readManifest(ctx, p.Generation)
	if err == nil && sum(stored) == p.SHA256 {
		return fault.New(fault.Denied,
			fmt.Sprintf("%s repairs the bucket as if generation %d were its newest that can be read, but %s, which this installation has seen, can be: what it says of refs would be lost; generations up to %d can still be read",
				b.where(at.Generation), at.Repairs.Generation, manifestName(p.Generation), p.Generation),
			"ask who repaired it, and fetch what is missing from a clone; "+accepts)
	}
	if err != nil && !errors.Is(err, blob.ErrNotExist) && !fault.Is(err, fault.Invalid) {
		return err
	}
	b.opt.Log.WarnContext(ctx, "the bucket was repaired: what came after is as the repair found it", "bucket", b.id, "generation", at.Repairs.Generation, "seen", p.Generation)
	return nil
}

// where names a generation in a message.
func (b *Bucket) where(g int64) string {
	return fmt.Sprintf("generation %d (%s) of the bucket at %s", g, manifestName(g), b.store.URL())
}

// anchored verifies that a manifest goes by the members that were in force
// after the one that it builds on, and that nothing in it goes back.
func (b *Bucket) anchored(ctx context.Context, at, prev *signed) error {
	if at.Anchor == nil || *at.Anchor != anchorOf(prev) {
		return b.oldMembers(ctx, at, anchorOf(prev))
	}
	if at.Epoch < prev.Epoch {
		return fault.New(fault.Denied, fmt.Sprintf("%s goes back to the key of epoch %d, and %d was in use: %s", b.where(at.Generation), at.Epoch, prev.Epoch, b.upTo(ctx, at.Generation)),
			"do not use what it says; ask who signed it")
	}
	return nil
}

func (b *Bucket) oldMembers(ctx context.Context, at *signed, want manifestv1.Anchor) error {
	named := int64(0)
	if at.Anchor != nil {
		named = at.Anchor.Generation
	}
	return &fault.Error{
		Kind: fault.Denied, Err: errNotMember,
		Msg:  fmt.Sprintf("%s goes by the members of generation %d, and those of generation %d were in force: %s", b.where(at.Generation), named, want.Generation, b.upTo(ctx, at.Generation)),
		Hint: "do not use what it says: an old list of members was put back; ask who signed it, " + at.signer.Fingerprint(),
	}
}

// firstContact verifies a manifest of a bucket that this installation never saw
// before: that it builds on the one before it, and every change of the
// membership back to the first generation. Who made that one is taken on trust;
// an invitation says more.
func (b *Bucket) firstContact(ctx context.Context, head *signed) error {
	if err := b.signedByMember(ctx, head); err != nil {
		return err
	}
	if err := b.membersSince(ctx, head, manifestv1.Anchor{}); err != nil {
		return err
	}
	if head.Generation == 1 {
		return nil
	}
	before := predecessor(head)
	prev, err := b.manifestAt(ctx, before)
	if errors.Is(err, blob.ErrNotExist) {
		if head.Log != nil && head.Log.Generation >= before.Generation {
			if err := b.inLog(ctx, head, before, pin{Generation: before.Generation, SHA256: before.SHA256}); err != nil {
				return err
			}
			return b.keepsToRights(ctx, []*signed{head})
		}
		return b.missing(manifestName(before.Generation), "the manifest", fmt.Sprintf("generation %d builds on it, and nothing says that it follows", head.Generation))
	}
	if err != nil {
		return err
	}
	if err := b.anchored(ctx, head, prev); err != nil {
		return err
	}
	if err := b.signedByMember(ctx, prev); err != nil {
		return err
	}
	chain, err := b.limitedUp(ctx, []*signed{head, prev})
	if err != nil {
		return err
	}
	return b.keepsToRights(ctx, chain)
}

// limitedUp goes on with a chain for as long as somebody signed who may not write
// everything.
func (b *Bucket) limitedUp(ctx context.Context, chain []*signed) ([]*signed, error) {
	for {
		at := chain[len(chain)-1]
		who, err := b.signerOf(ctx, at)
		if err != nil || unbounded(who) || at.Generation == 1 {
			return chain, err
		}
		prev, err := b.before(ctx, chain, len(chain)-1)
		if err != nil || prev == nil {
			return chain, err
		}
		if err := b.anchored(ctx, at, prev); err != nil {
			return chain, err
		}
		chain = append(chain, prev)
	}
}

// membersSince verifies every change of the membership from head back to an
// anchor, which must be among them; with the zero anchor, to the first
// generation.
func (b *Bucket) membersSince(ctx context.Context, head *signed, until manifestv1.Anchor) error {
	at, newest := anchorOf(head), 0
	for at != until {
		if at.Generation <= until.Generation {
			return b.oldMembers(ctx, head, until)
		}
		s, err := b.membersAt(ctx, at)
		if err != nil {
			return err
		}
		if newest != 0 && newest <= s.Membership.Version {
			return fault.New(fault.Denied, fmt.Sprintf("%s is followed by an older membership: %s", b.where(s.Generation), b.upTo(ctx, s.Generation+1)),
				"do not use it: an old list of members was put back")
		}
		newest = s.Membership.Version
		if err := b.signedByMember(ctx, s); err != nil {
			return err
		}
		if s.Anchor == nil {
			if until.Generation != 0 {
				return b.oldMembers(ctx, head, until)
			}
			return nil // signedByMember saw that it is the first
		}
		at = *s.Anchor
	}
	return nil
}

// membersAt reads a manifest that has a membership.
func (b *Bucket) membersAt(ctx context.Context, a manifestv1.Anchor) (*signed, error) {
	s, err := b.manifestAt(ctx, a)
	if errors.Is(err, blob.ErrNotExist) {
		return nil, b.missing(manifestName(a.Generation), "the manifest", "it says who the members are, and no later generation can be verified without it")
	}
	if err != nil {
		return nil, err
	}
	if s.Membership == nil {
		return nil, fault.New(fault.Denied, b.where(a.Generation)+" is to say who the members are, and does not: "+b.upTo(ctx, a.Generation), repairs)
	}
	return s, nil
}

// errNotMember: whoever signed it may not.
var errNotMember = errors.New("its signature does not count")

// signedByMember verifies that a manifest's signer was a member as of the
// generation before, and an administrator where the membership changes or a
// repair passes over generations.
func (b *Bucket) signedByMember(ctx context.Context, s *signed) error {
	who, err := b.signerOf(ctx, s)
	if err != nil {
		return err
	}
	admin := Allows(who, RightAdmin, Everything)
	refuse := func(what string) error {
		return &fault.Error{
			Kind: fault.Denied, Err: errNotMember, Hint: "do not use what it says; ask an administrator; " + repairs,
			Msg: fmt.Sprintf("%s %s, and %s, who signed it, may not: %s", b.where(s.Generation), what, who.Name, b.upTo(ctx, s.Generation)),
		}
	}
	switch {
	case s.Membership != nil && !admin:
		return refuse("changes who the members are")
	case s.Repairs != nil && !admin:
		return refuse("passes over generations to repair the bucket")
	}
	return nil
}
