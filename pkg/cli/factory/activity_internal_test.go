package factory

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// scene is a command whose stderr a test reads, in a time of its own.
type scene struct {
	*Factory
	err stderr
}

// stderr is what was written; a tick of the clock writes beside the test.
type stderr struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *stderr) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *stderr) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// Reset forgets it.
func (s *stderr) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.b.Reset()
}

// play runs a test with a scene. Its stderr may be read while nothing runs.
func play(t *testing.T, tty bool, test func(t *testing.T, s *scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &scene{Factory: &Factory{ErrTTY: func() bool { return tty }, Env: func(string) string { return "" }}}
		s.Err = &s.err
		test(t, s)
	})
}

// says fails unless stderr is exactly this since it was last asked.
func (s *scene) says(t *testing.T, want string) {
	t.Helper()
	synctest.Wait()
	if got := s.err.String(); got != want {
		t.Errorf("stderr is %.300q, want %q", got, want)
	}
	s.err.Reset()
}

func TestQuickIsNotSaid(t *testing.T) {
	t.Parallel()
	for _, tty := range []bool{true, false} {
		play(t, tty, func(t *testing.T, s *scene) {
			t.Helper()
			a := s.Begin("doing")
			time.Sleep(slow - 1)
			a.Step("doing more")
			a.End()
			a.End()
			time.Sleep(time.Minute)
			a.Step("too late")
			s.says(t, "")
		})
	}
}

func TestSlowOnATerminal(t *testing.T) {
	t.Parallel()
	play(t, true, func(t *testing.T, s *scene) {
		t.Helper()
		a := s.Begin("doing")
		time.Sleep(slow)
		s.says(t, clearLine+`\ doing (1 s)`)
		time.Sleep(turn)
		s.says(t, clearLine+`| doing (1 s)`)
		a.Step("evil\x1b[2J\nlines")
		s.says(t, clearLine+`/ evil lines (1 s)`)
		s.Notice("by the way")
		s.says(t, clearLine+"by the way\n")
		time.Sleep(turn)
		s.says(t, clearLine+`- evil lines (1 s)`)
		s.Warn("mind")
		s.says(t, clearLine+"\x1b[33mvexa: warning:\x1b[0m mind\n")
		time.Sleep(9 * turn)
		synctest.Wait()
		s.err.Reset()
		a.Step("%s", strings.Repeat("long ", 100))
		if got := s.err.String(); len(got) != len(clearLine)+79 || !strings.HasSuffix(got, "...") {
			t.Errorf("it does not fit a line: %q", got)
		}
		synctest.Wait()
		s.err.Reset()
		a.End()
		s.says(t, clearLine)
		time.Sleep(time.Minute)
		s.says(t, "")
	})
}

func TestSlowElsewhere(t *testing.T) {
	t.Parallel()
	steps := func(t *testing.T, s *scene) {
		t.Helper()
		a := s.Begin("one")
		a.Step("two")
		time.Sleep(slow)
		time.Sleep(time.Minute)
		a.Step("three")
		a.Step("three")
		inner := s.Begin("four")
		inner.End()
		a.End()
	}
	const lines = "two\nthree\nfour\n"
	play(t, false, func(t *testing.T, s *scene) {
		t.Helper()
		steps(t, s)
		s.says(t, lines)
	})
	play(t, true, func(t *testing.T, s *scene) {
		t.Helper()
		s.Env = func(name string) string { return map[string]string{"TERM": "dumb"}[name] }
		steps(t, s)
		s.says(t, lines)
	})
	for _, silent := range []Flags{{Quiet: true}, {JSON: true}} {
		play(t, false, func(t *testing.T, s *scene) {
			t.Helper()
			s.Flags = silent
			steps(t, s)
			s.says(t, "")
		})
	}
}

// An activity within another ends with it, and the outer goes on where it ends first.
func TestActivityWithinAnother(t *testing.T) {
	t.Parallel()
	play(t, true, func(t *testing.T, s *scene) {
		t.Helper()
		outer := s.Begin("outer")
		time.Sleep(slow)
		s.says(t, clearLine+`\ outer (1 s)`)
		inner := s.Begin("inner")
		s.says(t, clearLine+`| inner (1 s)`)
		inner.End()
		time.Sleep(turn)
		s.says(t, clearLine+`/ outer (1 s)`)
		s.Begin("inner")
		s.err.Reset()
		outer.End()
		time.Sleep(time.Minute)
		s.says(t, clearLine)
	})
}

// waits is a terminal on which nobody answers for an hour.
type waits struct{ Terminal }

func (waits) Ask(context.Context, string) (string, error) {
	time.Sleep(time.Hour)
	return "yes", nil
}

func (waits) Close() error { return nil }

// While a person is asked nothing is written over the question.
func TestQuestionInAnActivity(t *testing.T) {
	t.Parallel()
	play(t, true, func(t *testing.T, s *scene) {
		t.Helper()
		s.Terminal = func() (Terminal, error) { return waits{}, nil }
		a := s.Begin("doing")
		time.Sleep(slow)
		s.says(t, clearLine+`\ doing (1 s)`)
		if _, err := s.Ask(t.Context(), "Sure? ", ""); err != nil {
			t.Fatal(err)
		}
		s.says(t, clearLine)
		time.Sleep(slow)
		s.says(t, clearLine+`| doing (3602 s)`)
		s.Leave()
		s.says(t, clearLine)
		time.Sleep(time.Minute)
		s.says(t, "")
		a.End()
	})
}
