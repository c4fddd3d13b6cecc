package bucket

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// ConsolidateOptions says how packs are joined.
type ConsolidateOptions struct {
	Git *git.Git
	// Scratch is the absolute path of a private directory in memory: what is
	// joined lies there unencrypted meanwhile. What killed processes left there is
	// removed.
	Scratch string
	// Alternates are absolute paths of the objects directories of repositories
	// which have most of the objects: thin packs find there what they build on.
	Alternates []string
	// Limit is how many bytes of packs are joined at most; those that are larger
	// stay as they are. Default: a quarter of what is free in Scratch.
	Limit int64
	// Full writes everything that the refs reach into one pack, and nothing else.
	Full bool
}

// Consolidated is the outcome of a consolidation.
type Consolidated struct {
	State   *State // the newest
	Packs   int    // how many packs are no longer used; 0: nothing was done
	Objects int64  // in the pack that took their place
	Bytes   int64  // its size with its index, as stored
}

func (o *ConsolidateOptions) complete() error {
	ok := o.Git != nil && filepath.IsAbs(o.Scratch)
	for _, path := range o.Alternates {
		ok = ok && filepath.IsAbs(path) && !strings.Contains(path, "\n")
	}
	if !ok {
		return fault.New(fault.Internal, "joining packs needs git and absolute paths", "")
	}
	if o.Limit == 0 {
		room, err := free(o.Scratch)
		if err != nil {
			return err
		}
		o.Limit = room / 4
	}
	return nil
}

// Consolidate joins packs, so that they stay few however many pushes there are,
// and each object is written again only a few times. Nobody waits for it: who
// pushes or fetches meanwhile goes on. Whoever has everything of a generation
// has nothing to fetch afterwards. Where there is nothing worth joining, or
// somebody else joined the same packs meanwhile, nothing is done, which is no
// error. Where it fails, the bucket is as it was.
//
// With Full, what no ref reaches is left out, and everybody who has not got
// everything fetches all of it. The error is fault.Conflict where others change
// refs all the time.
func (b *Bucket) Consolidate(ctx context.Context, opt ConsolidateOptions) (Consolidated, error) {
	if err := opt.complete(); err != nil {
		return Consolidated{}, err
	}
	st, err := b.Head(ctx)
	if err != nil {
		return Consolidated{}, err
	}
	if _, err := b.self(ctx, st); err != nil {
		return Consolidated{}, err
	}
	if opt.Full {
		return b.rewrite(ctx, opt)
	}
	packs := geometric(st.Packs, opt.Limit)
	if len(packs) == 0 {
		return Consolidated{State: st}, nil
	}
	sortPacks(packs)
	dir, drop, err := roomBelow(opt.Scratch)
	if err != nil {
		return Consolidated{}, err
	}
	defer drop()
	out, err := b.join(ctx, opt, dir, st, packs)
	if errors.Is(err, errMoved) || errors.Is(err, errGone) {
		// Where packs are missing that are still used, somebody hears of it who
		// needs them; here others were faster.
		now, herr := b.Head(ctx)
		if herr == nil && !hasAll(now.Packs, packs) {
			return Consolidated{State: now}, nil
		}
		err = errors.Join(err, herr)
	}
	return out, err
}

// join makes one pack of packs of a state, in the directory dir.
func (b *Bucket) join(ctx context.Context, opt ConsolidateOptions, dir string, st *State, packs []manifestv1.Pack) (Consolidated, error) {
	w, err := b.newWorkbench(ctx, opt.Git, filepath.Join(dir, "join"), st.ObjectFormat, opt.Alternates)
	if err != nil {
		return Consolidated{}, err
	}
	files, err := w.join(ctx, packs)
	if isUnresolved(err) {
		// What they build on is neither among them nor in the alternates.
		if err := w.fits(st, opt.Limit); err != nil {
			return Consolidated{}, err
		}
		if err = w.alone(); err == nil {
			err = w.bring(ctx, st.Packs)
		}
		if err == nil {
			files, err = w.join(ctx, packs)
		}
	}
	if err != nil {
		return Consolidated{}, err
	}
	x := &exchange{
		files: files, newest: newestOf(packs),
		fits: func(st *State) ([]string, bool) { return packNames(packs), hasAll(st.Packs, packs) },
	}
	x.follow = func(_ context.Context, st *State) error {
		if !hasAll(st.Packs, packs) {
			return errMoved
		}
		return nil
	}
	now, err := b.exchange(ctx, x)
	return x.outcome(now, len(packs)), err
}

// outcome is what is told of an exchange.
func (x *exchange) outcome(now *State, packs int) Consolidated {
	if now == nil {
		return Consolidated{}
	}
	return Consolidated{State: now, Packs: packs, Objects: x.stored.Objects, Bytes: sizeOf([]manifestv1.Pack{x.stored})}
}

// hasAll reports whether packs has every one of the others.
func hasAll(packs, others []manifestv1.Pack) bool {
	return contains(packNames(packs), packNames(others))
}

// fits refuses to take over all packs of a state where there is no room.
func (w *workbench) fits(st *State, limit int64) error {
	size := sizeOf(st.Packs)
	if size <= limit {
		return nil
	}
	return fault.New(fault.Unavailable,
		fmt.Sprintf("joining packs of the bucket at %s needs all %d MB of it, and there is room for %d", w.bucket.store.URL(), size>>20, limit>>20),
		"where a clone has everything that was pushed less is needed: run it there; or set VEXA_PLAINTEXT_DIR to a larger directory in memory")
}

// isUnresolved reports whether git failed at what a pack or a ref refers to.
func isUnresolved(err error) bool {
	e, ok := errors.AsType[*git.Error](err)
	return ok && !strings.Contains(e.Stderr, noSpace)
}

// noSpace is how git says that the disk is full.
const noSpace = "No space left on device"
