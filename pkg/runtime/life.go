package runtime

import (
	"context"
	"errors"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// launch enters the workload and has its life begun, unless another request
// was faster, and returns once it runs.
func (k *Kernel) launch(ctx context.Context, p *plan) (runtimev1.Status, error) {
	w := k.newWorkload(p.facts, p.backend)
	w.status.Detail = p.detail
	k.mu.Lock()
	if _, taken := k.workloads[p.facts.unit]; taken {
		k.mu.Unlock()
		st, known, err := k.touch(p.facts.unit)
		if !known { // deleted this very moment
			return k.launch(ctx, p)
		}
		return st, err
	}
	k.workloads[p.facts.unit] = w
	k.enter(w, runtimev1.Starting)
	k.mu.Unlock()
	if err := k.spawn(func(ctx context.Context) { k.live(ctx, w, p) }); err != nil {
		k.fail(w, err)
		return k.statusOf(w), err
	}
	select {
	case <-w.started:
	case <-ctx.Done():
		return k.statusOf(w), ctx.Err()
	case <-k.closed:
		return k.statusOf(w), fault.New(fault.Unavailable, "the runtime kernel is stopping", "")
	}
	st := k.statusOf(w)
	if st.Container == "" && st.StopReason != runtimev1.ReasonStartFailed {
		return st, fault.New(fault.Conflict, "workload "+st.WorkloadID+" was stopped before it was started", "")
	}
	if st.StopReason == runtimev1.ReasonStartFailed {
		if w.missing {
			return st, fault.New(fault.NotFound, "workload "+st.WorkloadID+" did not start: "+st.Detail, "make the image, or load it with podman load")
		}
		return st, fault.New(fault.Unavailable, "workload "+st.WorkloadID+" did not start: "+st.Detail, "run vexa doctor")
	}
	return st, nil
}

// spawn has f run as long as Run lasts.
func (k *Kernel) spawn(f func(context.Context)) error {
	select {
	case k.jobs <- f:
		return nil
	case <-k.closed:
		return fault.New(fault.Unavailable, "the runtime kernel is stopping", "")
	}
}

// live is a workload's life, from its turn to be started to its end.
func (k *Kernel) live(ctx context.Context, w *workload, p *plan) {
	if !k.starts.take(ctx, w.halt) {
		if ctx.Err() == nil {
			k.neverRan(w)
		}
		return
	}
	id, err := k.start(ctx, p, w)
	k.starts.give()
	if err != nil {
		if ctx.Err() != nil {
			return
		}
		left := k.discardUnit(ctx, w)
		k.fail(w, err)
		if left != nil { // nobody waits for that
			k.insist(ctx, w.facts.unit, "removing what is left of it", func() error { return k.discardUnit(ctx, w) })
		}
		return
	}
	k.mu.Lock()
	now := k.opt.Now().UTC()
	w.status.Container, w.status.StartedAt = id, &now
	w.began = k.opt.Ticks()
	w.touched = w.began
	asked := w.reason != ""
	if !asked {
		k.enter(w, runtimev1.Running)
	}
	k.mu.Unlock()
	close(w.started)
	k.wake()
	k.at(ctx, pointRunning)
	if asked { // stopped while it was starting
		k.end(ctx, w)
	}
	k.watch(ctx, w)
}

// start makes and runs the container. An engine that goes away meanwhile is
// waited for: each step may be made again.
func (k *Kernel) start(ctx context.Context, p *plan, w *workload) (id string, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := k.opt.Failpoints.At(ctx, pointEntered); err != nil {
		return "", err
	}
	err = k.patiently(ctx, w.facts.unit, "starting its container", k.opt.Patience, func() (err error) {
		if err := k.opt.Driver.EnsureImage(ctx, p.image); err != nil {
			return imageError(err)
		}
		if id, err = k.opt.Driver.Create(ctx, k.dated(p.container)); err != nil {
			return imageError(err)
		}
		if err := k.opt.Failpoints.At(ctx, pointCreated); err != nil {
			return err
		}
		return k.opt.Driver.Start(ctx, id)
	})
	if err != nil {
		return "", err
	}
	return id, k.opt.Failpoints.At(ctx, pointLaunched)
}

// missingImageError is the error of a workload whose image is not there.
type missingImageError struct{ error }

func (e missingImageError) Unwrap() error { return e.error }

// imageError tells an image that is not there from other errors of making a
// container: nothing else that it takes can be missing.
func imageError(err error) error {
	if fault.Is(err, fault.NotFound) {
		return missingImageError{err}
	}
	return err
}

// neverRan ends a workload that was stopped before its turn to be started came.
func (k *Kernel) neverRan(w *workload) {
	k.mu.Lock()
	now := k.opt.Now().UTC()
	w.status.StoppedAt, w.status.StopReason, w.stopped = &now, w.reason, k.opt.Ticks()
	w.status.Detail = joinDetail(w.status.Detail, joinDetail("it was stopped before it was started", w.detail))
	k.enter(w, runtimev1.Stopped)
	k.mu.Unlock()
	close(w.started)
	close(w.ended)
	k.wake()
}

// fail ends a workload that could not be started.
func (k *Kernel) fail(w *workload, err error) {
	k.mu.Lock()
	now := k.opt.Now().UTC()
	w.status.StoppedAt, w.status.StopReason, w.stopped = &now, runtimev1.ReasonStartFailed, k.opt.Ticks()
	w.status.Detail = err.Error()
	_, w.missing = errors.AsType[missingImageError](err)
	k.enter(w, runtimev1.Stopped)
	k.mu.Unlock()
	k.opt.Log.Error("workload did not start", "unit", w.facts.unit, "error", err.Error())
	close(w.started)
	close(w.ended)
	k.wake()
}

// watch waits for the container's end, removes it and records how it ended.
func (k *Kernel) watch(ctx context.Context, w *workload) {
	id := k.statusOf(w).Container
	exit, known := k.await(ctx, w, id)
	if ctx.Err() != nil {
		return // the kernel stops; the container is adopted by the next one
	}
	code := exit.Code
	k.at(ctx, pointEnded)
	left := k.discard(ctx, w.facts.unit, id)
	k.at(ctx, pointStopped)
	k.mu.Lock()
	now := k.opt.Now().UTC()
	w.status.StoppedAt, w.stopped = &now, k.opt.Ticks()
	if known {
		w.status.ExitCode = &code
	} else {
		w.status.Detail = joinDetail(w.status.Detail, "its container disappeared")
	}
	w.status.StopReason = reasonOf(w.reason, exit, known)
	w.status.Detail = joinDetail(w.status.Detail, w.detail)
	k.enter(w, runtimev1.Stopped)
	k.mu.Unlock()
	k.opt.Log.InfoContext(ctx, "workload stopped", "unit", w.facts.unit, "reason", string(k.statusOf(w).StopReason), "exit_code", code)
	close(w.ended)
	k.wake()
	if left != nil { // it has ended, so nobody waits for that
		k.remove(ctx, w.facts.unit, id)
	}
}

// await waits for a container's end for as long as it takes: an engine that
// fails to answer says nothing about the container. It reports whether the
// container was there to tell how it ended.
func (k *Kernel) await(ctx context.Context, w *workload, id string) (exit Exit, known bool) {
	k.insist(ctx, w.facts.unit, "waiting for its container", func() error {
		end, err := k.opt.Driver.Wait(ctx, id)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		exit, known = end, err == nil
		return nil
	})
	return exit, known
}

// reasonOf says why a workload ended: what the kernel did comes first, for the
// exit code after a kill says nothing.
func reasonOf(asked runtimev1.StopReason, exit Exit, known bool) runtimev1.StopReason {
	switch {
	case asked != "":
		return asked
	case exit.OOM:
		return runtimev1.ReasonOOM
	case known && exit.Code == 0:
		return runtimev1.ReasonCompleted
	default:
		return runtimev1.ReasonFailed
	}
}

func joinDetail(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}
