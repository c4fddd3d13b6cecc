// Package streamtest is the conformance suite of package stream, and an adapter
// in memory for the tests of those who use the port.
package streamtest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/stream"
)

// Store is where an adapter under test keeps its topics.
type Store struct {
	// Open returns a log over the store. The suite closes it before it opens
	// the next one, which must hold the same topics.
	Open func(tb testing.TB) stream.Sized
	// Advance moves the clock by which the store tells ages.
	Advance func(d time.Duration)
}

// timeout bounds every wait of the suite.
const timeout = 30 * time.Second

// Run proves that an adapter keeps the promises of the port. fresh returns a new,
// empty store for each test.
func Run(t *testing.T, fresh func(tb testing.TB) Store) {
	t.Helper()
	tests := []struct {
		name string
		run  func(*fixture)
	}{
		{"Order", order},
		{"Cursors", cursors},
		{"CursorsOfNoTopic", foreignCursors},
		{"Limits", limits},
		{"LargeEntries", largeEntries},
		{"Payloads", payloads},
		{"Topics", topics},
		{"UnknownTopic", unknownTopic},
		{"Size", size},
		{"Reopen", reopen},
		{"Close", closing},
		{"ConcurrentAppends", concurrentAppends},
		{"TailPastAndFuture", tailPastAndFuture},
		{"TailFromCursor", tailFromCursor},
		{"TailBeforeTopic", tailBeforeTopic},
		{"TailAcrossReopen", tailAcrossReopen},
		{"ManyReaders", manyReaders},
		{"SlowAndDeadReaders", slowAndDeadReaders},
		{"Cancel", cancel},
		{"TrimEntries", trimEntries},
		{"TrimBytes", trimBytes},
		{"TrimAge", trimAge},
		{"TrimAll", trimAll},
		{"TrimUnderTail", trimUnderTail},
		{"Remove", remove},
		{"RemoveUnderTail", removeUnderTail},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithTimeout(t.Context(), timeout)
			t.Cleanup(stop)
			f := &fixture{T: t, ctx: ctx, store: fresh(t)}
			f.log = f.store.Open(t)
			t.Cleanup(func() { f.close() })
			test.run(f)
		})
	}
}

// fixture is one test's store and the log open over it.
type fixture struct {
	*testing.T
	ctx   context.Context //nolint:containedctx // of the test that the fixture is made for
	store Store
	log   stream.Sized
}

const topicA, topicB = "unit:01J0000000000000000000000A:out", "unit:01J0000000000000000000000B:in"

func (f *fixture) close() {
	f.Helper()
	if err := f.log.Close(); err != nil {
		f.Fatalf("close: %v", err)
	}
}

// restart closes the log and opens another one over the same store.
func (f *fixture) restart() {
	f.Helper()
	f.close()
	f.log = f.store.Open(f)
}

func (f *fixture) append(topic, payload string) stream.Cursor {
	f.Helper()
	c, err := f.log.Append(f.ctx, topic, []byte(payload))
	if err != nil {
		f.Fatalf("append to %s: %v", topic, err)
	}
	return c
}

// fill appends the payloads from first to last, numbered, and returns their
// cursors by number.
func (f *fixture) fill(topic string, first, last int) map[int]stream.Cursor {
	f.Helper()
	at := map[int]stream.Cursor{}
	for i := first; i <= last; i++ {
		at[i] = f.append(topic, numbered(i))
	}
	return at
}

func numbered(i int) string { return fmt.Sprintf("entry %d", i) }

// number is the inverse of numbered.
func number(e stream.Entry) int {
	n, err := strconv.Atoi(string(e.Payload[min(len("entry "), len(e.Payload)):]))
	if err != nil {
		return -1
	}
	return n
}

// all reads a topic from a cursor to its end, a few entries at a time.
func (f *fixture) all(topic string, after stream.Cursor) []stream.Entry {
	f.Helper()
	var out []stream.Entry
	for {
		next, err := f.log.Read(f.ctx, topic, after, 7)
		if err != nil {
			f.Fatalf("read %s after %q: %v", topic, after, err)
		}
		if len(next) == 0 {
			return out
		}
		out = append(out, next...)
		after = next[len(next)-1].Cursor
	}
}

// expect fails unless the entries are the numbered ones from first to last.
func (f *fixture) expect(entries []stream.Entry, first, last int) {
	f.Helper()
	if len(entries) != last-first+1 {
		f.Fatalf("%d entries, want %d (%d to %d)", len(entries), last-first+1, first, last)
	}
	for i, e := range entries {
		if number(e) != first+i {
			f.Fatalf("entry %d is %q, want %q", i, e.Payload, numbered(first+i))
		}
		if i > 0 && e.Cursor <= entries[i-1].Cursor {
			f.Fatalf("cursor %q does not follow %q", e.Cursor, entries[i-1].Cursor)
		}
	}
}

// follow tails a topic in the background until it has n entries, or ends.
func (f *fixture) follow(ctx context.Context, topic string, after stream.Cursor, n int) *follower {
	r := &follower{done: make(chan struct{}), first: make(chan struct{})}
	log := f.log
	go func() {
		defer close(r.done)
		for e, err := range log.Tail(ctx, topic, after) {
			if err != nil {
				r.err = err
				return
			}
			r.entries = append(r.entries, e)
			if len(r.entries) == 1 {
				close(r.first)
			}
			if len(r.entries) == n {
				return
			}
		}
	}()
	return r
}

// follower is a Tail in the background. Its results may be read after done.
type follower struct {
	done    chan struct{}
	first   chan struct{} // closed with the first entry
	entries []stream.Entry
	err     error
}

// wait waits for a channel.
func (f *fixture) wait(ch <-chan struct{}, what string) {
	f.Helper()
	select {
	case <-ch:
	case <-f.ctx.Done():
		f.Fatalf("timed out waiting for %s", what)
	}
}

// fails fails unless err matches target.
func (f *fixture) fails(err, target error, what string) {
	f.Helper()
	if !errors.Is(err, target) {
		f.Fatalf("%s: %v, want %v", what, err, target)
	}
}
