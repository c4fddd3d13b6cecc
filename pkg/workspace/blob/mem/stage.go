package mem

import (
	"context"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// stage implements blob.Stage. It holds what was written in memory.
type stage struct {
	s *Store

	// Guarded by the storage's lock.
	data  []byte
	ended bool
}

// Stage implements blob.Store.
func (s *Store) Stage(ctx context.Context) (blob.Stage, error) {
	st := &stage{s: s}
	err := s.do(ctx, "stage a blob", func(map[string]kept) error {
		s.stages[st] = struct{}{}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return st, nil
}

// Write implements io.Writer.
func (st *stage) Write(p []byte) (int, error) {
	st.s.storage.mu.Lock()
	defer st.s.storage.mu.Unlock()
	if st.ended {
		return 0, errEnded()
	}
	st.data = append(st.data, p...)
	return len(p), nil
}

func errEnded() error {
	return fault.New(fault.Internal, "the blob was committed or aborted, or the store is closed", "")
}

// Commit implements blob.Stage.
func (st *stage) Commit(ctx context.Context, name string) error {
	return st.s.on(ctx, "store", name, func(map[string]kept) error {
		if st.ended {
			return errEnded()
		}
		st.s.waiting = append(st.s.waiting, committed{name: name, data: st.data})
		st.end()
		return nil
	})
}

// Abort implements blob.Stage.
func (st *stage) Abort() {
	st.s.storage.mu.Lock()
	defer st.s.storage.mu.Unlock()
	st.end()
}

func (st *stage) end() {
	st.ended, st.data = true, nil
	delete(st.s.stages, st)
}
