package daemon_test

import (
	"context"
	"iter"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// noRuntime is a runtime kernel that is down.
type noRuntime struct{}

func down() error { return fault.New(fault.Unavailable, "the kernel is down", "start it") }

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
