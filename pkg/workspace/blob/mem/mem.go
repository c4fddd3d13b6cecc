// Package mem keeps blobs in memory, for the tests of what uses the port. It is
// as late as the port allows: what was committed is seen when a later Create
// through the same handle returned, and not before.
package mem

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// Storage holds blobs. It is safe for concurrent use.
type Storage struct {
	url string

	mu    sync.Mutex
	blobs map[string]kept
}

// kept is one blob. Its data is never written to.
type kept struct {
	data []byte
	at   time.Time
}

// New returns an empty storage.
func New() *Storage {
	return &Storage{url: "mem://" + strings.ToLower(rand.Text()), blobs: map[string]kept{}}
}

// Handle returns a store over the storage, as each machine has one.
func (s *Storage) Handle() *Store {
	return &Store{storage: s, stages: map[*stage]struct{}{}}
}

// Store implements blob.Store. It is safe for concurrent use.
type Store struct {
	storage *Storage

	// Guarded by storage.mu.
	closed  bool
	stages  map[*stage]struct{}
	waiting []committed
}

// committed is a blob that is not seen yet.
type committed struct {
	name string
	data []byte
}

// URL implements blob.Store: it is of the scheme mem, and the same for every
// handle.
func (s *Store) URL() string { return s.storage.url }

// on runs one operation on the blob name, with the storage locked.
func (s *Store) on(ctx context.Context, op, name string, fn func(blobs map[string]kept) error) error {
	if err := blob.CheckName(name); err != nil {
		return err
	}
	return s.do(ctx, op+" "+name, fn)
}

// do runs one operation, with the storage locked.
func (s *Store) do(ctx context.Context, op string, fn func(blobs map[string]kept) error) error {
	what := op + " in " + s.URL()
	if err := ctx.Err(); err != nil {
		return fault.Wrap(fault.Interrupted, what, err)
	}
	s.storage.mu.Lock()
	defer s.storage.mu.Unlock()
	if s.closed {
		return fault.New(fault.Internal, what+": the store is closed", "")
	}
	err := fn(s.storage.blobs)
	switch {
	case errors.Is(err, blob.ErrNotExist):
		return fault.Wrap(fault.NotFound, what, err)
	case errors.Is(err, blob.ErrExist):
		return fault.Wrap(fault.Conflict, what, err)
	default:
		return fault.Wrap(fault.KindOf(err), what, err)
	}
}

// Open implements blob.Store.
func (s *Store) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	var r *reader
	err := s.on(ctx, "open", name, func(blobs map[string]kept) error {
		b, ok := blobs[name]
		if !ok {
			return blob.ErrNotExist
		}
		r = &reader{Reader: bytes.NewReader(b.data), what: "read " + name + " in " + s.URL(), ended: ctx.Err}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// reader reads a blob until its context ends.
type reader struct {
	*bytes.Reader
	what  string
	ended func() error
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if err := r.ended(); err != nil {
		return 0, fault.Wrap(fault.Interrupted, r.what, err)
	}
	return r.Reader.Read(p)
}

// Close implements io.Closer.
func (r *reader) Close() error { return nil }

// Stat implements blob.Store.
func (s *Store) Stat(ctx context.Context, name string) (blob.Info, error) {
	var info blob.Info
	err := s.on(ctx, "look at", name, func(blobs map[string]kept) error {
		b, ok := blobs[name]
		if !ok {
			return blob.ErrNotExist
		}
		info = b.info(name)
		return nil
	})
	return info, err
}

func (b kept) info(name string) blob.Info {
	return blob.Info{Name: name, Size: int64(len(b.data)), Time: b.at}
}

// List implements blob.Store. It lists what is there when it is called.
func (s *Store) List(ctx context.Context, prefix, after string, fn func(blob.Info) error) error {
	var infos []blob.Info
	err := s.do(ctx, "list", func(blobs map[string]kept) error {
		for _, name := range slices.Sorted(maps.Keys(blobs)) {
			if strings.HasPrefix(name, prefix) && name > after {
				infos = append(infos, blobs[name].info(name))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, info := range infos {
		if err := ctx.Err(); err != nil {
			return fault.Wrap(fault.Interrupted, "list "+s.URL(), err)
		}
		if err := fn(info); err != nil {
			return err
		}
	}
	return nil
}

// Create implements blob.Store.
func (s *Store) Create(ctx context.Context, name string, data []byte) error {
	return s.on(ctx, "create", name, func(blobs map[string]kept) error {
		if b, ok := blobs[name]; ok && !bytes.Equal(b.data, data) {
			return blob.ErrExist
		}
		s.publish()
		return put(blobs, name, slices.Clone(data))
	})
}

// put makes a blob. It is blob.ErrExist where there is one with other bytes.
func put(blobs map[string]kept, name string, data []byte) error {
	if b, ok := blobs[name]; ok {
		if bytes.Equal(b.data, data) {
			return nil
		}
		return blob.ErrExist
	}
	blobs[name] = kept{data: data, at: time.Now()}
	return nil
}

// publish lets everybody see what was committed. The storage is locked.
func (s *Store) publish() {
	for _, c := range s.waiting {
		_ = put(s.storage.blobs, c.name, c.data) // what is there is kept
	}
	s.waiting = nil
}

// Replace implements blob.Store.
func (s *Store) Replace(ctx context.Context, name string, data []byte) error {
	return s.on(ctx, "replace", name, func(blobs map[string]kept) error {
		blobs[name] = kept{data: slices.Clone(data), at: time.Now()}
		return nil
	})
}

// Remove implements blob.Store.
func (s *Store) Remove(ctx context.Context, names ...string) error {
	for _, name := range names {
		err := s.on(ctx, "remove", name, func(blobs map[string]kept) error {
			delete(blobs, name)
			s.waiting = slices.DeleteFunc(s.waiting, func(c committed) bool { return c.name == name })
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Probe implements blob.Store: there is nothing to find out.
func (s *Store) Probe(ctx context.Context) error {
	return s.do(ctx, "try", func(map[string]kept) error { return nil })
}

// Close implements blob.Store. What was committed is seen from then on.
func (s *Store) Close() error {
	s.storage.mu.Lock()
	defer s.storage.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	for st := range s.stages {
		st.ended, st.data = true, nil
	}
	s.publish()
	return nil
}
