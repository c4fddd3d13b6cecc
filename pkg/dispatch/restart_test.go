package dispatch_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/journal"
	"github.com/vexa-ai/vexa/pkg/runtime/runtimetest"
	"github.com/vexa-ai/vexa/pkg/workspace"
)

// brief is a patience that a test can outlast.
func brief(o *dispatch.Options) { o.ConnectGrace = 300 * time.Millisecond }

// The patience with a worker that has to come back ends when it has come back:
// its turn may take longer.
func TestAdoptedTurnOutlastsTheConnectGrace(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	gate := s.home.State + "/gate"
	st := s.start(api.StartRequest{
		Text:   "echo started; while [ ! -e " + gate + " ]; do sleep 0.02; done; sleep 1; echo finished",
		Runner: "text", Limits: limits(0),
	})
	s.waitForWord(st.Unit)
	s.restart(brief)
	must(t, os.WriteFile(gate, nil, 0o600))
	if d := done(t, s.turn(st)); !d.OK || !strings.Contains(d.Reply, "finished") {
		t.Errorf("turn-done %+v", d)
	}
}

func TestWorkerThatDoesNotComeBackIsEnded(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.driver.Program("/.vexa/bin/vexa", func(p *runtimetest.Process) {
		<-p.Term
		p.Exit(143, false)
	})
	st := s.start(api.StartRequest{Text: "true", Runner: "text", Limits: limits(60)})
	s.eventually("the container to run", func() bool {
		row, err := s.m.Get(st.Unit)
		must(t, err)
		return row.Container != ""
	})
	s.restart(brief)
	if d := done(t, s.turn(st)); d.OK || d.Outcome != wsv2.OutcomeLost {
		t.Errorf("turn-done %+v", d)
	}
	if row := s.ended(st.Unit); row.StopReason != runtimev1.ReasonFailed {
		t.Errorf("row %+v", row)
	}
}

type noRunners struct{}

func (noRunners) Get(name string) (runnerv2.Manifest, error) {
	return runnerv2.Manifest{}, fault.New(fault.NotFound, "no runner is called "+name, "")
}

// A unit whose runner was uninstalled meanwhile is saved and ended; it keeps
// no daemon from starting.
func TestRestartWithoutTheRunner(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	st := s.start(api.StartRequest{Text: "echo half > a.md; echo started; exec sleep 600", Runner: "text", Limits: limits(60)})
	s.waitForWord(st.Unit)
	s.restart(func(o *dispatch.Options) { o.Runners = noRunners{} })
	if d := done(t, s.turn(st)); d.OK || d.Outcome != wsv2.OutcomeLost {
		t.Errorf("turn-done %+v", d)
	}
	s.ended(st.Unit)
	if got := s.file("a.md"); got != "half\n" {
		t.Errorf("what was written is lost: %q", got)
	}
}

// withoutStart reads the records as a daemon left them that was killed between
// the start of the first container and its record.
type withoutStart struct{ dispatch.Records }

func (w withoutStart) Read(from uint64, limit int) ([]journal.Record, error) {
	batch, err := w.Records.Read(from, limit)
	for i, r := range batch {
		if strings.Contains(string(r.Payload), `"type":"started"`) {
			batch[i].Payload = []byte(`{"type":"lost"}`)
			break
		}
	}
	return batch, err
}

func TestKilledBeforeTheStartWasRecorded(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	gate := s.home.State + "/gate"
	st := s.start(api.StartRequest{
		Text:   "echo started; while [ ! -e " + gate + " ]; do sleep 0.02; done; echo kept > a.md; echo finished",
		Runner: "text", Limits: limits(60),
	})
	s.waitForWord(st.Unit)
	lossy := func(o *dispatch.Options) { o.Records = withoutStart{o.Records} }
	s.restart(lossy)
	must(t, os.WriteFile(gate, nil, 0o600))
	if d := done(t, s.turn(st)); !d.OK || !strings.Contains(d.Reply, "finished") {
		t.Errorf("turn-done %+v", d)
	}
	s.restart(lossy)
	row, err := s.m.Get(st.Unit)
	must(t, err)
	if row.Container == "" {
		t.Error("the container is recorded nowhere")
	}
	if got := s.file("a.md"); got != "kept\n" {
		t.Errorf("a.md holds %q", got)
	}
}

// downRuntime is a kernel that does not answer for a while.
type downRuntime struct {
	dispatch.Runtime
	down    atomic.Bool
	refused atomic.Int32
}

func (d *downRuntime) Get(ctx context.Context, id string) (runtimev1.Status, error) {
	if d.down.Load() {
		d.refused.Add(1)
		return runtimev1.Status{}, fault.New(fault.Unavailable, "the kernel is down", "")
	}
	return d.Runtime.Get(ctx, id)
}

// A unit that never got its container is ended once the kernel says so,
// although it was down when the daemon came back.
func TestRestartWhileTheKernelIsDown(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	st := s.start(api.StartRequest{Text: "echo started; exec sleep 600", Runner: "text", Limits: limits(60)})
	s.waitForWord(st.Unit)
	s.m.Abandon()
	for _, c := range s.driver.All() {
		must(t, s.driver.Remove(t.Context(), c.ID))
	}
	kernel := &downRuntime{}
	kernel.down.Store(true)
	s.restart(func(o *dispatch.Options) {
		o.Records, kernel.Runtime = withoutStart{o.Records}, o.Runtime
		o.Runtime = kernel
	})
	s.eventually("the daemon to ask", func() bool { return kernel.refused.Load() > 0 })
	kernel.down.Store(false)
	if d := done(t, s.turn(st)); d.OK || d.Outcome != wsv2.OutcomeLost {
		t.Errorf("turn-done %+v", d)
	}
	s.ended(st.Unit)
}

func TestOneKeyAtOnceIsOneUnit(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	units := s.startAtOnce(8, api.StartRequest{Text: "echo once >> log.md", Runner: "text", Limits: limits(0), Key: "k1"})
	if len(units) != 1 {
		t.Errorf("%d units for one key", len(units))
	}
}

func TestOneSessionAtOnceIsOneContainer(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	first := s.start(api.StartRequest{Text: "hello", Runner: "notebook", Limits: limits(0)})
	s.turn(first)
	s.ended(first.Unit)
	units := s.startAtOnce(6, api.StartRequest{Text: "again", Session: first.Session, Limits: limits(60)})
	if len(units) != 1 {
		t.Errorf("%d containers for one conversation", len(units))
	}
	for unit := range units {
		_, err := s.m.Stop(t.Context(), unit, false)
		must(t, err)
	}
}

// startAtOnce sends one request n times and returns how often each unit was
// the answer.
func (s *stack) startAtOnce(n int, req api.StartRequest) map[string]int {
	s.t.Helper()
	var mu sync.Mutex
	units := map[string]int{}
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			started, err := s.m.Start(s.t.Context(), jane, req)
			if err != nil {
				s.t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			units[started.Unit]++
		})
	}
	wg.Wait()
	return units
}

// fullDisk is a store that cannot seal while it is full.
type fullDisk struct {
	dispatch.Workspaces
	full  atomic.Bool
	tried atomic.Int32 // while it was full
}

func (f *fullDisk) Seal(ctx context.Context, req workspace.SealRequest) (workspace.Sealed, error) {
	if f.full.Load() {
		f.tried.Add(1)
		return workspace.Sealed{}, fault.New(fault.Internal, "no space left on device", "free some")
	}
	return f.Workspaces.Seal(ctx, req)
}

// What could not be saved when its container ended keeps the daemon from
// stopping, by name, and is saved once it can be.
func TestCloseTriesWhatCouldNotBeSaved(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	disk := &fullDisk{}
	disk.full.Store(true)
	s.restart(func(o *dispatch.Options) { disk.Workspaces = o.Workspaces; o.Workspaces = disk })
	st := s.start(api.StartRequest{Text: "echo precious > a.md", Runner: "text", Limits: limits(0)})
	if d := done(t, s.turn(st)); d.OK || !strings.Contains(d.Error, "no space") {
		t.Errorf("turn-done %+v", d)
	}
	s.eventually("the unit to have no owner", func() bool { return s.m.Live() == 0 })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.m.Close(ctx, false); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), st.Unit) {
		t.Errorf("closing said %v", err)
	}
	disk.full.Store(false)
	must(t, s.m.Close(ctx, false))
	if got := s.file("a.md"); got != "precious\n" {
		t.Errorf("a.md holds %q", got)
	}
}
