package bucket

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// publish makes a manifest the next generation, with the members that are in
// force after it. The error is blob.ErrExist where another one was faster; then
// nothing happened. b.mu is held.
func (b *Bucket) publish(ctx context.Context, next manifestv1.Manifest, m manifestv1.Membership) (*State, error) {
	return b.publishWith(ctx, next, nil, m)
}

// publishWith is publish for a manifest whose snapshot was just stored.
func (b *Bucket) publishWith(ctx context.Context, next manifestv1.Manifest, snap *manifestv1.Snapshot, m manifestv1.Membership) (*State, error) {
	next.Time = b.opt.Now().UTC().Format(time.RFC3339)
	if err := checkNext(&next, b.state); err != nil {
		return nil, fault.Wrap(fault.Internal, "make a manifest", err)
	}
	if err := b.mayPublish(ctx, next, snap); err != nil {
		return nil, err
	}
	to, err := seal.ParseRecipient(m.Recipient)
	if err != nil {
		return nil, err
	}
	stored, err := encodeManifest(ctx, next, b.opt.Keys, to)
	if err != nil {
		return nil, err
	}
	if err := b.opt.Failpoints.At(ctx, pointManifest); err != nil {
		return nil, err
	}
	if err := b.store.Create(ctx, manifestName(next.Generation), stored); err != nil {
		return nil, err
	}
	if err := b.stillNext(ctx, next.Generation, sum(stored)); err != nil {
		return nil, err
	}
	if err := b.opt.Failpoints.At(ctx, pointMade); err != nil {
		return nil, err
	}
	s := &signed{Manifest: next, stored: stored, sha256: sum(stored)}
	if next.Membership != nil {
		b.anchors[s.sha256] = s
		if err := b.checkKeyring(ctx, next.Membership); err != nil { // what is written from now on is for its newest key
			b.opt.Log.WarnContext(ctx, "the new keyring of a bucket is not in use", "bucket", b.id, "error", err)
		}
	}
	b.local.keep(s.sha256, stored)
	st := newState(s, snap, m)
	// From here on it has happened, whatever goes wrong: the hint saves others
	// a look, and the pin is this installation's memory. Neither waits for the other.
	hinted := make(chan error, 1)
	go func() {
		if err := b.store.Replace(ctx, hintName, []byte(strconv.FormatInt(next.Generation, 10)+"\n")); err != nil {
			b.opt.Log.WarnContext(ctx, "the hint of a bucket was not written", "bucket", b.id, "error", err)
		}
		hinted <- b.opt.Failpoints.At(ctx, pointHint)
	}()
	if err := errors.Join(b.watchOwn(b.state, st), b.settle(ctx, st)); err != nil {
		b.opt.Log.ErrorContext(ctx, "the newest generation of a bucket was not remembered", "bucket", b.id, "error", err)
	}
	if err := <-hinted; err != nil {
		return nil, err
	}
	return st, b.opt.Failpoints.At(ctx, pointPinned)
}

// change makes the next generation of a change that decide makes of the newest
// state, again and again while others are faster. decide returns false where
// there is nothing to do. The state that is returned is the newest.
func (b *Bucket) change(ctx context.Context, decide func(*State) (change, bool, error)) (*State, error) {
	// Pushes of one machine queue here, which is fair and saves retries. Who
	// holds the lock and stands still holds nobody up for long.
	leave, err := b.local.queue(ctx, pushFile, 2*time.Second)
	if err != nil {
		return nil, err
	}
	defer leave()
	for try := 0; ; try++ {
		st, err := b.head(ctx)
		if err != nil {
			return nil, err
		}
		c, do, err := decide(st)
		if err != nil || !do {
			return st, err
		}
		next, snap := st.apply(c)
		m := st.Membership
		if c.membership != nil {
			m = *c.membership
		}
		if snap != nil {
			if next.Snapshot, err = b.storeSnapshot(ctx, snap, next.ObjectFormat, m); err != nil {
				return nil, err
			}
		} else {
			snap = st.snapshot
		}
		done, err := b.publishWith(ctx, next, snap, m)
		if !errors.Is(err, blob.ErrExist) {
			return done, err
		}
		if err := pause(ctx, try); err != nil {
			return nil, err
		}
	}
}

func (b *Bucket) storeSnapshot(ctx context.Context, snap *manifestv1.Snapshot, format string, m manifestv1.Membership) (*manifestv1.Object, error) {
	if err := checkSnapshot(snap, format); err != nil {
		return nil, fault.Wrap(fault.Internal, "make a snapshot", err)
	}
	plain, err := json.Marshal(snap)
	if err != nil {
		return nil, err
	}
	to, err := seal.ParseRecipient(m.Recipient)
	if err != nil {
		return nil, err
	}
	o, err := b.writeSmall(ctx, plain, to)
	return &o, err
}

// pause waits before the next try, longer each time and never as long as the
// others.
func pause(ctx context.Context, try int) error {
	limit := min(time.Millisecond<<min(try, 8), 250*time.Millisecond)
	select {
	case <-time.After(rand.N(limit) + time.Millisecond): //nolint:gosec // it only keeps two from trying at the same time
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
