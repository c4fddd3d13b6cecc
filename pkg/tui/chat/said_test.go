package chat_test

import (
	"strings"
	"testing"
)

// What a command switched is said, and with no name behind it what is on.
func TestWhatIsOnIsSaid(t *testing.T) {
	t.Parallel()
	b, _ := start(t)
	for _, c := range [][2]string{
		{"/theme", `the theme is none; others: /theme auto, light`},
		{"/theme light", `the theme is light`},
		{"/theme pink", `! there is no theme pink \(themes: auto`},
	} {
		b.press("'"+c[0]+" ", "esc", "enter")
		b.shows(c[1])
	}
	for _, want := range []string{`side by side`, `below the other`} {
		b.press("'/sides ", "enter")
		b.shows(want)
	}
	for _, want := range []string{`mouse is the terminal's`, `mouse scrolls and unfolds`} {
		b.press("'/mouse ", "enter")
		b.shows(want)
	}
}

// What was said of what is over goes with the next thing that the person does; what is
// typed takes nothing away.
func TestNoticesGo(t *testing.T) {
	t.Parallel()
	b, _ := start(t)
	for _, key := range []string{"tab", "pgup", "ctrl+n", "ctrl+o"} {
		b.press("'/mouse ", "enter", "'x", "left", "right", "backspace")
		b.shows(`· the mouse`)
		b.press(key)
		b.hides(`· the mouse`)
		b.press("esc", "ctrl+u")
	}
	b.press("ctrl+c") // a key between: it does not leave
	b.shows(`Ctrl-C again leaves`)
	b.press("esc")
	b.hides(`Ctrl-C again leaves`)
	b.press("'/mouse ", "enter", "'hello", "enter")
	b.hides(`· the mouse`)
	b.press("'/mouse ", "enter") // while the turn runs
	b.shows(`· the mouse`)
	b.wait(`✓ commit`)
	b.waitNot(`Esc stops`)
	b.hides(`· the mouse`)

	b.press("'/theme pink", "enter", "tab")
	b.shows(`! there is no theme`)
	b.press("esc", "'hello", "enter")
	b.hides(`! there is no theme`)
}

// Tab where there is nothing to go to says what it does.
func TestTabInAnEmptySession(t *testing.T) {
	t.Parallel()
	b, _ := start(t)
	b.press("tab")
	b.shows(`Tab goes to what was said, and nothing was yet`, `^> a message`)
}

// What holds the agent in is said as far as it is known.
func TestIsolationAsFarAsItIsKnown(t *testing.T) {
	t.Parallel()
	b, d := start(t)
	b.shows(`personal:rw · no container now`)
	b.press("'hello", "enter")
	b.wait(`✓ commit`)
	b.wait(`· isolated, no network`)
	d.down()
	b.wait(`· isolated when last seen`)
	d.up()
	b.wait(`· isolated, no network`)
	b.press("ctrl+n")
	d.down()
	b.wait(`no daemon, no container known`)
	d.up()
	b.wait(`no container now`)
	if err := d.client().Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.wait(`locked, nothing runs`)
}

// A turn that the person stopped is no failure, and is not painted as one.
func TestAnInterruptIsNoError(t *testing.T) {
	t.Parallel()
	b, _ := start(t)
	b.press("'/theme dark", "enter", "'please wait", "enter")
	b.wait(`^ waiting`)
	b.press("esc")
	b.wait(`! interrupted`)
	red, muted := "\x1b[1;38;2;242;139;130m! ", "\x1b[38;2;154;160;166m! "
	if screen := b.m.View().Content; strings.Contains(screen, red) || !strings.Contains(screen, muted) {
		t.Errorf("%q", screen)
	}
}
