package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/stream"
)

const (
	keepAlive  = 15 * time.Second // between two lines of a quiet stream
	stall      = 30 * time.Second // a client that takes nothing for so long is dropped; it can come back with its cursor
	framesPage = 256
	ahead      = 16      // entries that are ready to be written together
	piece      = 8 << 10 // bytes of one write, which is what counts as taking something
)

// frames serves unit:<id>:out as server-sent events (the HTML standard's
// EventSource): the id of each is its cursor, its data one ws.v2 frame.
// Last-Event-ID, else the parameter from, says after which frame to begin.
// With follow=1 it goes on until the dispatch has ended.
func (s *Server) frames(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	d, err := e.Dispatch.Get(r.PathValue("id"))
	if err != nil {
		return err
	}
	from := stream.Cursor(r.Header.Get("Last-Event-ID"))
	if from == "" {
		from = stream.Cursor(r.URL.Query().Get("from"))
	}
	f := &frameWriter{
		sink:  &answer{w: w, control: http.NewResponseController(w), stall: cmp.Or(s.o.Stall, stall)},
		topic: dispatch.OutTopic(d.ID), log: e.Streams, cursor: from,
	}
	first, err := e.Streams.Read(r.Context(), f.topic, from, framesPage)
	if err == nil && len(first) == 0 && r.URL.Query().Get("follow") != "" {
		err = e.Dispatch.Unsaved(d.ID) // nothing comes for a while
	}
	if err != nil {
		return err // as JSON: nothing is written yet
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	err = f.all(first)
	if err == nil && r.URL.Query().Get("follow") == "1" {
		err = f.follow(r.Context(), e.Dispatch.Done(d.ID))
	}
	if err == nil {
		err = f.rest(r.Context())
	}
	if err != nil && r.Context().Err() == nil {
		s.o.Log.DebugContext(r.Context(), "frame stream ended", "unit", d.ID, "error", err)
	}
	return nil
}

// frameWriter writes entries of one topic to one client.
type frameWriter struct {
	sink   sink
	buf    []byte
	log    stream.Log
	topic  string
	cursor stream.Cursor
}

// sink takes server-sent events to a client.
type sink interface {
	// event takes one whole event, which may rest in a buffer until flush. The
	// bytes are the caller's again afterwards.
	event(data []byte) error
	// flush waits until the client has taken what rests; one that takes nothing
	// for a time is an error.
	flush() error
}

func (f *frameWriter) all(entries []stream.Entry) error {
	for _, e := range entries {
		if err := f.one(e); err != nil {
			return err
		}
	}
	return f.sink.flush()
}

// one writes an entry, which may rest in a buffer until flush.
func (f *frameWriter) one(e stream.Entry) error {
	if cap(f.buf) > framesPage*piece {
		f.buf = nil
	}
	f.buf = fmt.Appendf(f.buf[:0], "id: %s\ndata: %s\n\n", e.Cursor, e.Payload)
	if err := f.sink.event(f.buf); err != nil {
		return err
	}
	f.cursor = e.Cursor
	return nil
}

// rest writes what the topic holds after the cursor.
func (f *frameWriter) rest(ctx context.Context) error {
	for {
		entries, err := f.log.Read(ctx, f.topic, f.cursor, framesPage)
		if err != nil || len(entries) == 0 {
			return err
		}
		if err := f.all(entries); err != nil {
			return err
		}
	}
}

// follow writes what comes until the dispatch has ended or the client left.
// A slow client only slows itself: what it has not taken stays on the topic.
func (f *frameWriter) follow(ctx context.Context, ended <-chan struct{}) error {
	tailing, stop := context.WithCancel(ctx)
	defer stop()
	entries, failed := f.tail(tailing)
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		var err error
		select {
		case e, ok := <-entries:
			if !ok {
				return tailError(failed)
			}
			err = f.ready(e, entries)
		case <-tick.C:
			err = f.comment("keep-alive")
		case <-ended:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// ready writes an entry and those that are there already.
func (f *frameWriter) ready(e stream.Entry, more <-chan stream.Entry) error {
	for {
		if err := f.one(e); err != nil {
			return err
		}
		var ok bool
		select {
		case e, ok = <-more:
			if ok {
				continue
			}
		default:
		}
		return f.sink.flush() // follow finds the end, where it was that
	}
}

// tail reads on from the cursor until ctx ends. The entries are closed at the
// end; why it ended, where that was not ctx, is then in failed.
func (f *frameWriter) tail(ctx context.Context) (entries <-chan stream.Entry, failed <-chan error) {
	out, why := make(chan stream.Entry, ahead), make(chan error, 1)
	cursor := f.cursor // moves on while the goroutine runs
	go func() {
		defer close(out)
		for e, err := range f.log.Tail(ctx, f.topic, cursor) {
			if err != nil {
				why <- err
				return
			}
			select {
			case out <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, why
}

// comment writes a line that readers skip.
func (f *frameWriter) comment(text string) error {
	if err := f.sink.event(fmt.Appendf(nil, ": %s\n\n", text)); err != nil {
		return err
	}
	return f.sink.flush()
}

func tailError(failed <-chan error) error {
	select {
	case err := <-failed:
		if errors.Is(err, context.Canceled) {
			return nil
		}
		return fault.Wrap(fault.Internal, "follow the topic", err)
	default:
		return nil
	}
}

// answer is the body of an HTTP response.
type answer struct {
	w       http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
}

func (a *answer) event(data []byte) error {
	for p := range slices.Chunk(data, piece) {
		if err := a.patience(); err != nil {
			return err
		}
		if _, err := a.w.Write(p); err != nil {
			return err
		}
	}
	return nil
}

func (a *answer) flush() error {
	if err := a.patience(); err != nil {
		return err
	}
	return a.control.Flush()
}

// patience gives the client time to take what is written next. A client that
// has died while its process lives, or was suspended, would hold its connection
// and what was read ahead for it as long as the dispatch lives.
func (a *answer) patience() error {
	err := a.control.SetWriteDeadline(time.Now().Add(a.stall))
	if errors.Is(err, http.ErrNotSupported) {
		return nil // no connection
	}
	return err
}
