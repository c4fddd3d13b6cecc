package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/pkg/toolbox"
)

// maxBody bounds the body of a request in bytes.
const maxBody = 16 << 20

// Options configure a Server. All are required up to Open.
type Options struct {
	Home    home.Home
	Version string
	PID     int
	Now     func() time.Time
	Log     *slog.Logger
	Caller  dispatch.Caller // who talks over the socket: the user that owns it
	Kernel  *Kernel
	Runners *runner.Catalog
	// RunnersDir is where a person's own runners are kept.
	RunnersDir string
	Builds     runner.Builds
	Tools      *toolbox.Catalog
	// Open builds the engine from an identity; "" means the one at rest
	// without a passphrase, and fault.Locked that there is none.
	Open func(ctx context.Context, identity string) (*Engine, error)

	Stall time.Duration // replaces the constant of that name where it is not zero
}

// Server is the daemon's HTTP server.
type Server struct {
	o       Options
	life    context.Context //nolint:containedctx // of what no request waits for: the lock after a time
	started time.Time
	stop    chan bool  // receives whether to force
	dead    chan error // receives why the engine cannot go on

	turning sync.Mutex // held while the engine is opened or closed
	mu      sync.Mutex // guards what follows
	open    *Engine
	timer   *time.Timer // locks again; nil where nobody asked for it
}

// New returns a server that is locked; ctx is its life.
func New(ctx context.Context, o Options) *Server {
	return &Server{o: o, life: ctx, started: o.Now().UTC(), stop: make(chan bool, 1), dead: make(chan error, 1)}
}

// Serve takes the installation's socket, opens the engine where the identity
// rests without a passphrase, and answers until ctx ends or a client asks for
// the shutdown. Then it ends the dispatches and saves what they wrote; its
// error names what could not be saved. Where another daemon holds the socket
// it is fault.Conflict. Where a journal takes no more records Serve ends at
// once and leaves containers and kernel to the next daemon.
func (s *Server) Serve(ctx context.Context) error {
	l, err := unixhttp.Listen(ctx, s.o.Home.DaemonSocket())
	if err != nil {
		return err
	}
	defer l.Close() //nolint:errcheck // the server closed it already
	if err := s.Unlock(ctx, ""); err != nil && !fault.Is(err, fault.Locked) && !fault.Is(err, fault.NotFound) {
		return err
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	srv := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return life },
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case err := <-s.dead:
		s.abandon(ctx)
		return errors.Join(err, srv.Close())
	case <-ctx.Done():
	case <-s.stop:
	}
	closing, done := context.WithTimeout(life, lockPatience)
	defer done()
	err = s.Lock(closing, true)
	cancel() // ends the streams
	ending, ended := context.WithTimeout(context.WithoutCancel(ctx), KernelEnds)
	defer ended()
	kernel := make(chan error, 1)
	go func() { kernel <- s.o.Kernel.Stop(ending) }() // beside: who takes the socket next is to find none that is about to end
	stopping, stopped := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer stopped()
	if e := srv.Shutdown(stopping); e != nil && !errors.Is(e, context.DeadlineExceeded) {
		err = errors.Join(err, e)
	}
	return errors.Join(err, <-kernel)
}

// route registers what answers a pattern.
type route func(pattern string, f func(http.ResponseWriter, *http.Request) error)

func (s *Server) workspaceRoutes(handle route) {
	handle("GET /v1/workspaces", s.listWorkspaces)
	handle("POST /v1/workspaces", s.createWorkspace)
	handle("POST /v1/workspaces/add", s.addWorkspace)
	handle("GET /v1/workspaces/{name}", s.showWorkspace)
	handle("POST /v1/workspaces/{name}/close", s.closeWorkspace)
	handle("POST /v1/workspaces/{name}/verify", s.verifyWorkspace)
	handle("POST /v1/workspaces/{name}/repair", s.repairWorkspace)
	handle("POST /v1/workspaces/{name}/backup", s.backupWorkspace)
	handle("POST /v1/workspaces/{name}/restore", s.restoreWorkspace)
	handle("GET /v1/workspaces/{name}/members", s.listMembers)
	handle("POST /v1/workspaces/{name}/members", s.addMember)
	handle("POST /v1/workspaces/{name}/members/remove", s.removeMember)
	handle("POST /v1/workspaces/{name}/members/rights", s.setRights)
	handle("POST /v1/workspaces/{name}/members/keys", s.addKeys)
	handle("GET /v1/workspaces/{name}/inbox", s.listDeliveries)
	handle("POST /v1/workspaces/{name}/inbox/drop", s.dropDelivery)
	handle("POST /v1/workspaces/{name}/rotate", s.rotate)
	handle("POST /v1/workspaces/{name}/invite", s.invite)
	handle("POST /v1/workspaces/join", s.join)
	handle("GET /v1/workspaces/{name}/log", s.workspaceLog)
	handle("GET /v1/workspaces/{name}/files", s.workspaceFiles)
	handle("GET /v1/workspaces/{name}/file", s.workspaceFile)
	handle("GET /v1/workspaces/{name}/diff", s.workspaceDiff)
	handle("GET /v1/workspaces/{name}/blame", s.workspaceBlame)
	handle("GET /v1/workspaces/{name}/status", s.workspaceStatus)
	handle("POST /v1/workspaces/{name}/undo", s.workspaceUndo)
}

func (s *Server) proposalRoutes(handle route) {
	handle("GET /v1/workspaces/{name}/policy", s.showPolicy)
	handle("POST /v1/workspaces/{name}/policy", s.setPolicy)
	handle("GET /v1/workspaces/{name}/proposals", s.listProposals)
	handle("POST /v1/workspaces/{name}/proposals", s.createProposal)
	handle("GET /v1/workspaces/{name}/proposals/{id}", s.onProposal(s.showProposal))
	handle("GET /v1/workspaces/{name}/proposals/{id}/diff", s.proposalDiff)
	handle("GET /v1/workspaces/{name}/proposals/{id}/sides", s.proposalSides)
	handle("POST /v1/workspaces/{name}/proposals/{id}/comment", s.onProposal(s.commentProposal))
	handle("POST /v1/workspaces/{name}/proposals/{id}/resolve", s.onProposal(s.resolveProposal))
	handle("POST /v1/workspaces/{name}/proposals/{id}/approve", s.onProposal(s.approveProposal))
	handle("POST /v1/workspaces/{name}/proposals/{id}/reject", s.onProposal(s.rejectProposal))
	handle("POST /v1/workspaces/{name}/proposals/{id}/accept", s.onProposal(s.acceptProposal))
	handle("POST /v1/workspaces/{name}/proposals/{id}/refresh", s.onProposal(s.refreshProposal))
}

// Handler returns the API's handler.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	described := Operations()
	handle := func(pattern string, f func(http.ResponseWriter, *http.Request) error) {
		if _, ok := described[pattern]; !ok && pattern != "/" {
			panic("the route " + pattern + " is not described: see Operations") // a defect, as two handlers of one pattern are
		}
		mux.Handle(pattern, unixhttp.Handle(f))
	}
	handle("GET /v1/status", s.status)
	handle("POST /v1/shutdown", s.shutdown)
	handle("POST /v1/runtime/start", s.startRuntime)
	handle("POST /v1/unlock", s.unlock)
	handle("POST /v1/lock", s.lock)
	handle("POST /v1/dispatches", s.startDispatch)
	handle("GET /v1/dispatches", s.listDispatches)
	handle("GET /v1/dispatches/{id}", s.showDispatch)
	handle("POST /v1/dispatches/{id}/stop", s.stopDispatch)
	handle("GET /v1/dispatches/{id}/frames", s.frames)
	handle("GET /v1/subscribe", s.subscribe)
	handle("GET /v1/dispatches/{id}/inference", s.exchanges)
	handle("GET /v1/recording", s.showRecording)
	handle("PUT /v1/recording", s.setRecording)
	handle("GET /v1/sessions", s.listSessions)
	handle("POST /v1/sessions/{id}/rename", s.renameSession)
	s.workspaceRoutes(handle)
	s.proposalRoutes(handle)
	handle("POST /v1/keys", s.rekey)
	handle("POST /v1/keys/open", s.openSealed)
	handle("POST /v1/keys/sign", s.sign)
	handle("GET /v1/models", s.listModels)
	handle("POST /v1/models", s.addModel)
	handle("DELETE /v1/models/{name}", s.removeModel)
	handle("POST /v1/models/{name}/test", s.testModel)
	handle("POST /v1/models/{name}/prices", s.setPrices)
	handle("GET /v1/runners", s.listRunners)
	handle("POST /v1/runners", s.addRunner)
	handle("GET /v1/runners/{name}", s.showRunner)
	handle("DELETE /v1/runners/{name}", s.removeRunner)
	handle("GET /v1/web", s.showWeb)
	handle("POST /v1/web", s.openWeb)
	handle("DELETE /v1/web", s.closeWeb)
	handle("GET /v1/tools", s.listTools)
	handle("GET /v1/tools/{name}", s.showTool)
	handle("/", func(_ http.ResponseWriter, r *http.Request) error {
		return fault.New(fault.NotFound, "the daemon has no "+r.Method+" "+r.URL.Path, "is the client of the same version? see vexa daemon status")
	})
	versioned := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(api.HeaderVersion, s.o.Version)
		w.Header().Set(api.HeaderAPI, strconv.Itoa(api.Level))
		mux.ServeHTTP(w, r)
	})
	return unixhttp.Guard(versioned, maxBody, s.o.Log)
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) error {
	st := api.Status{
		PID: s.o.PID, RuntimePID: s.o.Kernel.PID(r.Context()), Version: s.o.Version, Socket: s.o.Home.DaemonSocket(),
		Home: s.o.Home.Root, InstallID: s.o.Home.InstallID, StartedAt: s.started, Locked: true,
	}
	if e, err := s.engine(); err == nil {
		st.Locked, st.Live = false, e.Dispatch.Live()
	}
	unixhttp.WriteJSON(w, http.StatusOK, st)
	return nil
}

// shutdown saves what the dispatches wrote before it answers, so that a
// refusal reaches the person; the process ends after the answer.
func (s *Server) shutdown(w http.ResponseWriter, r *http.Request) error {
	var req api.ShutdownRequest
	if err := decode(r, &req); err != nil {
		return err
	}
	if err := s.Lock(r.Context(), req.Force); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	select {
	case s.stop <- req.Force:
	default:
	}
	return nil
}

func (s *Server) startRuntime(w http.ResponseWriter, r *http.Request) error {
	if err := s.o.Kernel.Start(r.Context()); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) unlock(w http.ResponseWriter, r *http.Request) error {
	var req api.UnlockRequest
	if err := decode(r, &req); err != nil {
		return err
	}
	if req.TimeoutSec < 0 {
		return fault.New(fault.Invalid, "timeoutSec must not be negative", "")
	}
	if err := s.Unlock(r.Context(), req.Identity); err != nil {
		return err
	}
	s.lockAfter(time.Duration(req.TimeoutSec) * time.Second)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) lock(w http.ResponseWriter, r *http.Request) error {
	if err := s.lockAway(r.Context()); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
