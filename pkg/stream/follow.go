package stream

import (
	"context"
	"iter"
)

// Step reads, for Follow, the next entries after a cursor. Where there are none
// yet it returns a channel that is closed once there may be.
type Step func(after Cursor) ([]Entry, <-chan struct{}, error)

// Follow is the loop of an adapter's Tail: it yields what step returns, waits
// where that is nothing, and ends with step's error. Step is called again when
// the context is done or the log is closed, and returns the error that says so.
// Nothing is read ahead for the reader but one batch.
func Follow(ctx context.Context, closed <-chan struct{}, after Cursor, step Step) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for {
			batch, wait, err := step(after)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for _, e := range batch {
				if !yield(e, nil) {
					return
				}
				after = e.Cursor
			}
			if len(batch) > 0 {
				continue
			}
			select {
			case <-wait:
			case <-ctx.Done():
			case <-closed:
			}
		}
	}
}
