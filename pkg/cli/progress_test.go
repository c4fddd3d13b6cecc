package cli_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
)

// lasting is what stays on a terminal: a line that is emptied is gone.
func lasting(screen string) string {
	var out strings.Builder
	for line := range strings.Lines(screen) {
		if at := strings.LastIndex(line, "\r\x1b[2K"); at >= 0 {
			line = line[at+len("\r\x1b[2K"):]
		}
		out.WriteString(line)
	}
	return out.String()
}

// turnRuns waits until the agent has a turn of a unit.
func (b *bench) turnRuns(unit string) {
	b.t.Helper()
	for {
		list, err := mustClient(b.t, b).Dispatches(b.t.Context(), true)
		if err != nil {
			b.t.Fatal(err)
		}
		if slices.ContainsFunc(list, func(d api.Dispatch) bool { return d.ID == unit && d.Busy }) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// interrupt ends the turn of a unit, once it runs.
func (b *bench) interrupt(unit string) {
	b.t.Helper()
	b.turnRuns(unit)
	if _, err := mustClient(b.t, b).Stop(b.t.Context(), unit, true); err != nil {
		b.t.Fatal(err)
	}
}

const firstUnit = "01JDX4A0000000000000000000"

// While the agent says nothing a terminal shows that it works, in a line that is gone at
// the end.
func TestTheAgentWorks(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"chat", "-p", "mute"}, {"run", "mute"}} {
		b := newBench(t)
		b.f.SlowAfter = time.Nanosecond
		code := make(chan int, 1)
		go func() { code <- b.run(args...) }()
		b.err.waitFor(t, "the agent works (")
		b.interrupt(firstUnit)
		if c := <-code; c != 130 {
			t.Errorf("%s: exit code %d", args, c)
		}
		want(t, b.out.String(), "")
		want(t, lasting(b.err.String()), "* commit 9c0ffee1d2c3 in personal (1 file)\nvexa: error: the turn was interrupted\nvexa: hint: see: vexa logs "+firstUnit+"\n")
	}
}

// Before that it shows that the turn before is not over. What is said is whole, in lines of
// its own, though it is shown on the same screen.
func TestTheTurnBefore(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.f.SlowAfter = time.Nanosecond
	b.f.Err = b.out // one screen
	idle := 600
	first, err := mustClient(t, b).Start(t.Context(), api.StartRequest{Text: "wait", Limits: &unitv1.Limits{IdleSec: &idle}})
	if err != nil {
		t.Fatal(err)
	}
	code := make(chan int, 1)
	go func() { code <- b.run("chat", "--session", first.Session, "-p", "hello") }()
	b.out.waitFor(t, "waiting for the turn before (")
	b.interrupt(first.Unit)
	if c := <-code; c != 0 {
		t.Errorf("exit code %d", c)
	}
	want(t, lasting(b.out.String()), "Let me write that down.\n* write {\"path\":\"note.md\"}\nyou said: hello\n* commit 9c0ffee1d2c3 in personal (1 file)\n")
}

// What stands in an unfinished line is not written over.
func TestAnUnfinishedLineStays(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.f.SlowAfter = time.Nanosecond
	b.f.Err = b.out
	code := make(chan int, 1)
	go func() { code <- b.run("chat", "-p", "wait") }()
	b.out.waitFor(t, "waiting")
	time.Sleep(20 * time.Millisecond) // in which it would be
	want(t, lasting(b.out.String()), "waiting")
	b.interrupt(firstUnit)
	if c := <-code; c != 130 {
		t.Errorf("exit code %d", c)
	}
	if got := lasting(b.out.String()); !strings.HasPrefix(got, "waiting\n* commit") {
		t.Errorf("%q", got)
	}
}

// Elsewhere nothing is told of it, nor where JSON was asked for or nothing is to be said.
func TestATurnThatIsNotWatched(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"pipe": {"chat", "-p", "mute"}, "json": {"chat", "-p", "mute", "--json"}, "quiet": {"run", "mute", "--quiet"}, "dumb, json": {"run", "mute", "--json"},
	} {
		b := newBench(t)
		b.f.SlowAfter = time.Nanosecond
		b.f.ErrTTY = func() bool { return name != "pipe" }
		b.dumb(strings.HasPrefix(name, "dumb"))
		code := make(chan int, 1)
		go func() { code <- b.run(args...) }()
		b.turnRuns(firstUnit)
		time.Sleep(20 * time.Millisecond) // in which it would be told
		want(t, b.err.String(), "")
		if out := b.out.String(); strings.Contains(out, "works") || strings.Contains(out, "\x1b") {
			t.Errorf("%s: stdout %q", name, out)
		}
		b.interrupt(firstUnit)
		<-code
	}
}

// Where no line can be written over, or the cursor is not to be moved, it is told once.
func TestATurnOnATerminalThatIsDumb(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.f.SlowAfter = time.Nanosecond
	b.dumb(true)
	code := make(chan int, 1)
	go func() { code <- b.run("chat", "-p", "mute") }()
	b.err.waitFor(t, "the agent works\n")
	b.interrupt(firstUnit)
	<-code
	if got := b.err.String(); strings.Count(got, "the agent works\n") != 1 || strings.ContainsAny(got, "\r\x1b") {
		t.Errorf("stderr %q", got)
	}

	b = newBench(t)
	b.setUp()
	b.f.SlowAfter = time.Nanosecond
	b.f.In = strings.NewReader("mute\n")
	go func() { code <- b.run("chat", "--plain") }()
	b.interrupt(firstUnit)
	<-code
	if got := b.err.String(); strings.Contains(got, "\r") || strings.Contains(got, "the agent works") {
		t.Errorf("stderr %q", got)
	}
}

// dumb has the terminal be one whose lines cannot be written over.
func (b *bench) dumb(yes bool) {
	if yes {
		b.f.Env = func(name string) string { return map[string]string{"NO_COLOR": "1", "TERM": "dumb"}[name] }
	}
}
