package chat_test

import (
	"encoding/json"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/tui/chat"
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
	b.shows(`Tab goes to what was said, and nothing was yet`, `^> \(a message`)
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

// What people type who come from elsewhere is understood, however it is written.
func TestOtherNamesOfCommands(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{"/clear": `─ 2/2 ─`, "/NEW": `─ 2/2 ─`, "/Resume": `^Sessions`} {
		b, _ := start(t)
		b.press("'hello", "enter")
		b.wait(`✓ commit`)
		b.waitNot(`Esc stops`)
		b.press("'"+line, "esc", "enter")
		b.wait(want)
	}
	for _, line := range []string{"/exit", "/q", "/QUIT"} {
		b, _ := start(t)
		b.press("'"+line, "enter")
		b.until("it leaves", func() bool { return b.gone })
	}
	b, _ := start(t)
	b.press("'/q")
	b.shows(`▸ /q +leave; what runs goes on`)
}

// A command that was misspelt is put right by a key.
func TestAMisspeltCommand(t *testing.T) {
	t.Parallel()
	b, d := start(t)
	b.press("'/them light", "enter")
	b.shows(`! there is no command /them \(did you mean /theme\? Tab writes it`, `^> /them light`)
	b.press("tab")
	b.shows(`^> /theme light$`)
	b.hides(`!`)
	b.press("enter")
	b.shows(`the theme is light`)
	b.press("'/them light", "enter", "'er", "tab") // it is another text by now
	b.shows(`^> /them lighter`)
	if n := len(d.Starts()); n != 0 {
		t.Errorf("%d messages were sent", n)
	}
}

// Sessions with one title differ in the second column.
func TestSessionsWithOneTitle(t *testing.T) {
	t.Parallel()
	b, _ := start(t)
	b.press("'quiet", "enter")
	b.wait(`you said`)
	b.waitNot(`Esc stops`)
	b.press("ctrl+n", "'quiet", "enter")
	b.wait(`you said`)
	b.waitNot(`Esc stops`)
	b.press("ctrl+n", "'x", "ctrl+n", "ctrl+s")
	b.wait(`quiet +5e551010 · open\s`)
	b.shows(`quiet +5e551010-0000-4000-8000-000000000002 · open`, `new session +Alt-3 · open`, `new session +Alt-4 · shown`)
	b.press("esc", "'/rename otters", "enter")
}

// Where it is scrolled up it is said that there is more, and that there is something new.
func TestMoreBelow(t *testing.T) {
	t.Parallel()
	b, _ := start(t)
	b.give(tea.WindowSizeMsg{Width: 60, Height: 12})
	b.press("'one of several, to be long enough", "enter")
	b.wait(`✓ commit`)
	b.waitNot(`Esc stops`)
	b.hides(`↓`)
	b.press("pgup")
	b.shows(`^─ ↓ more · Ctrl-End ─`)
	b.m.Take("u2", []client.Entry{{Frame: wsv2.Frame{Seq: 1, Turn: "t2", Body: wsv2.Message{Text: "something that came by itself"}}}})
	b.shows(`^─ ↓ new · Ctrl-End ─`)
	b.press("ctrl+end")
	b.hides(`↓`)
	b.shows(`something that came`)
	b.press("pgup")
	b.shows(`^─ ↓ more · Ctrl-End ─`)
	b.press("pgdown")
	b.hides(`↓`)
}

// In a narrow window a hint is shorter, and what leads back stays.
func TestHintsFit(t *testing.T) {
	t.Parallel()
	b, _ := start(t)
	b.give(tea.WindowSizeMsg{Width: 40, Height: 12})
	b.press("'hello", "enter")
	b.wait(`✓ commit`)
	b.press("tab")
	b.shows(`^> \(Enter folds · u undoes · Esc back\)$`)
	b.press("esc", "'please wait", "enter")
	b.wait(`^ waiting`)
	b.shows(`^> \(write on: it waits its turn\)$`)
	b.press("esc")
	b.wait(`! interrupted`)
	b.press("'with conflict", "enter")
	b.wait(`not in main`)
	b.press("tab")
	b.shows(`^> \(Enter folds · r rejects · Esc back\)$`) // it cannot be merged as it is
	b.press("esc", "'please wait", "enter")
	b.wait(`^ waiting`)
	b.press("'x", "enter")
	b.shows(`^> \(↑ takes it back · Enter: send it now\)$`)
}

// What nobody wrote is told from what somebody did, by its colour or by brackets.
func TestAnInvitationIsNoText(t *testing.T) {
	t.Parallel()
	b, _ := start(t)
	b.shows(`^> \(a message · \? keys · / commands\)$`)
	b.press("ctrl+s")
	b.wait(`^> \(type to search\)`)
	b.press("esc", "'/theme dark", "enter")
	b.shows(`^> a message · \? keys · / commands$`)
	b.press("ctrl+s")
	b.wait(`^> type to search`)
}

// An action that was proposed is said, by its title, and where all of it is.
func TestACardIsSaid(t *testing.T) {
	t.Parallel()
	b, _ := start(t)
	cards := []string{`{"id":"01JDX4C0000000000000000000","unit":"01JDX4A0000000000000000000","title":"Write to the plumber\u001b[2J"}`, `{}`, `7`}
	for i, card := range cards {
		b.m.Take("01JDX4B0000000000000000000", []client.Entry{{Frame: wsv2.Frame{
			Seq: uint64(i + 1), Unit: "01JDX4B0000000000000000000", Turn: "t", Body: wsv2.Card{Card: json.RawMessage(card)},
		}}})
	}
	b.shows(`^ ! proposed: Write to the plumber\s*$`, `^   all of it: vexa logs 01JDX4A0000000000000000000`, `^ ! proposed: an action`, `^   all of it: vexa logs 01JDX4B`)
}

// However narrow it is, what holds the agent in is in plain sight.
func TestIsolationInANarrowWindow(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	r := idling()
	r.Workspaces = []api.Grant{{Workspace: "personal", Mode: "rw"}, {Workspace: "handbook", Mode: "ro"}, {Workspace: "notes", Mode: "ro"}}
	b := newBench(t, chat.Options{Daemon: d.client(), Request: r})
	b.wait("rehearsal")
	b.shows(`^ personal:rw handbook:ro notes:ro · no container now · rehearsal`)
	b.give(tea.WindowSizeMsg{Width: 40, Height: 12})
	b.shows(`^ personal:rw \+2 · no container now\s*$`)
}
