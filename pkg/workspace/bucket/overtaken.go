package bucket

import (
	"context"
	"errors"
	"time"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// patience is how old what was read of the newest generation may be before a
// manifest that follows it is looked at twice.
const patience = 5 * time.Second

// stillNext makes sure that a manifest which was just made is one that others go
// on from. A process may stand still for so long that manifests which it never
// saw were made and removed again: then the name of the next one is free, and
// nobody ever reads what is made there. The error is blob.ErrExist, and the
// manifest is gone, as if another one had been faster. b.mu is held.
func (b *Bucket) stillNext(ctx context.Context, g int64, hash string) error {
	if b.looked.age() < min(patience, b.opt.Grace/2) {
		return nil
	}
	newest, err := newestStored(ctx, b.store, manifestName(g))
	if err != nil || newest == 0 {
		return err
	}
	after, err := b.manifest(ctx, g+1)
	if err == nil && after.Previous == hash {
		return nil
	}
	if err != nil && !errors.Is(err, blob.ErrNotExist) {
		return err
	}
	if err := b.store.Remove(ctx, manifestName(g)); err != nil {
		return unreadable("take back what was made too late at "+b.store.URL(), err)
	}
	return blob.ErrExist
}
