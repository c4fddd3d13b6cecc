package retention_test

import (
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/retention"
)

const day = 24 * time.Hour

// hands are a time of day and a clock that nobody sets.
type hands struct{ wall, ticks time.Time }

func (h *hands) pass(d time.Duration) { h.wall, h.ticks = h.wall.Add(d), h.ticks.Add(d) }
func (h *hands) set(d time.Duration)  { h.wall = h.wall.Add(d) }
func (h *hands) clock(last time.Time) *retention.Clock {
	return retention.NewClock(func() time.Time { return h.wall }, func() time.Time { return h.ticks }, last)
}

func TestClockThatIsSetIsNotBelievedAtOnce(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	h := &hands{wall: start, ticks: time.Unix(0, 0)}
	c := h.clock(start.Add(-time.Hour))
	is := func(want time.Time) {
		t.Helper()
		if got := c.Now(); !got.Equal(want) {
			t.Errorf("it says %s, not %s", got, want)
		}
	}
	is(start)
	h.set(2 * day) // a machine that slept, or was off
	is(start.Add(2 * day))
	h.set(3650 * day)
	is(start.Add(2 * day))
	h.pass(12 * time.Hour)
	is(start.Add(2*day + 12*time.Hour))
	h.set(-3650 * day) // put right
	is(start.Add(2*day + 12*time.Hour))
	h.set(-time.Hour)
	is(start.Add(2*day + 11*time.Hour))
	h.set(100 * day)
	is(start.Add(2*day + 11*time.Hour))
	h.pass(day) // it stays so
	is(start.Add(103*day + 11*time.Hour))
}

func TestTrail(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		at   []time.Duration
		want time.Duration
	}{
		"day by day":      {[]time.Duration{0, day, 2 * day, 8 * day}, 8 * day},
		"a step":          {[]time.Duration{0, day, 3650 * day, 3650*day + time.Hour}, day},
		"long after it":   {[]time.Duration{0, day, 3650 * day, 3652 * day}, 3652 * day},
		"there and back":  {[]time.Duration{0, 3650 * day, day, day + time.Hour}, day + time.Hour},
		"one and no more": {[]time.Duration{day}, day},
	} {
		var trail retention.Trail
		for _, d := range c.at {
			trail.Add(start.Add(d))
		}
		if got := trail.Last().Sub(start); got != c.want {
			t.Errorf("%s: %s, not %s", name, got, c.want)
		}
	}
	if got := new(retention.Trail).Last(); !got.IsZero() {
		t.Errorf("of nothing: %s", got)
	}
}
