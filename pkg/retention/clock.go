package retention

import (
	"sync"
	"time"
)

// A clock that was set is believed only after a while: until then what is old is
// what was old before. A machine that comes back from far in the future has lost
// nothing by then.
const (
	far      = 7 * day // a longer step is a clock that was set, or a machine that was not used
	patience = day     // of running, until such a step is believed
)

// Clock says what time it is for telling what is old. It may be used
// concurrently.
type Clock struct {
	wall, ticks func() time.Time

	mu     sync.Mutex
	at     time.Time // was believed
	ticked time.Time // when that was, by ticks
	doubt  time.Time // since when the time of day is not believed, by ticks; zero: it is
}

// NewClock returns a clock over the time of day and one that nobody sets. The
// last time that is known to have been right is zero where none is.
func NewClock(wall, ticks func() time.Time, last time.Time) *Clock {
	c := &Clock{wall: wall, ticks: ticks, at: last, ticked: ticks()}
	if last.IsZero() {
		c.at = wall()
	}
	return c
}

// Now returns the time of day, or while that is doubted what it would be had
// nobody set it.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, tick := c.wall(), c.ticks()
	expected := c.at.Add(tick.Sub(c.ticked))
	if now.Sub(expected) > far {
		if c.doubt.IsZero() {
			c.doubt = tick
		}
		if tick.Sub(c.doubt) < patience {
			return expected
		}
	}
	c.at, c.ticked, c.doubt = now.Round(0), tick, time.Time{}
	return now
}

// Trail finds the last time that was right in what was recorded: the newest, or
// where that comes shortly after a step that is not to be believed yet, the one
// before the step.
type Trail struct{ last, before, after time.Time }

// Add takes the time of the next record.
func (t *Trail) Add(at time.Time) {
	if !t.last.IsZero() && at.Sub(t.last) > far {
		t.before, t.after = t.last, at
	}
	t.last = at
}

// Last returns the time, zero where there is none.
func (t *Trail) Last() time.Time {
	if since := t.last.Sub(t.after); !t.after.IsZero() && since >= 0 && since < patience {
		return t.before
	}
	return t.last
}
