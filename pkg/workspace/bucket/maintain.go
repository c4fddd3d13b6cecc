package bucket

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/internal/filelock"
)

const (
	maintainFile   = "maintain.lock"
	maintainedFile = "maintained.json"
	// maintainAfter is how many generations are worth looking for what is not
	// used any more.
	maintainAfter = 64
)

// maintained is when this installation last looked for what is not used any
// more. It only says when to look again.
type maintained struct {
	Generation int64     `json:"generation"`
	Time       time.Time `json:"time"` // by this machine's clock
}

// Maintain joins packs where there are many and removes what is not used any
// more, if it is time to. It belongs in the background, after pushes and once in
// a while; it may be called at any time by any number of processes, of which one
// of an installation does it. Whoever may not
// write everything does nothing. Where there is
// nothing to do it asks the storage for no more than the newest generation.
func (b *Bucket) Maintain(ctx context.Context, opt ConsolidateOptions) error {
	lock, err := filelock.Acquire(b.local.path(maintainFile), "the maintenance of a bucket")
	if fault.Is(err, fault.Conflict) {
		return nil // another one is at it
	}
	if err != nil {
		return err
	}
	defer lock.Release()
	st, err := b.Head(ctx)
	if err != nil {
		return err
	}
	if who, err := b.self(ctx, st); fault.Is(err, fault.Denied) || err == nil && !unbounded(who) {
		return nil
	}
	joined, err := b.Consolidate(ctx, opt)
	if ctx.Err() != nil {
		return err
	}
	if joined.State != nil {
		st = joined.State
	}
	// What hinders the one does not hinder the other.
	return errors.Join(err, b.collectInTime(ctx, st))
}

// collectInTime collects where enough has happened, or enough time went by.
func (b *Bucket) collectInTime(ctx context.Context, st *State) error {
	var last maintained
	data, err := os.ReadFile(b.local.path(maintainedFile))
	if err == nil && json.Unmarshal(data, &last) == nil {
		age := b.opt.Now().Sub(last.Time)
		if st.Generation-last.Generation < maintainAfter && age >= 0 && age < b.opt.Grace {
			return nil
		}
	}
	if _, err := b.Collect(ctx); err != nil {
		return err
	}
	if data, err = json.Marshal(maintained{Generation: st.Generation, Time: b.opt.Now()}); err != nil {
		return err
	}
	return fault.Wrap(fault.Internal, "note when a bucket was maintained", atomicfile.Replace(b.local.path(maintainedFile), data, 0o600))
}
