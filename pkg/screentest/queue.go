package screentest

import (
	"io"
	"sync"
)

// queue is what goes to the program. It has no bound, so that who puts something
// never waits for a program that does not read.
type queue struct {
	mu     sync.Mutex
	ready  *sync.Cond
	data   []byte
	closed bool
}

func newQueue() *queue {
	q := &queue{}
	q.ready = sync.NewCond(&q.mu)
	return q
}

func (q *queue) put(p []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.data = append(q.data, p...)
	q.ready.Signal()
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.ready.Signal()
}

// write writes what is put until the queue is closed or nobody reads any more.
func (q *queue) write(w io.Writer) {
	for {
		q.mu.Lock()
		for len(q.data) == 0 && !q.closed {
			q.ready.Wait()
		}
		data := q.data
		q.data = nil
		closed := q.closed
		q.mu.Unlock()
		if closed {
			return
		}
		if _, err := w.Write(data); err != nil {
			return
		}
	}
}
