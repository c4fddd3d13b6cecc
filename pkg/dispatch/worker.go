package dispatch

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/vexa-ai/vexa/pkg/broker"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// worker receives what the broker hears from a dispatch's container. The
// broker has checked the token and every schema; nothing here is believed
// beyond that: frames are published as the agent's, and a turn's end only
// leads to the host's own reading of the files.
type worker struct{ run *run }

// Connected takes the worker's first line of a connection.
func (w *worker) Connected(ctx context.Context, hello wsv2.Report) error {
	r := w.run
	return r.call(ctx, func(ctx context.Context) error {
		r.connected = true
		if r.asked == "" && (r.active == nil || !r.active.interrupted) {
			r.deadline = nil // it was for the worker to come
		}
		if r.active == nil {
			r.after = append(r.after, r.deliver)
			return nil
		}
		r.sayAccepted(ctx)
		if r.active.end == nil && hello.Turn != r.active.id {
			// It was sent to a connection that broke. A worker that has run it
			// already ignores it and repeats its report.
			input := wsv2.Input{Type: wsv2.InputTurn, Turn: r.active.id, Text: r.active.text}
			r.after = append(r.after, func(ctx context.Context) {
				if err := r.send(ctx, input); err != nil {
					r.m.log.WarnContext(ctx, "send turn again", "unit", r.id(), "error", err)
				}
			})
		}
		return nil
	})
}

// Disconnected notes that a connection ended; the worker dials again, and the
// end of the container is learnt from the kernel.
func (w *worker) Disconnected(err error) {
	w.run.post(func(ctx context.Context) {
		w.run.connected = false
		if err != nil {
			w.run.m.log.DebugContext(ctx, "worker disconnected", "unit", w.run.id(), "error", err)
		}
	})
}

// Report takes one numbered report and returns when it is stored.
func (w *worker) Report(ctx context.Context, rep wsv2.Report) error {
	return w.run.call(ctx, func(ctx context.Context) error { return w.run.report(ctx, rep) })
}

// Usage takes the broker's meter. It may be called while the owner is busy.
func (w *worker) Usage(turn, _ wsv2.Usage) {
	w.run.show(func() { w.run.usage = turn })
}

// Denied notes that the boundary refused something of the container's. One
// that breaks the link's rules, or floods it, is ended: the broker takes no
// report of it any more.
func (w *worker) Denied(reason broker.Denial, detail string) {
	r := w.run
	if !r.denials.add(reason) {
		return
	}
	r.post(func(ctx context.Context) {
		turn := ""
		if r.active != nil {
			turn = r.active.id
		}
		message := fmt.Sprintf("refused (%s): %s", reason, detail)
		if more := r.denials.said(reason); more > 0 {
			message += fmt.Sprintf("; and %d more", more)
		}
		r.publish(ctx, turn, wsv2.Error{Code: string(fault.Denied), Message: message})
		if r.active != nil && (reason == broker.DeniedTokens || reason == broker.DeniedCost) {
			r.active.limited = true
		}
		switch reason {
		case broker.DeniedReport:
			r.abort(ctx, wsv2.OutcomeFailed, "the worker broke the rules of its socket: "+detail)
		case broker.DeniedFlood:
			r.abort(ctx, wsv2.OutcomeLimit, "the worker reported more than a turn may: "+detail)
		default:
		}
	})
}

func (r *run) report(ctx context.Context, rep wsv2.Report) error {
	switch rep.Type {
	case wsv2.ReportFrame:
		return r.agentFrame(ctx, rep)
	case wsv2.ReportTurnEnd:
		return r.turnEnd(ctx, rep)
	case wsv2.ReportIdle:
		if r.active == nil && len(r.queue) == 0 {
			r.show(func() { r.retired = true })
			r.lose(stopGrace, runtimev1.ReasonCompleted)
			if err := r.send(ctx, wsv2.Input{Type: wsv2.InputStop}); err != nil {
				r.m.log.DebugContext(ctx, "the worker left before it was told to", "unit", r.id(), "error", err)
			}
		}
		return nil
	default:
		return nil
	}
}

// agentFrame publishes a frame of the running turn; one of another turn is
// dropped, which is all that writing after the end of a turn achieves.
func (r *run) agentFrame(ctx context.Context, rep wsv2.Report) error {
	if rep.AgentSeq <= r.out.agentSeq {
		return nil
	}
	if r.active == nil || r.active.end != nil || rep.Turn != r.active.id {
		if !r.strayed { // once: an agent could fill the log
			r.strayed = true
			r.m.log.WarnContext(ctx, "a frame outside its turn was dropped; more of this unit are not reported", "unit", r.id(), "turn", rep.Turn)
		}
		return nil
	}
	body, err := agentBody(rep.Frame)
	if err != nil {
		return err
	}
	if err := r.out.agent(ctx, r.active.id, rep.AgentSeq, body); err != nil {
		r.fail(ctx, "publish a frame of the agent", err)
		return err
	}
	return nil
}

// agentBody reads the body of a worker's frame.
func agentBody(data json.RawMessage) (wsv2.Body, error) { return wsv2.UnmarshalBody(data) }

// turnEnd stores how the turn ended, so that the worker may go; the sealing
// follows once it has its answer.
func (r *run) turnEnd(ctx context.Context, rep wsv2.Report) error {
	if r.active == nil || rep.Turn != r.active.id || r.active.end != nil || rep.End == nil {
		return nil
	}
	end := *rep.End
	switch {
	case end.Outcome == wsv2.OutcomeCompleted:
	case r.active.interrupted:
		end.Outcome = wsv2.OutcomeInterrupted
	case r.active.limited:
		end.Outcome = wsv2.OutcomeLimit
	}
	rec := record{Type: recordTurnEnd, Unit: r.id(), Turn: rep.Turn, End: &end, AgentSeq: rep.AgentSeq}
	if err := r.m.write(ctx, rec); err != nil {
		r.fail(ctx, "record how a turn ended", err)
		return err
	}
	r.m.at(ctx, pointTurnEnd)
	rec.At = r.m.now().UTC()
	r.active.end = &end
	r.deadline = nil
	r.show(func() {
		r.entry.apply(rec)
		r.entry.quietSince = r.m.now() // which the time of day does not move
	})
	active := r.active
	r.after = append(r.after, func(ctx context.Context) {
		if active.cutOff() {
			r.judge(ctx, active, judgements)
			return
		}
		r.finishTurn(ctx, end)
		r.afterTurn(ctx)
	})
	return nil
}
