package runtimetest

import (
	"context"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runtime"
)

// SetProcesses has Processes find these in the container of that name while it
// runs. They are processes of the machine and no goroutines.
func (m *Memory) SetProcesses(name string, pids ...int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pids[name] = pids
}

// Processes implements runtime.Finder.
func (m *Memory) Processes(ctx context.Context, ids []string) (map[string][]int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	found := map[string][]int{}
	for _, id := range ids {
		if c, ok := m.containers[id]; ok && c.phase == runtime.PhaseRunning {
			found[id] = m.pids[c.spec.Name]
		}
	}
	return found, nil
}

// Pause implements runtime.Pauser.
func (m *Memory) Pause(ctx context.Context, id string) error { return m.freeze(ctx, id, true) }

// Resume implements runtime.Pauser.
func (m *Memory) Resume(ctx context.Context, id string) error { return m.freeze(ctx, id, false) }

func (m *Memory) freeze(ctx context.Context, id string, paused bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter(ctx); err != nil {
		return err
	}
	c, err := m.find(id)
	if err != nil {
		return err
	}
	if c.phase != runtime.PhaseRunning || c.paused == paused {
		return fault.Newf(fault.Conflict, "container %s cannot be paused or resumed", id)
	}
	c.paused = paused
	return nil
}
