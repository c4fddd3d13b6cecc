package web

import (
	"sync"
	"time"
)

// Whoever reaches the port can be refused as often as they like, and each record is on
// the disk before the answer: so many of them are made in so long a time.
const (
	mostRefusals = 20
	refusalsSpan = time.Minute
)

// refusals counts sign-ins that were refused. It is safe for concurrent use.
type refusals struct {
	mu      sync.Mutex
	since   time.Time
	n       int // since then
	leftOut int // that no record tells of yet
}

// note reports whether a refusal is to be recorded, and how many before it were not.
func (r *refusals) note(now time.Time) (leftOut int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if gone := now.Sub(r.since); gone < 0 || gone >= refusalsSpan {
		r.since, r.n = now, 0
	}
	if r.n >= mostRefusals {
		r.leftOut++
		return 0, false
	}
	r.n++
	leftOut, r.leftOut = r.leftOut, 0
	return leftOut, true
}

// back has the next record tell of refusals that this one was to tell of.
func (r *refusals) back(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leftOut += n
}

// take returns how many no record tells of, for the one that does.
func (r *refusals) take() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.leftOut
	r.leftOut = 0
	return n
}
