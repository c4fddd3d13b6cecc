package dispatch_test

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/quota"
)

// Each of those that wait has another of the idle containers leave.
func TestEachThatWaitsFindsRoom(t *testing.T) {
	t.Parallel()
	const n = 8
	s := newStack(t)
	s.restart(func(o *dispatch.Options) { o.Quota = quota.NewGate(quota.Policy{Containers: n}) })
	var idle, next []api.Started
	for range n {
		idle = append(idle, s.start(api.StartRequest{Text: "echo idle", Runner: "text", Limits: limits(600)}))
	}
	for _, st := range idle {
		s.turn(st)
	}
	gate := s.home.State + "/gate"
	var mu sync.Mutex
	var asking sync.WaitGroup
	for range n { // at once, so that each looks before another's has left
		asking.Go(func() {
			st := s.blocked(gate)
			mu.Lock()
			defer mu.Unlock()
			next = append(next, st)
		})
	}
	asking.Wait()
	for _, st := range next { // none ends before all of them run
		s.waitForWord(st.Unit)
	}
	must(t, os.WriteFile(gate, nil, 0o600))
	for _, st := range next {
		if d := done(t, s.turn(st)); !d.OK {
			t.Errorf("turn-done %+v", d)
		}
	}
}

// The queue is the same after the daemon was killed, even where the next one
// lets fewer wait: in order, and no more containers than there may be.
func TestTheQueueOutlivesTheDaemon(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.restart(oneContainer(3))
	gate := s.home.State + "/gate"
	first := s.blocked(gate)
	s.waitForWord(first.Unit)
	var queue []api.Started
	for i := range 3 {
		queue = append(queue, s.start(api.StartRequest{Text: fmt.Sprintf("echo %d", i), Runner: "text", Limits: limits(0)}))
	}
	s.restart(oneContainer(1))
	for i, st := range queue {
		want := fmt.Sprintf("waits for one of the 1 containers of u_jane; %d before it", i)
		s.eventually(fmt.Sprintf("%d to wait again", i), func() bool {
			row, err := s.m.Get(st.Unit)
			must(t, err)
			return row.Detail == want
		})
	}
	if n := len(s.driver.All()); n != 1 {
		t.Errorf("%d containers, want 1", n)
	}
	must(t, os.WriteFile(gate, nil, 0o600))
	var before api.Dispatch
	for i, st := range append([]api.Started{first}, queue...) {
		if d := done(t, s.turn(st)); !d.OK {
			t.Errorf("turn-done %+v", d)
		}
		row := s.ended(st.Unit)
		if i > 0 && row.EndedAt.Before(*before.EndedAt) {
			t.Errorf("%d ended before the one that came before it", i)
		}
		before = row
	}
}
