package workspace

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/vexa-ai/vexa/pkg/internal/filelock"
)

// lock takes the lock file at path, which is made where it is missing, and
// returns what releases it. Within the process waiters queue on a channel;
// against other processes it is flock(2), tried again at a short interval.
func (s *Store) lock(ctx context.Context, path string) (unlock func(), err error) {
	s.mu.Lock()
	queue, ok := s.locks[path]
	if !ok {
		queue = make(chan struct{}, 1)
		s.locks[path] = queue
	}
	s.mu.Unlock()
	select {
	case queue <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for %s: %w", filepath.Base(path), context.Cause(ctx))
	}
	l, err := filelock.Wait(ctx, path)
	if err != nil {
		<-queue
		return nil, fmt.Errorf("lock %s: %w", filepath.Base(path), err)
	}
	return func() {
		l.Release()
		<-queue
	}, nil
}
