// Package worker is PID 1 of a dispatch's container: it connects to the broker,
// runs the runner's agent once for each turn, turns what the agent prints into
// reports, and leaves nothing running behind a turn.
//
// The worker shares a uid with the agent and is trusted no more than it: the
// host believes none of its reports, and no security rests on it. What it does
// guarantee, as long as nobody tampers with it: every report reaches the host
// exactly once and in order however often the connection breaks, and when a
// turn-end is reported every other process of the container is gone.
package worker

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/link"
)

// LaunchFile is where the host puts the dispatch file.
const LaunchFile = "/.vexa/run/dispatch.json"

// The exit codes of the worker; the runtime reports them as the container's.
const (
	ExitOK       = 0  // idle, stopped, or at the end of its time: everything was reported
	ExitInternal = 70 // a defect, or the system refused something it must not refuse
	ExitLaunch   = 65 // the dispatch file is missing or wrong
	ExitNoBroker = 75 // no broker for GiveUp; reports may be missing
	ExitDenied   = 77 // the broker refuses the dispatch token
)

// Listener opens the TCP address at which the agent finds the broker.
type Listener func(ctx context.Context, address string) (net.Listener, error)

func listenTCP(ctx context.Context, address string) (net.Listener, error) {
	var c net.ListenConfig
	return c.Listen(ctx, "tcp", address)
}

// Options are the worker's surroundings. The zero value of each member is the
// container's; tests set others.
type Options struct {
	LaunchFile string      // the dispatch file
	Dial       link.Dialer // nil: the socket that the dispatch file names
	Listen     Listener    // for the agent's connections to the broker
	Workdir    string      // of the agent
	Home       string      // of the agent
	State      string      // the session state directory
	Scratch    string      // for prompt files; private to the container
	Path       string      // PATH of the agent
	Log        *slog.Logger
	GiveUp     time.Duration // how long to go on without a broker
	MinBackoff time.Duration // between attempts to connect, doubling
	MaxBackoff time.Duration
}

func (o Options) withDefaults() Options {
	for _, s := range []struct {
		member   *string
		fallback string
	}{
		{&o.LaunchFile, LaunchFile},
		{&o.Workdir, "/workspace"},
		{&o.Home, "/home/agent"},
		{&o.State, "/.vexa/session"},
		{&o.Scratch, "/tmp"},
		{&o.Path, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
	} {
		if *s.member == "" {
			*s.member = s.fallback
		}
	}
	for _, d := range []struct {
		member   *time.Duration
		fallback time.Duration
	}{
		{&o.GiveUp, time.Minute},
		{&o.MinBackoff, 50 * time.Millisecond},
		{&o.MaxBackoff, 2 * time.Second},
	} {
		if *d.member <= 0 {
			*d.member = d.fallback
		}
	}
	if o.Listen == nil {
		o.Listen = listenTCP
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Run runs the worker until its dispatch is over and returns its exit code.
// Cancelling the context is what SIGTERM means: the running turn is
// interrupted, everything is reported, and Run returns. The error says why a
// code other than ExitOK was returned.
func Run(ctx context.Context, o Options) (int, error) {
	o = o.withDefaults()
	warm := make(chan struct{})
	go func() {
		defer close(warm)
		warmUp()
	}()
	defer func() { <-warm }()
	launch, err := loadLaunch(o.LaunchFile)
	if err != nil {
		return ExitLaunch, err
	}
	token, err := loadToken(launch.TokenFile)
	if err != nil {
		return ExitLaunch, err
	}
	if o.Dial == nil {
		o.Dial = link.UnixDialer(launch.Socket)
	}
	// The context is a request to end in good order, so that what reports the
	// end must outlive it.
	live, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	ln, err := o.Listen(live, launch.Listen)
	if err != nil {
		return ExitInternal, fault.Wrap(fault.Internal, "listen for the agent", err)
	}
	forward := startForwarder(live, ln, o.Dial)
	defer forward.close()
	box := newOutbox()
	conn := newConnector(o, token, box)
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn.run(live)
	}()
	turns := &turns{options: o, launch: launch, token: token, box: box, procs: newProcesses()}
	l := &loop{options: o, launch: launch, box: box, conn: conn, turns: turns, seen: map[string]bool{}}
	code, err := l.run(ctx, live)
	cancel()
	<-done
	return code, err
}
