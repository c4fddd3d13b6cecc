package runtime

import (
	"context"
	"errors"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// Stop ends a workload for a reason, "" being stopped, and returns once it has
// ended. Its first process gets SIGTERM and the grace to act on it. A workload
// that is ending keeps its reason; one that has ended is returned as it is.
func (k *Kernel) Stop(ctx context.Context, id string, reason runtimev1.StopReason) (runtimev1.Status, error) {
	switch reason {
	case "":
		reason = runtimev1.ReasonStopped
	case runtimev1.ReasonStopped, runtimev1.ReasonIdle, runtimev1.ReasonMaxLifetime, runtimev1.ReasonQuota,
		runtimev1.ReasonStartFailed:
	default: // the others are for the kernel to find out
		return runtimev1.Status{}, fault.Newf(fault.Invalid, "%q is not a reason to stop a workload for", reason)
	}
	w, err := k.find(ctx, id)
	if err != nil {
		return runtimev1.Status{}, err
	}
	if err := k.stop(w, reason, ""); err != nil {
		return runtimev1.Status{}, err
	}
	select {
	case <-w.ended:
		return k.statusOf(w), nil
	case <-ctx.Done():
		return k.statusOf(w), ctx.Err()
	case <-k.closed:
		return k.statusOf(w), fault.New(fault.Unavailable, "the runtime kernel is stopping", "")
	}
}

// stop begins to end w, unless that has begun already.
func (k *Kernel) stop(w *workload, reason runtimev1.StopReason, detail string) error {
	k.mu.Lock()
	if w.reason != "" || !w.live() {
		k.mu.Unlock()
		return nil
	}
	w.reason, w.detail, w.status.StopReason = reason, detail, reason
	w.asked = k.opt.Ticks()
	running := w.status.State == runtimev1.Running
	k.enter(w, runtimev1.Stopping)
	close(w.halt)
	k.mu.Unlock()
	if !running {
		return nil // it gives up its turn, or looks at the reason once it has started
	}
	return k.spawn(func(ctx context.Context) { k.end(ctx, w) })
}

// end stops w's container, however often the engine fails to; watch does the
// rest. An engine that answers and refuses twice is told to remove it.
func (k *Kernel) end(ctx context.Context, w *workload) {
	k.at(ctx, pointStopping)
	refused := false
	k.insist(ctx, w.facts.unit, "stopping its container", func() error {
		select {
		case <-w.ended:
			return nil
		default:
		}
		err := k.endOnce(ctx, w)
		if err == nil || fault.Is(err, fault.Unavailable) {
			return err
		}
		if refused {
			removeErr := k.opt.Driver.Remove(ctx, k.statusOf(w).Container)
			if removeErr == nil {
				return nil
			}
			err = errors.Join(err, removeErr)
		}
		refused = true
		return err
	})
}

// endOnce resumes w's container, for a frozen one does not hear that it is to
// end, and stops it.
func (k *Kernel) endOnce(ctx context.Context, w *workload) error {
	k.mu.Lock()
	grace, id := w.grace, w.status.Container
	k.mu.Unlock()
	if err := k.thaw(ctx, w); fault.Is(err, fault.Unavailable) {
		return err
	} else if err != nil && ctx.Err() == nil {
		k.opt.Log.ErrorContext(ctx, "resuming a container failed", "unit", w.facts.unit, "container", id, "error", err.Error())
	}
	return k.opt.Driver.Stop(ctx, id, grace)
}

// Delete ends a workload if it has not ended, and forgets it: its id is free.
func (k *Kernel) Delete(ctx context.Context, id string) (runtimev1.Status, error) {
	if _, err := k.Stop(ctx, id, runtimev1.ReasonStopped); err != nil {
		return runtimev1.Status{}, err
	}
	st, err := k.forget(id)
	if err == nil {
		k.at(ctx, pointDestroyed)
	}
	return st, err
}

// forget takes an ended workload out of the table.
func (k *Kernel) forget(id string) (runtimev1.Status, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	w, ok := k.workloads[id]
	if !ok || w.live() {
		return runtimev1.Status{}, fault.Newf(fault.NotFound, "no workload %q", id)
	}
	k.destroy(w)
	return w.status, nil
}

// destroy forgets an ended workload. The caller holds mu.
func (k *Kernel) destroy(w *workload) {
	delete(k.workloads, w.facts.unit)
	k.enter(w, runtimev1.Destroyed)
}

// discard removes a container, for as long as it takes the engine to answer. An
// error is one of an engine that answers: then remove goes on.
func (k *Kernel) discard(ctx context.Context, unit, id string) error {
	return k.patiently(ctx, unit, "removing its container", 0, func() error { return k.opt.Driver.Remove(ctx, id) })
}

// remove removes a container, however often the engine fails to.
func (k *Kernel) remove(ctx context.Context, unit, id string) {
	k.insist(ctx, unit, "removing its container", func() error { return k.opt.Driver.Remove(ctx, id) })
}

// discardUnit removes whatever there is of a workload that could not be started:
// a request that failed may have taken effect. Once another has taken its id
// there is nothing of this one left to tell from the other's.
func (k *Kernel) discardUnit(ctx context.Context, w *workload) error {
	k.mu.Lock()
	present := k.workloads[w.facts.unit]
	k.mu.Unlock()
	if present != nil && present != w {
		return nil
	}
	list, err := k.opt.Driver.List(ctx, k.opt.Install)
	for _, c := range list {
		if c.Labels[LabelInstall] == k.opt.Install && c.Labels[LabelUnit] == w.facts.unit {
			err = errors.Join(err, k.opt.Driver.Remove(ctx, c.ID))
		}
	}
	return err
}

// insist repeats do until it succeeds or the kernel stops, whatever its error.
func (k *Kernel) insist(ctx context.Context, unit, what string, do func() error) {
	_ = k.patiently(ctx, unit, what, 0, func() error { return fault.Wrap(fault.Unavailable, "", do()) })
}

// patiently repeats do while the engine does not answer, at most for the given
// time, 0 being as long as the kernel runs, and returns its last error. It logs
// an error when it differs from the one before.
func (k *Kernel) patiently(ctx context.Context, unit, what string, limit time.Duration, do func() error) error {
	began, said := k.opt.Ticks(), ""
	for delay := minRetry; ; delay = min(2*delay, maxRetry) {
		err := do()
		switch {
		case err == nil, ctx.Err() != nil, !fault.Is(err, fault.Unavailable):
			return err
		case limit > 0 && k.opt.Ticks().Sub(began) > limit:
			return err
		}
		if text := err.Error(); text != said {
			k.opt.Log.WarnContext(ctx, "the engine failed and is asked again", "for", what, "unit", unit, "error", text)
			said = text
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return err
		}
	}
}
