package broker

import (
	"context"
	"sync"
	"time"
)

// allowance lets through n things in each period, and counts the others.
type allowance struct {
	n      int
	period time.Duration
	now    func() time.Time

	mu     sync.Mutex
	begin  time.Time
	used   int
	missed int
}

func newAllowance(n int, period time.Duration, now func() time.Time) *allowance {
	return &allowance{n: n, period: period, now: now, begin: now()}
}

// take reports whether this one is let through, and how many were not since
// the last that was.
func (a *allowance) take() (ok bool, missed int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t := a.now(); t.Sub(a.begin) >= a.period {
		a.begin, a.used = t, 0
	}
	if a.used >= a.n {
		a.missed++
		return false, 0
	}
	a.used++
	missed, a.missed = a.missed, 0
	return true, missed
}

// pace lets n things through a second and makes further ones wait: a worker
// that is too fast is slowed down by its socket filling up.
type pace struct {
	n     int
	now   func() time.Time
	begin time.Time
	used  int
}

func newPace(n int, now func() time.Time) *pace { return &pace{n: n, now: now, begin: now()} }

func (p *pace) wait(ctx context.Context) error {
	p.used++
	if p.used <= p.n {
		return nil
	}
	if left := time.Second - p.now().Sub(p.begin); left > 0 {
		timer := time.NewTimer(left)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	p.begin, p.used = p.now(), 1
	return nil
}
