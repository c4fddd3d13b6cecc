package bucket

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/signature"
)

// Checkpoint is what somebody who uses a bucket tells somebody who never saw it,
// so that the latter need not believe its storage.
type Checkpoint struct {
	Bucket     string   // its id
	Roots      []string // fingerprints of the signing keys that made the first generation's members, sorted
	Generation int64
	SHA256     string // of the manifest of that generation
	By         string // the SSH public key of who says so, who has to be a member; empty: anybody
}

// Checkpoint returns the newest generation, and as a checkpoint.
func (b *Bucket) Checkpoint(ctx context.Context) (Checkpoint, *State, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	st, err := b.head(ctx)
	if err != nil {
		return Checkpoint{}, nil, err
	}
	roots, err := b.roots(ctx, st)
	return Checkpoint{Bucket: b.id, Roots: roots, Generation: st.Generation, SHA256: st.SHA256}, st, err
}

// roots returns the fingerprints of the signing keys of the first members.
func (b *Bucket) roots(ctx context.Context, st *State) ([]string, error) {
	for at := st.anchor; ; {
		s, err := b.membersAt(ctx, at)
		if err != nil {
			return nil, err
		}
		if s.Anchor != nil {
			at = *s.Anchor
			continue
		}
		var out []string
		for _, m := range s.Membership.Members {
			for _, text := range m.Signers {
				key, err := signature.ParseKey(text)
				if err != nil {
					return nil, err
				}
				out = append(out, key.Fingerprint())
			}
		}
		slices.Sort(out)
		return slices.Compact(out), nil
	}
}

// Join opens a bucket that this installation may never have seen, by the word of
// somebody who has: where it is another bucket than theirs, has other founders,
// does not have them for a member, was set back behind the checkpoint or does not
// lead up from it, the error is fault.Denied; else it is what Open and Head
// return. Where it is refused nothing of it is remembered.
func Join(ctx context.Context, opt Options, c Checkpoint) (*Bucket, *State, error) {
	if c.Generation < 1 || !isHex(c.SHA256, 64) || len(c.Roots) == 0 {
		return nil, nil, fault.New(fault.Invalid, "the checkpoint of the bucket says nothing", "ask for another invitation")
	}
	b, err := Open(ctx, opt)
	if err != nil {
		return nil, nil, err
	}
	b.mu.Lock()
	st, err := b.meet(ctx, c)
	b.mu.Unlock()
	if err != nil {
		return nil, nil, errors.Join(err, b.Close())
	}
	return b, st, nil
}

// meet is Join with b.mu held.
func (b *Bucket) meet(ctx context.Context, c Checkpoint) (*State, error) {
	if b.id != c.Bucket {
		return nil, fault.New(fault.Denied, fmt.Sprintf("the bucket at %s is not the one of the invitation: its id is %s, and %s was to be there", b.store.URL(), b.id, c.Bucket), askInviter)
	}
	pinned, err := b.local.readPin()
	if err != nil {
		return nil, err
	}
	known := pin{Generation: c.Generation, SHA256: c.SHA256, Unverified: true}
	if pinned.Generation == 0 {
		pinned = known
	}
	for try := 0; ; try++ {
		newest, err := b.newest(ctx, max(pinned.Generation, c.Generation))
		if err != nil {
			return nil, err
		}
		st, err := b.meetAt(ctx, newest, pinned, known, c)
		if err == nil {
			return st, b.settle(ctx, st)
		}
		// What is missing may have been removed by whoever made a newer one.
		if now, nerr := b.newest(ctx, newest); nerr != nil || now <= newest || try == maxMoved {
			return nil, err
		}
	}
}

// meetAt verifies a generation that is the newest against what this installation
// has seen and against a checkpoint.
func (b *Bucket) meetAt(ctx context.Context, newest int64, pinned, known pin, c Checkpoint) (*State, error) {
	for _, p := range []pin{pinned, known} {
		if newest < p.Generation {
			return nil, b.rolledBack(newest, p)
		}
	}
	st, err := b.load(ctx, newest, pinned)
	if err != nil {
		return nil, err
	}
	head := &signed{Manifest: st.manifest, sha256: st.SHA256}
	switch {
	case known.Generation == newest && known.SHA256 != st.SHA256:
		return nil, b.forked(newest, st.SHA256, known.SHA256)
	case known.Generation < newest:
		if _, err := b.chain(ctx, head, known); err != nil {
			return nil, err
		}
	}
	roots, err := b.roots(ctx, st)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(roots, c.Roots) {
		return nil, fault.New(fault.Denied, fmt.Sprintf("the bucket at %s was founded by %v, and %v was to have founded it", b.store.URL(), roots, c.Roots), askInviter)
	}
	if _, ok := memberOf(&st.Membership, c.By); c.By != "" && !ok {
		return nil, fault.New(fault.Denied, "who signed the invitation is no member of the bucket at "+b.store.URL(), askInviter)
	}
	return st, nil
}

const askInviter = "do not use it; ask who invited you where the bucket is, and compare the fingerprints on another way"
