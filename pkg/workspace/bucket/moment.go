package bucket

import (
	"time"

	"golang.org/x/sys/unix"
)

// moment is an instant of this process, to tell how much time went by since: by
// a clock that nobody sets and that goes on while the machine sleeps, and by the
// time of day, which goes on where a virtual machine stood still. The zero
// moment is long ago.
type moment struct {
	up   time.Duration
	wall time.Time
}

func thisMoment() moment {
	m := moment{wall: time.Now().Round(0)}
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) == nil { // it is there since Linux 2.6.39
		m.up = time.Duration(ts.Nano())
	}
	return m
}

// age is how long ago it was, at least.
func (m moment) age() time.Duration {
	now := thisMoment()
	return max(now.up-m.up, now.wall.Sub(m.wall))
}
