package dispatch_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner"
)

// asking has the program of each image be asked, and told by answer.
func asking(answer func(context.Context) error) func(*dispatch.Options) {
	return func(o *dispatch.Options) {
		images := o.Images
		o.Images = func(ctx context.Context, m runnerv2.Manifest) (string, func(context.Context, runner.Try) error, error) {
			ref, _, err := images(ctx, m)
			return ref, func(ctx context.Context, _ runner.Try) error { return answer(ctx) }, err
		}
	}
}

// A dispatch says that it asks the program for its version; one of another version never
// runs, and says why.
func TestTheVersionIsAskedFirst(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	var answer error
	s.restart(asking(func(context.Context) error { return answer }))
	st := s.start(api.StartRequest{Text: "echo it runs", Runner: "text", Limits: limits(0)})
	if d := done(t, s.turn(st)); !d.OK || strings.TrimSpace(d.Reply) != "it runs" {
		t.Errorf("turn-done %+v", d)
	}
	asked := false
	for _, f := range s.all(st.Unit) {
		b, ok := f.Body.(wsv2.State)
		asked = asked || ok && b.Detail == "asks the program of runner text for its version"
	}
	if !asked {
		t.Error("it does not say what it waits for")
	}
	answer = fault.New(fault.Invalid, "the program does not say that it is tool 2.0", "give it one")
	st = s.start(api.StartRequest{Text: "echo it runs", Runner: "text", Limits: limits(0)})
	if d := done(t, s.turn(st)); d.OK || d.Reply != "" || !strings.Contains(d.Error, "tool 2.0") {
		t.Errorf("turn-done %+v", d)
	}
	s.ended(st.Unit)
}

// Who stops a dispatch does not wait for a program that does not answer.
func TestStopWhileTheVersionIsAsked(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	asked, given := make(chan struct{}), make(chan struct{})
	s.restart(asking(func(ctx context.Context) error {
		close(asked)
		<-ctx.Done()
		close(given)
		return context.Cause(ctx)
	}))
	st := s.start(api.StartRequest{Text: "echo it runs", Runner: "text", Limits: limits(0)})
	<-asked
	_, err := s.m.Stop(t.Context(), st.Unit, false)
	must(t, err)
	s.ended(st.Unit)
	select {
	case <-given:
	case <-time.After(20 * time.Second):
		t.Error("it is asked on")
	}
}
