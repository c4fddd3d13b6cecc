package bucket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/signature"
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
// pattern covers. An administrator, who could give themselves that right, approves.
func Allows(m manifestv1.Member, what, ref string) bool {
	return slices.ContainsFunc(m.Rights, func(r manifestv1.Right) bool {
		return matches(r.Refs, ref) && (slices.Contains(r.Allow, what) || what == RightApprove && slices.Contains(r.Allow, RightAdmin))
	})
}

// proposals are the refs of merge proposals.
const proposals = "refs/vexa/proposals/"

// dispatches are the branches that agents work on.
const dispatches = "refs/heads/vexa/"

// mayWrite reports whether a member may move a ref. Whoever may write or approve
// anything may propose, and say something to a proposal.
func mayWrite(m manifestv1.Member, ref string) bool {
	return Allows(m, RightWrite, ref) || strings.HasPrefix(ref, proposals) && len(m.Rights) > 0
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
	var before *State // of the one before, where it was read already
	for i, at := range slices.Backward(chain) {
		who, err := b.signerOf(ctx, at)
		if err != nil {
			return err
		}
		if unbounded(who) || at.Generation == 1 {
			unsure, before = nil, nil
			continue
		}
		prev, err := b.before(ctx, chain, i)
		if err == nil && before == nil && prev != nil {
			before, err = b.stateOf(ctx, prev)
		}
		var after *State
		if err == nil && prev != nil {
			after, err = b.stateOf(ctx, at)
		}
		switch {
		case err == nil && prev == nil:
			unsure = b.missing(manifestName(predecessor(at).Generation), "the manifest", fmt.Sprintf("%s, who may not write everything, signed generation %d, and nothing says what it changed", who.Name, at.Generation))
		case err == nil:
			if what := oversteps(who, before, after); what != "" {
				return b.beyondRights(ctx, at, what, who)
			}
		case fault.Is(err, fault.Invalid): // a snapshot is gone
			unsure = err
		default:
			return err
		}
		before = after
	}
	return unsure
}

// before returns the manifest that one of a chain builds on; nil where it is gone.
func (b *Bucket) before(ctx context.Context, chain []*signed, i int) (*signed, error) {
	if i+1 < len(chain) {
		return chain[i+1], nil
	}
	prev, err := b.manifestAt(ctx, predecessor(chain[i]))
	if errors.Is(err, blob.ErrNotExist) || errors.Is(err, errChanged) {
		return nil, nil //nolint:nilnil // it is gone
	}
	return prev, err
}

func (b *Bucket) beyondRights(ctx context.Context, at *signed, what string, who manifestv1.Member) error {
	return &fault.Error{
		Kind: fault.Denied, Err: errNotMember,
		Msg:  fmt.Sprintf("%s %s, and %s, who signed it, may not: %s", b.where(at.Generation), what, who.Name, b.upTo(ctx, at.Generation)),
		Hint: "do not use what it says; tell an administrator: vexa workspace member list NAME shows who that is; " + repairs,
	}
}

// oversteps says what a generation changes of the one before that who signed it
// may not; "" is nothing. They change refs of theirs and add packs, which have
// what is new; they take nothing away, and say nothing else of what is there.
func oversteps(who manifestv1.Member, before, after *State) string {
	for name := range changedRefs(before.Refs, after.Refs) {
		if !mayWrite(who, name) {
			return "changes " + name
		}
		if strings.HasPrefix(name, proposals) && after.Refs[name] == "" {
			return "removes the proposal " + strings.TrimPrefix(name, proposals)
		}
	}
	switch {
	case after.Head != before.Head && (before.Refs[before.Head] != "" || !Allows(who, RightWrite, after.Head)):
		return "changes what HEAD means"
	case after.Epoch() != before.Epoch() || after.ObjectFormat != before.ObjectFormat && len(before.Packs) > 0:
		return "changes the key or the format of objects"
	case !sameLog(after.manifest.Log, before.manifest.Log):
		return "removes old generations"
	case !addsPacks(before, after):
		return "takes packs away, or changes what is said of them"
	case !retiresNothing(before, after):
		return "gives up objects that are in use"
	}
	return ""
}

// addsPacks reports whether a state has the packs of the one before, as they were
// and in their order, and besides only packs of its own generation.
func addsPacks(before, after *State) bool {
	old := map[string]bool{}
	for _, p := range before.Packs {
		old[p.SHA256] = true
	}
	rest := before.Packs
	for _, p := range after.Packs {
		switch {
		case !old[p.SHA256]:
			if p.Generation != after.Generation {
				return false
			}
			old[p.SHA256] = true // once
		case len(rest) == 0 || !samePack(rest[0], p):
			return false
		default:
			rest = rest[1:]
		}
	}
	return len(rest) == 0
}

func samePack(a, b manifestv1.Pack) bool {
	same := sameObject(a.Index, b.Index)
	a.Index, b.Index = nil, nil
	return same && a == b
}

// retiresNothing reports whether what waits for its removal is what waited before,
// and the snapshot that a new one takes the place of.
func retiresNothing(before, after *State) bool {
	want := slices.Clone(before.retired)
	if old := before.manifest.Snapshot; old != nil && !sameObject(old, after.manifest.Snapshot) {
		want = append(want, manifestv1.Retired{SHA256: old.SHA256, Generation: after.Generation})
	}
	return len(want) == len(after.retired) && !slices.ContainsFunc(after.retired, func(r manifestv1.Retired) bool { return !slices.Contains(want, r) })
}

// mayPublish refuses to sign what everybody else would refuse to take.
func (b *Bucket) mayPublish(ctx context.Context, next manifestv1.Manifest, snap *manifestv1.Snapshot) error {
	if b.state == nil {
		return nil
	}
	who, err := b.self(ctx, b.state)
	if err != nil || unbounded(who) {
		return err
	}
	if what := oversteps(who, b.state, newState(&signed{Manifest: next}, snap, b.state.Membership)); what != "" {
		return fault.New(fault.Denied, "this installation may write some refs of the bucket at "+b.store.URL()+" only, and this "+what, "ask somebody who may write everything: vexa workspace member list NAME")
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

// Threshold is how many members have to approve a change of a ref: the most that
// any rule of the policy says; 0: none.
func Threshold(m manifestv1.Membership, ref string) int {
	most := 0
	for _, a := range m.Approvals {
		if matches(a.Refs, ref) {
			most = max(most, a.Threshold)
		}
	}
	return most
}

// MemberWith finds the member whose signing key it is.
func MemberWith(m manifestv1.Membership, key signature.Key) (manifestv1.Member, bool) {
	return memberOf(&m, key.String())
}

// EverMemberWith finds who is a member with a signing key, or else who was one last.
func EverMemberWith(m manifestv1.Membership, key signature.Key) (manifestv1.Member, bool) {
	who, ok := MemberWith(m, key)
	if ok {
		return who, true
	}
	for _, x := range m.Members {
		if x.Until > who.Until && slices.Contains(x.Signers, key.String()) {
			who, ok = x, true
		}
	}
	return who, ok
}

// WriteOnly reports whether a member writes and does not read: it has no key that
// the keyring is encrypted to.
func WriteOnly(m manifestv1.Member) bool {
	return len(m.Recipients) == 0 && len(m.Signers) > 0 && !m.Recovery
}
