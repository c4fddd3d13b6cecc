package gitref

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// stage implements blob.Stage: what is written goes to a file of the spool.
type stage struct {
	store *Store
	mu    sync.Mutex // Close may come while it is written
	file  *os.File   // nil: it is over
	size  int64
}

// pending is a blob that the next Create takes along. It is content that was
// staged, in a file, or content that Replace was given, in memory.
type pending struct {
	path    string // empty: data
	data    []byte
	size    int64
	replace bool
}

func (p *pending) open() (io.ReadCloser, error) {
	if p.path == "" {
		return io.NopCloser(bytes.NewReader(p.data)), nil
	}
	return os.Open(p.path)
}

// holds reports whether it is exactly these bytes.
func (p *pending) holds(data []byte) (bool, error) {
	if p.size != int64(len(data)) {
		return false, nil
	}
	r, err := p.open()
	if err != nil {
		return false, err
	}
	defer r.Close()
	chunk := make([]byte, min(len(data), 64<<10))
	for len(data) > 0 {
		n, err := io.ReadFull(r, chunk[:min(len(chunk), len(data))])
		if err != nil || !bytes.Equal(chunk[:n], data[:n]) {
			return false, err
		}
		data = data[n:]
	}
	return true, nil
}

func (p *pending) drop() {
	if p.path != "" {
		_ = os.Remove(p.path) // what is left goes with the spool
	}
}

// Stage implements blob.Store. Nothing is asked of the remote.
func (s *Store) Stage(ctx context.Context) (blob.Stage, error) {
	st := &stage{store: s}
	err := s.do(ctx, "write to", func() (err error) {
		if st.file, err = os.CreateTemp(s.cache.spool.Path, "blob-*"); err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stages[st] = struct{}{}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return st, nil
}

var errOver = errors.New("the stage is over")

// Write implements blob.Stage.
func (st *stage) Write(p []byte) (int, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.file == nil {
		return 0, errOver
	}
	n, err := st.file.Write(p)
	st.size += int64(n)
	return n, err
}

// Commit implements blob.Stage. Nothing is asked of the remote: the next Create
// takes the blob along. Until then this store alone has it.
func (st *stage) Commit(ctx context.Context, name string) error {
	s := st.store
	return s.doOn(ctx, "store", name, func() error {
		p, err := st.end()
		if err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.stages, st)
		if old := s.pending[name]; old != nil {
			p.drop()
			return nil
		}
		s.pending[name] = p
		return nil
	})
}

// end closes the file and returns what it holds.
func (st *stage) end() (*pending, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.file == nil {
		return nil, errOver
	}
	p := &pending{path: st.file.Name(), size: st.size}
	err := st.file.Close()
	st.file = nil
	if err != nil {
		p.drop()
		return nil, err
	}
	return p, nil
}

// Abort implements blob.Stage.
func (st *stage) Abort() {
	st.store.mu.Lock()
	delete(st.store.stages, st)
	st.store.mu.Unlock()
	if p, err := st.end(); err == nil {
		p.drop()
	}
}

// Replace implements blob.Store. Nothing is asked of the remote: the next Create
// takes the blob along, and where none comes it is dropped. What a replaced blob
// is good for, finding the newest state quickly, the branch does by itself.
func (s *Store) Replace(ctx context.Context, name string, data []byte) error {
	return s.doOn(ctx, "replace", name, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if old := s.pending[name]; old != nil {
			old.drop()
		}
		s.pending[name] = &pending{data: bytes.Clone(data), size: int64(len(data)), replace: true}
		return nil
	})
}
