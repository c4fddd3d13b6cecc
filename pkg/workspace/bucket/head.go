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

// Known returns the newest generation that was verified here, without a look at the
// storage; nil where none was.
func (b *Bucket) Known() *State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state
}

// head is Head with b.mu held.
func (b *Bucket) head(ctx context.Context) (*State, error) {
	pin, err := b.local.readPin()
	if err != nil {
		return nil, err
	}
	if b.state != nil && (pin.Generation < b.state.Generation || pin.Generation == b.state.Generation && pin.SHA256 != b.state.SHA256) {
		b.state = nil // another process accepted an older state
	}
	for try := 0; ; try++ {
		newest, err := b.newest(ctx, pin.Generation)
		if err != nil {
			return nil, err
		}
		st, err := b.headAt(ctx, newest, pin)
		if err == nil || try == maxMoved {
			return st, err
		}
		// What is missing may have been removed by whoever made a newer one.
		if now, nerr := b.newest(ctx, newest); nerr != nil || now <= newest {
			return st, err
		}
	}
}

// headAt returns the state of a generation that is the newest.
func (b *Bucket) headAt(ctx context.Context, newest int64, pin pin) (*State, error) {
	if b.state != nil && b.state.Generation == newest && pin.Generation <= newest {
		return b.state, nil
	}
	if newest < pin.Generation {
		return nil, b.rolledBack(newest, pin)
	}
	if newest == 0 {
		return nil, fault.New(fault.Invalid, "the bucket at "+b.store.URL()+" has no manifest below "+manifests+": it was being made, or its storage lost everything, and nothing can be read",
			"make it again: vexa workspace create; or restore it: vexa workspace restore NAME --from BACKUP")
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
	for at := &st.anchor; at != nil; {
		s := b.anchors[at.SHA256]
		if s == nil || !b.local.keepAnchor(s.sha256, s.stored) {
			break // those before it are kept
		}
		at = s.Anchor
	}
	keep := map[string]bool{st.SHA256: true, st.anchor.SHA256: true}
	if st.manifest.Snapshot != nil {
		keep[st.manifest.Snapshot.SHA256] = true
	}
	if st.manifest.Log != nil {
		keep[st.manifest.Log.SHA256] = true
	}
	next := pin{Generation: st.Generation, SHA256: st.SHA256, Anchor: st.anchor, Keyring: st.Membership.Keyring.Name}
	name, err := b.note(st)
	if err != nil {
		return err
	}
	if name != "" {
		next.Unproven = []string{name}
	}
	if err = b.local.advance(ctx, next); err == nil {
		b.unproven = nil
	}
	b.local.forget(keep)
	return errors.Join(err, b.remember())
}

func (b *Bucket) rolledBack(newest int64, p pin) error {
	return fault.New(fault.Denied,
		fmt.Sprintf("the bucket at %s was set back: its newest generation is %d, and this installation has seen %d (%s, %.12s); %s",
			b.store.URL(), newest, p.Generation, manifestName(p.Generation), p.SHA256, upTo(newest+1)),
		"if the storage lost it: vexa workspace repair NAME --from CLONE; "+accepts)
}

// forked is the answer where two histories were signed.
func (b *Bucket) forked(g int64, got, seen string) error {
	return fault.New(fault.Denied,
		fmt.Sprintf("the bucket at %s has another history than the one that this installation has seen: generation %d (%s) is %.12s, and was %.12s; %s",
			b.store.URL(), g, manifestName(g), got, seen, upTo(g)),
		"two copies of the bucket were written to, or somebody swapped them: keep both, and ask who else pushes; vexa workspace verify NAME shows more; "+accepts)
}

// accepts is the way past a refusal which is there for a reason.
const accepts = "if somebody restored a backup on purpose: vexa workspace restore NAME --accept-older"

// newest finds the newest generation, 0 where there is none. What this
// installation has seen, and at first contact the hint, only say where to begin.
// Behind a manifest that is kept others may have been removed, so that no single
// name tells that there is none newer.
func (b *Bucket) newest(ctx context.Context, known int64) (int64, error) {
	b.looked = thisMoment()
	start := known
	if b.state != nil {
		start = max(start, b.state.Generation)
	}
	if start == 0 {
		start = b.readHint(ctx)
	}
	if start > 1 {
		g, err := newestStored(ctx, b.store, manifestName(start-1))
		if err != nil || g > 0 {
			return g, err
		}
	}
	return newestStored(ctx, b.store, "")
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

// load reads and verifies one generation against the pin. Where it fails the
// keys in use are those of before.
func (b *Bucket) load(ctx context.Context, g int64, p pin) (st *State, err error) {
	if err := b.unlock(ctx); err != nil {
		return nil, err
	}
	epoch, ring, ringSum := b.epoch, b.ring, b.ringSum
	defer func() {
		if err != nil {
			b.epoch, b.ring, b.ringSum = epoch, ring, ringSum
		}
	}()
	b.checked.head, b.checked.anchor, b.unproven = "", "", nil
	if !p.Unverified {
		b.checked.head, b.checked.anchor = p.SHA256, p.Anchor.SHA256
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
	b.local.keep(head.sha256, head.stored)
	return newState(head, snap, *m), nil
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
