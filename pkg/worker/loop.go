package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// drainTimeout bounds the wait, with a link, for the host to acknowledge the
// last reports.
const drainTimeout = 30 * time.Second

// loop decides what happens when: it alone starts and ends turns.
type loop struct {
	options Options
	launch  runnerv2.Launch
	box     *outbox
	conn    *connector
	turns   *turns

	queue    []wsv2.Input // turns that wait for the running one
	seen     map[string]bool
	running  string // the turn in progress, if any
	end      context.CancelCauseFunc
	done     chan struct{} // of the turn in progress
	stopping error         // why no further turn is run, once that is so

	idle <-chan time.Time // the end of the wait for a next turn
	gone <-chan time.Time // the end of the wait for a broker
	lost bool             // that wait is over
}

// run handles what happens until nothing is left to do. Asked asks the worker
// to end; live lives on until everything is reported.
func (l *loop) run(asked, live context.Context) (int, error) {
	l.gone = time.After(l.options.GiveUp)
	l.idle = time.After(max(l.idleTime(), l.options.GiveUp)) // the first turn may be on its way
	var over <-chan time.Time
	if l.launch.MaxSec > 0 {
		over = time.After(time.Duration(l.launch.MaxSec) * time.Second)
	}
	term := asked.Done()
	for {
		_, full, changed := l.box.state()
		if l.lost && (l.running == "" || full) {
			return l.abandon()
		}
		select {
		case in := <-l.conn.inputs:
			l.input(live, in)
		case <-l.done:
			l.turnEnded(live)
		case s := <-l.conn.status:
			if code := l.linked(s.err); code != ExitOK {
				return code, s.err
			}
		case <-over:
			l.stop(errLimit)
		case <-term:
			term = nil
			l.stop(errInterrupted)
		case <-l.gone:
			l.lost = true
		case <-l.idle:
			l.idle = nil
			l.stopping = errIdle
		case <-when(l.lost, changed):
		}
		if l.running == "" && l.stopping != nil {
			code, again, err := l.finish(live)
			if !again {
				return code, err
			}
		}
	}
}

// errIdle is why a worker ends that nobody asked anything.
var errIdle = errors.New("the idle time is over")

// when returns c if it matters now.
func when(now bool, c <-chan struct{}) <-chan struct{} {
	if now {
		return c
	}
	return nil
}

func (l *loop) idleTime() time.Duration { return time.Duration(l.launch.IdleSec) * time.Second }

// linked notes whether there is a link. A broker that refuses the token will
// refuse it again: there is no point in waiting then.
func (l *loop) linked(err error) int {
	switch {
	case err == nil:
		l.gone, l.lost = nil, false
	case fault.Is(err, fault.Denied) && l.running == "":
		return ExitDenied
	case l.gone == nil && !l.lost:
		l.gone = time.After(l.options.GiveUp)
	}
	return ExitOK
}

// input does what the host asks for.
func (l *loop) input(live context.Context, in wsv2.Input) {
	switch in.Type {
	case wsv2.InputTurn:
		if l.seen[in.Turn] {
			return // sent again after a reconnect
		}
		l.seen[in.Turn] = true
		l.queue = append(l.queue, in)
		l.next(live)
	case wsv2.InputInterrupt:
		if in.Turn == "" || in.Turn == l.running {
			l.cancel(errInterrupted)
		} else {
			l.drop(in.Turn)
		}
	case wsv2.InputStop:
		l.stop(errInterrupted)
	case wsv2.InputAck: // the connector's
	}
}

// next starts the first turn of the queue if none is running.
func (l *loop) next(live context.Context) {
	if l.running != "" || len(l.queue) == 0 || l.stopping != nil {
		return
	}
	in := l.queue[0]
	l.queue = l.queue[1:]
	ctx, cancel := context.WithCancelCause(live)
	done := make(chan struct{})
	l.running, l.end, l.done, l.idle = in.Turn, cancel, done, nil
	l.conn.setTurn(in.Turn)
	go func() {
		defer close(done)
		l.turns.run(ctx, in)
	}()
}

func (l *loop) turnEnded(live context.Context) {
	l.end(nil)
	l.running, l.end, l.done = "", nil, nil
	l.conn.setTurn("")
	l.next(live)
	if l.running != "" || l.stopping != nil {
		return
	}
	if l.launch.IdleSec == 0 {
		l.stopping = errIdle
		return
	}
	l.idle = time.After(l.idleTime())
}

// cancel ends the running turn.
func (l *loop) cancel(cause error) {
	if l.end != nil {
		l.end(cause)
	}
}

// drop takes a turn out of the queue and reports its end.
func (l *loop) drop(turn string) {
	for i, in := range l.queue {
		if in.Turn == turn {
			l.queue = append(l.queue[:i], l.queue[i+1:]...)
			l.turns.end(turn, wsv2.TurnEnd{Outcome: wsv2.OutcomeInterrupted, ExitCode: -1, Error: "the turn was interrupted before it began"})
			return
		}
	}
}

// stop ends the running turn and takes no further one. Turns that waited are
// reported, so that the host hears the end of each.
func (l *loop) stop(cause error) {
	if l.stopping == nil || errors.Is(l.stopping, errIdle) {
		l.stopping = cause
	}
	l.cancel(cause)
	outcome := wsv2.OutcomeInterrupted
	if errors.Is(cause, errLimit) {
		outcome = wsv2.OutcomeLimit
	}
	for _, in := range l.queue {
		l.turns.end(in.Turn, wsv2.TurnEnd{Outcome: outcome, ExitCode: -1, Error: cause.Error() + " before it began"})
	}
	l.queue = nil
}

// finish waits until the host has everything, says goodbye, and returns the
// exit code. It reports again when an idle worker was given a turn meanwhile.
func (l *loop) finish(live context.Context) (code int, again bool, err error) {
	deadline := time.After(drainTimeout)
	for {
		empty, _, changed := l.box.state()
		if empty {
			break
		}
		select {
		case <-changed:
		case s := <-l.conn.status:
			if code := l.linked(s.err); code != ExitOK {
				return code, false, s.err
			}
			deadline = time.After(drainTimeout)
		case in := <-l.conn.inputs:
			if l.resume(live, in) {
				return 0, true, nil
			}
		case <-deadline:
			l.box.close()
			return ExitNoBroker, false, fault.New(fault.Timeout, "the broker did not acknowledge the last reports", "")
		case <-l.gone:
			l.lost = true
		}
		if l.lost {
			code, err := l.abandon()
			return code, false, err
		}
	}
	select {
	case in := <-l.conn.inputs:
		if l.resume(live, in) {
			return 0, true, nil
		}
	default:
	}
	if errors.Is(l.stopping, errIdle) {
		l.conn.tell(wsv2.Report{Type: wsv2.ReportIdle})
	}
	return ExitOK, false, nil
}

// resume handles an input of the last moment. An idle worker takes a turn after
// all; one that was told to end reports that it does not.
func (l *loop) resume(live context.Context, in wsv2.Input) bool {
	if in.Type != wsv2.InputTurn || l.seen[in.Turn] {
		return false
	}
	if errors.Is(l.stopping, errIdle) {
		l.stopping = nil
		l.input(live, in)
		return true
	}
	l.seen[in.Turn] = true
	l.turns.end(in.Turn, wsv2.TurnEnd{Outcome: wsv2.OutcomeInterrupted, ExitCode: -1, Error: "the dispatch was ending"})
	return false
}

// abandon ends without a broker: what the agent does reaches nobody any more.
func (l *loop) abandon() (int, error) {
	l.box.close()
	if l.running != "" {
		l.cancel(errInterrupted)
		<-l.done
	}
	l.options.Log.Error("gave the broker up", slog.Duration("after", l.options.GiveUp))
	return ExitNoBroker, fault.Newf(fault.Unreachable, "no broker for %s", l.options.GiveUp)
}
