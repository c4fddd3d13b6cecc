package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/quota"
	"github.com/vexa-ai/vexa/pkg/workspace"
)

// How long the parts of a dispatch's life may take.
const (
	stopGrace  = 15 * time.Second // from asking the worker to stop to stopping the container
	touchEvery = 20 * time.Second // while a turn runs, the kernel's idle clock is reset this often
	idleSlack  = 60 * time.Second // the kernel ends a container this long after the worker should have left
	lifeSlack  = 10 * time.Second // and this long after the worker should have ended the turn for its time
)

// turn is one thing said to the agent.
type turn struct {
	id   string
	text string
}

// activeTurn is the turn that the agent works on.
type activeTurn struct {
	turn
	end         *wsv2.TurnEnd // once the worker has said it
	interrupted bool
	limited     bool          // the broker refused it a model for a limit of the unit
	ended       chan struct{} // closed when its turn-done is on disk
}

// run is one live dispatch. One goroutine owns it: everything below the mark
// is touched only by functions that came through mail.
type run struct {
	m     *Manager
	plan  plan
	entry *entry // guarded by m.mu
	mail  *mailbox
	done  chan struct{} // closed when nothing is left to do for the unit

	looking atomic.Bool // the mail has it to look whether the container has ended
	denials denials

	first   string // what the conversation began with; "": that is not known, and was kept before
	unsaved error  // why it could not be saved or recorded; read after done

	// Guarded by m.mu, for the table and for fits.
	state   runtimev1.State
	usage   wsv2.Usage    // of the running turn
	busy    bool          // a turn runs or waits
	retired bool          // takes no more turns
	yields  bool          // was asked to make room for another
	told    chan struct{} // of a turn whose end was told and is not on disk yet: closed when it is
	place   *quota.Place  // a container of its owner's, or a place in the queue for one; changed by the goroutine only

	// Owned by the goroutine.
	out       *publisher
	socket    Socket
	spec      runtimev1.Spec
	token     string
	checkouts []*workspace.Checkout
	connected bool
	strayed   bool // a frame of the container's was outside its turn
	queue     []turn
	active    *activeTurn
	last      turn  // the newest turn that was sealed
	broken    error // why a record or a frame could not be written; nothing is done after it
	asked     runtimev1.StopReason
	aborted   string           // why the host ended it, where the container gave cause
	abortedAs wsv2.Outcome     // of its turn
	deadline  <-chan time.Time // when patience with the container ends
	patience  runtimev1.StopReason
	after     []func(context.Context) // to do once the sender of the mail has its answer
	over      bool
}

func newRun(m *Manager, p plan, e *entry, out *publisher, place *quota.Place) *run {
	out.limit = m.retain.policy.Dispatches.Topic
	return &run{
		m: m, plan: p, entry: e, out: out, place: place, state: runtimev1.Starting, busy: true, usage: e.usage, asked: e.asked,
		mail: newMailbox(), done: make(chan struct{}),
	}
}

func (r *run) id() string { return r.plan.Unit.ID }

// live runs the dispatch to its end. begin is its first act.
func (r *run) live(ctx context.Context, begin func(context.Context)) {
	defer r.m.wait.Done()
	defer r.leave(ctx)
	touch := time.NewTicker(touchEvery)
	defer touch.Stop()
	begin(ctx)
	for !r.ended() {
		for len(r.after) > 0 && !r.ended() {
			next := r.after[0]
			r.after = r.after[1:]
			next(ctx)
		}
		if r.ended() {
			return
		}
		select {
		case <-r.mail.some:
			r.mail.take()(ctx)
		case <-r.deadline:
			r.deadline = nil
			r.stopContainer(ctx, r.patience)
		case <-touch.C:
			r.touch(ctx)
		case <-ctx.Done():
			return // forced: what is on disk is recovered at the next start
		}
	}
}

// ended reports whether the owner has nothing more to do.
func (r *run) ended() bool { return r.over || r.broken != nil }

// leave takes the run out of the table.
func (r *run) leave(ctx context.Context) {
	if r.broken != nil {
		r.unsaved = r.broken
	}
	r.m.mu.Lock()
	delete(r.m.runs, r.id())
	delete(r.m.unsaved, r.id())
	switch {
	case r.entry.endedAt != nil:
		r.m.countEnded(r.entry)
	case r.unsaved != nil && ctx.Err() == nil:
		r.entry.usage, r.entry.asked = r.usage, r.asked
		if !r.out.mute {
			r.entry.out = r.out
		}
		r.m.leaveUnsaved(r.id(), r.unsaved)
	}
	if r.broken != nil && !r.over {
		r.entry.place = r.place // its container may still run: its next owner has the place
	} else {
		r.place.Leave()
	}
	r.m.mu.Unlock()
	close(r.done)
	if r.active != nil {
		close(r.active.ended)
	}
	if r.socket != nil {
		if err := r.socket.Close(); err != nil {
			r.m.log.WarnContext(ctx, "close broker socket", "unit", r.id(), "error", err)
		}
	}
}

// errLeft is in the error of what was asked of a dispatch that takes nothing
// more.
var errLeft = errors.New("has ended")

func errOver(unit string) error {
	return &fault.Error{Kind: fault.Conflict, Err: fmt.Errorf("unit %s %w", unit, errLeft), Hint: "send the message again"}
}

type fit int

const (
	fitYes     fit = iota
	fitLeaving     // it ends by itself, or can be told to: wait for it
	fitBusy        // other workspaces, tools, runner or model, and a turn runs
	fitTold        // likewise, but whoever listens knows that the turn has ended: wait for its record
)

// fits says whether a turn of p can go to this container.
func (r *run) fits(p plan) (_ fit, told <-chan struct{}) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	same := p.Unit.Runner == r.plan.Unit.Runner && p.Model == r.plan.Model &&
		slices.Equal(p.Unit.Workspaces, r.plan.Unit.Workspaces) && slices.Equal(p.Unit.Tools, r.plan.Unit.Tools)
	switch {
	case !same && r.told != nil:
		return fitTold, r.told
	case !same && r.busy:
		return fitBusy, nil
	case !same, r.retired, *r.plan.Unit.Limits.IdleSec == 0:
		return fitLeaving, nil
	default:
		return fitYes, nil
	}
}

// retire tells an idle container to leave, unless it is leaving already.
func (r *run) retire() {
	r.post(func(ctx context.Context) {
		if r.idle() {
			r.askStop(ctx, runtimev1.ReasonStopped)
		}
	})
}

// idle reports whether the container has nothing to do and is not leaving.
func (r *run) idle() bool {
	return !r.retired && r.active == nil && len(r.queue) == 0 && r.asked == ""
}

// offer takes one more turn. A container whose workspaces are not what they are
// to the world any more leaves instead: its agent would go on with what was
// undone, and what it wrote again of that would be no change.
func (r *run) offer(ctx context.Context, text, key string) (api.Started, error) {
	t := turn{id: r.m.newID(), text: text}
	started := api.Started{Unit: r.id(), Turn: t.id, Session: r.plan.Session}
	err := r.call(ctx, func(ctx context.Context) error {
		if r.asked != "" || r.retired {
			return errOver(r.id())
		}
		if r.idle() && r.behind(ctx) {
			r.askStop(ctx, runtimev1.ReasonStopped)
			return errOver(r.id())
		}
		started.From = string(r.out.cursor)
		taken := record{Type: recordTurn, Unit: r.id(), Turn: t.id, Text: t.text, Key: key}
		if err := r.m.write(ctx, taken); err != nil {
			return err
		}
		r.m.at(ctx, pointOffered)
		r.queue = append(r.queue, t)
		r.show(func() { r.busy = true; r.entry.apply(taken) })
		r.after = append(r.after, r.deliver)
		return nil
	})
	return started, err
}

// show changes what the table shows.
func (r *run) show(change func()) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	change()
}

// touch resets the kernel's idle clock while there is work.
func (r *run) touch(ctx context.Context) {
	if r.active == nil && len(r.queue) == 0 || r.spec.WorkloadID == "" || r.asked != "" {
		return
	}
	if _, err := r.m.runtime.Create(ctx, r.spec, r.token); err != nil {
		r.m.log.WarnContext(ctx, "touch workload", "unit", r.id(), "error", err)
	}
}

// stop asks the dispatch to end and returns a channel that closes when it has.
func (r *run) stop(reason runtimev1.StopReason) <-chan struct{} {
	r.post(func(ctx context.Context) { r.askStop(ctx, reason) })
	return r.done
}

func (r *run) askStop(ctx context.Context, reason runtimev1.StopReason) {
	if r.asked != "" {
		return
	}
	r.asked = reason
	r.show(func() { r.retired = true; r.state = runtimev1.Stopping })
	if r.active == nil {
		r.stopContainer(ctx, reason)
		return
	}
	r.active.interrupted = true
	if r.active.end != nil {
		return // it is being sealed; the container is stopped after that
	}
	r.lose(stopGrace, reason)
	if err := r.send(ctx, wsv2.Input{Type: wsv2.InputStop, Turn: r.active.id}); err != nil {
		r.stopContainer(ctx, reason)
	}
}

// abort ends the container at once, for what it did.
func (r *run) abort(ctx context.Context, as wsv2.Outcome, why string) {
	if r.asked != "" {
		return
	}
	r.asked, r.aborted, r.abortedAs = runtimev1.ReasonFailed, why, as
	r.show(func() { r.retired = true; r.state = runtimev1.Stopping })
	r.stopContainer(ctx, runtimev1.ReasonStopped)
}

// interrupt ends the running turn and returns a channel that closes when that
// is on disk. A dispatch whose turn still waits for its container is stopped;
// without a turn the channel is closed.
func (r *run) interrupt() <-chan struct{} {
	ended := make(chan struct{})
	r.post(func(ctx context.Context) {
		if r.active == nil && len(r.queue) > 0 {
			r.askStop(ctx, runtimev1.ReasonStopped)
			go func() { <-r.done; close(ended) }()
			return
		}
		if r.active == nil {
			close(ended)
			return
		}
		active := r.active
		go func() { <-active.ended; close(ended) }()
		if active.interrupted || active.end != nil {
			return
		}
		active.interrupted = true
		r.lose(stopGrace, runtimev1.ReasonStopped)
		if err := r.send(ctx, wsv2.Input{Type: wsv2.InputInterrupt, Turn: active.id}); err != nil {
			r.stopContainer(ctx, runtimev1.ReasonStopped)
		}
	})
	return ended
}

// lose sets when the container is stopped if nothing else happens first.
func (r *run) lose(patience time.Duration, reason runtimev1.StopReason) {
	r.deadline, r.patience = time.After(patience), reason
}

// stopContainer ends the container. That one completed or failed is nothing
// that the kernel takes as a reason from others: it is asked to stop it, and
// what that means for the dispatch is said here.
func (r *run) stopContainer(ctx context.Context, reason runtimev1.StopReason) {
	order := reason
	if reason == runtimev1.ReasonCompleted || reason == runtimev1.ReasonFailed {
		order = runtimev1.ReasonStopped
		if r.asked == "" {
			r.asked = reason
			r.show(func() { r.retired = true; r.state = runtimev1.Stopping })
		}
	}
	status, err := r.m.runtime.Stop(ctx, r.id(), order)
	switch {
	case fault.Is(err, fault.NotFound):
		r.containerEnded(ctx, runtimev1.Status{State: runtimev1.Stopped, StopReason: reason})
	case err != nil:
		r.m.log.ErrorContext(ctx, "stop workload", "unit", r.id(), "error", err)
		r.lose(stopGrace, reason) // try again
	case status.State == runtimev1.Stopped || status.State == runtimev1.Destroyed:
		r.containerEnded(ctx, status)
	}
}

// send passes an input to the worker; what cannot be sent now is sent when the
// worker connects again.
func (r *run) send(ctx context.Context, in wsv2.Input) error {
	if r.socket == nil { // what an earlier daemon left of it is gone
		return fault.New(fault.Unavailable, "unit "+r.id()+" has no socket", "")
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return r.socket.Send(ctx, in)
}

func writable(ws unitv1.Workspace) bool { return ws.Mode == unitv1.ReadWrite }
