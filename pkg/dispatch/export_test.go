package dispatch

// Abandon ends the manager's goroutines as kill -9 of the daemon would:
// nothing is sealed, stopped or recorded.
func (m *Manager) Abandon() {
	m.cancel()
	m.wait.Wait()
}

// SetCarryGap replaces carryGap.
func (m *Manager) SetCarryGap(records uint64) { m.retain.gap = records }
