package dispatch

import (
	"context"
	"iter"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/broker"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/toolv1"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/retention"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/session"
)

// Runtime is the runtime kernel, over its socket.
type Runtime interface {
	Create(ctx context.Context, spec runtimev1.Spec, token string) (runtimev1.Status, error)
	Get(ctx context.Context, id string) (runtimev1.Status, error)
	Stop(ctx context.Context, id string, reason runtimev1.StopReason) (runtimev1.Status, error)
	Delete(ctx context.Context, id string) error
	Events(ctx context.Context) iter.Seq2[runtimev1.Event, error]
	// Try runs a program of an image with a dispatch's token, in a container that has
	// nothing of anybody's, and returns its exit code.
	Try(ctx context.Context, unit, token, image string, argv []string) (code int, err error)
	// Refusals returns what the kernel refused after the one that is recorded
	// already, "" for none, and waits a while for it.
	Refusals(ctx context.Context, recorded string) ([]api.Refusal, error)
}

// Workspaces is the workspace store.
type Workspaces interface {
	Find(ctx context.Context, nameOrID string) (id, name string, err error)
	ReadFile(ctx context.Context, id, rev, path string) ([]byte, error)
	Checkout(ctx context.Context, req workspace.CheckoutRequest) (*workspace.Checkout, error)
	OpenCheckout(ctx context.Context, meta string) (*workspace.Checkout, error)
	// Behind reports whether a new checkout is to take the place of this one.
	Behind(ctx context.Context, c *workspace.Checkout) (bool, error)
	Seal(ctx context.Context, req workspace.SealRequest) (workspace.Sealed, error)
	Release(ctx context.Context, c *workspace.Checkout, keepBranch bool) error
	Sweep(ctx context.Context, live func(unit string) bool) error
}

// Sessions keeps what a runner needs to continue a conversation.
type Sessions interface {
	Save(ctx context.Context, req session.SaveRequest) error
	Load(ctx context.Context, subject, id, dir string) (session.Meta, error)
	Get(ctx context.Context, subject, id string) (session.Meta, error)
	Latest(ctx context.Context, subject string) (session.Meta, error)
	IDs(ctx context.Context, subject string) ([]string, error)
	Trim(ctx context.Context, p retention.Sessions, now time.Time, guard session.Guard) error
}

// Tokens mints dispatch tokens.
type Tokens interface {
	Mint(unit unitv1.Unit, models []string, ttl time.Duration, audience ...string) (string, error)
}

// Auditor records what a boundary let pass or refused; *audit.Log is one.
type Auditor interface {
	Record(ctx context.Context, e audit.Event) error
}

// OpenSocket opens the socket of one dispatch.
type OpenSocket func(ctx context.Context, s broker.Session) (Socket, error)

// Socket is the host's end of one dispatch's socket.
type Socket interface {
	Send(ctx context.Context, in wsv2.Input) error
	Close() error
}

// Runners knows the installed manifests.
type Runners interface {
	Get(name string) (runnerv2.Manifest, error)
}

// Tools knows the tools that dispatches may be granted; *toolbox.Catalog is one.
type Tools interface {
	// Get describes the tool of exactly that name, or fails with fault.NotFound.
	Get(name string) (toolv1.Tool, error)
}

// ResolveModel resolves a model name, "" being the default, to the protocols
// of its provider and its full name.
type ResolveModel func(model string) (protocols []string, name string, err error)

// Images resolves the image that a runner wants to a reference that the
// runtime kernel knows. Where ask is not nil, the program in it is to be asked first
// whether it is the one that the manifest means, which takes a while: see runner.Images.
type Images func(context.Context, runnerv2.Manifest) (ref string, ask func(context.Context, runner.Try) error, err error)
