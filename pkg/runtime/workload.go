package runtime

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// workload is one workload. Its fields are guarded by Kernel.mu, but for those
// that never change.
type workload struct {
	facts   facts         // never changes
	started chan struct{} // closed when it runs or could not be started
	halt    chan struct{} // closed when it is to end
	ended   chan struct{} // closed when it is stopped and its container removed

	status   runtimev1.Status
	began    time.Time            // what its lifetime counts from, as all times here but those of the status by Options.Ticks
	touched  time.Time            // what the idle clock counts from
	stopped  time.Time            // when it ended
	reason   runtimev1.StopReason // why the kernel is ending it; empty: it is not
	detail   string               // goes with reason
	missing  bool                 // it could not be started for want of its image; set before started is closed
	paused   bool                 // frozen by Pause
	asked    time.Time            // when the kernel began to end it
	grace    time.Duration        // between SIGTERM and SIGKILL
	measured bool                 // use is known
	use      usage                // as last measured
}

// facts is what the kernel must know of a workload after a restart: it is
// written to the container's labels and read back from them.
type facts struct {
	unit     string
	profile  string
	idle     time.Duration // 0: none
	max      time.Duration // 0: none
	disk     int64         // bytes of growth allowed; 0: not watched
	base     int64         // bytes charged before the start
	names    int64         // files and directories before the start
	writable []string      // relative to the unit's directory
}

func (k *Kernel) newWorkload(f facts, backend string) *workload {
	now := k.opt.Ticks()
	return &workload{
		facts: f, grace: k.opt.Grace, started: make(chan struct{}), halt: make(chan struct{}), ended: make(chan struct{}), touched: now,
		status: runtimev1.Status{
			WorkloadID: f.unit, Profile: f.profile, State: runtimev1.Starting, Backend: backend, Node: k.opt.Node,
		},
	}
}

// live reports whether the workload has not ended. The caller holds mu.
func (w *workload) live() bool {
	return w.status.State != runtimev1.Stopped && w.status.State != runtimev1.Destroyed
}

// event describes the present state. The caller holds mu.
func (w *workload) event(at time.Time) runtimev1.Event {
	return runtimev1.Event{
		WorkloadID: w.status.WorkloadID, State: w.status.State, At: at.UTC(), Ports: w.status.Ports,
		ExitCode: w.status.ExitCode, StopReason: w.status.StopReason,
	}
}

// enter moves w to a state and tells the world. The caller holds mu.
func (k *Kernel) enter(w *workload, state runtimev1.State) {
	w.status.State = state
	k.events.append(w.event(k.opt.Now()))
}

// sorted returns the workloads by id. The caller holds mu.
func (k *Kernel) sorted() []*workload {
	list := make([]*workload, 0, len(k.workloads))
	for _, w := range k.workloads {
		list = append(list, w)
	}
	slices.SortFunc(list, func(a, b *workload) int { return strings.Compare(a.facts.unit, b.facts.unit) })
	return list
}

// List returns the status of every workload that the kernel knows, by id.
func (k *Kernel) List(ctx context.Context) ([]runtimev1.Status, error) {
	if err := k.open(ctx); err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	list := []runtimev1.Status{}
	for _, w := range k.sorted() {
		list = append(list, w.status)
	}
	return list, nil
}

// Get returns the status of one workload.
func (k *Kernel) Get(ctx context.Context, id string) (runtimev1.Status, error) {
	w, err := k.find(ctx, id)
	if err != nil {
		return runtimev1.Status{}, err
	}
	return k.statusOf(w), nil
}

func (k *Kernel) find(ctx context.Context, id string) (*workload, error) {
	if err := k.open(ctx); err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	w, ok := k.workloads[id]
	if !ok {
		return nil, fault.Newf(fault.NotFound, "no workload %q", id)
	}
	return w, nil
}

func (k *Kernel) statusOf(w *workload) runtimev1.Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	return w.status
}

// open blocks until Run has adopted what was there.
func (k *Kernel) open(ctx context.Context) error {
	select {
	case <-k.closed: // checked first: a stopped kernel is ready, too
		return fault.New(fault.Unavailable, "the runtime kernel is stopping", "")
	default:
	}
	select {
	case <-k.ready:
		return nil
	case <-k.closed:
		return fault.New(fault.Unavailable, "the runtime kernel is stopping", "")
	case <-ctx.Done():
		return ctx.Err()
	}
}
