package dispatch

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/quota"
)

// Recover takes up what an earlier daemon left: containers that still run are
// adopted, and what the others wrote is sealed. Then it follows the kernel's
// events until Close. It is called once, before Start.
func (m *Manager) Recover(ctx context.Context) error {
	m.mu.Lock()
	var open []string
	for _, id := range m.order {
		if m.units[id].endedAt == nil {
			open = append(open, id)
		}
	}
	m.mu.Unlock()
	for _, id := range open {
		if err := m.adoptLater(m.adopt(ctx, id), id); err != nil {
			m.cancel() // nothing of this manager goes on
			m.wait.Wait()
			return err
		}
	}
	m.wait.Go(func() { m.watch(m.life) })
	m.wait.Go(func() { m.noteRefusals(m.life) })
	m.wait.Go(func() { m.keepRetaining(m.life) })
	return nil
}

// adopt makes a run of a unit that had not ended. One whose runner is gone,
// whose frames are damaged or whose record breaks the contract is taken up only to be saved and ended.
func (m *Manager) adopt(ctx context.Context, id string) error {
	release, err := m.alone(ctx, "adopt "+id)
	if err != nil {
		return err
	}
	defer release()
	m.mu.Lock()
	e := m.units[id]
	if e == nil || e.endedAt != nil || m.runs[id] != nil {
		m.mu.Unlock()
		return nil // somebody was faster
	}
	place := m.placeOf(e)
	m.mu.Unlock()
	manifest, err := m.runners.Get(e.Unit.Runner)
	if err != nil {
		m.log.ErrorContext(ctx, "a unit of an earlier daemon cannot go on", "unit", id, "error", err)
		manifest = runnerv2.Manifest{}
	}
	out, err := m.publisherOf(ctx, id, e)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if noRoom(err) {
		return err
	}
	if err != nil {
		m.log.ErrorContext(ctx, "the frames of a unit of an earlier daemon cannot be read; it is saved and ended", "unit", id, "error", err)
		out = &publisher{unit: id, mute: true}
	}
	r := newRun(m, plan{accepted: e.accepted, manifest: manifest}, e, out, place)
	if err != nil {
		r.retired, r.abortedAs = true, wsv2.OutcomeFailed
		r.aborted = "its frames cannot be read: " + err.Error()
	} else if err := valid(e.Unit); err != nil {
		m.log.ErrorContext(ctx, "the record of a unit of an earlier daemon breaks the contract; it is saved and ended", "unit", id, "error", err)
		r.retired, r.abortedAs = true, wsv2.OutcomeFailed
		r.aborted = "its record cannot be used: " + err.Error()
		r.plan.manifest = runnerv2.Manifest{} // it gets no socket
	}
	r.queue = append(r.queue, e.open...)
	r.busy = len(r.queue) > 0
	m.retain.accepting.RLock()
	m.mu.Lock()
	m.runs[id], e.place = r, nil
	m.wait.Add(1)
	m.mu.Unlock()
	m.retain.accepting.RUnlock()
	go r.live(m.life, r.takeUp)
	m.makeRoom(e.Unit.Identity.Subject) // it may be idle, and what waits taken up already
	return nil
}

// placeOf is the place of a unit that had not ended: one that never had a
// container waits again for its turn. It keeps the place until an owner takes it
// over. The caller holds mu.
func (m *Manager) placeOf(e *entry) *quota.Place {
	switch {
	case e.place != nil:
	case e.container == "":
		e.place = m.quota.Return(e.Unit.Identity.Subject)
	default:
		e.place = m.quota.Force(e.Unit.Identity.Subject)
	}
	return e.place
}

// takeUp continues a dispatch of an earlier daemon.
func (r *run) takeUp(ctx context.Context) {
	if len(r.queue) == 0 {
		r.last = r.entry.last
	}
	if len(r.queue) > 0 && r.entry.container != "" {
		r.active = &activeTurn{turn: r.queue[0], end: r.entry.end, ended: make(chan struct{})}
		r.queue = r.queue[1:]
	}
	if err := r.reopen(ctx); err != nil {
		// Nothing is sealed, stopped or removed before all of it is open.
		r.fail(ctx, "open what an earlier daemon left", err)
		return
	}
	r.resume(ctx)
}

// resume asks the kernel what became of the container of an earlier daemon,
// again until it answers.
func (r *run) resume(ctx context.Context) {
	status, err := r.m.runtime.Get(ctx, r.id())
	switch {
	case fault.Is(err, fault.NotFound) && r.neverRan(ctx):
		r.enterAgain(ctx)
		return
	case fault.Is(err, fault.NotFound):
		ended := runtimev1.Status{State: runtimev1.Stopped, StopReason: runtimev1.ReasonFailed}
		if r.asked == "" {
			ended.Detail = "the daemon was restarted"
		}
		r.containerEnded(ctx, ended)
		return
	case err != nil:
		if r.entry.container != "" {
			r.show(func() { r.state = runtimev1.Running })
		}
		time.AfterFunc(eventsPause, func() { r.post(r.resume) })
		return
	case status.State == runtimev1.Stopped || status.State == runtimev1.Destroyed:
		r.containerEnded(ctx, status)
		return
	}
	if r.socket == nil {
		r.stopContainer(ctx, runtimev1.ReasonFailed)
		return
	}
	if r.entry.container == "" {
		forced, waits := r.m.quota.Force(r.plan.Unit.Identity.Subject), r.place
		r.show(func() { r.place = forced })
		waits.Leave()
		r.started(ctx, status) // the crash came before that was recorded
		r.askAgain(ctx)
		return
	}
	r.show(func() { r.state = runtimev1.Running; r.entry.container = status.Container })
	r.askAgain(ctx)
	if r.active != nil && r.active.end != nil {
		r.finishTurn(ctx, r.settled(r.active, status.StopReason, status.Detail))
		r.afterTurn(ctx)
	}
	if !r.connected && r.deadline == nil {
		r.lose(r.m.connectGrace, runtimev1.ReasonFailed)
	}
}

// askAgain ends a container that the last owner of the dispatch was to end.
func (r *run) askAgain(ctx context.Context) {
	asked := r.asked
	if asked == "" || r.ended() {
		return
	}
	r.asked = ""
	r.askStop(ctx, asked)
}

// neverRan reports whether the daemon was killed before the dispatch had a
// container: none is recorded, and there is nothing that one would have written.
// One that was asked to end gets none any more.
func (r *run) neverRan(ctx context.Context) bool {
	if r.asked != "" || r.entry.container != "" || len(r.queue) == 0 || r.aborted != "" || r.plan.manifest.Name == "" {
		return false
	}
	commits, err := r.sealAll(ctx, r.queue[0], true)
	if err == nil && len(commits) == 0 {
		return true
	}
	r.last = r.queue[0]
	return false
}

// enterAgain begins a dispatch anew that never ran.
func (r *run) enterAgain(ctx context.Context) {
	r.closeSocket(ctx)
	if err := r.release(ctx); err != nil {
		r.failStart(ctx, err)
		return
	}
	r.checkouts = nil
	r.enter(ctx)
}

// reopen finds the checkouts and opens the socket again. A unit whose
// directory is gone (the machine was restarted) has nothing left to save.
func (r *run) reopen(ctx context.Context) error {
	dir := r.m.home.Unit(r.id())
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, w := range r.plan.Unit.Workspaces {
		meta := filepath.Join(dir, "meta", w.ID)
		c, err := r.m.workspaces.OpenCheckout(ctx, meta)
		if fault.Is(err, fault.NotFound) {
			return nil // the crash came before the container
		}
		if err != nil {
			return err
		}
		r.checkouts = append(r.checkouts, c)
	}
	if r.plan.manifest.Name == "" || r.out.mute {
		return nil // there is nothing to speak to its worker about
	}
	err := r.openSocket(ctx)
	if err == nil {
		err = r.describe(dir)
	}
	if err == nil && r.entry.container != "" {
		r.keepImage(ctx)
	}
	if !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Invalid) {
		return err
	}
	// That will not change, as when its image is gone: what it wrote is saved.
	r.m.log.ErrorContext(ctx, "a unit of an earlier daemon cannot go on", "unit", r.id(), "error", err)
	r.closeSocket(ctx)
	return nil
}

func (r *run) closeSocket(ctx context.Context) {
	if r.socket == nil {
		return
	}
	if err := r.socket.Close(); err != nil {
		r.m.log.WarnContext(ctx, "close broker socket", "unit", r.id(), "error", err)
	}
	r.socket = nil
}

// eventsPause is how long the kernel is left alone after it did not answer.
const eventsPause = 500 * time.Millisecond

// watch routes the kernel's events to the runs, and asks it about each of them
// whenever the connection was lost.
func (m *Manager) watch(ctx context.Context) {
	for ctx.Err() == nil {
		m.reconcile(ctx)
		for ev, err := range m.runtime.Events(ctx) {
			if err != nil {
				m.log.DebugContext(ctx, "kernel events", "error", err)
				break
			}
			if ev.State == runtimev1.Stopped || ev.State == runtimev1.Destroyed {
				m.ended(ctx, ev.WorkloadID)
			}
		}
		select {
		case <-time.After(eventsPause):
		case <-ctx.Done():
		}
	}
}

// reconcile asks the kernel about every run whose container was started.
func (m *Manager) reconcile(ctx context.Context) {
	m.mu.Lock()
	ids := make([]string, 0, len(m.runs))
	for id := range m.runs {
		ids = append(ids, id)
	}
	m.mu.Unlock()
	for _, id := range ids {
		m.ended(ctx, id)
	}
}

// ended has the owner of a run look whether its container has ended.
func (m *Manager) ended(_ context.Context, id string) {
	m.mu.Lock()
	r := m.runs[id]
	m.mu.Unlock()
	if r == nil {
		return
	}
	if r.looking.Swap(true) {
		return // it will
	}
	r.post(func(ctx context.Context) {
		r.looking.Store(false)
		if r.entry.container == "" {
			return // it is not started yet; begin knows what happens to it
		}
		status, err := m.runtime.Get(ctx, id)
		switch {
		case fault.Is(err, fault.NotFound):
			r.containerEnded(ctx, runtimev1.Status{State: runtimev1.Stopped, StopReason: runtimev1.ReasonFailed, Detail: "the container is gone"})
		case err == nil && (status.State == runtimev1.Stopped || status.State == runtimev1.Destroyed):
			r.containerEnded(ctx, status)
		}
	})
}
