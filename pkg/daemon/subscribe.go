package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/stream"
)

const (
	maxSubscriptions = 64       // topics of one connection
	maxMessage       = 64 << 10 // bytes of a Subscribe
	gather           = 64 << 10 // bytes after which a message to the client is not added to
)

// subscribe upgrades to a WebSocket over which a client follows any number of
// topics. It sends Subscribe (ws.v2); what it gets are messages of server-sent
// events, the same as those of frames: the id of each is its cursor, its data one
// ws.v2 frame, which names its unit. Besides there are events of two names: end,
// whose data is the topic of a dispatch that has ended and was sent whole, and
// error, whose data is the topic and why it cannot be followed, as api.Error.
// A topic that is subscribed again begins again where that says.
func (s *Server) subscribe(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.engine(); err != nil {
		return err
	}
	// Who may come is decided by who lets requests get here: the socket's directory
	// and its guard, or the door of the pages.
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return nil // it is answered
	}
	defer conn.CloseNow() //nolint:errcheck // it was closed, or there is nobody to close it with
	conn.SetReadLimit(maxMessage)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	c := &subscriber{s: s, conn: conn, ctx: ctx, stall: cmp.Or(s.o.Stall, stall), topics: map[string]*subscription{}, cancel: cancel}
	defer c.running.Wait()
	defer cancel()
	c.running.Go(func() { c.beat(ctx) })
	why := c.listen(ctx)
	var refused *fault.Error
	switch {
	case errors.As(why, &refused):
		conn.Close(websocket.StatusPolicyViolation, short(refused.Error())) //nolint:errcheck // the client left
	case ctx.Err() != nil:
		conn.Close(websocket.StatusGoingAway, "") //nolint:errcheck // the client left
	}
	return nil
}

// short is a reason for a close frame, which has room for 123 bytes.
func short(text string) string {
	const most = 120
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}

// subscriber is one connection.
type subscriber struct {
	s       *Server
	conn    *websocket.Conn
	ctx     context.Context //nolint:containedctx // the connection's: a write that is given up ends it
	stall   time.Duration
	cancel  context.CancelFunc // ends the connection
	running sync.WaitGroup
	sending sync.Mutex // one message at a time

	topics map[string]*subscription // of listen's goroutine alone
}

// subscription is one topic of a connection.
type subscription struct {
	stop context.CancelFunc
	done chan struct{}
}

// listen takes what the client sends until it leaves, or sends what is no Subscribe.
func (c *subscriber) listen(ctx context.Context) error {
	for {
		kind, data, err := c.conn.Read(ctx)
		if err != nil {
			return errors.Join(ctx.Err(), err)
		}
		if kind != websocket.MessageText {
			return fault.New(fault.Invalid, "a subscription is text", "")
		}
		m, err := contract.Decode[wsv2.Subscribe]("ws.v2#Subscribe", data)
		if err != nil {
			return err
		}
		for _, t := range m.Topics {
			if err := c.take(ctx, m.Action == "subscribe", t); err != nil {
				return err
			}
		}
	}
}

func (c *subscriber) take(ctx context.Context, begin bool, t wsv2.Subscription) error {
	if old := c.topics[t.Topic]; old != nil {
		old.stop()
		<-old.done // so that nothing of it comes after what begins now
		delete(c.topics, t.Topic)
	}
	if !begin {
		return nil
	}
	if len(c.topics) >= maxSubscriptions {
		return fault.New(fault.Invalid, fmt.Sprintf("one connection follows %d topics", maxSubscriptions), "")
	}
	following, stop := context.WithCancel(ctx)
	sub := &subscription{stop: stop, done: make(chan struct{})}
	c.topics[t.Topic] = sub
	c.running.Go(func() {
		defer close(sub.done)
		defer stop()
		c.follow(following, t)
	})
	return nil
}

// follow sends the frames of one topic. Where it cannot go on, because the client
// takes nothing or the daemon ends, it ends the connection.
func (c *subscriber) follow(ctx context.Context, t wsv2.Subscription) {
	err := c.framesOf(ctx, t)
	if err == nil || ctx.Err() != nil {
		return
	}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		data, _ := json.Marshal(struct {
			Topic string    `json:"topic"`
			Error api.Error `json:"error"`
		}{t.Topic, api.Error{Code: string(f.Kind), Message: err.Error(), Hint: f.Hint}}) // strings always encode
		err = c.say(fmt.Sprintf("event: error\ndata: %s\n\n", data))
	}
	if err != nil {
		c.cancel()
	}
}

// errGone says that the dispatch goes on and this daemon does not.
var errGone = errors.New("the daemon ends")

func (c *subscriber) framesOf(ctx context.Context, t wsv2.Subscription) error {
	e, err := c.s.engine()
	if err != nil {
		return err
	}
	id := strings.TrimSuffix(strings.TrimPrefix(t.Topic, "unit:"), ":out")
	if _, err := e.Dispatch.Get(id); err != nil {
		return err
	}
	f := &frameWriter{sink: &message{c: c, ctx: ctx}, topic: dispatch.OutTopic(id), log: e.Streams, cursor: stream.Cursor(t.From)}
	if err := f.rest(ctx); err != nil {
		return err
	}
	if f.cursor == stream.Cursor(t.From) {
		if err := e.Dispatch.Unsaved(id); err != nil { // nothing comes for a while
			return err
		}
	}
	if err := f.follow(ctx, e.Dispatch.Done(id)); err != nil {
		return err
	}
	if err := f.rest(ctx); err != nil {
		return err
	}
	if d, err := e.Dispatch.Get(id); err != nil || d.EndedAt == nil {
		return errGone
	}
	return c.say("event: end\ndata: " + t.Topic + "\n\n")
}

// beat sends what a client knows by that the connection lives.
func (c *subscriber) beat(ctx context.Context) {
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if c.say(": keep-alive\n\n") != nil {
				c.cancel()
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func (c *subscriber) say(text string) error { return c.send([]byte(text)) }

// send writes one message. A client that does not take it in time is left.
func (c *subscriber) send(data []byte) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	ctx, cancel := context.WithTimeout(c.ctx, c.stall)
	defer cancel()
	return c.conn.Write(ctx, websocket.MessageText, data)
}

// message gathers events to one message.
type message struct {
	c   *subscriber
	ctx context.Context //nolint:containedctx // of the subscription that the message is of
	buf []byte
}

func (m *message) event(data []byte) error {
	m.buf = append(m.buf, data...)
	if len(m.buf) < gather {
		return nil
	}
	return m.flush()
}

func (m *message) flush() error {
	if len(m.buf) == 0 {
		return nil
	}
	if m.ctx.Err() != nil {
		return m.ctx.Err() // nobody wants it any more
	}
	err := m.c.send(m.buf)
	m.buf = m.buf[:0]
	return err
}
