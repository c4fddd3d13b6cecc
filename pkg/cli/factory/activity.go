package factory

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
)

const (
	// slow is how long something takes until it is said what it is.
	slow = time.Second
	// turn is how often the sign of an activity changes on a terminal.
	turn = 100 * time.Millisecond
	// clearLine goes to the start of a terminal's line and empties it.
	clearLine = "\r\x1b[2K"
)

// Activity is something that may take long. Once it takes a second, stderr says what
// is being done: a terminal in one line, which is gone at the end, and anything else in
// a line for each step. Under --quiet and --json nothing is said. It is safe for
// concurrent use.
type Activity struct {
	f     *Factory
	outer *Activity // whose step this is

	// The lock of activities guards what follows.
	text  string
	began time.Time
}

// activities is what is being done now, the innermost of them.
type activities struct {
	mu    sync.Mutex
	now   *Activity
	timer *time.Timer
	due   bool // it took long enough to be said
	asks  bool // a person is asked something meanwhile
	drawn bool // the terminal's line has it
	said  string
	turns int
}

// Begin begins an activity, in words as in "copying the bucket of notes". One within
// another is a step of that. End it before its result is printed.
func (f *Factory) Begin(format string, args ...any) *Activity {
	a := &Activity{f: f, text: plain.Line(fmt.Sprintf(format, args...)), began: time.Now()}
	if f.Flags.Quiet || f.Flags.JSON {
		return a
	}
	s := &f.activities
	s.mu.Lock()
	defer s.mu.Unlock()
	a.outer, s.now = s.now, a
	if a.outer == nil {
		s.due, s.asks, s.said = false, false, ""
		s.timer = time.AfterFunc(cmp.Or(f.SlowAfter, slow), f.tick)
	} else {
		a.began = a.outer.began
	}
	f.sayStep()
	return a
}

// Step says what is done next.
func (a *Activity) Step(format string, args ...any) {
	s := &a.f.activities
	s.mu.Lock()
	defer s.mu.Unlock()
	a.text = plain.Line(fmt.Sprintf(format, args...))
	if s.now == a {
		a.f.sayStep()
	}
}

// End ends the activity, with what is within it. Ending it twice is no error.
func (a *Activity) End() {
	s := &a.f.activities
	s.mu.Lock()
	defer s.mu.Unlock()
	for x := s.now; x != nil; x = x.outer {
		if x == a {
			s.now = a.outer
		}
	}
	if s.now == nil && s.timer != nil {
		s.timer.Stop()
		a.f.wipe()
	}
}

// tick is called when something begins to take long, and on a terminal from then on.
func (f *Factory) tick() {
	s := &f.activities
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil || s.asks {
		return
	}
	s.due = true
	f.sayStep()
	if f.Spins() {
		s.timer.Reset(turn)
	}
}

// sayStep says what is being done, where it takes long enough. The lock is held.
func (f *Factory) sayStep() {
	s := &f.activities
	switch {
	case !s.due:
	case f.Spins():
		s.turns++
		text := fmt.Sprintf("%c %s (%d s)", `-\|/`[s.turns%4], s.now.text, int(time.Since(s.now.began).Seconds()))
		_, _ = io.WriteString(f.Err, clearLine+plain.Short(text, f.columns()-1))
		s.drawn = true
	case s.said != s.now.text:
		s.said = s.now.text
		_, _ = fmt.Fprintln(f.Err, s.said)
	}
}

// wipe takes the line of an activity from the terminal. The lock is held.
func (f *Factory) wipe() {
	if s := &f.activities; s.drawn {
		_, _ = io.WriteString(f.Err, clearLine)
		s.drawn = false
	}
}

// Spins reports whether stderr is a terminal whose line can be written over.
func (f *Factory) Spins() bool { return IsTTY(f.ErrTTY) && f.Env("TERM") != "dumb" }

// columns is the width of stderr's terminal.
func (f *Factory) columns() int {
	const usual = 80
	file, ok := f.Err.(*os.File)
	if !ok {
		return usual
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil || width < 2 {
		return usual
	}
	return width
}

// beside writes to stderr without running into the line of an activity.
func (f *Factory) beside(line string) {
	f.activities.mu.Lock()
	defer f.activities.mu.Unlock()
	f.wipe()
	_, _ = fmt.Fprintln(f.Err, line)
}

// pause keeps the terminal free for a question until resume is called.
func (f *Factory) pause() (resume func()) {
	s := &f.activities
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil {
		return func() {}
	}
	f.wipe()
	s.timer.Stop()
	s.due, s.asks = false, true
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asks = false
		if s.now != nil {
			s.timer.Reset(cmp.Or(f.SlowAfter, slow))
		}
	}
}

// Leave clears the terminal for a last word of a command that did not end.
func (f *Factory) Leave() {
	f.activities.mu.Lock()
	defer f.activities.mu.Unlock()
	f.activities.now = nil
	f.wipe()
}
