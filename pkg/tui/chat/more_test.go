package chat_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/client/clienttest"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/tui/chat"
	"github.com/vexa-ai/vexa/pkg/tui/flow"
)

// Several sessions go on at once: one that is not shown says that it has news, keeps what
// was being written in it, and is there again at a key.
func TestSeveralSessions(t *testing.T) {
	t.Parallel()
	b, d := start(t)
	release := make(chan struct{})
	d.holding(func(r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/dispatches") && len(d.Starts()) == 0 {
			<-release
		}
	})
	b.press("'first question", "enter", "'a draft", "ctrl+n")
	b.shows(`─ 2/2 · 1 working ─`, `container of its own`)
	b.hides(`a draft`)
	close(release)
	b.wait(`2/2 · ● 1 with news`)
	b.press("'second question", "enter")
	b.wait(`you said: second question`)
	b.waitNot(`Esc stops`)
	b.press("ctrl+s")
	b.wait(`first question +has news`)
	b.shows(`second question +shown`)
	b.press("'first", "enter")
	b.wait(`you said: first question`)
	b.shows(`^> a draft`, `1/2 ─`)
	b.press("alt+2")
	b.shows(`you said: second question`)
	s := d.Starts()
	if len(s) != 2 || s[0].Session != "" || s[1].Session != "" {
		t.Errorf("%+v", s)
	}
}

// A session is gone on with: what was said before is there, once, and the next message
// belongs to it.
func TestResuming(t *testing.T) {
	t.Parallel()
	const session = "5e551010-0000-4000-8000-000000000001"
	for name, open := range map[string]chat.Opening{"latest": {Latest: true}, "by id": {Session: session}} {
		d := newDaemon(t)
		for _, r := range []api.StartRequest{{Text: "the first"}, {Text: "the second", Session: session}} {
			if _, err := d.client().Start(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		b := newBench(t, chat.Options{Daemon: d.client(), Open: open, Request: idling()})
		b.wait(`you said: the second`)
		b.shows(`^ > the first`, `^ > the second`)
		if n := strings.Count(b.text(), "you said: the first"); n != 1 {
			t.Errorf("%s: it is there %d times:\n%s", name, n, b.text())
		}
		b.waitNot(`reading what was said before`)
		b.press("up")
		b.shows(`^> the second`)
		b.press("ctrl+u", "'and now "+name[:2], "enter")
		b.wait(`you said: and now`)
		if s := d.Starts(); s[len(s)-1].Session != session {
			t.Errorf("%s: %+v", name, s[len(s)-1])
		}
	}
}

// A session that there is not ends the chat, but never takes what was written with it.
func TestResumingNone(t *testing.T) {
	t.Parallel()
	none := chat.Opening{Session: "e0e0e0e0-0000-4000-8000-000000000000"}
	b := newBench(t, chat.Options{Daemon: newDaemon(t).client(), Open: none})
	b.until("it leaves", func() bool { return b.gone })
	if err := b.m.Ended(); !fault.Is(err, fault.NotFound) || err.Error() != "there is no session "+none.Session {
		t.Errorf("it ended with %v", err)
	}
	d := newDaemon(t)
	d.down()
	b = newBench(t, chat.Options{Daemon: d.client(), Open: none})
	b.press("'written meanwhile")
	d.up()
	b.wait(`there is no session e0e0e0e0-0000`)
	b.shows(`^> written meanwhile`)
}

// A session whose first turn runs is gone on with, though nothing is kept of it yet.
func TestResumingTheFirstTurn(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	s, err := d.client().Start(t.Context(), api.StartRequest{Text: "wait for me"})
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, chat.Options{Daemon: d.client(), Open: chat.Opening{Session: s.Session}})
	b.wait(`^ > wait for me`)
	b.wait(`waiting`)
	b.shows(`Esc stops`)
}

func TestRename(t *testing.T) {
	t.Parallel()
	b, _ := start(t)
	b.press("'/rename Otters", "enter")
	b.wait(`once something was said`)
	b.press("'hello", "enter")
	b.wait(`✓ commit`)
	b.press("'/rename The otters", "enter")
	b.wait(`─ The otters ─`)
}

func TestCommands(t *testing.T) {
	t.Parallel()
	b, _ := start(t)
	b.press("'/nonsense", "enter")
	b.wait(`there is no command /nonsense`)
	b.shows(`^> /nonsense`)
	b.press("ctrl+u", "'/etc/passwd quiet", "enter")
	b.wait(`you said: /etc/passwd`)
	b.press("'hello quiet", "enter")
	b.wait(`you said: hello`)
	b.press("ctrl+p")
	b.shows(`/rename TITLE +give this session a title`)
	b.press("'renam", "enter")
	b.shows(`^> /rename`)
	b.press("ctrl+u", "?")
	b.shows(`Shift-Enter`)
	b.press("x")
	b.hides(`Shift-Enter`)
	b.press("'/quit", "enter")
	b.until("it leaves", func() bool { return b.gone })
}

// A slash alone is no message: it lists the commands.
func TestASlashAlone(t *testing.T) {
	t.Parallel()
	b, d := start(t)
	b.press("'/", "esc", "enter")
	b.shows(`/undo`, `/rename`)
	b.press("esc")
	if n := len(d.Starts()); n != 0 {
		t.Errorf("%d messages were sent", n)
	}
}

// Enter with nothing written stops the turn and sends what waits.
func TestSteering(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	var later atomic.Int64
	now := func() time.Time { return clienttest.Epoch().Add(time.Duration(later.Load())) }
	b := newBench(t, chat.Options{Daemon: d.client(), Request: idling(), Now: now})
	b.wait("rehearsal")
	b.press("'please wait", "enter")
	b.wait(`^ waiting`)
	b.press("'do this instead", "enter")
	b.shows(`Enter stops, and sends it now`)
	later.Store(int64(time.Second)) // it is no key that bounced
	b.press("enter")
	b.wait(`you said: do this instead`)
	b.shows(`! interrupted`)
	if n := len(d.Starts()); n != 2 {
		t.Errorf("%d messages", n)
	}
}

// A session whose turn still runs is gone on with as if one had never left.
func TestResumingARunningTurn(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	s, err := d.client().Start(t.Context(), api.StartRequest{Text: "please wait"})
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, chat.Options{Daemon: d.client(), Open: chat.Opening{Session: s.Session}, Request: idling()})
	b.wait(`… answering, 0 s · Esc stops`)
	b.press("esc")
	b.wait(`! interrupted`)
}

func TestWriting(t *testing.T) {
	t.Parallel()
	b, d := start(t)
	b.press("'one", "shift+enter", "'two", "alt+enter", "'three", "ctrl+j", "'four\\", "enter", "'quiet")
	b.shows(`^> one$`, `^  four$`, `^  quiet$`)
	b.give(tea.PasteMsg{Content: strings.Repeat("pasted\n", 50)})
	b.shows(`quiet\[pasted 50 lines, 1\]`)
	b.press("enter")
	b.until("it is sent", func() bool { return len(d.Starts()) > 0 })
	if got, want := d.Starts()[0].Text, "one\ntwo\nthree\nfour\nquiet"+strings.TrimRight(strings.Repeat("pasted\n", 50), "\n"); got != want {
		t.Errorf("%q", got)
	}
}

func TestOwnEditor(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	b := newBench(t, chat.Options{Daemon: d.client()})
	b.press("ctrl+g")
	b.wait(`there is no editor to open`)
	b = newBench(t, chat.Options{Daemon: d.client(), Edit: func(_ context.Context, text string) (string, error) {
		return text + "\nmore\n", nil
	}})
	b.press("'draft", "ctrl+x", "ctrl+e")
	b.wait(`^> draft\n  more\n`)
}

// Where there is no model and no workspace, the person is asked, once.
func TestFirstRun(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	if err := d.Reset("empty"); err != nil {
		t.Fatal(err)
	}
	asked := 0
	b := newBench(t, chat.Options{Daemon: d.client(), Setup: func(context.Context) error {
		asked++
		return errors.New("nobody answered")
	}})
	b.wait(`! nobody answered`)
	if asked != 1 {
		t.Errorf("%d times", asked)
	}
}

// Whatever an agent says, no control sequence but the theme's colours reaches the
// screen, nor the title of the window; and every line fits.
func TestHostileWords(t *testing.T) {
	t.Parallel()
	for _, th := range []chat.Theme{chat.None, chat.Dark, chat.Light} {
		d := newDaemon(t)
		b := newBench(t, chat.Options{Daemon: d.client(), Theme: th, Request: idling()})
		b.wait("rehearsal")
		b.press("'hostile queue reject conflict "+th2(th), "enter")
		b.wait(`not in main`)
		b.press("'/rename "+"x", "enter")
		b.press("tab", "enter")
		b.wait(`old`)
		for width := 1; width < 130; width += 6 {
			for height := 1; height < 45; height += 4 {
				b.give(tea.WindowSizeMsg{Width: width, Height: height})
				check(t, b.m.View(), width, height)
			}
		}
		b.give(tea.WindowSizeMsg{Width: 60, Height: 20})
		for _, open := range []string{"ctrl+s", "ctrl+p", "f1"} {
			b.press(open)
			check(t, b.m.View(), 60, 20)
			b.press("esc")
		}
		b.press("ctrl+u")
		brought(b)
		for _, open := range [][]string{{"'/files", "enter", "'run"}, {"'@"}, {"'/"}, {"'/model ", "enter"}, {"ctrl+s"}, {"ctrl+s", "tab"}, {"ctrl+p"}} {
			b.press(open...)
			for width := 1; width < 130; width += 16 {
				for height := 1; height < 45; height += 3 {
					b.give(tea.WindowSizeMsg{Width: width, Height: height})
					check(t, b.m.View(), width, height)
				}
			}
			b.press("esc", "esc", "ctrl+u")
		}
		b.give(tea.WindowSizeMsg{Width: 60, Height: 20})
		b.give(chat.NoticeMsg("warning" + clienttest.Hostile))
		check(t, b.m.View(), 60, 20)
	}
}

func th2(th chat.Theme) string { return string(th) }

// check fails where a screen holds more than text and colours, or does not fit.
func check(t *testing.T, v tea.View, width, height int) {
	t.Helper()
	lines := strings.Split(v.Content, "\n")
	if len(lines) > height {
		t.Fatalf("%d lines of %d", len(lines), height)
	}
	for _, line := range append(lines, v.WindowTitle) {
		bare := sgr.ReplaceAllString(line, "")
		if strings.ContainsFunc(bare, func(c rune) bool { return c < ' ' || c == 0x7f || c == 0x9b || c == '\u202e' }) {
			t.Fatalf("%q", line)
		}
		if n := flow.Width(bare); n > max(width, 26) && line != v.WindowTitle { // patches get no narrower
			t.Fatalf("%d columns of %d: %q", n, width, bare)
		}
	}
}

// flood is a daemon whose unit says very much.
type flood struct {
	chat.Daemon
	n    int
	sent chan struct{}
}

func (f flood) Frames(_ context.Context, _ string, _ client.FrameQuery) iter.Seq2[client.Entry, error] {
	return func(yield func(client.Entry, error) bool) {
		defer close(f.sent)
		for i := range f.n {
			var body wsv2.Body = wsv2.MessageDelta{Text: fmt.Sprintf("word %d of many, ", i)}
			switch {
			case i == 0:
				body = wsv2.TurnAccepted{Session: "s", Text: "go"}
			case i%50 == 0:
				body = wsv2.Message{Text: strings.Repeat("a whole answer ", 40)}
			case i%50 == 1:
				body = wsv2.ToolCall{CallID: fmt.Sprint(i), Tool: "write"}
			}
			if !yield(client.Entry{Cursor: fmt.Sprint(i), Frame: wsv2.Frame{Seq: uint64(i + 1), Turn: "t", Body: body}}, nil) {
				return
			}
		}
	}
}

func (f flood) Start(context.Context, api.StartRequest) (api.Started, error) {
	return api.Started{Unit: "u", Turn: "t", Session: "s"}, nil
}

// What is kept of 100,000 frames is bounded.
func TestAFlood(t *testing.T) { // alone: the memory is that of the whole process
	d := newDaemon(t)
	f := flood{d.client(), 100_000, make(chan struct{})}
	b := newBench(t, chat.Options{Daemon: f})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.press("'go", "enter")
	b.until("all came", func() bool {
		_ = b.text()
		select {
		case <-f.sent:
			return strings.Contains(b.text(), "word 99999")
		default:
			return false
		}
	})
	runtime.GC()
	runtime.ReadMemStats(&after)
	if mb := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) >> 20; mb > 96 {
		t.Errorf("%d MB are kept", mb)
	}
}

// BenchmarkKey is a key to a screen while 1,000 frames come in a second: what came in a
// batch before it is taken and drawn, too.
func BenchmarkKey(b *testing.B) {
	d := newDaemon(b)
	bn := newBench(b, chat.Options{Daemon: d.client(), Theme: chat.Dark})
	bn.give(tea.WindowSizeMsg{Width: 120, Height: 40})
	m := bn.m
	seq := uint64(0)
	frames := func(n int) {
		var list []client.Entry
		for range n {
			seq++
			var body wsv2.Body = wsv2.MessageDelta{Text: "a few **words** of it "}
			switch {
			case seq == 1:
				body = wsv2.TurnAccepted{Session: "s", Text: "go"}
			case seq%200 == 0:
				body = wsv2.Message{Text: strings.Repeat("a whole answer ", 100)}
			case seq%200 == 100:
				body = wsv2.ToolCall{CallID: fmt.Sprint(seq), Tool: "write"}
			}
			list = append(list, client.Entry{Frame: wsv2.Frame{Seq: seq, Turn: "t", Body: body}})
		}
		m.Take("u", list)
	}
	frames(10_000)
	var took []time.Duration
	for b.Loop() {
		frames(33) // in 33 ms
		began := time.Now()
		m.Update(tea.KeyPressMsg{Text: "x", Code: 'x'})
		_ = m.View()
		took = append(took, time.Since(began))
		if len(took)%200 == 0 {
			m.Update(tea.KeyPressMsg{Code: 'u', Mod: tea.ModCtrl})
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
