package bucket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// Head returns the newest generation, verified: that it is signed by somebody
// who was a member then, that it follows from the newest that this installation
// saw before, and that it is not older than that one.
func (b *Bucket) Head(ctx context.Context) (*State, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.head(ctx)
}

// head is Head with b.mu held.
func (b *Bucket) head(ctx context.Context) (*State, error) {
	pin, err := b.local.readPin()
	if err != nil {
		return nil, err
	}
	newest, err := b.newest(ctx, pin.Generation)
	if err != nil {
		return nil, err
	}
	if b.state != nil && b.state.Generation == newest && pin.Generation <= newest {
		return b.state, nil
	}
	if newest < pin.Generation {
		return nil, b.rolledBack(newest, pin)
	}
	st, err := b.load(ctx, newest, pin)
	if err != nil {
		return nil, err
	}
	return st, b.settle(ctx, st)
}

// settle remembers a state as the newest that was seen.
func (b *Bucket) settle(ctx context.Context, st *State) error {
	b.state = st
	keep := map[string]bool{st.SHA256: true, st.anchor.SHA256: true}
	if st.manifest.Snapshot != nil {
		keep[st.manifest.Snapshot.SHA256] = true
	}
	err := b.local.advance(ctx, pin{Generation: st.Generation, SHA256: st.SHA256, Anchor: st.anchor, Keyring: st.Membership.Keyring.Name})
	b.local.forget(keep)
	return err
}

func (b *Bucket) rolledBack(newest int64, p pin) error {
	return fault.New(fault.Denied,
		fmt.Sprintf("the bucket at %s was set back: its newest generation is %d, and this installation has seen %d (%.12s); generations up to %d can still be read",
			b.store.URL(), newest, p.Generation, p.SHA256, newest),
		"if the storage lost it: vexa workspace repair NAME --from CLONE; if somebody restored a backup on purpose: vexa workspace restore says how to accept it")
}

// forked is the answer where two histories were signed.
func (b *Bucket) forked(g int64, got, seen string) error {
	return fault.New(fault.Denied,
		fmt.Sprintf("the bucket at %s has another history than the one that this installation has seen: generation %d is %.12s, and was %.12s; generations up to %d are the same",
			b.store.URL(), g, got, seen, g-1),
		"two copies of the bucket were written to, or somebody swapped them: keep both, and ask who else pushes; vexa workspace verify NAME shows more")
}

// newest finds the newest generation. The hint and the pin only say where to
// look first.
func (b *Bucket) newest(ctx context.Context, known int64) (int64, error) {
	if b.state != nil {
		known = max(known, b.state.Generation)
	}
	start := max(known, b.readHint(ctx))
	if start > 0 {
		ok, err := b.hasManifest(ctx, start)
		if err != nil {
			return 0, err
		}
		if !ok {
			start = 0
		}
	}
	if start == 0 {
		return b.listed(ctx, "")
	}
	for range 8 {
		ok, err := b.hasManifest(ctx, start+1)
		if err != nil || !ok {
			return start, err
		}
		start++
	}
	g, err := b.listed(ctx, manifestName(start))
	return max(g, start), err
}

// readHint returns the generation that the hint names, or 0.
func (b *Bucket) readHint(ctx context.Context) int64 {
	data, err := blob.ReadAll(ctx, b.store, hintName, maxSmall)
	if err != nil {
		return 0
	}
	g, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	if err != nil || g < 0 {
		return 0
	}
	return g
}

func (b *Bucket) hasManifest(ctx context.Context, g int64) (bool, error) {
	if b.state != nil && b.state.Generation == g {
		return true, nil
	}
	_, err := b.store.Stat(ctx, manifestName(g))
	if errors.Is(err, blob.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, unreadable("look for the newest generation of "+b.store.URL(), err)
	}
	return true, nil
}

// listed returns the newest generation by listing, from after a name.
func (b *Bucket) listed(ctx context.Context, after string) (int64, error) {
	newest := int64(0)
	err := b.store.List(ctx, manifests, after, func(i blob.Info) error {
		newest = max(newest, generationOf(i.Name))
		return nil
	})
	if err != nil {
		return 0, unreadable("list the generations of "+b.store.URL(), err)
	}
	if newest == 0 && after == "" {
		return 0, fault.New(fault.Invalid, "the bucket at "+b.store.URL()+" has no manifest: it was being made, or its storage lost everything",
			"make it again: vexa workspace create; or restore it from a backup: vexa workspace restore")
	}
	return newest, nil
}

// load reads and verifies one generation against the pin.
func (b *Bucket) load(ctx context.Context, g int64, p pin) (*State, error) {
	if err := b.unlock(ctx); err != nil {
		return nil, err
	}
	head, err := b.manifest(ctx, g)
	if err != nil {
		return nil, err
	}
	if err := b.follows(ctx, head, p); err != nil {
		return nil, err
	}
	m, err := b.membership(ctx, head)
	if err != nil {
		return nil, err
	}
	if err := b.checkKeyring(ctx, m); err != nil {
		return nil, err
	}
	snap, err := b.snapshot(ctx, head)
	if err != nil {
		return nil, err
	}
	return newState(head, snap, *m), nil
}

// follows verifies that a manifest was signed by a member and comes after the
// pin.
func (b *Bucket) follows(ctx context.Context, head *signed, p pin) error {
	if p.Generation == head.Generation {
		if p.SHA256 != head.sha256 {
			return b.forked(head.Generation, head.sha256, p.SHA256)
		}
		return nil // it was verified when it was pinned
	}
	if p.Generation == 0 {
		return b.firstContact(ctx, head)
	}
	chain := []*signed{head}
	for at := head; ; {
		before := manifestv1.Anchor{Generation: at.Generation - 1, SHA256: at.Previous}
		if r := at.Repairs; r != nil {
			before = *r
			if p.Generation > r.Generation {
				b.opt.Log.WarnContext(ctx, "the bucket was repaired: what came after is as the repair found it", "bucket", b.id, "generation", r.Generation, "seen", p.Generation)
				break
			}
		}
		if before.Generation <= p.Generation {
			if before.Generation != p.Generation || before.SHA256 != p.SHA256 {
				return b.forked(p.Generation, before.SHA256, p.SHA256)
			}
			break
		}
		prev, err := b.manifestAt(ctx, before)
		if errors.Is(err, blob.ErrNotExist) {
			if err := b.inLog(ctx, head, p); err != nil {
				return err
			}
			break
		}
		if err != nil {
			return err
		}
		chain = append(chain, prev)
		at = prev
	}
	for _, m := range slices.Backward(chain) {
		if err := b.signedByMember(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// firstContact verifies a manifest of a bucket that this installation never saw
// before: every change of the membership back to the first generation. Who made
// that one is taken on trust; an invitation says more.
func (b *Bucket) firstContact(ctx context.Context, head *signed) error {
	if err := b.signedByMember(ctx, head); err != nil {
		return err
	}
	at := head
	for at.Anchor != nil {
		prev, err := b.manifestAt(ctx, *at.Anchor)
		if errors.Is(err, blob.ErrNotExist) {
			return b.missing(manifestName(at.Anchor.Generation), "the manifest", "it says who the members are, and nothing can be verified without it")
		}
		if err != nil {
			return err
		}
		if prev.Membership == nil {
			return fault.New(fault.Denied, fmt.Sprintf("generation %d of the bucket at %s names generation %d for its members, which names none", at.Generation, b.store.URL(), prev.Generation), repairs)
		}
		if at.Membership != nil && at.Membership.Version <= prev.Membership.Version {
			return fault.New(fault.Denied, fmt.Sprintf("generation %d of the bucket at %s has an old membership", at.Generation, b.store.URL()), "do not use it: an old list of members was put back")
		}
		if err := b.signedByMember(ctx, prev); err != nil {
			return err
		}
		at = prev
	}
	if at.Generation != 1 {
		return fault.New(fault.Denied, fmt.Sprintf("the members of the bucket at %s lead back to generation %d, not to the first", b.store.URL(), at.Generation), repairs)
	}
	return nil
}

// signedByMember verifies that a manifest's signer was a member as of the
// generation before, and an administrator where the membership changes.
func (b *Bucket) signedByMember(ctx context.Context, s *signed) error {
	m := s.Membership
	if s.Anchor != nil {
		prev, err := b.manifestAt(ctx, *s.Anchor)
		if errors.Is(err, blob.ErrNotExist) {
			return b.missing(manifestName(s.Anchor.Generation), "the manifest", "it says who the members are, and nothing can be verified without it")
		}
		if err != nil {
			return err
		}
		m = prev.Membership
	}
	if m == nil {
		return fault.New(fault.Denied, fmt.Sprintf("nothing says who the members of the bucket at %s are in generation %d", b.store.URL(), s.Generation), repairs)
	}
	who, ok := memberOf(m, s.signer.String())
	switch {
	case !ok:
		return fault.New(fault.Denied, fmt.Sprintf("generation %d of the bucket at %s is signed by %s, who is not a member: %s", s.Generation, b.store.URL(), s.signer.Fingerprint(), upTo(s.Generation)),
			"do not use what it says; ask the members who this is")
	case s.Membership != nil && !allows(who, rightAdmin, everything):
		return fault.New(fault.Denied, fmt.Sprintf("generation %d of the bucket at %s changes who the members are, and %s, who signed it, may not: %s", s.Generation, b.store.URL(), who.Name, upTo(s.Generation)),
			"do not use what it says; ask an administrator")
	}
	return nil
}

// memberOf finds the member with a signing key.
func memberOf(m *manifestv1.Membership, key string) (manifestv1.Member, bool) {
	for _, who := range m.Members {
		if who.Until == 0 && slices.Contains(who.Signers, key) {
			return who, true
		}
	}
	return manifestv1.Member{}, false
}
