package dir

import (
	"context"
	"errors"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// maxWaiting bounds the committed blobs that wait for their names. Each holds
// two descriptors.
const maxWaiting = 32

// stage implements blob.Stage by a file in tempDir.
type stage struct {
	s *Store

	mu     sync.Mutex // Close aborts what another goroutine may be writing
	temp   *temp      // nil once it ended
	failed error      // of a write or of Commit
}

// committed is a blob that has no name yet.
type committed struct {
	*temp
	as      string
	durable bool // its data
}

// Stage implements blob.Store.
func (s *Store) Stage(ctx context.Context) (blob.Stage, error) {
	st := &stage{s: s}
	err := s.do(ctx, "stage a blob in", "", func() (err error) {
		st.temp, err = s.newTemp()
		return err
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		st.temp.drop()
		return nil, s.explain("stage a blob in", "", errClosed())
	}
	s.stages[st] = struct{}{}
	return st, nil
}

// Write implements io.Writer.
func (st *stage) Write(p []byte) (int, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.temp == nil {
		return 0, st.s.explain("write a blob to", "", errEnded())
	}
	n, err := st.temp.file.Write(p)
	st.s.sys.step()
	err = st.s.explain("write a blob to", "", err)
	if err != nil && st.failed == nil {
		st.failed = err
	}
	return n, err
}

func errEnded() error {
	return fault.New(fault.Internal, "the blob was committed or aborted, or the store is closed", "")
}

// Commit implements blob.Stage.
func (st *stage) Commit(ctx context.Context, name string) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.s.on(ctx, "store", name, func() error {
		switch {
		case st.temp == nil:
			return errEnded()
		case st.failed != nil:
			return st.failed
		}
		if err := st.s.commit(st.temp, name); err != nil {
			st.failed = err // a flush that is asked for again says nothing
			return err
		}
		st.temp = nil
		st.s.forget(st)
		return nil
	})
}

// Abort implements blob.Stage.
func (st *stage) Abort() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.temp == nil {
		return
	}
	st.temp.drop()
	st.temp = nil
	st.s.forget(st)
}

func (s *Store) forget(st *stage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.stages, st)
}

// commit takes t over where it succeeds.
func (s *Store) commit(t *temp, name string) error {
	if err := s.whole(); err != nil {
		return err
	}
	_, err := s.stat(name)
	switch {
	case err == nil: // it is kept
		dir, _ := split(name)
		s.flushes.entered(dir)
		t.drop()
		return nil
	case !errors.Is(err, unix.ENOENT):
		return err
	case s.ordered:
		return s.wait(t, name)
	}
	if err := s.sys.flush(t.file); err != nil {
		return err
	}
	s.sys.step()
	err = s.place(t, name)
	if errors.Is(err, unix.EEXIST) {
		t.drop()
		return nil
	}
	return err
}

// wait puts t among what the next Create names.
func (s *Store) wait(t *temp, name string) error {
	if s.waits() >= maxWaiting {
		if err := s.publish(); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed()
	}
	s.waiting = append(s.waiting, &committed{temp: t, as: name})
	return nil
}

// waits is how many blobs have no name yet.
func (s *Store) waits() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting)
}

// publish gives everything that waits its name, once its data is durable.
func (s *Store) publish() error {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	if err := s.whole(); err != nil {
		return err
	}
	s.mu.Lock()
	list := slices.Clone(s.waiting)
	s.mu.Unlock()
	if len(list) == 0 {
		return nil
	}
	err := inParallel(list, func(c *committed) error {
		if c.durable {
			return nil
		}
		if err := s.sys.flush(c.file); err != nil {
			return explain("store "+c.as, s.root.path, s.breaks(err))
		}
		c.durable = true
		return nil
	})
	if err != nil {
		return err
	}
	s.sys.step()
	for _, c := range list {
		if err := s.place(c.temp, c.as); err != nil && !errors.Is(err, unix.EEXIST) {
			return explain("store "+c.as, s.root.path, err)
		}
		s.mu.Lock()
		s.waiting = slices.DeleteFunc(s.waiting, func(w *committed) bool { return w == c })
		s.mu.Unlock()
		c.drop()
	}
	return nil
}

// dropWaiting drops what waits for a name that gone is true of.
func (s *Store) dropWaiting(gone func(name string) bool) {
	if s.waits() == 0 {
		return
	}
	s.publishing.Lock()
	defer s.publishing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = slices.DeleteFunc(s.waiting, func(c *committed) bool {
		if !gone(c.as) {
			return false
		}
		c.drop()
		return true
	})
}
