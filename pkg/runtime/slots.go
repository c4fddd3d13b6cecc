package runtime

import (
	"context"
	"slices"
	"sync"
)

// slots bounds how many workloads are being started at once; the others wait in
// the order in which they came. An engine that is asked for a hundred containers
// at the same moment finishes all of them late, and some beyond their time.
type slots struct {
	mu    sync.Mutex
	free  int
	queue []chan struct{}
}

// take waits for a slot. It reports false when ctx or stop ended first.
func (s *slots) take(ctx context.Context, stop <-chan struct{}) bool {
	s.mu.Lock()
	if s.free > 0 {
		s.free--
		s.mu.Unlock()
		return true
	}
	turn := make(chan struct{})
	s.queue = append(s.queue, turn)
	s.mu.Unlock()
	select {
	case <-turn:
		return true
	case <-ctx.Done():
	case <-stop:
	}
	s.mu.Lock()
	i := slices.Index(s.queue, turn)
	if i >= 0 {
		s.queue = slices.Delete(s.queue, i, i+1)
	}
	s.mu.Unlock()
	if i < 0 {
		s.give() // it was given one at the same moment
	}
	return false
}

// give hands the slot to the first who waits.
func (s *slots) give() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		s.free++
		return
	}
	close(s.queue[0])
	s.queue = slices.Delete(s.queue, 0, 1)
}
