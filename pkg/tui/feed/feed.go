// Package feed brings the frames of a unit to a view as fast as that draws and no
// faster: what comes while it draws is one batch.
package feed

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/internal/sleep"
)

// Source is where frames come from; *client.Client is one.
type Source interface {
	Frames(ctx context.Context, unit string, q client.FrameQuery) iter.Seq2[client.Entry, error]
}

// Batch is what came since the last one.
type Batch struct {
	Entries []client.Entry
	Broken  error // why the connection is gone, while it is; frames come again once it is back
	Ended   bool  // there are no more, ever
	Err     error // why, where it is not that the unit has ended
}

const (
	// pace is the least time between two batches: a person sees no more than 30 of
	// them in a second.
	pace = 33 * time.Millisecond
	// most is how many frames wait for a view. One that does not draw holds up the
	// stream, which goes on from its cursor.
	most = 4096
)

// Feed follows a unit. Run and Next are used by one goroutine each.
type Feed struct {
	source Source
	unit   string
	from   string

	mu      sync.Mutex
	batch   Batch
	changed chan struct{} // holds one where batch has something new
	taken   chan struct{} // holds one where there is room again
	last    time.Time     // of the last batch
}

// New returns a feed of a unit's frames behind a cursor, "" being the first.
func New(source Source, unit, from string) *Feed {
	return &Feed{source: source, unit: unit, from: from, changed: make(chan struct{}, 1), taken: make(chan struct{}, 1)}
}

// Run reads frames until there are no more or ctx ends.
func (f *Feed) Run(ctx context.Context) {
	var cause error
	for e, err := range f.source.Frames(ctx, f.unit, client.FrameQuery{From: f.from, Follow: true, Broken: f.broken, Opened: f.opened}) {
		if err != nil {
			cause = err
			break
		}
		if f.add(ctx, e) != nil {
			cause = ctx.Err()
			break
		}
	}
	f.change(func(b *Batch) { b.Ended, b.Err, b.Broken = true, cause, nil })
}

// broken is told that the connection is gone, and with nil that it is back.
// opened has Next return, though no frame came: whoever waited for the stream knows that it
// is there.
func (f *Feed) opened() { f.change(func(b *Batch) { b.Broken = nil }) }

func (f *Feed) broken(err error) { f.change(func(b *Batch) { b.Broken = err }) }

func (f *Feed) add(ctx context.Context, e client.Entry) error {
	for {
		f.mu.Lock()
		room := len(f.batch.Entries) < most
		if room {
			f.batch.Entries = append(f.batch.Entries, e)
		}
		f.mu.Unlock()
		if room {
			signal(f.changed)
			return nil
		}
		select {
		case <-f.taken:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *Feed) change(with func(*Batch)) {
	f.mu.Lock()
	with(&f.batch)
	f.mu.Unlock()
	signal(f.changed)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Next waits until there is something new, and for as long as the last batch is too
// recent. After a batch that is Ended there is none. The error is that of ctx.
func (f *Feed) Next(ctx context.Context) (Batch, error) {
	if err := sleep.For(ctx, time.Until(f.last.Add(pace))); err != nil {
		return Batch{}, err
	}
	select {
	case <-f.changed:
	case <-ctx.Done():
		return Batch{}, ctx.Err()
	}
	f.last = time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.batch
	f.batch.Entries = nil
	signal(f.taken)
	return b, nil
}
