package chat

import (
	"reflect"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
)

const (
	// fps is how often the screen is written at most: a key is seen within 9 ms of being taken.
	fps = 120
	// restAfter is how long nothing happens until the screen is looked after less often, and
	// resting is how often that is then.
	restAfter = 250 * time.Millisecond
	resting   = time.Second
	// waking is how often that is at first when something happens after a rest, and wakes how
	// long: that is to be seen no later than what comes while the screen is written anyway.
	waking = 2 * time.Millisecond
	wakes  = 30 * time.Millisecond
)

// ticker is what has the screen written; *time.Ticker is one.
type ticker interface{ Reset(every time.Duration) }

// pulse has the screen written often while something happens, and hardly ever while nothing
// does: a chat that waits for its person all day is to cost nothing. It is safe for
// concurrent use.
type pulse struct {
	mu    sync.Mutex
	of    ticker // nil: Bubble Tea's goes on as it is
	slow  bool
	last  time.Time
	timer *time.Timer
}

// beat says that something happened.
func (p *pulse) beat() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == nil {
		return
	}
	p.last = time.Now()
	switch {
	case p.slow:
		p.of.Reset(waking)
		p.slow, p.timer = false, time.AfterFunc(wakes, p.awake)
	case p.timer == nil:
		p.timer = time.AfterFunc(restAfter, p.rest)
	}
}

// awake goes on as ever.
func (p *pulse) awake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of.Reset(time.Second / fps)
	p.timer = time.AfterFunc(restAfter, p.rest)
}

// rest slows down, unless something happened meanwhile.
func (p *pulse) rest() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if left := restAfter - time.Since(p.last); left > 0 {
		p.timer.Reset(left)
		return
	}
	p.of.Reset(resting)
	p.slow, p.timer = true, nil
}

// tickerOf is the ticker of a program that runs. Bubble Tea ticks whether or not there is
// anything to write, and has no way to say otherwise; this one field is read where it is what
// it was, and nothing is slowed down where it is not. It is for Bubble Tea's own goroutine.
func tickerOf(p *tea.Program) *time.Ticker {
	f := reflect.ValueOf(p).Elem().FieldByName("ticker")
	if !f.IsValid() || f.Type() != reflect.TypeFor[*time.Ticker]() || f.IsNil() {
		return nil
	}
	return (*time.Ticker)(f.UnsafePointer())
}
