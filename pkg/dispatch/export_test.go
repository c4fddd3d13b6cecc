package dispatch

import (
	"fmt"
	"time"
)

// Abandon ends the manager's goroutines as kill -9 of the daemon would:
// nothing is sealed, stopped or recorded.
func (m *Manager) Abandon() {
	m.cancel()
	m.wait.Wait()
}

// SetCarryGap replaces carryGap.
func (m *Manager) SetCarryGap(records uint64) {
	m.retain.running.Lock()
	defer m.retain.running.Unlock()
	m.retain.gap = records
}

// Full returns a manager that does nothing but list n ended dispatches.
func Full(n int, now func() time.Time) *Manager {
	m := &Manager{units: map[string]*entry{}}
	for i := range n {
		id, at := fmt.Sprintf("01J%023d", i), now()
		m.units[id] = &entry{startedAt: at, endedAt: &at}
		m.order = append(m.order, id)
	}
	return m
}

// InsteadOf is what is said where a frame breaks its contract.
var InsteadOf = insteadOf

// Closing reports whether Close was called.
func (m *Manager) Closing() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed
}
