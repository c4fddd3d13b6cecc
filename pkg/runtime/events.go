package runtime

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
)

// Event is one change of state with its place in the kernel's event stream. An
// id says nothing to a client but where it was.
type Event struct {
	ID string
	runtimev1.Event
}

// ring keeps the latest events. Readers hold a position, not a buffer: one that
// is slow falls off the ring's end and is told the current state instead.
type ring struct {
	mu      sync.Mutex
	entries []runtimev1.Event // entries[i] has number first+i
	first   uint64
	size    int
	changed chan struct{} // closed and replaced at each append
}

func newRing(size int) *ring {
	return &ring{first: 1, size: size, changed: make(chan struct{})}
}

func (r *ring) append(e runtimev1.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = append(r.entries, e)
	if over := len(r.entries) - r.size; over > 0 {
		r.entries = append(r.entries[:0:0], r.entries[over:]...)
		r.first += uint64(over)
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

// last is the number of the latest event, 0 before the first.
func (r *ring) last() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.first + uint64(len(r.entries)) - 1
}

// after returns the events later than n, whether none in between is missing,
// and a channel that is closed when there are more.
func (r *ring) after(n uint64) ([]runtimev1.Event, bool, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := r.first + uint64(len(r.entries)) - 1
	if n+1 < r.first || n > last {
		return nil, false, r.changed
	}
	return append([]runtimev1.Event(nil), r.entries[n+1-r.first:]...), true, r.changed
}

// epoch names one run of a kernel.
func epoch(now time.Time) string { return strconv.FormatInt(now.UnixNano(), 36) }

func (k *Kernel) eventID(n uint64) string { return fmt.Sprintf("%s-%d", k.epoch, n) }

// position returns the number in an id of this kernel's.
func (k *Kernel) position(id string) (uint64, bool) {
	rest, ok := strings.CutPrefix(id, k.epoch+"-")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(rest, 10, 64)
	return n, err == nil && k.eventID(n) == id
}

// Events yields what happens from now on until ctx ends or the kernel stops.
//
// A reader that names the id of the last event it saw gets exactly what came
// after it. One that names none, or one that the kernel no longer knows (it was
// restarted, or the reader was away too long), first gets the current state of
// every workload, so that nothing has to be asked for separately.
func (k *Kernel) Events(ctx context.Context, after string) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		if k.open(ctx) != nil {
			return
		}
		pos, known := k.position(after)
		for {
			var batch []runtimev1.Event
			var more <-chan struct{}
			if known {
				batch, known, more = k.events.after(pos)
			}
			var ok bool
			switch {
			case !known:
				pos, ok = k.snapshot(yield)
				known = true
			case len(batch) > 0:
				pos, ok = k.deliver(batch, pos, yield)
			default:
				ok = k.pause(ctx, more)
			}
			if !ok {
				return
			}
		}
	}
}

// deliver yields the events that follow pos and returns the new position.
func (k *Kernel) deliver(batch []runtimev1.Event, pos uint64, yield func(Event) bool) (uint64, bool) {
	for _, e := range batch {
		pos++
		if !yield(Event{ID: k.eventID(pos), Event: e}) {
			return pos, false
		}
	}
	return pos, true
}

// pause waits for more; it reports false at the end of ctx or of the kernel.
func (k *Kernel) pause(ctx context.Context, more <-chan struct{}) bool {
	select {
	case <-more:
		return true
	case <-ctx.Done():
		return false
	case <-k.closed:
		return false
	}
}

// snapshot yields the state of every workload and returns the position that it
// was taken at. Only the last carries that position as its id: a reader that
// was cut off in the middle starts over.
func (k *Kernel) snapshot(yield func(Event) bool) (uint64, bool) {
	k.mu.Lock()
	pos := k.events.last() // events are appended with mu held
	var now []runtimev1.Event
	for _, w := range k.sorted() {
		now = append(now, w.event(k.opt.Now()))
	}
	k.mu.Unlock()
	for i, e := range now {
		id := ""
		if i == len(now)-1 {
			id = k.eventID(pos)
		}
		if !yield(Event{ID: id, Event: e}) {
			return 0, false
		}
	}
	return pos, true
}
