package workspace

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
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
	f, err := flock(ctx, path)
	if err != nil {
		<-queue
		return nil, fmt.Errorf("lock %s: %w", filepath.Base(path), err)
	}
	return func() {
		_ = f.Close()
		<-queue
	}, nil
}

func flock(ctx context.Context, path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	wait := time.NewTicker(2 * time.Millisecond)
	defer wait.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			_ = f.Close()
			return nil, err
		}
		select {
		case <-wait.C:
		case <-ctx.Done():
			_ = f.Close()
			return nil, context.Cause(ctx)
		}
	}
}
