package broker

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/link"
	"github.com/vexa-ai/vexa/pkg/mcp"
	"github.com/vexa-ai/vexa/pkg/transcript"
)

// SocketName is the socket's name within the run directory.
const SocketName = "broker.sock"

// Socket serves one dispatch. Its methods are safe for concurrent use.
type Socket struct {
	broker     *Broker
	session    Session
	server     *http.Server
	unbind     func() error
	log        *slog.Logger
	meter      *meter
	denials    *allowance
	slots      chan struct{}      // one for each request under way
	large      chan struct{}      // one for each of them that is large
	calls      *calls             // of tools
	transcript *transcript.Writer // nil: nothing is recorded

	adaptations adaptations

	linking chan struct{} // holds one while a connection is served

	mu      sync.Mutex
	worker  *worker // attached, or nil
	newest  *arrival
	turn    string // in progress, or the last one
	lastSeq uint64
	broken  bool // the worker broke the rules of the link: there is none any more
	closed  bool

	turnBytes atomic.Int64 // of reports in the turn in progress
}

// Open listens on the session's socket and serves it until Close. The context
// bounds the opening, and its values go with everything that is served.
func (b *Broker) Open(ctx context.Context, s Session) (*Socket, error) {
	if s.Events == nil || s.Unit.ID == "" {
		return nil, fault.New(fault.Internal, "a broker session needs a unit and events", "")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	listener, unbind, err := listen(ctx, s.Dir, b.opts.Rates.Connections)
	if err != nil {
		return nil, err
	}
	socket := &Socket{
		broker: b, session: s, unbind: unbind,
		log:     b.opts.Log.With("unit", s.Unit.ID),
		meter:   newMeter(s),
		denials: newAllowance(b.opts.Rates.DenialsPerHour, time.Hour, b.opts.Now),
		slots:   make(chan struct{}, b.opts.Rates.Requests),
		large:   make(chan struct{}, b.opts.Rates.LargeRequests),
		calls:   newCalls(b.opts.Rates.Calls),
		linking: make(chan struct{}, 1),
		lastSeq: s.LastAgentSeq, turn: s.Turn,
	}
	if b.opts.Transcripts != nil {
		socket.transcript = b.opts.Transcripts.Writer(s.Unit.ID)
	}
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	socket.server = &http.Server{
		Handler:           socket.routes(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10, // a token and some
		ErrorLog:          slog.NewLogLogger(socket.log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return base },
	}
	go func() {
		defer cancel()
		if err := socket.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			socket.log.ErrorContext(base, "the broker socket stopped serving", "error", err)
		}
	}()
	return socket, nil
}

// routes serves the link, tools and the inference protocols, and nothing else. The
// paths are those of the protocols.
func (s *Socket) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+link.Path, s.serveLink)
	mux.HandleFunc("POST /v1/messages", s.infer(anthropicMessages))
	mux.HandleFunc("POST /v1/messages/count_tokens", s.infer(anthropicCount))
	mux.HandleFunc("POST /v1/responses", s.infer(openAIResponses))
	mux.HandleFunc("POST /v1/chat/completions", s.infer(openAIChat))
	mux.HandleFunc("POST /v1beta/models/{call...}", s.gemini)
	mux.HandleFunc("GET /v1/models", s.models)
	mux.HandleFunc(mcp.Path, s.tools)
	return mux
}

// Send gives the worker an input. The error is fault.Unavailable when no worker
// is attached, or it does not take it: then it may or may not have come through
// where the connection broke. An input of type turn begins a new count of what
// the turn uses.
func (s *Socket) Send(ctx context.Context, in wsv2.Input) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	w := s.worker
	s.mu.Unlock()
	if w == nil {
		return fault.New(fault.Unavailable, "no worker is attached to unit "+s.session.Unit.ID, "")
	}
	if in.Type == wsv2.InputTurn {
		s.begin(in.Turn)
	}
	return fault.Wrap(fault.Unavailable, "send to the worker of unit "+s.session.Unit.ID, w.conn.Send(in))
}

// begin begins the counts of a turn, unless it is sent again.
func (s *Socket) begin(turn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turn == turn {
		return
	}
	s.turn = turn
	s.meter.newTurn()
	s.turnBytes.Store(0)
}

// Attached reports whether a worker is attached.
func (s *Socket) Attached() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.worker != nil
}

// Usage returns what was metered for the turn in progress, and in total.
func (s *Socket) Usage() (turn, unit wsv2.Usage) { return s.meter.usage() }

// Close ends every connection and request, and removes the socket. Calls of
// Events that are under way may end after it; none begins. It may be called
// from within one, and more than once.
func (s *Socket) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	w := s.worker
	s.mu.Unlock()
	if w != nil {
		_ = w.conn.Close() // it is given up either way
	}
	return fault.Wrap(fault.Internal, "close the broker socket of unit "+s.session.Unit.ID,
		errors.Join(s.server.Close(), s.unbind()))
}

// live reports whether Events may still be called.
func (s *Socket) live() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed
}
