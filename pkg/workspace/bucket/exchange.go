package bucket

import (
	"context"
	"errors"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/seal"
)

// exchange is a pack on this machine that takes the place of others in the
// bucket, while whoever wants goes on pushing.
type exchange struct {
	files  packFiles // none: nothing takes their place
	newest int64     // the newest generation whose objects it holds
	// follow does what is needed for it to fit a newer state. It takes its time.
	// The error is errMoved where that cannot be.
	follow func(context.Context, *State) error
	// fits returns the packs whose place it takes in a state, and whether it can.
	fits func(*State) (drop []string, ok bool)

	stored manifestv1.Pack
	since  unnamed
}

// errMoved: others were faster, so that what was made is of no use.
var errMoved = errors.New("others changed what it was made of")

// maxMoves is how many newer states an exchange follows.
const maxMoves = 20

// exchange stores the pack and makes the generation that has it. What it stored
// and could not use is left to the next collection.
func (b *Bucket) exchange(ctx context.Context, x *exchange) (*State, error) {
	for range maxMoves {
		st, err := b.Head(ctx)
		if err != nil {
			return nil, err
		}
		if err := x.follow(ctx, st); err != nil {
			return nil, err
		}
		if err := b.offer(ctx, x, st); err != nil {
			return nil, err
		}
		done, now, err := b.put(ctx, x)
		if err == nil && done && x.files.pack != "" {
			err = b.local.noteVerified(x.stored) // its index was made here
		}
		if err != nil || done {
			return now, err
		}
	}
	return nil, errMoved
}

// offer stores the pack, and once more where a collection may have taken it for
// what a killed process left.
func (b *Bucket) offer(ctx context.Context, x *exchange, st *State) error {
	if x.files.pack == "" || x.stored.SHA256 != "" && b.usable(x.since, st) {
		return nil
	}
	to, err := seal.ParseRecipient(st.Membership.Recipient)
	if err != nil {
		return err
	}
	x.since = unnamedAfter(st)
	if x.stored, err = b.storePack(ctx, to, x.files.pack, x.files.index, nil); err != nil {
		return err
	}
	x.stored.Generation = x.newest
	return b.opt.Failpoints.At(ctx, pointMerged)
}

// put makes the generation. It reports false where the newest is one that the
// pack does not fit yet.
func (b *Bucket) put(ctx context.Context, x *exchange) (done bool, now *State, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now, err = b.change(ctx, func(st *State) (c change, do bool, err error) {
		c.drop, done = x.fits(st)
		if x.files.pack != "" {
			c.add = []manifestv1.Pack{x.stored}
			done = done && b.usable(x.since, st)
		}
		return c, done, nil
	})
	return done, now, err
}
