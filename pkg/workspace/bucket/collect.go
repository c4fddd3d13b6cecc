package bucket

import (
	"context"
	"maps"
	"slices"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/seal"
)

// Collected says how much a collection removed.
type Collected struct {
	Objects   int // packs, indexes, snapshots and logs
	Manifests int
	Keyrings  int
	Bytes     int64
}

// Collect removes what is not used any more: objects that were in use until a
// generation, once that is older than Options.Grace; what killed processes
// stored and no manifest names; and manifests of old generations, whose hashes
// stay in a log. Ages are told by the storage's clock, and where it has none in
// generations (Options.Keep).
//
// It is safe at any time: it makes a generation before it removes anything, so
// that whoever stored something for the next one looks again, and whoever misses
// what it was about to read finds a newer generation. A process killed meanwhile
// leaves what the next collection finds. Where there is nothing to remove it
// makes no generation.
func (b *Bucket) Collect(ctx context.Context) (Collected, error) {
	st, err := b.Head(ctx)
	if err != nil {
		return Collected{}, err
	}
	if _, err := b.self(ctx, st); err != nil {
		return Collected{}, err
	}
	s, err := b.survey(ctx, st)
	if err != nil {
		return Collected{}, err
	}
	f, err := s.forgetting(ctx)
	if err != nil {
		return Collected{}, err
	}
	var r removal
	b.mu.Lock()
	_, err = b.change(ctx, func(st *State) (c change, do bool, err error) {
		r = s.removal(st, f)
		if r.forgets {
			if c.log, err = b.storeLog(ctx, st, f); err != nil {
				return c, false, err
			}
			if f.base != nil {
				c.retire = []string{f.base.SHA256}
			}
		}
		c.collected = r.overdue
		return c, r.forgets || len(r.overdue)+len(r.orphans)+len(r.keyrings) > 0, nil
	})
	b.mu.Unlock()
	if err != nil {
		return Collected{}, err
	}
	return s.remove(ctx, r)
}

// removal is what goes.
type removal struct {
	overdue   map[string]bool // hashes of objects that were in use once
	orphans   []string        // hashes of objects that were not
	keyrings  []string        // names
	manifests []string        // names
	forgets   bool            // there is another log
}

// removal says what goes after a state. It asks nobody.
func (s *survey) removal(st *State, f *forgetting) removal {
	r := removal{overdue: s.overdue(st), orphans: s.orphans(st), keyrings: s.strayKeyrings(st), manifests: f.left}
	if f.follows(st) {
		r.forgets, r.manifests = true, append(slices.Clone(f.left), f.names...)
	}
	return r
}

// storeLog stores the new log.
func (b *Bucket) storeLog(ctx context.Context, st *State, f *forgetting) (*manifestv1.Log, error) {
	to, err := seal.ParseRecipient(st.Membership.Recipient)
	if err != nil {
		return nil, err
	}
	o, err := b.writeSmall(ctx, f.text, to)
	if err != nil {
		return nil, unreadable("store the log of old generations at "+b.store.URL(), err)
	}
	return &manifestv1.Log{SHA256: o.SHA256, Size: o.Size, Generation: f.upTo}, nil
}

// remove removes what the newest generation does not know any more.
func (s *survey) remove(ctx context.Context, r removal) (Collected, error) {
	b := s.b
	if err := b.opt.Failpoints.At(ctx, pointRemoving); err != nil {
		return Collected{}, err
	}
	out := Collected{Objects: len(r.overdue) + len(r.orphans), Keyrings: len(r.keyrings), Manifests: len(r.manifests)}
	var names []string
	for _, hash := range append(slices.Sorted(maps.Keys(r.overdue)), r.orphans...) {
		names = append(names, objectName(hash))
		out.Bytes += s.objects[hash].Size
	}
	names = append(append(names, r.keyrings...), r.manifests...)
	if len(names) > 0 {
		if err := b.store.Remove(ctx, names...); err != nil {
			return Collected{}, unreadable("remove what is not used any more at "+b.store.URL(), err)
		}
	}
	if s.now.IsZero() {
		for _, name := range names {
			delete(s.noticed, name)
		}
		return out, fault.Wrap(fault.Internal, "note what nothing refers to", b.local.notice(s.noticed))
	}
	return out, nil
}
