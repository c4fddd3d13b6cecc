package runtime

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// refusals keeps what was refused until it is recorded elsewhere. It is bounded:
// of a flood the first are kept and the others counted.
type refusals struct {
	mu      sync.Mutex
	entries []api.Refusal // entries[i] has number first+i
	first   uint64
	missed  int // since the last one that was kept
	max     int
	changed chan struct{} // closed and replaced at each one that is kept
}

func newRefusals(most int) *refusals {
	return &refusals{first: 1, max: most, changed: make(chan struct{})}
}

func (r *refusals) add(e api.Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.entries) >= r.max {
		r.missed++
		return
	}
	r.keep(e)
}

// keep is called with mu held.
func (r *refusals) keep(e api.Refusal) {
	r.entries = append(r.entries, e)
	close(r.changed)
	r.changed = make(chan struct{})
}

// forget drops those up to number n, which are recorded. What could not be kept
// meanwhile becomes one entry that says how many there were.
func (r *refusals) forget(n uint64, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n < r.first || n >= r.first+uint64(len(r.entries)) {
		return
	}
	r.entries = append(r.entries[:0:0], r.entries[n+1-r.first:]...)
	r.first = n + 1
	if r.missed > 0 {
		r.keep(api.Refusal{At: at, Reason: fmt.Sprintf("%d more were refused and not kept one by one", r.missed)})
		r.missed = 0
	}
}

// all returns what is kept, the number of the first, and a channel that is
// closed when there is more.
func (r *refusals) all() ([]api.Refusal, uint64, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]api.Refusal(nil), r.entries...), r.first, r.changed
}

// Refuse logs a refusal, keeps it for Refusals, and returns it as fault.Denied.
// The unit is what the request named, "" where it named none.
func (k *Kernel) Refuse(ctx context.Context, unit string, err error) error {
	if !idPattern.MatchString(unit) {
		unit = ""
	}
	k.opt.Log.WarnContext(ctx, "workload refused", "unit", unit, "reason", err.Error())
	k.refused.add(api.Refusal{At: k.opt.Now().UTC(), Unit: unit, Reason: err.Error()})
	if fault.Is(err, fault.Denied) {
		return err
	}
	return fault.Wrap(fault.Denied, "dispatch token", err)
}

// Refusals forgets what was refused up to the id recorded, which a reader has
// on its disk, and returns what was refused since, oldest first. It waits until
// there is something; at the end of ctx or of the kernel it returns nothing.
//
// Nothing is lost with a reader that is killed: it is told again what it did
// not say it has recorded. What is kept does not outlive the kernel's process.
func (k *Kernel) Refusals(ctx context.Context, recorded string) []api.Refusal {
	if n, ok := k.position(recorded); ok {
		k.refused.forget(n, k.opt.Now().UTC())
	}
	for {
		list, first, more := k.refused.all()
		if len(list) > 0 {
			for i := range list {
				list[i].ID = k.eventID(first + uint64(i))
			}
			return list
		}
		if !k.pause(ctx, more) {
			return nil
		}
	}
}
