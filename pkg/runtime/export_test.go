package runtime

import "time"

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

// RemovedMapping reads a line of /proc/PID/maps.
func RemovedMapping(line []byte) (number uint64, size int64, ok bool) {
	id, size, ok := removedMapping(line)
	return id.number, size, ok
}

// Due reports whether to measure, since a measurement that took so long and
// left so much room, in bytes and in names.
func Due(took, since time.Duration, room int64, now Space) bool {
	d := disk{measured: time.Unix(0, 0), took: took, room: quota{charged: room, names: room}}
	return d.due(d.measured.Add(since), now, false)
}
