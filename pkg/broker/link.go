package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/identityv1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/link"
)

// What a new connection may take to say hello. Many can be at that at once, and
// only one is served after it, so that what a container can make the host hold
// is that one's longest line.
const (
	helloTimeout = 10 * time.Second
	helloBytes   = 4 << 10
)

// worker is an attached connection.
type worker struct {
	conn *link.Conn
	acks chan struct{} // there is something to acknowledge
	done chan struct{} // the connection is over
}

func (w *worker) acknowledge() {
	select {
	case w.acks <- struct{}{}:
	default: // one is pending, and will say the newest
	}
}

// serveLink serves one connection of a worker. A newer one ends it.
func (s *Socket) serveLink(rw http.ResponseWriter, r *http.Request) {
	if _, err := s.verify(r, identityv1.AudienceStream); err != nil {
		s.refuseToken(rw, r, audit.Stream, err)
		return
	}
	if s.brokenOff() {
		// Recorded once already. It is the answer at which a worker gives up.
		writeError(rw, http.StatusForbidden, "this dispatch broke the rules of its link")
		return
	}
	conn, err := link.Accept(rw, r)
	if err != nil {
		s.log.DebugContext(r.Context(), "no link", "error", err)
		return
	}
	defer func() { _ = conn.Close() }() // it is over either way
	hello, err := hello(conn)
	if err != nil {
		// No worker is there yet that could have broken a rule: one that is cut
		// off, or slow, dials again.
		s.deny(r.Context(), DeniedRequest, refusal{audit.Stream, "link", err.Error()})
		return
	}
	conn.LimitLine(s.broker.opts.Rates.ReportBytes)
	a := s.supersede(conn)
	select {
	case s.linking <- struct{}{}: // the one that was ended has said Disconnected
		defer func() { <-s.linking }()
	case <-a.superseded:
		return
	case <-r.Context().Done():
		return
	}
	if err := s.attend(r.Context(), conn, hello, a); err != nil {
		level := slog.LevelInfo
		if link.Ended(err) || !s.live() {
			level = slog.LevelDebug
		}
		s.log.Log(r.Context(), level, "the link ended", "error", err)
	}
}

func hello(conn *link.Conn) (wsv2.Report, error) {
	if err := conn.SetReadDeadline(time.Now().Add(helloTimeout)); err != nil {
		return wsv2.Report{}, err
	}
	conn.LimitLine(helloBytes)
	line, err := conn.ReceiveLine()
	if err != nil {
		return wsv2.Report{}, fmt.Errorf("no hello: %w", err)
	}
	hello, err := contract.Decode[wsv2.Report]("ws.v2#Report", line)
	if err != nil {
		return hello, err
	}
	if hello.Type != wsv2.ReportHello {
		return hello, fmt.Errorf("the first line is %q, not hello", hello.Type)
	}
	return hello, conn.SetReadDeadline(time.Time{})
}

// arrival is a connection that has said hello.
type arrival struct {
	conn       *link.Conn
	superseded chan struct{} // closed when a newer one has come
}

// supersede ends the newest connection, be it served or waiting to be, and puts
// the one that came in its place.
func (s *Socket) supersede(conn *link.Conn) *arrival {
	a := &arrival{conn: conn, superseded: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.newest != nil {
		close(s.newest.superseded)
		_ = s.newest.conn.Close() // it is given up either way
	}
	s.newest = a
	return a
}

// attend reads the worker's reports until the connection ends.
func (s *Socket) attend(ctx context.Context, conn *link.Conn, hello wsv2.Report, a *arrival) error {
	w := &worker{conn: conn, acks: make(chan struct{}, 1), done: make(chan struct{})}
	if err := s.attach(ctx, w, hello, a); err != nil {
		return err
	}
	go s.sendAcks(w)
	err := s.receive(ctx, w)
	close(w.done)
	s.mu.Lock()
	s.worker = nil
	live := !s.closed
	s.mu.Unlock()
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if live {
		s.session.Events.Disconnected(err)
	}
	return err
}

// attach tells the owner, and the worker what is stored already.
func (s *Socket) attach(ctx context.Context, w *worker, hello wsv2.Report, a *arrival) error {
	s.mu.Lock()
	if s.closed || a != s.newest {
		s.mu.Unlock()
		return errors.New("the socket is closed, or a newer connection is there")
	}
	s.worker = w
	s.mu.Unlock()
	w.acknowledge()
	if err := s.session.Events.Connected(ctx, hello); err != nil {
		s.mu.Lock()
		s.worker = nil
		s.mu.Unlock()
		return fmt.Errorf("the host does not take the worker: %w", err)
	}
	return nil
}

// sendAcks writes the newest stored number whenever it has changed. Reports
// that arrive faster than receipts are written share one.
func (s *Socket) sendAcks(w *worker) {
	for sent := uint64(0); ; {
		select {
		case <-w.done:
			return
		case <-w.acks:
		}
		s.mu.Lock()
		seq := s.lastSeq
		s.mu.Unlock()
		if seq == sent {
			continue
		}
		if err := w.conn.Send(wsv2.Input{Type: wsv2.InputAck, AgentSeq: seq}); err != nil {
			s.log.Debug("no receipt was sent", "error", err)
			return
		}
		sent = seq
	}
}

func (s *Socket) receive(ctx context.Context, w *worker) error {
	pace := newPace(s.broker.opts.Rates.ReportsPerSec, s.broker.opts.Now)
	for {
		line, err := w.conn.ReceiveLine()
		if errors.Is(err, link.ErrTooLong) {
			return s.breakOff(ctx, DeniedFlood, fmt.Errorf("a report of more than %d bytes", s.broker.opts.Rates.ReportBytes))
		}
		if err != nil {
			return err
		}
		if err := pace.wait(ctx); err != nil {
			return err
		}
		if err := s.report(ctx, w, line); err != nil {
			return err
		}
	}
}

// breakOff refuses what a worker may not send, and everything that could come
// after it: nothing of that can be put in order, and a worker repeats what was
// not stored. It is recorded once.
func (s *Socket) breakOff(ctx context.Context, reason Denial, err error) error {
	s.mu.Lock()
	first := !s.broken
	s.broken = true
	s.mu.Unlock()
	if first {
		s.deny(ctx, reason, refusal{audit.Stream, "report", err.Error()})
	}
	return err
}

func (s *Socket) brokenOff() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

// report takes one line.
func (s *Socket) report(ctx context.Context, w *worker, line []byte) error {
	r, err := contract.Decode[wsv2.Report]("ws.v2#Report", line)
	if err != nil {
		return s.breakOff(ctx, DeniedReport, err)
	}
	switch r.Type {
	case wsv2.ReportHello:
		return s.breakOff(ctx, DeniedReport, errors.New("a second hello"))
	case wsv2.ReportIdle:
		return s.hand(ctx, r)
	default:
	}
	s.mu.Lock()
	last := s.lastSeq
	s.mu.Unlock()
	switch {
	case r.AgentSeq <= last: // sent again because the receipt was lost
		w.acknowledge()
		return nil
	case r.AgentSeq > last+1:
		return s.breakOff(ctx, DeniedReport, fmt.Errorf("report %d follows %d", r.AgentSeq, last))
	}
	if most := s.broker.opts.Rates.TurnBytes; s.turnBytes.Add(int64(len(line))) > most {
		return s.breakOff(ctx, DeniedFlood, fmt.Errorf("the reports of one turn are over %d bytes", most))
	}
	if err := s.hand(ctx, r); err != nil {
		return err
	}
	s.mu.Lock()
	s.lastSeq = r.AgentSeq
	s.mu.Unlock()
	w.acknowledge()
	return nil
}

func (s *Socket) hand(ctx context.Context, r wsv2.Report) error {
	if !s.live() {
		return errors.New("the socket is closed")
	}
	if err := s.session.Events.Report(ctx, r); err != nil {
		return fmt.Errorf("the host did not store report %d: %w", r.AgentSeq, err)
	}
	return nil
}
