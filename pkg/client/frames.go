package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// Entry is one frame of a unit's topic and where it stands.
type Entry struct {
	Cursor string          // a reader that goes on from here gets the next frame first
	Raw    json.RawMessage // the frame as it was sent
	Frame  wsv2.Frame
}

// FrameQuery selects frames; the zero value is everything there is now.
type FrameQuery struct {
	From   string // cursor; empty: the start
	Follow bool   // wait for more until the unit has ended

	// Broken is told why the connection broke, and with nil that it is back; nil: nobody
	// is. It is called by the goroutine that reads.
	Broken func(error)
	// Opened is called once, when the first connection is there; nil: nobody is told.
	Opened func()
}

// Frames reads a unit's topic. The sequence ends without an error when the
// topic does (with Follow: when the unit has ended and everything was sent),
// and with one error, as its last element, when it cannot go on.
//
// Where the connection breaks, Frames connects again and goes on after the
// last frame it yielded; it waits a minute for the daemon to come back and
// starts one itself where the old one was killed rather than stopped.
func (c *Client) Frames(ctx context.Context, unit string, q FrameQuery) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		s := &frameStream{c: c, unit: unit, cursor: q.From, follow: q.Follow, yield: yield, opened: q.Opened}
		for {
			done, err := s.once(ctx)
			if done {
				return
			}
			if err != nil && !broken(err) {
				yield(Entry{}, err)
				return
			}
			if q.Broken != nil {
				q.Broken(err)
			}
			if err := s.again(ctx, err); err != nil {
				yield(Entry{}, err)
				return
			}
			if q.Broken != nil {
				q.Broken(nil)
			}
		}
	}
}

// errBroken marks a connection that ended under a stream.
var errBroken = errors.New("the connection to the daemon broke")

func broken(err error) bool { return errors.Is(err, errBroken) || fault.Is(err, fault.Unreachable) }

type frameStream struct {
	c      *Client
	unit   string
	cursor string
	seq    uint64 // of the last frame yielded
	follow bool
	pause  time.Duration // before the next attempt; grows until a frame arrives
	yield  func(Entry, error) bool
	opened func() // nil: it was called, or nobody is told
}

// once reads one connection to its end. It reports done when there is nothing
// more to read or the consumer has had enough.
func (s *frameStream) once(ctx context.Context) (done bool, err error) {
	follow := ""
	if s.follow {
		follow = "1"
	}
	header := http.Header{"Accept": {"text/event-stream"}}
	if s.seq > 0 {
		header.Set("Last-Event-Id", s.cursor)
	}
	resp, err := s.c.send(ctx, http.MethodGet, query(join("dispatches", s.unit, "frames"), "from", s.cursor, "follow", follow), nil, header)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	if s.opened != nil {
		s.opened()
		s.opened = nil
	}
	events := newEventReader(resp.Body)
	for {
		ev, err := events.next()
		if err != nil {
			return s.ended(ctx, err)
		}
		e := Entry{Cursor: ev.id, Raw: ev.data}
		if e.Frame, err = frameOf(ev.data); err != nil {
			return false, fault.Newf(fault.Internal, "read a frame of unit %s: %w", s.unit, err)
		}
		if e.Frame.Seq <= s.seq {
			continue // sent twice
		}
		s.cursor, s.seq, s.pause = ev.id, e.Frame.Seq, 0
		if !s.yield(e, nil) {
			return true, nil
		}
	}
}

// ended decides what the end of a connection means. A clean end of a followed
// stream is the end of the unit, or a daemon that is being stopped: the
// dispatch's state tells which.
func (s *frameStream) ended(ctx context.Context, err error) (done bool, _ error) {
	if ctx.Err() != nil {
		return false, interrupted(ctx)
	}
	if isFault(err) {
		return false, err
	}
	if !errors.Is(err, io.EOF) {
		return false, errors.Join(errBroken, err)
	}
	if !s.follow {
		return true, nil
	}
	d, err := s.c.Dispatch(ctx, s.unit)
	if err != nil {
		return false, err
	}
	if d.EndedAt != nil {
		return true, nil
	}
	return false, errBroken
}

func isFault(err error) bool {
	_, ok := errors.AsType[*fault.Error](err)
	return ok
}

// again waits until the daemon answers.
func (s *frameStream) again(ctx context.Context, cause error) error {
	gone := &fault.Error{
		Kind: fault.Unreachable,
		Msg:  "the daemon went away and did not come back",
		Hint: "unit " + s.unit + " may still be running; vexa logs " + s.unit + " --follow takes up where this ended",
		Err:  cause,
	}
	wait, cancel := context.WithTimeoutCause(ctx, s.c.retry.back, gone)
	defer cancel()
	for {
		s.pause = min(max(2*s.pause, s.c.retry.first), s.c.retry.most)
		if err := rest(wait, s.pause); err != nil {
			return err
		}
		_, err := s.c.Status(wait)
		switch {
		case err == nil:
			return nil
		case crashed(err) && s.c.o.Start != nil:
			if _, err := s.c.start(wait); err != nil {
				return err
			}
			return nil
		case !fault.Is(err, fault.Unreachable):
			return err
		}
	}
}
