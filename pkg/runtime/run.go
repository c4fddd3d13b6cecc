package runtime

import (
	"context"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// Run adopts what an earlier kernel of this installation left behind, then
// serves until ctx ends. It returns when every goroutine of the kernel has
// ended. Containers go on running: the next kernel adopts them. Run may be
// called once.
func (k *Kernel) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var lives sync.WaitGroup
	defer lives.Wait()
	defer cancel()
	defer close(k.closed)
	begin := func(f func(context.Context)) { lives.Go(func() { f(ctx) }) }
	if err := k.adopt(ctx, begin); err != nil {
		if ctx.Err() != nil {
			return nil // it was told to stop
		}
		return err
	}
	close(k.ready)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case f := <-k.jobs:
			begin(f)
			continue
		case <-timer.C:
		case <-k.woken:
		case <-ctx.Done():
			return nil
		}
		next := k.sweep(begin)
		if next.IsZero() {
			timer.Stop()
			continue
		}
		timer.Reset(next.Sub(k.opt.Ticks()))
	}
}

// wake has Run look at the deadlines again.
func (k *Kernel) wake() {
	select {
	case k.woken <- struct{}{}:
	default:
	}
}

// sweep ends what is overdue, begins a look at the disk if one is due and
// forgets what ended long ago. It returns when to look again, or the zero time.
func (k *Kernel) sweep(begin func(func(context.Context))) time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.opt.Ticks()
	k.forgive(now)
	next := soonest{now: now}
	for _, w := range k.workloads {
		switch {
		case !w.live():
			if !next.later(w.stopped.Add(k.opt.Keep)) {
				k.destroy(w)
			}
		case w.status.State == runtimev1.Running:
			next.later(now.Add(beat))
			k.sweepRunning(w, &next, begin)
		}
	}
	k.prune()
	if len(k.running()) > 0 && !k.disk.busy && !next.later(k.disk.look) {
		k.disk.busy = true
		begin(k.watchDisk)
	}
	k.planned = next.at
	return next.at
}

// While something runs the deadlines are looked at this often, and a look that
// comes later than that was not merely slow.
const (
	beat      = 5 * time.Second
	suspended = 5 * time.Second
)

// forgive does not count the time in which the kernel itself did not run: its
// process, or the machine, was stopped, and so was whoever would have touched
// its workloads. The caller holds mu.
func (k *Kernel) forgive(now time.Time) {
	late := now.Sub(k.planned)
	if k.planned.IsZero() || late < suspended {
		return
	}
	for _, w := range k.workloads {
		if w.status.State == runtimev1.Running {
			w.began, w.touched = w.began.Add(late), w.touched.Add(late)
		}
	}
	k.opt.Log.Warn("the kernel did not run for a while, which no workload is ended for", "seconds", int(late/time.Second))
}

// sweepRunning looks at a running workload. The caller holds mu.
func (k *Kernel) sweepRunning(w *workload, next *soonest, begin func(func(context.Context))) {
	for _, d := range w.deadlines() {
		if !next.later(d.at) {
			begin(func(ctx context.Context) { k.stopLogged(ctx, w, d.reason, "") })
			return
		}
	}
}

// soonest finds the first of several future times.
type soonest struct{ now, at time.Time }

// later reports whether t is yet to come, and remembers it if so.
func (s *soonest) later(t time.Time) bool {
	if !t.After(s.now) {
		return false
	}
	if s.at.IsZero() || t.Before(s.at) {
		s.at = t
	}
	return true
}

// deadline is when a workload ends unless something happens first.
type deadline struct {
	at     time.Time
	reason runtimev1.StopReason
}

// deadlines of a running workload. The caller holds mu.
func (w *workload) deadlines() []deadline {
	var list []deadline
	if w.facts.max > 0 && !w.began.IsZero() {
		list = append(list, deadline{w.began.Add(w.facts.max), runtimev1.ReasonMaxLifetime})
	}
	if w.facts.idle > 0 {
		list = append(list, deadline{w.touched.Add(w.facts.idle), runtimev1.ReasonIdle})
	}
	return list
}

// prune forgets the oldest of the ended when there are too many. The caller
// holds mu.
func (k *Kernel) prune() {
	for {
		var oldest *workload
		ended := 0
		for _, w := range k.workloads {
			if w.live() {
				continue
			}
			ended++
			if oldest == nil || w.stopped.Before(oldest.stopped) {
				oldest = w
			}
		}
		if ended <= k.opt.KeepCount {
			return
		}
		k.destroy(oldest)
	}
}

func (k *Kernel) stopLogged(ctx context.Context, w *workload, reason runtimev1.StopReason, detail string) {
	if err := k.stop(w, reason, detail); err != nil && !fault.Is(err, fault.Unavailable) {
		k.opt.Log.ErrorContext(ctx, "stopping a workload failed", "unit", w.facts.unit, "error", err.Error())
	}
}
