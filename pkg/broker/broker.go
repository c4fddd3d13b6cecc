// Package broker is a dispatch's only way out: one Unix socket, served on the
// host, mounted into the container.
//
// Three things pass through it. Inference: requests in a client's own protocol,
// which the broker authorises, meters against the unit's limits, gives the
// provider's credential and streams through, translated where the provider
// speaks another protocol (pkg/inference/translate). Calls of tools, over MCP
// (pkg/mcp): of those alone that the dispatch was granted. And the link: the worker's
// reports to the host, and the host's inputs to it. Every request carries the dispatch
// token, verified each time; what the claims do not grant is refused and
// recorded. Nothing that comes from the container is believed.
//
// What the agent CLIs do with an error decides the statuses (see
// docs/architecture.md): a terminal failure is always 400, the one status at
// which every one of them stops instead of trying again; 401 and 403 are for
// tokens alone.
package broker

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/contract/identityv1"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/mcp"
)

// Verifier verifies dispatch tokens; *identity.Verifier is one.
type Verifier interface {
	Verify(token, audience, unit string) (identityv1.DispatchToken, error)
}

// Providers resolves models and holds keys; *inference.Table is one.
type Providers interface {
	Resolve(model string) (inference.Provider, string, error)
	Key(provider string) ([]byte, error)
}

// Upstream sends a request to a provider; *inference.Upstream is one.
type Upstream interface {
	Do(req *http.Request, p inference.Provider) (*http.Response, error)
}

// Auditor records what passed and what was refused; *audit.Log is one.
type Auditor interface {
	Record(ctx context.Context, e audit.Event) error
}

// Options configure a Broker. Verifier, Providers, Upstream, Audit, Now and Log
// are required.
type Options struct {
	Verifier    Verifier
	Providers   Providers
	Upstream    Upstream
	Tools       Tools       // nil: there are none
	Transcripts Transcripts // nil: nothing is recorded
	Audit       Auditor
	Now         func() time.Time
	Log         *slog.Logger
	Timeouts    Timeouts
	Rates       Rates
}

// Timeouts bound one request. A zero member means its default.
type Timeouts struct {
	Total time.Duration // from the request to the last byte; default 20 minutes
	Idle  time.Duration // between two pieces of an answer, and until its header; default 5 minutes
	// Retry is how long to wait at most before each further attempt at a provider
	// that fails, and at least half as long; default 250 ms, 1 s, 3 s. A provider's
	// Retry-After is kept to.
	Retry []time.Duration
}

// Rates bound what a container can make the host do. A zero member means its
// default.
type Rates struct {
	Connections    int   // of one container at once; further ones wait; default 64
	Requests       int   // inference requests of one unit under way at once; default 16
	LargeRequests  int   // of those, how many at once may be of more than 4 MiB; further ones wait; default 2
	ReportsPerSec  int   // reports of a worker in a second, beyond which it is made to wait; default 20,000
	ReportBytes    int   // bytes of one report; default 8 MiB
	TurnBytes      int64 // bytes of the reports of one turn; default 256 MiB
	RequestBytes   int64 // bytes of the body of one inference request; default 64 MiB
	Calls          int   // calls of tools of one unit that run at once; further ones wait; default 8
	CallBytes      int64 // bytes of the body of one request about tools; default 1 MiB
	DenialsPerHour int   // denials that are recorded and told one by one; default 600
}

// Session is what the broker needs to know of a dispatch to serve it.
type Session struct {
	Unit         unitv1.Unit
	Dir          string        // run directory; the socket is Dir/broker.sock
	Limits       unitv1.Limits // Tokens and CostUSD are enforced here
	LastAgentSeq uint64        // newest report that is stored, so that a worker does not repeat it
	Used         wsv2.Usage    // what the unit has used already, before a restart of the daemon
	Turn         string        // the turn in progress, if any, likewise
	Events       Events
}

// Events are what a socket tells its owner. Connected, Report and Disconnected
// are called one after the other, in order, for one connection at a time;
// Usage and Denied may be called at any time, by several goroutines.
type Events interface {
	// Connected says that a worker has attached.
	Connected(ctx context.Context, hello wsv2.Report) error
	// Report hands over one report, each AgentSeq once and in order, and idle
	// reports. After nil the worker is told that it is stored; an error ends the
	// connection, and the worker will send the report again. A frame in it
	// holds to ws.v2, is of the agent's source, and not of a type that is the
	// host's alone.
	Report(ctx context.Context, r wsv2.Report) error
	// Disconnected says that the worker is gone; err is nil where it closed the
	// connection between two lines.
	Disconnected(err error)
	// Usage says what was metered: for the turn in progress, and in total.
	Usage(turn, unit wsv2.Usage)
	// Denied says that something was refused. After DeniedFlood, and after
	// DeniedReport of an attached worker, no worker is attached any more.
	Denied(reason Denial, detail string)
}

// Denial says why something was refused.
type Denial string

// The denials.
const (
	DeniedToken    Denial = "token"    // forged, expired, another dispatch's; the detail is the identity.Reason
	DeniedRequest  Denial = "request"  // not readable, or not to be served now
	DeniedModel    Denial = "model"    // not granted, or unknown
	DeniedProtocol Denial = "protocol" // the provider speaks another one, into which it cannot be translated
	DeniedEgress   Denial = "egress"   // the request asks the provider to reach the network
	DeniedTokens   Denial = "limit-tokens"
	DeniedCost     Denial = "limit-cost"
	DeniedRate     Denial = "rate"   // too many requests at once, or too many bytes
	DeniedReport   Denial = "report" // a report that a worker may not make
	DeniedFlood    Denial = "flood"  // a report, or those of one turn, of too many bytes
	DeniedTool     Denial = "tool"   // not granted, or unknown
	DeniedGate     Denial = "gate"   // a person has to approve it first
	DeniedCalls    Denial = "limit-calls"
	DeniedRecord   Denial = "record" // what is sent out is to be recorded, and cannot be
)

// Broker opens sockets. It is safe for concurrent use.
type Broker struct {
	opts    Options
	mcp     *mcp.Server
	schemas schemas
}

// New returns a broker.
func New(opts Options) (*Broker, error) {
	if opts.Verifier == nil || opts.Providers == nil || opts.Upstream == nil ||
		opts.Audit == nil || opts.Now == nil || opts.Log == nil {
		return nil, fault.Wrap(fault.Internal, "make a broker", errors.New("a port is missing"))
	}
	opts.Timeouts.fill()
	opts.Rates.fill()
	if opts.Tools == nil {
		opts.Tools = noTools{}
	}
	return &Broker{opts: opts, mcp: mcp.NewServer(mcp.ServerOptions{Name: "vexa", Version: "1", Log: slog.New(slog.DiscardHandler)})}, nil
}

func (t *Timeouts) fill() {
	orDefault(&t.Total, 20*time.Minute)
	orDefault(&t.Idle, 5*time.Minute)
	if t.Retry == nil {
		t.Retry = []time.Duration{250 * time.Millisecond, time.Second, 3 * time.Second}
	}
}

func (r *Rates) fill() {
	orDefault(&r.Connections, 64)
	orDefault(&r.Requests, 16)
	orDefault(&r.LargeRequests, 2)
	orDefault(&r.ReportsPerSec, 20_000)
	orDefault(&r.ReportBytes, 8<<20)
	orDefault(&r.TurnBytes, 256<<20)
	orDefault(&r.RequestBytes, 64<<20)
	orDefault(&r.Calls, 8)
	orDefault(&r.CallBytes, 1<<20)
	orDefault(&r.DenialsPerHour, 600)
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
