package dispatch

import (
	"context"
	"fmt"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// judgements is how often the kernel is asked why a turn was cut off, each
// eventsPause after the one before, until its answer is done without.
const judgements = 30

// judge ends the running turn, which its worker says was interrupted although
// nobody asked for that. A worker that the kernel stops for a limit says the
// same: it only sees the signal. The kernel notes why it stops a container
// before it sends that signal, so that whichever of the two is heard first, its
// answer is the reason.
func (r *run) judge(ctx context.Context, active *activeTurn, left int) {
	if r.active != active {
		return // the end of the container was faster
	}
	status, err := r.m.runtime.Get(ctx, r.id())
	if err != nil && !fault.Is(err, fault.NotFound) && left > 1 {
		time.AfterFunc(eventsPause, func() {
			r.post(func(ctx context.Context) { r.judge(ctx, active, left-1) })
		})
		return
	}
	if err != nil {
		r.m.log.WarnContext(ctx, "nobody can say why a turn was cut off", "unit", r.id(), "turn", active.id, "error", err)
	}
	if ending(status) {
		r.show(func() { r.retired = true }) // it takes nothing more
	}
	r.finishTurn(ctx, r.settled(active, status.StopReason, status.Detail))
	r.afterTurn(ctx)
}

// ending reports whether the kernel has begun to end a container.
func ending(s runtimev1.Status) bool {
	return s.State == runtimev1.Stopping || s.State == runtimev1.Stopped || s.State == runtimev1.Destroyed
}

// cutOff reports whether the worker said that the turn was interrupted and
// nobody had asked for it.
func (t *activeTurn) cutOff() bool {
	return t.end != nil && t.end.Outcome == wsv2.OutcomeInterrupted && !t.interrupted
}

// settled is how the worker said that the turn ended, put right by why the
// kernel stopped its container.
func (r *run) settled(t *activeTurn, reason runtimev1.StopReason, detail string) wsv2.TurnEnd {
	end := *t.end
	if t.cutOff() && outcomeOf(reason) == wsv2.OutcomeLimit {
		end.Outcome, end.Error = wsv2.OutcomeLimit, r.lostText(reason, detail)
	}
	return end
}

// outcomeOf is what a turn is called that a container's end cut off.
func outcomeOf(reason runtimev1.StopReason) wsv2.Outcome {
	switch reason {
	case runtimev1.ReasonQuota, runtimev1.ReasonMaxLifetime:
		return wsv2.OutcomeLimit
	case runtimev1.ReasonStopped:
		return wsv2.OutcomeInterrupted
	case runtimev1.ReasonStartFailed:
		return wsv2.OutcomeFailed
	default:
		return wsv2.OutcomeLost
	}
}

// lostText says why a container's end cut a turn off.
func (r *run) lostText(reason runtimev1.StopReason, detail string) string {
	limits := r.plan.Unit.Limits
	var text string
	switch reason {
	case runtimev1.ReasonQuota:
		text = fmt.Sprintf("the dispatch was stopped for its disk limit of %d MB (limits.diskMb)", *limits.DiskMB)
	case runtimev1.ReasonMaxLifetime:
		text = fmt.Sprintf("the dispatch used up its time of %d seconds (limits.maxSec)", *limits.MaxSec)
	case runtimev1.ReasonStopped:
		text = "the dispatch was stopped"
	case runtimev1.ReasonStartFailed:
		text = "the container did not start"
	case runtimev1.ReasonOOM:
		text = "the container ran out of memory"
	default:
		text = "the container ended during the turn"
	}
	if detail != "" && detail != r.entry.detail { // not what was noted at its start
		text += ": " + detail
	}
	return text
}
