// Package stream is the port for topics: ordered logs of opaque payloads that
// one process appends to and any number of readers follow.
//
// What every adapter promises, and package streamtest proves:
//
//   - Order is total within a topic: all readers see the same entries in the
//     order of their cursors, each exactly once.
//   - A [Cursor] names the position after an entry. Cursors are opaque,
//     strictly increasing as strings within a topic, and never reused: a reader
//     that comes back with its last one, over another connection or after a
//     restart, goes on without a gap and without a repeat.
//   - A slow or dead reader blocks neither the writer nor another reader: what
//     is read ahead for it is bounded, and it re-reads from its cursor.
//   - An entry is seen by readers as soon as Append returns, and survives a kill
//     of the process from then on; it survives a crash of the machine once Sync
//     has returned.
package stream

import (
	"context"
	"iter"
	"time"
)

// Cursor is a position in a topic: after the entry that carries it. The empty
// cursor is the beginning of what the topic still holds.
type Cursor string

// Entry is one payload and the position after it.
type Entry struct {
	Cursor  Cursor
	Payload []byte
}

// Limits that hold for every adapter.
const (
	MaxPayload = 32 << 20 // bytes of one entry
	MaxTopic   = 256      // bytes of a topic's name
)

// Policy says what Trim keeps: the newest entries that fit all limits. A zero
// limit is none.
type Policy struct {
	MaxEntries int
	MaxBytes   int64 // of payloads
	MaxAge     time.Duration
}

// Log is a set of topics. All methods are safe for concurrent use. Each returns
// [ErrClosed] after Close, and fault.Invalid for a topic that is none.
type Log interface {
	// Append adds an entry at the end and makes the topic where it is new. An
	// empty payload is an entry like any other; one beyond MaxPayload is
	// fault.Invalid.
	Append(ctx context.Context, topic string, payload []byte) (Cursor, error)

	// Sync returns once everything appended to the topic before the call is
	// durable. Concurrent calls share the cost.
	Sync(ctx context.Context, topic string) error

	// Read returns up to limit entries that follow after, oldest first, and
	// fewer where they are large: only an empty result says that the end was
	// reached. A topic that does not exist is empty. The error is [ErrTrimmed]
	// where entries that follow after are gone, and [ErrCursor] where after is
	// no cursor of this topic.
	Read(ctx context.Context, topic string, after Cursor, limit int) ([]Entry, error)

	// Tail yields every entry that follows after, those yet to come included,
	// waiting for them. It ends with an error, always its last element, when the
	// context is done, the log is closed, the topic is removed ([ErrRemoved]),
	// or Read would fail. A topic that does not exist yet is waited for.
	Tail(ctx context.Context, topic string, after Cursor) iter.Seq2[Entry, error]

	// Trim drops the oldest entries that the policy does not keep. Entries that
	// a reader has not reached yet go too; it learns of it by [ErrTrimmed].
	Trim(ctx context.Context, topic string, policy Policy) error

	// Remove drops the topic with everything in it. A topic that does not exist
	// is no error.
	Remove(ctx context.Context, topic string) error

	// Topics returns the names of all topics, sorted.
	Topics(ctx context.Context) ([]string, error)

	// Close makes everything durable, ends every Tail and releases the log.
	Close() error
}

// Sized is a Log that says how much its topics hold; both adapters do.
type Sized interface {
	Log

	// Size returns the bytes of the payloads that the topic holds, 0 where it does
	// not exist.
	Size(ctx context.Context, topic string) (int64, error)
}
