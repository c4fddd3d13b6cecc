package gitref

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// small is the size up to which a blob is read at once, in bytes.
const small = 256 << 10

// Open implements blob.Store. A blob that the cache has is read from there: that
// another removed it meanwhile is then not seen. What it returns ends with the
// store.
func (s *Store) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	var r io.ReadCloser
	err := s.doOn(ctx, "open", name, func() error {
		return s.located(ctx, name, func(p *pending, ids []object.ID, sizes []int64) (err error) {
			if p != nil {
				r, err = p.open()
				return err
			}
			r, err = s.content(ctx, name, ids, sizes)
			return err
		})
	})
	return r, err
}

// Stat implements blob.Store. It asks the remote where Open does. No blob has a
// time: the commits say nothing of when they were made.
func (s *Store) Stat(ctx context.Context, name string) (blob.Info, error) {
	info := blob.Info{Name: name}
	err := s.doOn(ctx, "look at", name, func() error {
		return s.located(ctx, name, func(p *pending, _ []object.ID, sizes []int64) error {
			if p != nil {
				info.Size = p.size
			}
			for _, n := range sizes {
				info.Size += n
			}
			return nil
		})
	})
	if err != nil {
		return blob.Info{}, err
	}
	return info, nil
}

// located calls fn with where a blob is: what waits for the next Create, or the
// objects of its parts and their sizes in bytes. It asks the remote where the
// cache has no such blob, or what it knows is not fresh.
func (s *Store) located(ctx context.Context, name string, fn func(*pending, []object.ID, []int64) error) error {
	since := time.Now()
	if p := s.waits(name); p != nil {
		if err := fn(p, nil, nil); !errors.Is(err, os.ErrNotExist) {
			return err
		} // else a Create took it to the remote meanwhile
	}
	for {
		asked := s.isConfirmed(since)
		if asked || s.isConfirmed(since.Add(-s.fresh)) {
			ids, sizes, err := s.look(ctx, name)
			switch {
			case err == nil && len(ids) > 0:
				return fn(nil, ids, sizes)
			case asked && err != nil, err != nil && !errors.Is(err, git.ErrMissing): // it may be dropped while it is looked at
				return err
			case asked:
				return blob.ErrNotExist
			}
		}
		if err := s.refresh(ctx, since); err != nil {
			return err
		}
	}
}

// waits returns what waits for the next Create under a name, or nil.
func (s *Store) waits(name string) *pending {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pending[name]
}

// look finds a blob in the cache.
func (s *Store) look(ctx context.Context, name string) ([]object.ID, []int64, error) {
	root, _, err := s.root(ctx)
	if err != nil {
		return nil, nil, err
	}
	ids, err := s.find(ctx, root, name)
	if err != nil || len(ids) == 0 {
		return nil, nil, err
	}
	sizes, err := s.sizes(ctx, ids)
	return ids, sizes, err
}

// content returns a reader of the parts, one after the other.
func (s *Store) content(ctx context.Context, name string, ids []object.ID, sizes []int64) (io.ReadCloser, error) {
	if len(ids) == 1 && sizes[0] <= small {
		data, err := s.cache.repo.Object(ctx, ids[0].String(), "blob", small)
		if err != nil {
			return nil, err
		}
		return io.NopCloser(bytes.NewReader(data)), nil
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = id.String()
	}
	ctx, cancel := context.WithCancel(ctx)
	r, w := io.Pipe()
	rd := &reading{PipeReader: r, store: s, cancel: cancel, done: make(chan struct{})}
	s.mu.Lock()
	s.readings[rd] = struct{}{}
	s.mu.Unlock()
	go func() {
		defer close(rd.done)
		err := s.cache.repo.Objects(ctx, names, func(o git.Object) error {
			n, err := io.Copy(w, o.Content)
			if err == nil && n != o.Size {
				err = fmt.Errorf("%s: %w", o.ID, io.ErrUnexpectedEOF)
			}
			return err
		})
		w.CloseWithError(s.explain("read", name, err))
	}()
	return rd, nil
}

// reading is a blob that a git process prints.
type reading struct {
	*io.PipeReader
	store  *Store
	cancel context.CancelFunc
	done   chan struct{}
}

// Close ends the process where it is not at its end.
func (r *reading) Close() error {
	r.store.mu.Lock()
	delete(r.store.readings, r)
	r.store.mu.Unlock()
	return r.end(io.ErrClosedPipe)
}

// end has who still reads get the error why.
func (r *reading) end(why error) error {
	r.cancel()
	err := r.CloseWithError(why)
	<-r.done
	return err
}
