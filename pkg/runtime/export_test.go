package runtime

// Facts reads the labels of a container back and, where they are whole, writes
// them again.
func (k *Kernel) Facts(labels map[string]string) (map[string]string, bool) {
	f, whole := recoverFacts(labels)
	if !whole {
		return nil, false
	}
	return k.labels(nil, f), true
}

// Position reads an event id.
func (k *Kernel) Position(id string) (uint64, bool) { return k.position(id) }

// EventID writes one.
func (k *Kernel) EventID(n uint64) string { return k.eventID(n) }
