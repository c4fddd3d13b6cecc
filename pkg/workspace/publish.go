package workspace

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// errMoved: the bucket changed since it was looked at.
var errMoved = errors.New("the workspace changed meanwhile")

// move is one ref on its way in the bucket.
type move struct {
	ref      string
	from, to object.ID // zero: it is not there
}

// publish moves refs in the bucket, all or none, and then in the repository.
// packs are those of the repository that have every object which is new to the
// bucket; nil has git find them. It returns errMoved where a ref is not what it
// was. The workspace's lock is held.
func (r *repo) publish(ctx context.Context, moves []move, packs []string) error {
	return r.publishApproved(ctx, moves, packs, approved{})
}

// approved are the refs whose move enough members have approved, by a version of
// the policy; and what else has to be so.
type approved struct {
	refs   []string
	policy int               // 0: no matter which
	base   map[string]string // refs that the packs build on, and what they are
}

// publishApproved is publish where the policy asks for approvals.
func (r *repo) publishApproved(ctx context.Context, moves []move, packs []string, ok approved) error {
	updates := make([]bucket.Update, 0, len(moves))
	for _, m := range moves {
		from := ""
		if !m.from.IsZero() {
			from = m.from.String()
		}
		u := bucket.Update{Ref: m.ref, Force: true, Lease: &from}
		if !m.to.IsZero() {
			u.New = m.to.String()
		}
		updates = append(updates, u)
	}
	before, err := r.seen()
	if err != nil {
		return err
	}
	st, results, err := r.bucket.Push(ctx, r.asBucketRepo(), updates, bucket.PushOptions{Atomic: true, Packs: packs, Approved: ok.refs, Policy: ok.policy, Base: ok.base, Dispatches: true})
	if err != nil {
		r.store.retire(r.id, r.bucket)
		return fault.Wrap(fault.KindOf(err), "save workspace "+r.name, err)
	}
	if err := r.refusedPush(ctx, st, results); err != nil {
		return err
	}
	r.store.step("published")
	if st.Generation != before.Generation+1 {
		return r.sync(ctx, st)
	}
	for _, m := range moves {
		if m.to.IsZero() {
			continue // the caller's business
		}
		if err := r.writeRef(m.ref, m.to.String()); err != nil {
			return err
		}
	}
	return r.writeSeen(st)
}

// refusedPush says why a push was refused, errMoved where others were faster.
func (r *repo) refusedPush(ctx context.Context, st *bucket.State, results []bucket.Result) error {
	for _, res := range results {
		if errors.Is(res.Err, bucket.ErrStale) {
			if err := r.sync(ctx, st); err != nil {
				return err // trying again would meet it again
			}
			return errMoved
		}
	}
	for _, res := range results {
		if res.Err != nil {
			return fault.Newf(fault.Denied, "save workspace %s: %s: %w", r.name, res.Ref, res.Err)
		}
	}
	return nil
}

// holds reports whether the bucket's main holds a commit, so that everything the
// commit reaches is in the bucket.
func (r *repo) holds(ctx context.Context, id object.ID) (bool, error) {
	main, err := r.ref(refMain)
	if err != nil {
		return false, err
	}
	return r.isAncestor(ctx, id, main)
}

// maxMoved is how often a change is tried while others are faster.
const maxMoved = 200

// change runs fn with the workspace's lock, again and again while it returns
// errMoved.
func (r *repo) change(ctx context.Context, fn func() error) error {
	for try := 0; ; try++ {
		err := r.locked(ctx, fn)
		if !errors.Is(err, errMoved) {
			return err
		}
		if try == maxMoved {
			return fault.New(fault.Conflict, "workspace "+r.name+" changes faster than this can be merged", "try again")
		}
		select {
		case <-time.After(rand.N(time.Duration(min(try+1, 20)) * 5 * time.Millisecond)): //nolint:gosec // only spreads the tries
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (r *repo) locked(ctx context.Context, fn func() error) error {
	unlock, err := r.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return fn()
}
