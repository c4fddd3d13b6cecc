package daemon_test

import (
	"context"
	"iter"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/retention"
	"github.com/vexa-ai/vexa/pkg/workspace/session"
)

// noRuntime is a runtime kernel that is down.
type noRuntime struct{}

func down() error { return fault.New(fault.Unavailable, "the kernel is down", "start it") }

func (noRuntime) Try(context.Context, string, string, string, []string) (int, error) {
	return 0, down()
}

func (noRuntime) Create(context.Context, runtimev1.Spec, string) (runtimev1.Status, error) {
	return runtimev1.Status{}, down()
}

func (noRuntime) Get(context.Context, string) (runtimev1.Status, error) {
	return runtimev1.Status{}, down()
}

func (noRuntime) Stop(context.Context, string, runtimev1.StopReason) (runtimev1.Status, error) {
	return runtimev1.Status{}, down()
}

func (noRuntime) Delete(context.Context, string) error { return down() }

func (noRuntime) Events(context.Context) iter.Seq2[runtimev1.Event, error] {
	return func(yield func(runtimev1.Event, error) bool) { yield(runtimev1.Event{}, down()) }
}

func (noRuntime) Refusals(context.Context, string) ([]api.Refusal, error) { return nil, down() }

// noSessions has nothing to trim, and none to find.
type noSessions struct{ dispatch.Sessions }

func (noSessions) Trim(context.Context, retention.Sessions, time.Time, session.Guard) error {
	return nil
}

func (noSessions) IDs(context.Context, string) ([]string, error) { return nil, nil }

// noWorkspaces has nothing to sweep.
type noWorkspaces struct{ dispatch.Workspaces }

func (noWorkspaces) Sweep(context.Context, func(string) bool) error { return nil }
