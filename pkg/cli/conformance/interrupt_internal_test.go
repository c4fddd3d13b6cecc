package conformance

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

// slowStop ends a turn before the request that interrupts it is answered.
type slowStop struct {
	Installation
	asked chan string
	err   error
}

func (*slowStop) Start(context.Context, api.StartRequest) (api.Started, error) {
	return api.Started{Unit: "u-new", Turn: "t"}, nil
}

func (i *slowStop) Stop(_ context.Context, unit string, _ bool) (api.Dispatch, error) {
	i.asked <- unit
	time.Sleep(50 * time.Millisecond)
	return api.Dispatch{}, i.err
}

func (i *slowStop) Frames(context.Context, string, client.FrameQuery) iter.Seq2[client.Entry, error] {
	return func(yield func(client.Entry, error) bool) {
		unit := <-i.asked
		var e client.Entry
		e.Frame.Turn = "t"
		e.Frame.Body = wsv2.TurnDone{Outcome: wsv2.OutcomeInterrupted, Error: unit}
		yield(e, nil)
	}
}

// A runner that says nothing before the end is interrupted after a while: its own
// dispatch, and what came of that is waited for.
func TestInterruptWaitsForTheStop(t *testing.T) {
	t.Parallel()
	for _, refused := range []error{nil, errors.New("it is refused")} {
		i := &slowStop{asked: make(chan string, 1), err: refused}
		r := &run{Options: Options{Installation: i, Deadline: 10 * time.Second}, unit: "u-old"}
		r.said.first = 20*time.Millisecond - 2*time.Second
		v := r.interrupt(t.Context())
		if refused == nil && v.state != Pass || refused != nil && (v.state != Fail || !strings.Contains(v.detail, refused.Error())) {
			t.Errorf("%v: %+v", refused, v)
		}
		if got := r.turns[0].done.Error; got != "u-new" {
			t.Errorf("%s was interrupted", got)
		}
	}
}
