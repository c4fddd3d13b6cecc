package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

// outboxBytes is how much the worker holds for a host that does not take it;
// beyond it the agent's output waits, and with it the agent.
const outboxBytes = 32 << 20

// A batch is what is written to the link at once.
const (
	batchBytes = 1 << 20
	batchLines = 256
)

var errClosed = errors.New("the worker gave the broker up")

// outbox keeps the numbered reports that the host has not acknowledged. Several
// goroutines may use it.
type outbox struct {
	mu      sync.Mutex
	lines   [][]byte // encoded reports; lines[0] has the number first
	first   uint64
	bytes   int
	closed  bool
	changed chan struct{} // closed and replaced at every change
}

func newOutbox() *outbox {
	return &outbox{first: 1, changed: make(chan struct{})}
}

// add numbers a report and keeps it. It waits while too much is kept, until
// the context ends or the outbox is closed.
func (b *outbox) add(ctx context.Context, build func() (wsv2.Report, error)) error {
	for {
		b.mu.Lock()
		if b.closed {
			b.mu.Unlock()
			return errClosed
		}
		if b.bytes < outboxBytes {
			defer b.mu.Unlock()
			return b.append(build)
		}
		changed := b.changed
		b.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// force is add without the wait: for the few reports that end turns.
func (b *outbox) force(build func() (wsv2.Report, error)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return errClosed
	}
	return b.append(build)
}

// append needs mu.
func (b *outbox) append(build func() (wsv2.Report, error)) error {
	seq := b.first + uint64(len(b.lines))
	report, err := build()
	if err != nil {
		return err
	}
	report.AgentSeq = seq
	line, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("encode report %d: %w", seq, err)
	}
	b.lines = append(b.lines, line)
	b.bytes += len(line)
	b.notify()
	return nil
}

// from returns kept reports numbered next and above (next below the first kept
// means from that), at most a batch of them, the number after them, and a
// channel that is closed when there may be more.
func (b *outbox) from(next uint64) ([][]byte, uint64, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next = max(next, b.first)
	var out [][]byte
	size := 0
	for next < b.first+uint64(len(b.lines)) && size < batchBytes && len(out) < batchLines {
		line := b.lines[next-b.first]
		out = append(out, line)
		size += len(line)
		next++
	}
	return out, next, b.changed
}

// ack forgets the reports up to seq.
func (b *outbox) ack(seq uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(int(seq+1-min(b.first, seq+1)), len(b.lines))
	if n == 0 {
		return
	}
	for i, line := range b.lines[:n] {
		b.bytes -= len(line)
		b.lines[i] = nil
	}
	b.lines = b.lines[n:]
	b.first += uint64(n)
	b.notify()
}

// state reports whether everything was acknowledged and whether senders wait,
// and returns a channel that is closed at the next change.
func (b *outbox) state() (empty, full bool, changed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.lines) == 0, b.bytes >= outboxBytes, b.changed
}

// acked returns the number of the last report that was acknowledged.
func (b *outbox) acked() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.first - 1
}

// close makes every add fail: nobody will take reports any more.
func (b *outbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.notify()
}

func (b *outbox) notify() {
	close(b.changed)
	b.changed = make(chan struct{})
}
