package dispatch_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/workspace"
)

// slowSeal holds the first seal of a workspace store until it may go on.
type slowSeal struct {
	dispatch.Workspaces
	begun  atomic.Bool
	sealed chan struct{} // closed when it has begun
	goOn   chan struct{}
}

func (f *slowSeal) Seal(ctx context.Context, req workspace.SealRequest) (workspace.Sealed, error) {
	if !f.begun.Swap(true) {
		close(f.sealed)
		<-f.goOn
	}
	return f.Workspaces.Seal(ctx, req)
}

// busyOwner returns a dispatch whose owner is busy with its seal until goOn is
// called, once the other of the caller's is there.
func busyOwner(t *testing.T, change func(*dispatch.Options), other api.StartRequest) (s *stack, busy, next api.Started, goOn func()) {
	t.Helper()
	s = newStack(t)
	slow := &slowSeal{sealed: make(chan struct{}), goOn: make(chan struct{})}
	s.restart(func(o *dispatch.Options) {
		if change != nil {
			change(o)
		}
		slow.Workspaces = o.Workspaces
		o.Workspaces = slow
	})
	gate := s.home.State + "/gate"
	busy = s.start(api.StartRequest{
		Text: "echo started; while [ ! -e " + gate + " ]; do sleep 0.02; done; echo a > a.md", Runner: "text", Limits: limits(600),
	})
	s.waitForWord(busy.Unit)
	next = s.start(other)
	if change == nil {
		s.waitForWord(next.Unit)
	}
	must(t, os.WriteFile(gate, nil, 0o600))
	<-slow.sealed
	goOn = sync.OnceFunc(func() { close(slow.goOn) })
	t.Cleanup(goOn) // before its manager is closed
	return s, busy, next, goOn
}

// refusals has the socket of a unit refuse n requests, which any process in its
// container can cause, and returns when each of them has its answer.
func (s *stack) refusals(unit string, n int) {
	s.t.Helper()
	socket := filepath.Join(s.home.Unit(unit), "run", "broker.sock")
	client := http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
		DisableKeepAlives: true,
	}}
	var asking sync.WaitGroup
	for range n {
		asking.Go(func() {
			req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, "http://broker/v1/messages", nil)
			if err != nil {
				s.t.Error(err)
				return
			}
			res, err := client.Do(req)
			if err != nil {
				s.t.Error(err)
				return
			}
			_ = res.Body.Close()
			if res.StatusCode != http.StatusUnauthorized {
				s.t.Errorf("status %d", res.StatusCode)
			}
		})
	}
	asking.Wait()
}

// A container cannot keep its owner from asking itself to make room.
func TestRefusalsDoNotBlockTheOwner(t *testing.T) {
	t.Parallel()
	s, busy, next, goOn := busyOwner(t, oneContainer(0), api.StartRequest{Text: "echo next", Runner: "text", Limits: limits(0)})
	const n = 40
	s.refusals(busy.Unit, n)
	goOn()
	if d := done(t, s.turn(next)); !d.OK {
		t.Errorf("the one that waited: %+v", d)
	}
	s.ended(busy.Unit)
	var said []string
	for _, e := range body[wsv2.Error](s.all(busy.Unit)) {
		said = append(said, e.Message)
	}
	if len(said) != 16 || !strings.HasSuffix(said[15], "; and 24 more") {
		t.Errorf("%d refusals are said: %q", len(said), said)
	}
}

// A container whose owner is busy does not keep the ends of others from being
// heard, however much there is for that owner to do.
func TestABusyOwnerIsAlone(t *testing.T) {
	t.Parallel()
	s, busy, next, goOn := busyOwner(t, nil, api.StartRequest{Text: "echo started; exec sleep 600", Runner: "text", Limits: limits(600)})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	var asking sync.WaitGroup
	for range 40 {
		asking.Go(func() { _, _ = s.m.Stop(gone, busy.Unit, false) })
	}
	asking.Wait()
	for _, c := range s.driver.All() {
		must(t, s.driver.Remove(t.Context(), c.ID))
	}
	if row := s.ended(next.Unit); row.StopReason != runtimev1.ReasonFailed {
		t.Errorf("row %+v", row)
	}
	goOn()
	s.ended(busy.Unit)
}

// What its sender has given up is not done.
func TestWhatIsGivenUpIsNotDone(t *testing.T) {
	t.Parallel()
	s, busy, _, goOn := busyOwner(t, nil, api.StartRequest{Text: "echo started; exec sleep 600", Runner: "text", Limits: limits(600)})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := s.m.Start(ctx, jane, api.StartRequest{Text: "echo b > b.md", Session: busy.Session, Limits: limits(600)})
	if err == nil {
		t.Error("a turn was taken that nobody could take")
	}
	goOn()
	s.turn(busy)
	row, err := s.m.Get(busy.Unit)
	must(t, err)
	if row.Turns != 1 {
		t.Errorf("%d turns were taken", row.Turns)
	}
}
