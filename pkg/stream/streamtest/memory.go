package streamtest

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/stream"
)

// Memory is a stream.Log in memory, for tests of what uses the port. It passes
// the same suite as every other adapter.
type Memory struct {
	store  *store
	mu     sync.Mutex
	closed chan struct{}
}

// store is what outlives Close, as a disk would.
type store struct {
	now    func() time.Time
	mu     sync.Mutex
	topics map[string]*topic
	made   chan struct{} // closed when a topic is made
}

type topic struct {
	first   uint64 // oldest entry kept
	entries []entry
	changed chan struct{} // closed by the next append, and by removal
	removed bool
}

type entry struct {
	payload []byte
	at      time.Time
}

// NewMemory returns an empty log that tells ages by the system's clock.
func NewMemory() *Memory { return NewMemoryAt(time.Now) }

// NewMemoryAt returns an empty log with a clock.
func NewMemoryAt(now func() time.Time) *Memory {
	s := &store{now: now, topics: map[string]*topic{}, made: make(chan struct{})}
	return &Memory{store: s, closed: make(chan struct{})}
}

// Reopen returns another log over the same entries, as a restart would.
func (m *Memory) Reopen() *Memory { return &Memory{store: m.store, closed: make(chan struct{})} }

// Append implements stream.Log.
func (m *Memory) Append(ctx context.Context, name string, payload []byte) (stream.Cursor, error) {
	if err := m.ready(ctx, name); err != nil {
		return "", err
	}
	if err := stream.CheckPayload(payload); err != nil {
		return "", err
	}
	s := m.store
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topics[name]
	if t == nil {
		t = &topic{first: 1, changed: make(chan struct{})}
		s.topics[name] = t
		close(s.made)
		s.made = make(chan struct{})
	}
	t.entries = append(t.entries, entry{payload: slices.Clone(payload), at: s.now()})
	close(t.changed)
	t.changed = make(chan struct{})
	return stream.At(t.last()), nil
}

func (t *topic) last() uint64 { return t.first + uint64(len(t.entries)) - 1 }

// Sync implements stream.Log.
func (m *Memory) Sync(ctx context.Context, name string) error { return m.ready(ctx, name) }

// Read implements stream.Log.
func (m *Memory) Read(ctx context.Context, name string, after stream.Cursor, limit int) ([]stream.Entry, error) {
	if err := m.ready(ctx, name); err != nil {
		return nil, err
	}
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	return m.store.topics[name].read(name, after, limit)
}

// read is called with the store's lock held; t is nil where there is no topic.
func (t *topic) read(name string, after stream.Cursor, limit int) ([]stream.Entry, error) {
	if t == nil {
		t = &topic{first: 1}
	}
	from := t.first
	if after != "" {
		seq, err := after.Seq()
		if err != nil {
			return nil, err
		}
		if err := stream.CheckRange(name, seq, t.first, t.last()); err != nil {
			return nil, err
		}
		from = seq + 1
	}
	var out []stream.Entry
	for seq := from; seq <= t.last() && len(out) < limit; seq++ {
		out = append(out, stream.Entry{Cursor: stream.At(seq), Payload: slices.Clone(t.entries[seq-t.first].payload)})
	}
	return out, nil
}

// Tail implements stream.Log.
func (m *Memory) Tail(ctx context.Context, name string, after stream.Cursor) iter.Seq2[stream.Entry, error] {
	return func(yield func(stream.Entry, error) bool) {
		var followed *topic
		step := func(after stream.Cursor) ([]stream.Entry, <-chan struct{}, error) {
			if err := m.ready(ctx, name); err != nil {
				return nil, nil, err
			}
			return m.store.step(name, &followed, after)
		}
		stream.Follow(ctx, m.closed, after, step)(yield)
	}
}

// step reads a batch for a follower, who stays with the topic that it met
// first, and returns what to wait on where there is none.
func (s *store) step(name string, followed **topic, after stream.Cursor) ([]stream.Entry, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if *followed == nil {
		*followed = s.topics[name]
	}
	t, wait := *followed, s.made
	if t != nil {
		wait = t.changed
		if t.removed {
			return nil, nil, stream.ErrRemoved
		}
	}
	entries, err := t.read(name, after, 64)
	return entries, wait, err
}

// Trim implements stream.Log.
func (m *Memory) Trim(ctx context.Context, name string, policy stream.Policy) error {
	if err := m.ready(ctx, name); err != nil {
		return err
	}
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	t := m.store.topics[name]
	if t == nil {
		return nil
	}
	kept, size := 0, int64(0)
	for _, e := range slices.Backward(t.entries) {
		size += int64(len(e.payload))
		if policy.MaxEntries > 0 && kept >= policy.MaxEntries || policy.MaxBytes > 0 && size > policy.MaxBytes ||
			policy.MaxAge > 0 && m.store.now().Sub(e.at) > policy.MaxAge {
			break
		}
		kept++
	}
	drop := len(t.entries) - kept
	t.first += uint64(drop)
	t.entries = slices.Clone(t.entries[drop:])
	return nil
}

// Remove implements stream.Log.
func (m *Memory) Remove(ctx context.Context, name string) error {
	if err := m.ready(ctx, name); err != nil {
		return err
	}
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	if t := m.store.topics[name]; t != nil {
		t.removed = true
		close(t.changed)
		delete(m.store.topics, name)
	}
	return nil
}

// Size implements stream.Sized.
func (m *Memory) Size(ctx context.Context, name string) (int64, error) {
	if err := m.ready(ctx, name); err != nil {
		return 0, err
	}
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	size := int64(0)
	if t := m.store.topics[name]; t != nil {
		for _, e := range t.entries {
			size += int64(len(e.payload))
		}
	}
	return size, nil
}

// Topics implements stream.Log.
func (m *Memory) Topics(ctx context.Context) ([]string, error) {
	if err := m.ready(ctx, "any"); err != nil {
		return nil, err
	}
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	var names []string
	for name := range m.store.topics {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// Close implements stream.Log.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.closed:
	default:
		close(m.closed)
	}
	return nil
}

// ready checks what every method checks first.
func (m *Memory) ready(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-m.closed:
		return stream.ErrClosed
	default:
		return stream.CheckTopic(name)
	}
}
