package streamtest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/stream"
)

func order(f *fixture) {
	f.fill(topicA, 1, 40)
	f.fill(topicB, 1, 3)
	f.expect(f.all(topicA, ""), 1, 40)
	f.expect(f.all(topicB, ""), 1, 3)
}

func cursors(f *fixture) {
	at := f.fill(topicA, 1, 30)
	for i := 1; i <= 30; i++ {
		f.expect(f.all(topicA, at[i]), i+1, 30)
	}
	for i, e := range f.all(topicA, "") {
		if e.Cursor != at[i+1] {
			f.Fatalf("entry %d reads with cursor %q, Append returned %q", i+1, e.Cursor, at[i+1])
		}
	}
}

func foreignCursors(f *fixture) {
	c := f.fill(topicA, 1, 5)[5]
	f.append(topicB, "one")
	for _, cursor := range []stream.Cursor{"x", "-1", " ", "\x00", c + "0", c + c, c} {
		_, err := f.log.Read(f.ctx, topicB, cursor, 1)
		f.fails(err, stream.ErrCursor, fmt.Sprintf("read after %q", cursor))
		for _, err := range f.log.Tail(f.ctx, topicB, cursor) {
			f.fails(err, stream.ErrCursor, fmt.Sprintf("tail after %q", cursor))
		}
	}
}

func limits(f *fixture) {
	f.fill(topicA, 1, 10)
	for _, limit := range []int{0, -1} {
		if got, err := f.log.Read(f.ctx, topicA, "", limit); err != nil || len(got) != 0 {
			f.Fatalf("limit %d: %d entries, %v", limit, len(got), err)
		}
	}
	got, err := f.log.Read(f.ctx, topicA, "", 4)
	if err != nil {
		f.Fatal(err)
	}
	f.expect(got, 1, 4)
	if _, err := f.log.Append(f.ctx, topicA, make([]byte, stream.MaxPayload+1)); !fault.Is(err, fault.Invalid) {
		f.Fatalf("an entry beyond the limit: %v", err)
	}
	for _, topic := range []string{"", "a b", "a\nb", "\xff", string(bytes.Repeat([]byte("x"), stream.MaxTopic+1))} {
		if _, err := f.log.Append(f.ctx, topic, nil); !fault.Is(err, fault.Invalid) {
			f.Fatalf("topic %q: %v", topic, err)
		}
		if _, err := f.log.Read(f.ctx, topic, "", 1); !fault.Is(err, fault.Invalid) {
			f.Fatalf("topic %q: %v", topic, err)
		}
		for _, err := range f.log.Tail(f.ctx, topic, "") {
			if !fault.Is(err, fault.Invalid) {
				f.Fatalf("topic %q: %v", topic, err)
			}
		}
	}
}

func largeEntries(f *fixture) {
	large := bytes.Repeat([]byte("0123456789abcdef"), stream.MaxPayload/16)
	f.append(topicA, "before")
	if _, err := f.log.Append(f.ctx, topicA, large); err != nil {
		f.Fatal(err)
	}
	f.append(topicA, "after")
	got := f.all(topicA, "")
	if len(got) != 3 || !bytes.Equal(got[1].Payload, large) || string(got[2].Payload) != "after" {
		f.Fatalf("%d entries read", len(got))
	}
}

func payloads(f *fixture) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	want := [][]byte{{}, every, []byte("\r\n\r\n"), bytes.Repeat([]byte{0}, 5000), {}}
	mine := slices.Clone(every)
	for i, p := range want {
		if i == 1 {
			p = mine
		}
		if _, err := f.log.Append(f.ctx, topicA, p); err != nil {
			f.Fatal(err)
		}
	}
	clear(mine) // the log keeps no memory of the caller's
	got := f.all(topicA, "")
	for i, e := range got {
		if !bytes.Equal(e.Payload, want[i]) {
			f.Fatalf("entry %d is %q, want %q", i, e.Payload, want[i])
		}
		clear(e.Payload) // and the caller keeps none of the log's
	}
	if again := f.all(topicA, ""); !bytes.Equal(again[1].Payload, every) {
		f.Fatal("a reader changed the log")
	}
}

func topics(f *fixture) {
	names := []string{"a", "b", "a/../b", ".", "unit:x:in", "Ünïcode", "*"}
	for i, name := range names {
		f.append(name, numbered(i))
	}
	slices.Sort(names)
	for range 2 {
		got, err := f.log.Topics(f.ctx)
		if err != nil || !slices.Equal(got, names) {
			f.Fatalf("topics %q, %v, want %q", got, err, names)
		}
		f.restart()
	}
}

func unknownTopic(f *fixture) {
	if got, err := f.log.Read(f.ctx, topicA, "", 1); err != nil || len(got) != 0 {
		f.Fatalf("read: %v, %v", got, err)
	}
	if err := f.log.Sync(f.ctx, topicA); err != nil {
		f.Fatalf("sync: %v", err)
	}
	if err := f.log.Trim(f.ctx, topicA, stream.Policy{MaxEntries: 1}); err != nil {
		f.Fatalf("trim: %v", err)
	}
	if err := f.log.Remove(f.ctx, topicA); err != nil {
		f.Fatalf("remove: %v", err)
	}
	_, err := f.log.Read(f.ctx, topicA, f.append(topicB, "x"), 1)
	f.fails(err, stream.ErrCursor, "read after another topic's cursor")
	if got, err := f.log.Topics(f.ctx); err != nil || !slices.Equal(got, []string{topicB}) {
		f.Fatalf("topics %q, %v: looking made one", got, err)
	}
}

func reopen(f *fixture) {
	at := map[int]stream.Cursor{}
	for round := range 5 {
		for i := round*10 + 1; i <= round*10+10; i++ {
			at[i] = f.append(topicA, numbered(i))
			if i > 1 && at[i] <= at[i-1] {
				f.Fatalf("cursor %q does not follow %q", at[i], at[i-1])
			}
		}
		if err := f.log.Sync(f.ctx, topicA); err != nil {
			f.Fatal(err)
		}
		f.restart()
		f.expect(f.all(topicA, ""), 1, round*10+10)
	}
	for i, c := range at {
		f.expect(f.all(topicA, c), i+1, 50)
	}
}

func closing(f *fixture) {
	f.append(topicA, "x")
	tail := f.follow(f.ctx, topicA, "", 2)
	f.wait(tail.first, "the first entry")
	f.close()
	f.wait(tail.done, "the tail to end")
	f.fails(tail.err, stream.ErrClosed, "tail")
	_, err := f.log.Append(f.ctx, topicA, nil)
	f.fails(err, stream.ErrClosed, "append")
	_, err = f.log.Read(f.ctx, topicA, "", 1)
	f.fails(err, stream.ErrClosed, "read")
	_, err = f.log.Topics(f.ctx)
	f.fails(err, stream.ErrClosed, "topics")
	f.fails(f.log.Sync(f.ctx, topicA), stream.ErrClosed, "sync")
	f.fails(f.log.Trim(f.ctx, topicA, stream.Policy{}), stream.ErrClosed, "trim")
	f.fails(f.log.Remove(f.ctx, topicA), stream.ErrClosed, "remove")
	f.close() // a second time: nothing happens
}

func concurrentAppends(f *fixture) {
	const writers, each = 8, 50
	tail := f.follow(f.ctx, topicA, "", writers*each)
	var wg sync.WaitGroup
	var mu sync.Mutex
	returned := map[stream.Cursor]string{}
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				p := fmt.Sprintf("%d/%d", w, i)
				c, err := f.log.Append(f.ctx, topicA, []byte(p))
				if err = errors.Join(err, f.log.Sync(f.ctx, topicA)); err != nil {
					f.Errorf("append: %v", err)
					return
				}
				mu.Lock()
				returned[c] = p
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	f.wait(tail.done, "the tail")
	if tail.err != nil || len(returned) != writers*each {
		f.Fatalf("%d cursors for %d entries; tail: %v", len(returned), writers*each, tail.err)
	}
	next := map[string]int{}
	for i, e := range f.all(topicA, "") {
		if returned[e.Cursor] != string(e.Payload) {
			f.Fatalf("cursor %q was returned for %q and reads %q", e.Cursor, returned[e.Cursor], e.Payload)
		}
		if t := tail.entries[i]; t.Cursor != e.Cursor || !bytes.Equal(t.Payload, e.Payload) {
			f.Fatalf("readers disagree about entry %d", i)
		}
		w, n, _ := bytes.Cut(e.Payload, []byte("/"))
		if string(n) != fmt.Sprint(next[string(w)]) {
			f.Fatalf("writer %s: entry %s came where %d was due", w, n, next[string(w)])
		}
		next[string(w)]++
	}
}

// size counts what is held, and neither what was trimmed nor what was removed.
func size(f *fixture) {
	is := func(topic string, want int64) {
		f.Helper()
		if got, err := f.log.Size(f.ctx, topic); err != nil || got != want {
			f.Fatalf("the size of %s is %d, %v; want %d", topic, got, err, want)
		}
	}
	is(topicA, 0)
	for _, payload := range []string{"one", "", "three"} {
		f.append(topicA, payload)
	}
	f.append(topicB, "other")
	is(topicA, 8)
	f.restart()
	is(topicA, 8)
	if err := f.log.Trim(f.ctx, topicA, stream.Policy{MaxEntries: 1}); err != nil {
		f.Fatal(err)
	}
	is(topicA, 5)
	if err := f.log.Trim(f.ctx, topicA, stream.Policy{MaxBytes: 1}); err != nil {
		f.Fatal(err)
	}
	is(topicA, 0)
	if err := f.log.Remove(f.ctx, topicB); err != nil {
		f.Fatal(err)
	}
	is(topicB, 0)
}
