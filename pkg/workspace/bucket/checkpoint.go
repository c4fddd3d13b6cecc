package bucket

import (
	"context"
	"fmt"
	"slices"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
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
}

// Checkpoint returns the newest generation as a checkpoint.
func (b *Bucket) Checkpoint(ctx context.Context) (Checkpoint, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	st, err := b.head(ctx)
	if err != nil {
		return Checkpoint{}, err
	}
	roots, err := b.roots(ctx, st)
	return Checkpoint{Bucket: b.id, Roots: roots, Generation: st.Generation, SHA256: st.SHA256}, err
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
// somebody who has: it is another bucket than theirs, has other founders, was set
// back behind the checkpoint or does not lead up from it, and the error is
// fault.Denied; else it is what Open and Head return. Where this installation has
// seen more of it than the checkpoint says, that counts.
func Join(ctx context.Context, opt Options, c Checkpoint) (*Bucket, *State, error) {
	b, err := Open(ctx, opt)
	if err != nil {
		return nil, nil, err
	}
	st, err := b.meet(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	return b, st, nil
}

func (b *Bucket) meet(ctx context.Context, c Checkpoint) (*State, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	const hint = "do not use it; ask who invited you where the bucket is, and compare the fingerprints on another way"
	if b.id != c.Bucket {
		return nil, fault.New(fault.Denied, fmt.Sprintf("the bucket at %s is not the one of the invitation: its id is %s, and %s was to be there", b.store.URL(), b.id, c.Bucket), hint)
	}
	seen, err := b.local.readPin()
	if err != nil {
		return nil, err
	}
	fresh := seen.Generation == 0
	if fresh {
		if err := b.local.advance(ctx, pin{Generation: c.Generation, SHA256: c.SHA256, Anchor: manifestv1.Anchor{}, Unverified: true}); err != nil {
			return nil, err
		}
	}
	st, err := b.head(ctx)
	if err == nil {
		var roots []string
		roots, err = b.roots(ctx, st)
		if err == nil && !slices.Equal(roots, c.Roots) {
			err = fault.New(fault.Denied, fmt.Sprintf("the bucket at %s was founded by %v, and %v was to have founded it", b.store.URL(), roots, c.Roots), hint)
		}
	}
	if err == nil {
		return st, nil
	}
	if fresh { // what was refused is not to be remembered as seen
		b.state = nil
		_ = b.local.unpin(ctx)
	}
	return nil, err
}
