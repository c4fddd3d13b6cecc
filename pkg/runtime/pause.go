package runtime

import (
	"context"
	"errors"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// Pause freezes a running workload, for example while its checkout is sealed.
// It is idempotent, and errors.ErrUnsupported where the machine cannot: then
// the workload goes on. Its clocks go on in any case, and ending it resumes it.
func (k *Kernel) Pause(ctx context.Context, id string) error {
	w, err := k.find(ctx, id)
	if err != nil {
		return err
	}
	pauser, ok := k.opt.Driver.(Pauser)
	if !ok {
		return errors.ErrUnsupported
	}
	k.mu.Lock()
	state, paused, container := w.status.State, w.paused, w.status.Container
	if state == runtimev1.Running {
		w.paused = true // first, so that who ends it from here on resumes it
	}
	k.mu.Unlock()
	if state != runtimev1.Running {
		return fault.New(fault.Conflict, "workload "+id+" is "+string(state), "")
	}
	if paused {
		return nil
	}
	if err := pauser.Pause(ctx, container); err != nil {
		k.mu.Lock()
		w.paused = false
		k.mu.Unlock()
		return err
	}
	return nil
}

// Resume ends a pause. Resuming a workload that is not paused does nothing.
func (k *Kernel) Resume(ctx context.Context, id string) error {
	w, err := k.find(ctx, id)
	if err != nil {
		return err
	}
	return k.thaw(ctx, w)
}

// thaw resumes w if it is paused.
func (k *Kernel) thaw(ctx context.Context, w *workload) error {
	k.mu.Lock()
	paused, container := w.paused, w.status.Container
	w.paused = false
	k.mu.Unlock()
	pauser, ok := k.opt.Driver.(Pauser)
	if !paused || !ok {
		return nil
	}
	err := pauser.Resume(ctx, container)
	if fault.Is(err, fault.Unavailable) {
		k.mu.Lock()
		w.paused = true // whoever asks again resumes it
		k.mu.Unlock()
	}
	return err
}
