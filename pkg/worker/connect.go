package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/link"
)

// dialTimeout bounds one attempt to connect.
const dialTimeout = 10 * time.Second

// connector holds the link to the broker: it dials again whenever the link
// breaks, says hello, sends what is unacknowledged and hands on what comes in.
type connector struct {
	options Options
	token   string
	box     *outbox
	inputs  chan wsv2.Input // turns, interrupts and stops, in order
	status  chan status     // the latest only

	mu   sync.Mutex
	turn string     // the turn in progress, for hello
	conn *link.Conn // nil while there is none
}

func newConnector(o Options, token string, box *outbox) *connector {
	return &connector{
		options: o, token: token, box: box,
		inputs: make(chan wsv2.Input),
		status: make(chan status, 1),
	}
}

// status is whether there is a link, and if not why.
type status struct{ err error }

// run connects until the context ends.
func (c *connector) run(ctx context.Context) {
	wait := c.options.MinBackoff
	for ctx.Err() == nil {
		before := c.box.acked()
		err := c.once(ctx)
		if ctx.Err() != nil {
			return
		}
		c.publish(err)
		level := slog.LevelWarn
		if link.Ended(err) {
			level = slog.LevelDebug // the broker starts again, or is done with us
		}
		c.options.Log.Log(ctx, level, "no link to the broker", slog.Any("error", err))
		if c.box.acked() != before { // a broker that takes what it is sent
			wait = c.options.MinBackoff
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		wait = min(2*wait, c.options.MaxBackoff)
	}
}

// once holds one connection until it breaks.
func (c *connector) once(ctx context.Context) error {
	dialCtx, cancel := context.WithTimeout(ctx, dialTimeout)
	conn, err := link.Dial(dialCtx, c.options.Dial, c.token)
	cancel()
	if err != nil {
		return err
	}
	ctx, cancel = context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer conn.Close()
	defer c.setConn(nil)
	if err := conn.Send(wsv2.Report{Type: wsv2.ReportHello, Turn: c.setConn(conn)}); err != nil {
		return err
	}
	c.publish(nil)
	sent := make(chan error, 1)
	go func() {
		defer cancel()
		sent <- c.send(ctx, conn)
	}()
	err = c.receive(ctx, conn)
	cancel()
	if sendErr := <-sent; sendErr != nil && link.Ended(err) {
		return sendErr // that is why
	}
	return err
}

// send writes the unacknowledged reports and then each new one.
func (c *connector) send(ctx context.Context, conn *link.Conn) error {
	var next uint64
	for {
		lines, after, changed := c.box.from(next)
		if len(lines) > 0 {
			if err := conn.SendLine(lines...); err != nil {
				return err
			}
			next = after
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// receive takes acknowledgements and hands on everything else.
func (c *connector) receive(ctx context.Context, conn *link.Conn) error {
	for {
		line, err := conn.ReceiveLine()
		if err != nil {
			return fault.Wrap(fault.Unreachable, "the link ended", err)
		}
		in, err := contract.Decode[wsv2.Input]("ws.v2#Input", line)
		if err != nil {
			return fault.Wrap(fault.Invalid, "input from the broker", err)
		}
		if in.Type == wsv2.InputAck {
			c.box.ack(in.AgentSeq)
			continue
		}
		select {
		case c.inputs <- in:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// setTurn notes the turn in progress, which hello names.
func (c *connector) setTurn(turn string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn = turn
}

// setConn notes the connection and returns the turn in progress.
func (c *connector) setConn(conn *link.Conn) (turn string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn = conn
	return c.turn
}

// tell sends an unnumbered report if there is a connection; it may be lost.
func (c *connector) tell(r wsv2.Report) {
	c.mu.Lock()
	conn := c.conn
	c.mu.Unlock()
	if conn != nil {
		_ = conn.Send(r) // nothing depends on it
	}
}

// publish replaces the status nobody has looked at yet.
func (c *connector) publish(err error) {
	for {
		select {
		case c.status <- status{err}:
			return
		default:
		}
		select {
		case <-c.status:
		default:
		}
	}
}
