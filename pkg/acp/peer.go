package acp

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// maxQueue is how many lines wait for an agent that does not read.
const maxQueue = 1024

// errGone reports that the agent closed its output.
var errGone = errors.New("the agent ended before the turn did")

// peer is the agent at the other end. One goroutine calls it; another reads what it
// says, and a third writes, so that neither waits for the other.
type peer struct {
	events *emitter
	limit  int // bytes of a line
	queue  chan []byte
	wg     sync.WaitGroup

	calls   int64
	awaited atomic.Int64 // the call whose answer is waited for; 0: none
	answers chan message

	session   atomic.Pointer[string] // whose updates are shown; nil: none are
	cancelled atomic.Bool

	gone chan struct{} // closed when nothing more is read
	err  error         // why, once gone is closed
}

// newPeer reads from and writes to an agent until it closes its output, or does what
// cannot be answered. What it reads is at most maxLine bytes a line.
func newPeer(from io.Reader, to io.Writer, maxLine int, events *emitter) *peer {
	p := &peer{
		events: events, limit: maxLine, queue: make(chan []byte, maxQueue),
		answers: make(chan message, 1), gone: make(chan struct{}),
	}
	p.wg.Go(func() {
		defer close(p.gone)
		p.err = p.read(from)
	})
	p.wg.Go(func() { p.write(to) })
	return p
}

// wait returns when nothing is read or written any more, which is when the agent's
// output has ended.
func (p *peer) wait() { p.wg.Wait() }

// write sends what is queued until the agent is gone.
func (p *peer) write(to io.Writer) {
	for {
		select {
		case line := <-p.queue:
			if _, err := to.Write(line); err != nil {
				return // it reads no more; its output tells why
			}
		case <-p.gone:
			return
		}
	}
}

// send queues a message.
func (p *peer) send(m message) error {
	m.Version = "2.0"
	line, err := jsonLine(m)
	if err != nil {
		return fault.Wrap(fault.Internal, "write a message to the agent", err)
	}
	select {
	case p.queue <- line:
		return nil
	default:
		return fault.Newf(fault.Invalid, "the agent does not read: %d messages wait for it", maxQueue)
	}
}

// call calls a method of the agent's and returns the result. Where patience is not 0
// it waits no longer than that.
func (p *peer) call(ctx context.Context, method string, params any, patience time.Duration) (json.RawMessage, error) {
	data, err := jsonLine(params)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "call "+method, err)
	}
	p.calls++
	p.awaited.Store(p.calls)
	id := json.RawMessage(strconv.FormatInt(p.calls, 10))
	if err := p.send(message{ID: id, Method: method, Params: data}); err != nil {
		return nil, err
	}
	if patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, patience, fault.Newf(fault.Timeout, "the agent did not answer %s for %s", method, patience).
			WithHint("does it speak the Agent Client Protocol on its standard streams?"))
		defer cancel()
	}
	return p.answer(ctx, method)
}

// answer waits for the answer to the call of method.
func (p *peer) answer(ctx context.Context, method string) (json.RawMessage, error) {
	select {
	case m := <-p.answers:
		return m.outcome(method)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-p.gone:
	}
	select {
	case m := <-p.answers: // its last word
		return m.outcome(method)
	default:
		return nil, p.err
	}
}

// begin shows what is told of a session from now on: what came before was a
// conversation told again.
func (p *peer) begin(session string) { p.session.Store(&session) }

// cancel tells the agent to end its turn and waits for its answer, unless it came
// already. The context is one that outlives the turn's.
func (p *peer) cancel(ctx context.Context, session string, grace time.Duration, raw json.RawMessage, err error) (json.RawMessage, error) {
	if err == nil {
		return raw, nil
	}
	p.cancelled.Store(true)
	params, err := json.Marshal(map[string]any{"sessionId": session})
	if err == nil {
		err = p.send(message{Method: "session/cancel", Params: params})
	}
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, grace, ErrInterrupted)
	defer cancel()
	return p.answer(ctx, "session/prompt")
}
