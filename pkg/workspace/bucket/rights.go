package bucket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// What a member may do with refs. Whoever is a member reads all of them.
const (
	RightWrite   = "write"
	RightApprove = "approve" // its approval of a proposal counts
	RightAdmin   = "admin"   // changes the membership and repairs; of everything only
)

// Everything is the pattern that covers every ref.
const Everything = "refs/*"

// matches reports whether a pattern of rights covers a ref.
func matches(pattern, ref string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(ref, prefix)
	}
	return pattern == ref
}

// Allows reports whether a member may do something with a ref, or with all that a
// pattern covers.
func Allows(m manifestv1.Member, what, ref string) bool {
	return slices.ContainsFunc(m.Rights, func(r manifestv1.Right) bool {
		return matches(r.Refs, ref) && slices.Contains(r.Allow, what)
	})
}

// unbounded reports whether a member may do with the bucket what concerns all of
// it: join its packs and remove what it does not use.
func unbounded(m manifestv1.Member) bool {
	return Allows(m, RightWrite, Everything) || Allows(m, RightAdmin, Everything)
}

// keepsToRights verifies that whoever may write some refs only has changed nothing
// else in the manifests, which follow each other with the newest first. What
// cannot be told, because a collection removed it, is taken from the next one who
// may write everything and built on it: that member looked.
func (b *Bucket) keepsToRights(ctx context.Context, chain []*signed) error {
	var unsure error
	for i, at := range slices.Backward(chain) {
		who, err := b.signerOf(ctx, at)
		if err != nil {
			return err
		}
		if unbounded(who) || at.Generation == 1 {
			unsure = nil
			continue
		}
		var prev *signed
		if i+1 < len(chain) {
			prev = chain[i+1]
		} else if prev, err = b.manifestAt(ctx, predecessor(at)); errors.Is(err, blob.ErrNotExist) || errors.Is(err, errChanged) {
			unsure = b.missing(manifestName(predecessor(at).Generation), "the manifest", fmt.Sprintf("%s, who may not write everything, signed generation %d, and nothing says what it changed", who.Name, at.Generation))
			continue
		}
		if err != nil {
			return err
		}
		err = b.keepsTo(ctx, who, prev, at)
		switch {
		case errors.Is(err, errNotMember):
			return err
		case fault.Is(err, fault.Invalid): // a snapshot is gone
			unsure = err
		case err != nil:
			return err
		}
	}
	return unsure
}

// keepsTo verifies that one manifest changes no more of another than its signer
// may: refs of theirs. They add packs, and take nothing away.
func (b *Bucket) keepsTo(ctx context.Context, who manifestv1.Member, prev, at *signed) error {
	before, err := b.stateOf(ctx, prev)
	if err != nil {
		return err
	}
	after, err := b.stateOf(ctx, at)
	if err != nil {
		return err
	}
	refuse := func(what string) error {
		return &fault.Error{
			Kind: fault.Denied, Err: errNotMember,
			Msg:  fmt.Sprintf("%s %s, and %s, who signed it, may not: %s", b.where(at.Generation), what, who.Name, b.upTo(ctx, at.Generation)),
			Hint: "do not use what it says; tell an administrator: vexa workspace member list NAME shows who that is; " + repairs,
		}
	}
	for name := range changedRefs(before.Refs, after.Refs) {
		if !Allows(who, RightWrite, name) {
			return refuse("changes " + name)
		}
	}
	if after.Head != before.Head && (before.Refs[before.Head] != "" || !Allows(who, RightWrite, after.Head)) {
		return refuse("changes what HEAD means")
	}
	if after.Epoch() != before.Epoch() || after.ObjectFormat != before.ObjectFormat && len(before.Packs) > 0 {
		return refuse("changes the key or the format of objects")
	}
	if !sameLog(after.manifest.Log, before.manifest.Log) {
		return refuse("removes old generations")
	}
	for _, p := range before.Packs {
		if !slices.ContainsFunc(after.Packs, func(q manifestv1.Pack) bool { return q.SHA256 == p.SHA256 && sameObject(q.Index, p.Index) }) {
			return refuse("takes packs away")
		}
	}
	for _, r := range before.retired {
		if !slices.Contains(after.retired, r) {
			return refuse("removes what was retired")
		}
	}
	return nil
}

// changedRefs are the refs that two states have not in common.
func changedRefs(before, after map[string]string) map[string]bool {
	out := map[string]bool{}
	for name, id := range before {
		if after[name] != id {
			out[name] = true
		}
	}
	for name, id := range after {
		if before[name] != id {
			out[name] = true
		}
	}
	return out
}

// stateOf returns the refs and packs of a manifest. It says nothing of members.
func (b *Bucket) stateOf(ctx context.Context, s *signed) (*State, error) {
	snap, err := b.snapshot(ctx, s)
	if err != nil {
		return nil, err
	}
	return newState(s, snap, manifestv1.Membership{}), nil
}

// signerOf returns who signed a manifest, by the members of the generation before.
func (b *Bucket) signerOf(ctx context.Context, s *signed) (manifestv1.Member, error) {
	m := s.Membership
	if s.Anchor != nil {
		prev, err := b.membersAt(ctx, *s.Anchor)
		if err != nil {
			return manifestv1.Member{}, err
		}
		m = prev.Membership
	} else if s.Generation != 1 || m == nil {
		return manifestv1.Member{}, fault.New(fault.Denied, b.where(s.Generation)+" does not say who the members were: "+b.upTo(ctx, s.Generation), repairs)
	}
	who, ok := memberOf(m, s.signer.String())
	if !ok {
		return who, &fault.Error{
			Kind: fault.Denied, Err: errNotMember,
			Msg:  fmt.Sprintf("%s is signed by %s, who is not a member: %s", b.where(s.Generation), s.signer.Fingerprint(), b.upTo(ctx, s.Generation)),
			Hint: "do not use what it says; ask the members who this is; " + repairs,
		}
	}
	return who, nil
}
