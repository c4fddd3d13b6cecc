package workspace

import (
	"context"
	"fmt"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// Rotated says what came of Rotate.
type Rotated struct {
	Generation int64
	Epoch      int
	Packs      int // that were encrypted again
}

// Rotate begins a new epoch: what comes later is encrypted to a new key. With
// reencrypt everything that older keys open is encrypted to it, too, in a
// generation of its own for each pack; where that was ended, asking again goes on.
func (s *Store) Rotate(ctx context.Context, nameOrID string, epoch, reencrypt bool) (Rotated, error) {
	rec, r, err := s.bucketIn(ctx, nameOrID)
	if err != nil {
		return Rotated{}, err
	}
	var out Rotated
	if epoch {
		if _, err := r.setMembership(ctx, func(*manifestv1.Membership, *bucket.State) (bool, error) { return true, nil }); err != nil {
			return out, err
		}
	}
	if reencrypt {
		if out.Packs, err = r.bucket.Reencrypt(ctx); err != nil {
			return out, fault.Wrap(fault.KindOf(err), fmt.Sprintf("encrypt %s again, after %d packs", rec.Name, out.Packs), err)
		}
	}
	st, err := r.head(ctx)
	if err != nil {
		return out, err
	}
	out.Generation, out.Epoch = st.Generation, st.Epoch()
	s.describe(ctx, rec, r, st)
	return out, nil
}
