package blobtest

import (
	"context"
	"io"
	"time"

	"github.com/vexa-ai/vexa/pkg/internal/sleep"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// The operations that a [Faulty] store asks its hooks about.
const (
	OpOpen    = "open"
	OpRead    = "read" // each Read of what Open returned
	OpStat    = "stat"
	OpList    = "list" // the name is the prefix
	OpStage   = "stage"
	OpWrite   = "write" // each Write to a Stage; it has no name yet
	OpCommit  = "commit"
	OpCreate  = "create"
	OpReplace = "replace"
	OpRemove  = "remove" // once for each name
	OpProbe   = "probe"
	OpClose   = "close" // only before: a store is closed whatever is said after
)

// Hook is asked about an operation on a blob, whose name is empty where the
// operation has none. It may be called concurrently, and may wait.
type Hook func(op, name string) error

// Faulty is a blob.Store that fails as its hooks say. A nil hook says nothing.
// The fields are set before the first use.
type Faulty struct {
	Store blob.Store
	// Before is asked first: an error of its is returned, and nothing is done.
	Before Hook
	// After is asked where the operation succeeded: an error of its is returned
	// instead, as where the answer was lost.
	After Hook
	// Delay is how long an operation takes longer, unless its context ends.
	Delay func(op, name string) time.Duration
}

var _ blob.Store = (*Faulty)(nil)

// do runs one operation between its hooks.
func (s *Faulty) do(ctx context.Context, op, name string, fn func() error) error {
	if s.Delay != nil {
		if err := wait(ctx, s.Delay(op, name)); err != nil {
			return err
		}
	}
	if s.Before != nil {
		if err := s.Before(op, name); err != nil {
			return err
		}
	}
	if err := fn(); err != nil {
		return err
	}
	if s.After != nil {
		return s.After(op, name)
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	return sleep.For(ctx, d)
}

// URL implements blob.Store.
func (s *Faulty) URL() string { return s.Store.URL() }

// Open implements blob.Store.
func (s *Faulty) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	var r io.ReadCloser
	err := s.do(ctx, OpOpen, name, func() (err error) {
		r, err = s.Store.Open(ctx, name)
		return err
	})
	if err != nil {
		if r != nil {
			r.Close()
		}
		return nil, err
	}
	return &faultyReader{ReadCloser: r, read: func(p []byte) (n int, err error) {
		err = s.do(ctx, OpRead, name, func() (err error) {
			n, err = r.Read(p)
			return err
		})
		return n, err
	}}, nil
}

type faultyReader struct {
	io.ReadCloser
	read func(p []byte) (int, error)
}

// Read implements io.Reader.
func (r *faultyReader) Read(p []byte) (int, error) { return r.read(p) }

// Stat implements blob.Store.
func (s *Faulty) Stat(ctx context.Context, name string) (info blob.Info, err error) {
	err = s.do(ctx, OpStat, name, func() (err error) {
		info, err = s.Store.Stat(ctx, name)
		return err
	})
	return info, err
}

// List implements blob.Store.
func (s *Faulty) List(ctx context.Context, prefix, after string, fn func(blob.Info) error) error {
	return s.do(ctx, OpList, prefix, func() error { return s.Store.List(ctx, prefix, after, fn) })
}

// Stage implements blob.Store.
func (s *Faulty) Stage(ctx context.Context) (blob.Stage, error) {
	var st blob.Stage
	err := s.do(ctx, OpStage, "", func() (err error) {
		st, err = s.Store.Stage(ctx)
		return err
	})
	if err != nil {
		if st != nil {
			st.Abort()
		}
		return nil, err
	}
	return &faultyStage{Stage: st, s: s, write: func(p []byte) (n int, err error) {
		err = s.do(ctx, OpWrite, "", func() (err error) {
			n, err = st.Write(p)
			return err
		})
		return n, err
	}}, nil
}

type faultyStage struct {
	blob.Stage
	s     *Faulty
	write func(p []byte) (int, error)
}

// Write implements io.Writer.
func (st *faultyStage) Write(p []byte) (int, error) { return st.write(p) }

// Commit implements blob.Stage.
func (st *faultyStage) Commit(ctx context.Context, name string) error {
	return st.s.do(ctx, OpCommit, name, func() error { return st.Stage.Commit(ctx, name) })
}

// Create implements blob.Store.
func (s *Faulty) Create(ctx context.Context, name string, data []byte) error {
	return s.do(ctx, OpCreate, name, func() error { return s.Store.Create(ctx, name, data) })
}

// Replace implements blob.Store.
func (s *Faulty) Replace(ctx context.Context, name string, data []byte) error {
	return s.do(ctx, OpReplace, name, func() error { return s.Store.Replace(ctx, name, data) })
}

// Remove implements blob.Store. Where it fails at a name those before are
// removed.
func (s *Faulty) Remove(ctx context.Context, names ...string) error {
	for _, name := range names {
		if err := s.do(ctx, OpRemove, name, func() error { return s.Store.Remove(ctx, name) }); err != nil {
			return err
		}
	}
	return nil
}

// Probe implements blob.Store.
func (s *Faulty) Probe(ctx context.Context) error {
	return s.do(ctx, OpProbe, "", func() error { return s.Store.Probe(ctx) })
}

// Close implements blob.Store.
func (s *Faulty) Close() error {
	var refused error
	if s.Before != nil {
		refused = s.Before(OpClose, "")
	}
	if err := s.Store.Close(); err != nil {
		return err
	}
	return refused
}
