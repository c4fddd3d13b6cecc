// Package streamjournal keeps topics in the embedded journal: the adapter of
// package stream that needs no service.
//
// Each topic is a journal of its own, in a directory named by a MAC of the
// topic, so that the tree shows neither names nor which topics two homes share;
// the name itself rests sealed in that directory. Checkpoints are kept in a
// directory of their own. Journals are opened when they are used; beyond a
// bounded number the one unused for longest is closed. Every entry carries the
// time and the total size of the topic at that point, by which Trim finds its
// place with a few reads.
package streamjournal

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/filelock"
	"github.com/vexa-ai/vexa/pkg/stream"
)

// Defaults of Options.
const (
	DefaultOpen    = 256     // journals; each holds three descriptors
	DefaultSegment = 1 << 20 // bytes
)

// Options say where the topics are and how they are sealed.
type Options struct {
	Root         string // made (0700) where it is missing
	Key          []byte // the data key, journal.KeySize bytes
	Now          func() time.Time
	MaxOpen      int   // journals kept open while nobody uses them
	SegmentBytes int64 // space is given back by segments of this size
}

// Log implements stream.Sized.
type Log struct {
	root    string
	names   *names
	key     []byte
	now     func() time.Time
	limit   int
	segment int64

	done chan struct{} // closed by Close

	lock *filelock.Lock

	mu     sync.Mutex
	topics map[string]*topic // by name: open, in use, or followed
	open   int               // journals
	calls  uint64
	closed bool
}

// Open returns the log kept under Root. One process at a time may hold it: for
// a second the error is fault.Conflict.
func Open(o Options) (*Log, error) {
	n, err := newNames(o.Key)
	if err != nil {
		return nil, err
	}
	l := &Log{
		root:    o.Root,
		names:   n,
		key:     slices.Clone(o.Key),
		now:     o.Now,
		limit:   cmp.Or(o.MaxOpen, DefaultOpen),
		segment: cmp.Or(o.SegmentBytes, DefaultSegment),
		done:    make(chan struct{}),
		topics:  map[string]*topic{},
	}
	for _, dir := range []string{l.topicsDir(), l.checkpointsDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fault.Wrap(fault.Internal, "open the streams", err)
		}
	}
	if l.lock, err = filelock.Acquire(filepath.Join(l.root, "lock"), "the directory of streams "+l.root); err != nil {
		return nil, err
	}
	if err := l.sweep(); err != nil {
		l.lock.Release()
		return nil, err
	}
	return l, nil
}

func (l *Log) topicsDir() string      { return filepath.Join(l.root, "topics") }
func (l *Log) checkpointsDir() string { return filepath.Join(l.root, "checkpoints") }

// Append implements stream.Log.
func (l *Log) Append(ctx context.Context, name string, payload []byte) (stream.Cursor, error) {
	if err := stream.CheckPayload(payload); err != nil {
		return "", err
	}
	var at stream.Cursor
	err := l.with(ctx, name, create, func(t *topic) (err error) {
		at, err = t.append(payload, l.now())
		return err
	})
	return at, err
}

// Sync implements stream.Log.
func (l *Log) Sync(ctx context.Context, name string) error {
	return l.with(ctx, name, existing, func(t *topic) error { return t.journal.Sync(ctx) })
}

// Read implements stream.Log.
func (l *Log) Read(ctx context.Context, name string, after stream.Cursor, limit int) ([]stream.Entry, error) {
	out, found, err := l.read(ctx, name, after, limit)
	if err == nil && !found && after != "" {
		var seq uint64
		if seq, err = after.Seq(); err == nil {
			err = stream.CheckRange(name, seq, 1, 0)
		}
	}
	return out, err
}

func (l *Log) read(ctx context.Context, name string, after stream.Cursor, limit int) (out []stream.Entry, found bool, err error) {
	err = l.with(ctx, name, existing, func(t *topic) (err error) {
		found = true
		out, err = t.read(after, limit)
		return err
	})
	return out, found, err
}

// tailBatch bounds what is read ahead for a follower, besides the journal's
// own bound in bytes.
const tailBatch = 256

// Tail implements stream.Log. A journal may be closed and opened again under
// it.
func (l *Log) Tail(ctx context.Context, name string, after stream.Cursor) iter.Seq2[stream.Entry, error] {
	return func(yield func(stream.Entry, error) bool) {
		t, err := l.follow(ctx, name)
		if err != nil {
			yield(stream.Entry{}, err)
			return
		}
		defer l.unfollow(t)
		step := func(after stream.Cursor) ([]stream.Entry, <-chan struct{}, error) {
			wait := t.changes()
			batch, err := l.Read(ctx, name, after, tailBatch)
			if t.isRemoved() {
				err = stream.ErrRemoved // and what was read may be another topic of its name
			}
			return batch, wait, err
		}
		stream.Follow(ctx, l.done, after, step)(yield)
	}
}

// Trim implements stream.Log. Entries go at once; their space is given back by
// whole segments.
func (l *Log) Trim(ctx context.Context, name string, policy stream.Policy) error {
	return l.with(ctx, name, existing, func(t *topic) error { return t.trim(policy, l.now()) })
}

// Size implements stream.Sized.
func (l *Log) Size(ctx context.Context, name string) (size int64, err error) {
	err = l.with(ctx, name, existing, func(t *topic) (err error) {
		size, err = t.size()
		return err
	})
	return size, err
}

// Topics implements stream.Log.
func (l *Log) Topics(ctx context.Context) ([]string, error) {
	if err := l.ready(ctx); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(l.topicsDir())
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "list the topics", err)
	}
	var topics []string
	for _, e := range entries {
		if !isTopicDir(e.Name()) {
			continue
		}
		name, err := l.names.read(l.topicsDir(), e.Name())
		if errors.Is(err, os.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		topics = append(topics, name)
	}
	slices.Sort(topics)
	return topics, nil
}

// Close implements stream.Log. Every open journal is flushed.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	close(l.done)
	topics := slices.Collect(maps.Values(l.topics))
	l.mu.Unlock()
	var failed error
	for _, t := range topics {
		failed = errors.Join(failed, t.close())
	}
	l.lock.Release()
	return failed
}

func (l *Log) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-l.done:
		return stream.ErrClosed
	default:
		return nil
	}
}
