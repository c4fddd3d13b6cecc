package dispatch

import (
	"context"
	"sync"
	"sync/atomic"
)

// mailbox is what the owner of a dispatch is yet to do, in order. Putting
// something in never blocks, whatever the owner is busy with. Who puts in much
// sees to it that it does not pile up: see denials and Manager.ended.
type mailbox struct {
	some chan struct{} // holds one while there may be something

	mu   sync.Mutex
	todo []func(context.Context)
}

func newMailbox() *mailbox { return &mailbox{some: make(chan struct{}, 1)} }

func (b *mailbox) put(f func(context.Context)) {
	b.mu.Lock()
	b.todo = append(b.todo, f)
	b.mu.Unlock()
	b.ring()
}

// take returns the oldest, which does nothing where there is none. It is called
// after each receipt from some.
func (b *mailbox) take() func(context.Context) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.todo) == 0 {
		return func(context.Context) {}
	}
	f := b.todo[0]
	b.todo[0] = nil
	b.todo = b.todo[1:]
	if len(b.todo) > 0 {
		b.ring()
	}
	return f
}

func (b *mailbox) ring() {
	select {
	case b.some <- struct{}{}:
	default:
	}
}

// post hands f to the owner and never blocks; it is dropped when the run is over.
func (r *run) post(f func(context.Context)) { r.mail.put(f) }

// call hands f to the owner and waits for its answer. Where ctx ends before the
// owner has begun with it, it is not done.
func (r *run) call(ctx context.Context, f func(context.Context) error) error {
	answer := make(chan error, 1)
	var taken atomic.Bool // by the owner, or back by who has given up
	r.post(func(owner context.Context) {
		if taken.CompareAndSwap(false, true) {
			answer <- f(owner)
		}
	})
	gone := ctx.Done()
	for {
		select {
		case err := <-answer:
			return err
		case <-gone:
			if taken.CompareAndSwap(false, true) {
				return ctx.Err()
			}
			gone = nil // it is being done
			continue
		case <-r.done:
		}
		select {
		case err := <-answer: // it was done, and then the run ended
			return err
		default:
			return errOver(r.id())
		}
	}
}
