package dispatch

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/removetree"
)

// containerEnded closes the dispatch: the container is gone, for whatever
// reason. What the agent wrote is sealed before anything is removed.
func (r *run) containerEnded(ctx context.Context, status runtimev1.Status) {
	if r.ended() {
		return
	}
	reason, detail := r.whyEnded(status), status.Detail
	if r.aborted != "" {
		detail = strings.TrimPrefix(detail+"; "+r.aborted, "; ")
	}
	r.endTurns(ctx, reason, status)
	r.sealRest(ctx)
	if r.unsaved == nil && !r.out.told.stopped { // it is said once, by whatever daemon
		r.publish(ctx, "", wsv2.State{
			State: string(runtimev1.Stopped), Container: status.Container, StopReason: string(reason), Detail: detail,
		})
	}
	r.over = true
	ended := record{Type: recordEnded, Unit: r.id(), StopReason: reason, Bytes: r.out.bytes}
	if err := r.m.streams.Sync(ctx, InTopic(r.id())); err != nil { // the records have what it says
		r.m.log.ErrorContext(ctx, "keep the inputs of a unit", "unit", r.id(), "error", err)
	}
	err := joined(r.unsaved, r.broken)
	if err == nil {
		err = r.out.sync(ctx)
	}
	if err == nil {
		r.m.at(ctx, pointReleasing)
		err = r.release(ctx)
	}
	if err == nil {
		r.m.at(ctx, pointReleased)
		ended.Detail = detail
		err = r.m.write(ctx, ended)
		r.m.at(ctx, pointEnded)
	}
	if err != nil {
		r.unsaved = r.m.explain(err)
		r.m.log.ErrorContext(ctx, "unit ended unsaved; it is tried again", "unit", r.id(), "error", err)
		return
	}
	ended.At = r.m.now().UTC()
	r.show(func() {
		r.entry.apply(ended)
		r.state = runtimev1.Destroyed
	})
}

// whyEnded is the reason that is recorded for the end of the container.
func (r *run) whyEnded(status runtimev1.Status) runtimev1.StopReason {
	reason := status.StopReason
	if r.asked != "" && reason != runtimev1.ReasonQuota && reason != runtimev1.ReasonMaxLifetime {
		reason = r.asked
	}
	if reason == runtimev1.ReasonCompleted && r.idledOut() {
		reason = runtimev1.ReasonIdle
	}
	return reason
}

// lateTurnEnd is how late the host may hear of a turn's end, at which the worker
// begins to count its idle time: as long as a worker goes on without a broker.
const lateTurnEnd = time.Minute

// idledOut reports, by the host's own clock, whether the container had nothing
// to do for its idle time. What the worker says of that is not asked for.
func (r *run) idledOut() bool {
	idle := time.Duration(*r.plan.Unit.Limits.IdleSec) * time.Second
	if idle == 0 || r.active != nil || len(r.queue) > 0 || r.entry.quietSince.IsZero() {
		return false
	}
	return r.m.now().Sub(r.entry.quietSince) >= idle-min(idle/2, lateTurnEnd)
}

// sealRest seals once more when nothing can write any longer, and reads every
// file for it: a write through a mapping leaves no trace in a file's times on
// some file systems, so that the seal of a turn may have missed it. It is also
// the second chance of a seal that failed.
func (r *run) sealRest(ctx context.Context) {
	if len(r.checkouts) == 0 || r.last.id == "" {
		return
	}
	commits, err := r.sealAll(ctx, r.last, true)
	if len(commits) > 0 {
		rec := record{Type: recordSealed, Unit: r.id(), Turn: r.last.id, Commits: commits}
		if err = errors.Join(err, r.m.write(ctx, rec)); err == nil {
			r.m.at(ctx, pointResealed)
			r.show(func() { r.entry.apply(rec) })
		}
	}
	r.unsaved = err
}

// endTurns ends the running turn with what is known of it, and those that
// waited behind it.
func (r *run) endTurns(ctx context.Context, reason runtimev1.StopReason, status runtimev1.Status) {
	end := wsv2.TurnEnd{Outcome: outcomeOf(reason), Error: r.lostText(reason, status.Detail)}
	if r.active != nil {
		switch {
		case r.active.end != nil:
			end = r.settled(r.active, reason, status.Detail)
		case r.aborted != "":
			end = wsv2.TurnEnd{Outcome: r.abortedAs, Error: r.aborted}
		case r.active.interrupted:
			end = wsv2.TurnEnd{Outcome: wsv2.OutcomeInterrupted, Error: "the turn was interrupted"}
		}
		r.finishTurn(ctx, end)
	}
	for len(r.queue) > 0 && !r.ended() {
		r.active = &activeTurn{turn: r.queue[0], ended: make(chan struct{})}
		r.queue = r.queue[1:]
		r.finishTurn(ctx, wsv2.TurnEnd{Outcome: outcomeOf(reason), Error: r.lostText(reason, status.Detail)})
	}
}

// release removes what the unit had: its container, its checkouts and its
// directory. Branches that could not be merged are kept.
func (r *run) release(ctx context.Context) error {
	if err := r.m.runtime.Delete(ctx, r.id()); err != nil && !fault.Is(err, fault.NotFound) {
		r.m.log.WarnContext(ctx, "delete workload", "unit", r.id(), "error", err)
	}
	for _, c := range r.checkouts {
		if err := r.m.workspaces.Release(ctx, c, false); err != nil {
			return err
		}
	}
	return removetree.All(r.m.home.Unit(r.id()))
}
