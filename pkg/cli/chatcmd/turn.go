package chatcmd

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// renderer shows the frames of a turn as they come.
type renderer interface {
	frame(e client.Entry) error
	// ready reports whether the terminal's line is free for something else.
	ready() bool
	// end is called once after the last frame, whether or not the turn ended well.
	end() error
}

// turn is one message to an agent and the answer to it.
type turn struct {
	f    *factory.Factory
	c    *client.Client
	r    renderer
	wait *progress

	mu      sync.Mutex
	unit    string // empty until the daemon has accepted the turn
	presses int
	left    bool // the person did not wait for the end
	cancel  context.CancelCauseFunc
	asking  sync.WaitGroup // the request that interrupts the turn
}

// newTurn is a turn whose frames are shown as text, or as JSON where that was asked for.
func newTurn(f *factory.Factory, c *client.Client, o *output.JSON) *turn {
	wait := &progress{f: f}
	if o.On() {
		return &turn{f: f, c: c, r: &jsonRenderer{w: f.Out, o: o}, wait: wait}
	}
	return &turn{f: f, c: c, r: newTextRenderer(f, wait), wait: wait}
}

// runTurn says r to an agent and shows the frames until the turn is done. The
// error tells the outcome: nil only where the turn completed.
//
// The first Ctrl-C ends the agent and waits until what it wrote is saved; the
// second leaves at once, and the daemon goes on by itself.
func runTurn(ctx context.Context, t *turn, r api.StartRequest) (api.Started, error) {
	ctx, t.cancel = context.WithCancelCause(ctx)
	defer t.cancel(nil)
	restore := t.f.OnInterrupt(func() { t.interrupt(ctx) })
	defer t.asking.Wait()
	defer restore()
	defer t.wait.hush()
	t.wait.wait(startsContainer)
	started, err := t.c.Start(ctx, r)
	if err != nil {
		return started, grammar.Argument(err)
	}
	if started.From != "" { // a container that is there already
		t.wait.wait(waitsForTurn)
	}
	t.mu.Lock()
	t.unit = started.Unit
	t.mu.Unlock()
	done, cause, err := t.follow(ctx, started)
	t.wait.hush()
	if rerr := t.r.end(); err == nil {
		err = rerr
	}
	if err != nil {
		return started, err
	}
	return started, outcome(started.Unit, done, cause)
}

// waits says what is waited for behind a frame that was shown.
func (t *turn) waits(f wsv2.Frame) {
	state, ok := f.Body.(wsv2.State)
	switch {
	case ok && state.State == string(runtimev1.Starting) && state.Detail != "":
		t.wait.wait(waitsForContainer)
	case ok && state.State == string(runtimev1.Starting):
		t.wait.wait(startsContainer)
	case f.Turn != "" && t.r.ready():
		t.wait.wait(agentWorks)
	}
}

// follow shows frames until the turn's last. Cause is the kind of the last error
// that the host told of.
func (t *turn) follow(ctx context.Context, s api.Started) (done wsv2.TurnDone, cause wsv2.Error, err error) {
	for e, err := range t.c.Frames(ctx, s.Unit, client.FrameQuery{From: s.From, Follow: true}) {
		if err != nil {
			return done, cause, err
		}
		if e.Frame.Turn != "" && e.Frame.Turn != s.Turn {
			continue // another client's turn in the same container
		}
		if err := t.r.frame(e); err != nil {
			return done, cause, err
		}
		t.waits(e.Frame)
		switch body := e.Frame.Body.(type) {
		case wsv2.Error:
			if e.Frame.Source == wsv2.Host {
				cause = body
			}
		case wsv2.TurnDone:
			return body, cause, nil
		}
	}
	return done, cause, fault.New(fault.Internal, "unit "+s.Unit+" ended without finishing the turn", "see: vexa show "+s.Unit)
}

// interrupt handles one Ctrl-C. It does not block.
func (t *turn) interrupt(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.presses++
	switch {
	case t.unit == "":
		t.cancel(fault.New(fault.Interrupted, "interrupted before the agent was started", ""))
	case t.presses == 1:
		t.f.Say("interrupting; waiting until what was written is saved (Ctrl-C again to leave)")
		t.asking.Go(func() {
			_, err := t.c.Stop(ctx, t.unit, true)
			if err != nil && ctx.Err() == nil {
				t.f.Warn("cannot interrupt unit %s: %s", t.unit, err)
			}
		})
	default:
		t.left = true
		t.cancel(fault.New(fault.Interrupted, "left unit "+t.unit+" before its turn was over", "see: vexa show "+t.unit))
	}
}

// wasLeft reports whether the person left before the turn was over.
func (t *turn) wasLeft() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.left
}

// outcome maps the end of a turn to an error. cause is the host's latest word of
// what went wrong.
func outcome(unit string, done wsv2.TurnDone, cause wsv2.Error) error {
	if done.OK {
		return nil
	}
	kind, msg, hint := fault.Failed, "the turn failed", "see: vexa logs "+unit
	switch done.Outcome {
	case wsv2.OutcomeInterrupted:
		kind, msg = fault.Interrupted, "the turn was interrupted"
	case wsv2.OutcomeLimit:
		kind, msg = fault.Timeout, "a limit of the dispatch is used up"
	case wsv2.OutcomeTruncated:
		msg = "the agent's answer is incomplete"
	case wsv2.OutcomeLost:
		msg = "the container ended during the turn"
	case wsv2.OutcomeFailed:
		switch code := fault.Kind(cause.Code); {
		case code == fault.Unavailable:
			kind = code
		case code == fault.NotFound && cause.Hint != "": // something that the person can make
			kind, hint = code, cause.Hint
		}
	case wsv2.OutcomeCompleted: // by the agent, and then Vexa could not save it
		kind = fault.Internal
	}
	e := fault.New(kind, msg, hint)
	if done.Error != "" && !strings.HasPrefix(done.Error, msg) {
		e.Err = errors.New(done.Error)
	} else if done.Error != "" {
		e.Msg = done.Error
	}
	return e
}
