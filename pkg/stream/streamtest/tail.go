package streamtest

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/stream"
)

func tailPastAndFuture(f *fixture) {
	f.fill(topicA, 1, 100)
	tail := f.follow(f.ctx, topicA, "", 200)
	f.wait(tail.first, "the past")
	f.fill(topicA, 101, 200)
	f.wait(tail.done, "the tail")
	f.expect(tail.entries, 1, 200)
}

func tailFromCursor(f *fixture) {
	at := f.fill(topicA, 1, 50)
	past, future := f.follow(f.ctx, topicA, at[20], 60), f.follow(f.ctx, topicA, at[50], 30)
	f.fill(topicA, 51, 80)
	f.wait(past.done, "the tail from the past")
	f.wait(future.done, "the tail from the end")
	f.expect(past.entries, 21, 80)
	f.expect(future.entries, 51, 80)
}

func tailBeforeTopic(f *fixture) {
	tail := f.follow(f.ctx, topicA, "", 3)
	f.fill(topicB, 1, 3) // wakes nobody who waits for another topic
	f.fill(topicA, 1, 3)
	f.wait(tail.done, "the tail")
	f.expect(tail.entries, 1, 3)
}

// tailAcrossReopen is a client that reconnects with its last cursor.
func tailAcrossReopen(f *fixture) {
	var seen []stream.Entry
	var after stream.Cursor
	for round := range 4 {
		f.fill(topicA, round*20+1, round*20+20)
		tail := f.follow(f.ctx, topicA, after, 15)
		f.wait(tail.done, "the tail")
		if tail.err != nil {
			f.Fatal(tail.err)
		}
		seen = append(seen, tail.entries...)
		after = seen[len(seen)-1].Cursor
		f.restart()
	}
	f.expect(append(seen, f.all(topicA, after)...), 1, 80)
}

func manyReaders(f *fixture) {
	const readers, entries = 24, 120
	tails := make([]*follower, readers)
	at := map[int]stream.Cursor{0: ""}
	for i := range tails {
		n := i * entries / readers
		maps.Copy(at, f.fill(topicA, len(at), n))
		tails[i] = f.follow(f.ctx, topicA, at[n], entries-n)
	}
	f.fill(topicA, len(at), entries)
	for i, tail := range tails {
		f.wait(tail.done, "a reader")
		f.expect(tail.entries, i*entries/readers+1, entries)
	}
}

// hold starts a reader that stays inside its loop, at the first entry, until it
// is let go.
func (f *fixture) hold(until chan struct{}, n int) *follower {
	r := &follower{first: make(chan struct{}), done: make(chan struct{})}
	log := f.log
	go func() {
		defer close(r.done)
		for e, err := range log.Tail(f.ctx, topicA, "") {
			if r.err = err; err != nil {
				return
			}
			if len(r.entries) == 0 {
				close(r.first)
				<-until
			}
			if r.entries = append(r.entries, e); len(r.entries) == n {
				return
			}
		}
	}()
	f.wait(r.first, "a reader to start")
	return r
}

// slowAndDeadReaders: one reader sleeps inside its loop until everything is
// written, one never comes back, one has gone; the writer and a fast reader are
// done before the slow one goes on, and it misses nothing.
func slowAndDeadReaders(f *fixture) {
	const entries = 1000
	big := strings.Repeat("x", 8<<10)
	f.append(topicA, numbered(1))
	release, dead := make(chan struct{}), make(chan struct{})
	f.Cleanup(func() { close(dead) })
	slow := f.hold(release, entries)
	f.hold(dead, entries)
	gone := f.follow(f.ctx, topicA, "", 1)
	f.wait(gone.done, "a reader to leave")
	fast := f.follow(f.ctx, topicA, "", entries)
	for i := 2; i <= entries; i++ {
		if i%2 == 0 {
			f.append(topicA, big)
		} else {
			f.append(topicA, numbered(i))
		}
	}
	f.wait(fast.done, "the fast reader")
	close(release)
	f.wait(slow.done, "the slow reader")
	if slow.err != nil || len(slow.entries) != entries {
		f.Fatalf("the slow reader got %d entries: %v", len(slow.entries), slow.err)
	}
	for i, e := range slow.entries {
		if want := fast.entries[i]; e.Cursor != want.Cursor || string(e.Payload) != string(want.Payload) {
			f.Fatalf("entry %d differs between readers", i)
		}
	}
}

func cancel(f *fixture) {
	f.append(topicA, "x")
	ctx, stop := context.WithCancel(f.ctx)
	waiting, unborn := f.follow(ctx, topicA, "", 2), f.follow(ctx, topicB, "", 1)
	f.wait(waiting.first, "the first entry")
	stop()
	f.wait(waiting.done, "the tail to end")
	f.wait(unborn.done, "the tail of no topic to end")
	f.fails(waiting.err, context.Canceled, "tail")
	f.fails(unborn.err, context.Canceled, "tail of no topic")
	_, err := f.log.Append(ctx, topicA, nil)
	f.fails(err, context.Canceled, "append")
	_, err = f.log.Read(ctx, topicA, "", 1)
	f.fails(err, context.Canceled, "read")
	f.fails(f.log.Sync(ctx, topicA), context.Canceled, "sync")
	if got := f.all(topicA, ""); len(got) != 1 {
		f.Fatalf("%d entries, want 1: a cancelled append wrote", len(got))
	}
}

// trimmed checks a topic of which the entries from first to last are left.
func (f *fixture) trimmed(at map[int]stream.Cursor, first, last int) {
	f.Helper()
	for range 2 {
		f.expect(f.all(topicA, ""), first, last)
		for i := first - 1; i <= last; i++ {
			f.expect(f.all(topicA, at[i]), i+1, last)
		}
		for i := 1; i < first-1; i++ {
			_, err := f.log.Read(f.ctx, topicA, at[i], 1)
			f.fails(err, stream.ErrTrimmed, "read from before the trim")
			var gone *stream.TrimmedError
			if !errors.As(err, &gone) || gone.Topic != topicA {
				f.Fatalf("no *TrimmedError of the topic: %v", err)
			}
			f.expect(f.all(topicA, gone.First), first, last)
			for _, err := range f.log.Tail(f.ctx, topicA, at[i]) {
				f.fails(err, stream.ErrTrimmed, "tail from before the trim")
			}
		}
		f.restart()
	}
}

func (f *fixture) trim(policy stream.Policy) {
	f.Helper()
	if err := f.log.Trim(f.ctx, topicA, policy); err != nil {
		f.Fatalf("trim: %v", err)
	}
}

func trimEntries(f *fixture) {
	at := f.fill(topicA, 1, 60)
	f.trim(stream.Policy{})
	f.trim(stream.Policy{MaxEntries: 60})
	f.expect(f.all(topicA, ""), 1, 60)
	f.trim(stream.Policy{MaxEntries: 25})
	f.trimmed(at, 36, 60)
	f.trim(stream.Policy{MaxEntries: 30}) // what is gone does not come back
	f.trimmed(at, 36, 60)
	at[61] = f.append(topicA, numbered(61))
	f.trimmed(at, 36, 61)
}

func trimBytes(f *fixture) {
	at := f.fill(topicA, 1, 60)
	size := int64(len(numbered(60)))
	f.trim(stream.Policy{MaxBytes: 20 * size})
	f.trimmed(at, 41, 60)
	f.trim(stream.Policy{MaxBytes: 10*size - 1})
	f.trimmed(at, 52, 60)
}

func trimAge(f *fixture) {
	at := f.fill(topicA, 1, 10)
	f.store.Advance(time.Hour)
	maps.Copy(at, f.fill(topicA, 11, 20))
	f.store.Advance(time.Hour)
	maps.Copy(at, f.fill(topicA, 21, 30))
	f.trim(stream.Policy{MaxAge: 3 * time.Hour})
	f.expect(f.all(topicA, ""), 1, 30)
	f.trim(stream.Policy{MaxAge: 90 * time.Minute})
	f.trimmed(at, 11, 30)
	f.trim(stream.Policy{MaxAge: 90 * time.Minute, MaxEntries: 5}) // all limits hold
	f.trimmed(at, 26, 30)
}

func trimAll(f *fixture) {
	at := f.fill(topicA, 1, 20)
	f.store.Advance(time.Hour)
	f.trim(stream.Policy{MaxAge: time.Minute})
	f.trimmed(at, 21, 20)
	at[21] = f.append(topicA, numbered(21))
	f.trimmed(at, 21, 21)
	f.trim(stream.Policy{MaxBytes: 1 << 20})
	f.trimmed(at, 21, 21)
}

// trimUnderTail: a reader that is behind learns that it missed something.
func trimUnderTail(f *fixture) {
	f.fill(topicA, 1, 2000)
	read := 0
	var failed error
	for e, err := range f.log.Tail(f.ctx, topicA, "") {
		if failed = err; err != nil {
			break
		}
		if read++; number(e) != read {
			f.Fatalf("entry %q came where %d was due", e.Payload, read)
		}
		if read == 1 {
			f.trim(stream.Policy{MaxEntries: 10})
		}
		if read == 2000 {
			break // all of it was read ahead, which is no fault but no proof either
		}
	}
	if read == 2000 {
		f.Fatal("a reader holds 2000 entries: its buffer has no bound")
	}
	f.fails(failed, stream.ErrTrimmed, "tail")
}

func remove(f *fixture) {
	f.fill(topicA, 1, 10)
	f.append(topicB, numbered(1))
	for range 2 {
		if err := f.log.Remove(f.ctx, topicA); err != nil {
			f.Fatal(err)
		}
		if got := f.all(topicA, ""); len(got) != 0 {
			f.Fatalf("%d entries after the topic was removed", len(got))
		}
		if names, err := f.log.Topics(f.ctx); err != nil || len(names) != 1 {
			f.Fatalf("topics %q, %v", names, err)
		}
		f.restart()
	}
	f.fill(topicA, 1, 3) // a new topic of the same name
	f.restart()
	f.expect(f.all(topicA, ""), 1, 3)
	f.expect(f.all(topicB, ""), 1, 1)
}

func removeUnderTail(f *fixture) {
	f.append(topicA, numbered(1))
	tail := f.follow(f.ctx, topicA, "", 2)
	f.wait(tail.first, "the first entry")
	if err := f.log.Remove(f.ctx, topicA); err != nil {
		f.Fatal(err)
	}
	f.fill(topicA, 1, 5)
	f.wait(tail.done, "the tail to end")
	f.fails(tail.err, stream.ErrRemoved, "tail")
}
