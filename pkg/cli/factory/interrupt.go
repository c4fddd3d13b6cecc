package factory

import (
	"context"
	"sync"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// interrupts says what Ctrl-C does now.
type interrupts struct {
	mu      sync.Mutex
	handler func() // nil: cancel the command
}

// WatchInterrupts returns a context that ends at a Ctrl-C nobody handles, and
// a channel that is closed at the second such one: the command is to be left
// as it is. Stop it when the command has returned.
func (f *Factory) WatchInterrupts(ctx context.Context) (_ context.Context, again <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	leave := make(chan struct{})
	if f.Interrupts == nil {
		return ctx, leave, func() { cancel(nil) }
	}
	ch, stopSignals := f.Interrupts()
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; {
			select {
			case <-done:
				return
			case <-ch:
			}
			if h := f.interruptHandler(); h != nil {
				h()
				continue
			}
			if n++; n == 2 {
				close(leave)
				return
			}
			cancel(fault.New(fault.Interrupted, "interrupted", ""))
		}
	})
	return ctx, leave, func() {
		stopSignals()
		close(done)
		wg.Wait()
		cancel(nil)
	}
}

// OnInterrupt gives Ctrl-C to handler, which is called once for each, in
// turn, and must not block, until restore is called.
func (f *Factory) OnInterrupt(handler func()) (restore func()) {
	f.interrupts.mu.Lock()
	defer f.interrupts.mu.Unlock()
	before := f.interrupts.handler
	f.interrupts.handler = handler
	return func() {
		f.interrupts.mu.Lock()
		defer f.interrupts.mu.Unlock()
		f.interrupts.handler = before
	}
}

func (f *Factory) interruptHandler() func() {
	f.interrupts.mu.Lock()
	defer f.interrupts.mu.Unlock()
	return f.interrupts.handler
}
