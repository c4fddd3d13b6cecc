package bucket

import (
	"context"
	"errors"
	"fmt"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// The reasons for which a push of one ref is refused. Their texts are those of
// git itself, which knows some of them by heart.
var (
	ErrFetchFirst     = errors.New("fetch first")
	ErrNonFastForward = errors.New("non-fast-forward")
	ErrStale          = errors.New("stale info")
	ErrExists         = errors.New("already exists")
	ErrAtomic         = errors.New("atomic push failed")
	ErrCurrent        = errors.New("deletion of the current branch prohibited")
	ErrNoRef          = errors.New("remote ref does not exist")
	ErrNotCommit      = errors.New("a branch points at a commit only")
	ErrLong           = errors.New("a part of its name is longer than files have names")
	ErrRights         = errors.New("you may not write this ref")
	ErrShallow        = errors.New("shallow update not allowed")
	ErrApprovals      = errors.New("it takes approved proposals only: push another branch, and propose it with vexa proposal create")
	ErrDispatch       = errors.New("it is a dispatch's own: push another branch, and propose it with vexa proposal create")
	ErrProposal       = errors.New("a proposal is kept, whatever became of it")
)

// How each kind of damage is told: the blob, the generation it belongs to, what
// is still readable, and the command that repairs.
const repairs = "vexa workspace verify NAME shows all that is wrong; vexa workspace repair NAME --from CLONE puts it right"

// missing is a blob that is not where it must be.
func (b *Bucket) missing(name, what, readable string) error {
	return fault.New(fault.Invalid, fmt.Sprintf("%s %s is missing at %s: %s", what, name, b.store.URL(), readable), repairs)
}

// damaged is a blob whose bytes are not those that were stored.
func (b *Bucket) damaged(name, what, readable string, err error) error {
	return &fault.Error{
		Kind: fault.Invalid, Err: err, Hint: repairs,
		Msg: fmt.Sprintf("%s %s at %s is damaged: %s", what, name, b.store.URL(), readable),
	}
}

// upTo says which generations an accident with the manifest of generation g
// leaves readable: those up to the one that is stored before it.
func (b *Bucket) upTo(ctx context.Context, g int64) string {
	before := g - 1
	if before > 0 {
		if _, err := b.store.Stat(ctx, manifestName(before)); errors.Is(err, blob.ErrNotExist) {
			_ = b.store.List(ctx, manifests, "", func(i blob.Info) error {
				if at := generationOf(i.Name); at >= g {
					return errBefore
				} else if at > 0 {
					before = at
				}
				return nil
			})
			if before == g-1 {
				before = 0
			}
		}
	}
	return upTo(before + 1)
}

// errBefore ends a listing.
var errBefore = errors.New("the rest comes later")

// upTo says which generations an accident at generation g leaves readable.
func upTo(g int64) string {
	if g <= 1 {
		return "nothing of the bucket can be read"
	}
	return fmt.Sprintf("generations up to %d can still be read", g-1)
}
