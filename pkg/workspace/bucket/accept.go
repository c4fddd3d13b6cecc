package bucket

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// Accept makes the newest generation that is stored the newest that this
// installation has seen, although it has seen a newer one, or another history:
// somebody restored a backup on purpose. generation and hash are those of the
// newest manifest, as the person was told them; the hash may be shortened to 12
// digits or more. The generation is verified as that of a bucket which was never
// seen before. It is fault.Conflict where the newest is another one by now.
func (b *Bucket) Accept(ctx context.Context, generation int64, hash string) (*State, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	newest, err := newestStored(ctx, b.store, "")
	if err != nil {
		return nil, err
	}
	if newest == 0 {
		return nil, fault.New(fault.Invalid, "the bucket at "+b.store.URL()+" has no manifest below "+manifests+": nothing can be read", restores)
	}
	b.state = nil
	stored, err := b.readManifest(ctx, newest)
	if err != nil {
		return nil, err
	}
	const short = 12
	if newest != generation || len(hash) < short || len(hash) > 64 || sum(stored)[:len(hash)] != hash {
		return nil, fault.New(fault.Conflict, fmt.Sprintf("the newest generation of the bucket at %s is %d (%.12s), and generation %d (%.12s) was to be accepted; nothing was", b.store.URL(), newest, sum(stored), generation, hash), "see what is there: vexa workspace verify NAME")
	}
	st, err := b.load(ctx, newest, pin{})
	if err != nil {
		return nil, err
	}
	if err := b.local.reset(ctx, pin{Generation: st.Generation, SHA256: st.SHA256, Anchor: st.anchor, Keyring: st.Membership.Keyring.Name}); err != nil {
		return nil, err
	}
	return st, b.settle(ctx, st)
}

// reset replaces the pin, by an older one, too.
func (l local) reset(ctx context.Context, p pin) error {
	unlock, err := l.lock(ctx, lockFile)
	if err != nil {
		return err
	}
	defer unlock()
	if err := l.writePin(p); err != nil {
		return err
	}
	_ = os.RemoveAll(filepath.Join(l.dir, pendingDir)) // nothing names it any more
	return nil
}

// AcceptNewest is Accept for whatever is newest now.
func (b *Bucket) AcceptNewest(ctx context.Context) (*State, error) {
	newest, err := newestStored(ctx, b.store, "")
	if err != nil {
		return nil, err
	}
	stored, err := blob.ReadAll(ctx, b.store, manifestName(newest), maxManifest)
	if err != nil {
		return nil, unreadable(fmt.Sprintf("read generation %d of %s", newest, b.store.URL()), err)
	}
	return b.Accept(ctx, newest, sum(stored))
}
