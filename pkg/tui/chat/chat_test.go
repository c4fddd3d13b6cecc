package chat_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/tui/chat"
)

// The first screen does not wait for the daemon: there is none here at all.
func TestTheFirstScreenWaitsForNobody(t *testing.T) {
	t.Parallel()
	m := chat.New(t.Context(), chat.Options{Theme: chat.None})
	if text := m.View().Content; !strings.Contains(text, "container of its own") || !strings.Contains(text, "personal:rw") {
		t.Errorf("%s", text)
	}
}

func TestATurn(t *testing.T) {
	t.Parallel()
	b, d := start(t)
	b.press("'hello", "enter")
	b.wait(`✓ commit 9c0ffee1d2c3 in personal`)
	b.waitNot(`Esc stops`)
	b.shows(`^ > hello$`, `^ Let me write that down\.`, `^ ▸ ✓ write note\.md`, `^ you said: hello`, `personal:rw · isolated, no network · rehearsal`, `120 tokens`)
	b.hides(`7 bytes`)
	if v := b.m.View(); v.WindowTitle != "vexa: hello" || v.Cursor == nil || !v.AltScreen {
		t.Errorf("%+v", v)
	}
	if s := d.Starts(); len(s) != 1 || s[0].Text != "hello" || s[0].Key == "" {
		t.Errorf("%+v", s)
	}
	// The next message goes on in the same session.
	b.press("'again", "enter")
	b.wait(`you said: again`)
	if s := d.Starts(); len(s) != 2 || s[1].Session == "" || s[1].Key == s[0].Key {
		t.Errorf("%+v", s)
	}
}

func TestFolding(t *testing.T) {
	t.Parallel()
	b, _ := start(t)
	b.press("'hello", "enter")
	b.wait(`✓ commit`)
	b.press("ctrl+o") // the newest that folds is the commit
	b.wait(`- old`)
	b.shows(`^ ▾ ✓ commit`, `^.*\+ plain text`)
	b.press("ctrl+o")
	b.hides(`old`)
	b.press("tab", "up", "up", "enter")
	b.shows(`7 bytes`, `^▌▾ ✓ write`)
	b.press("esc")
	b.hides(`▌`)
	for y, line := range strings.Split(b.text(), "\n") {
		if strings.Contains(line, "✓ write") {
			b.give(tea.MouseClickMsg{X: 3, Y: y, Button: tea.MouseLeft})
			break
		}
	}
	b.hides(`7 bytes`)
	b.press("tab", "y")
	b.wait(`copied`)
}

// An undo is asked once, and what was typed before the question could be read is no
// answer to it.
func TestUndo(t *testing.T) {
	t.Parallel()
	b, d := start(t)
	b.press("'hello", "enter")
	b.wait(`✓ commit`)
	b.press("tab", "u", "y", "y") // typed ahead
	b.shows(`\? Take commit 9c0ffee1d2c3 of personal back\? …`)
	b.press("esc")
	b.hides(`\? Take commit`)

	b.press("u")
	b.until("the question takes answers", b.m.Armed)
	b.press("x") // whatever is not y is no
	b.shows(`· not done`)
	if n := len(d.Undos()); n != 0 {
		t.Fatalf("%d undos before anybody said yes", n)
	}
	b.press("u")
	b.until("the question takes answers", b.m.Armed)
	b.press("y")
	b.wait(`↶ commit 9c0ffee1d2c3 in personal \(1 file\), taken back by 9c0ffee1d2c3`)
	if diff := cmp.Diff([]api.UndoRequest{{Commit: "9c0ffee1d2c3b4a5968778695a4b3c2d1e0f1a2b"}}, d.Undos()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.press("u")
	b.wait(`taken back by .* already`)
}

// What is written while a turn runs waits for its end, in order, and can be taken back.
func TestQueue(t *testing.T) {
	t.Parallel()
	b, d := start(t)
	release := make(chan struct{})
	d.holding(func(r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/dispatches") {
			<-release
		}
	})
	b.press("'one", "enter", "'two", "enter", "'thre", "enter")
	b.shows(`^ > one`, `^ · two`, `^ · thre`, `sending, 0 s · Esc stops`)
	b.press("up")
	b.shows(`^> thre`)
	b.hides(`^ · thre`)
	b.press("'e", "enter")
	b.shows(`^ · three`)
	close(release)
	b.wait(`you said: three`)
	var texts []string
	for _, s := range d.Starts() {
		texts = append(texts, s.Text)
	}
	if diff := cmp.Diff([]string{"one", "two", "three"}, texts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// late has the first message from now on be taken at once and answered once release is
// closed.
func (d *daemon) late() (release chan struct{}) {
	release = make(chan struct{})
	var held atomic.Bool
	d.overriding(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/dispatches") || held.Swap(true) {
				next.ServeHTTP(w, r)
				return
			}
			answer := httptest.NewRecorder()
			next.ServeHTTP(answer, r)
			<-release
			maps.Copy(w.Header(), answer.Header())
			w.WriteHeader(answer.Code)
			_, _ = answer.Body.WriteTo(w) // the chat went away
		})
	})
	return release
}

// What waits is sent where the turn before it is over before it is known to be taken, too,
// and given back where that failed or was to be stopped.
func TestTheEndComesBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text  string
		then  func(*bench, *daemon)
		shows string
		sent  []string
	}{
		"it goes on": {"two", nil, `you said: three`, []string{"one", "two", "three"}},
		"and somebody else spoke": {"two", func(b *bench, d *daemon) {
			if _, err := d.client().Start(b.t.Context(), api.StartRequest{Text: "theirs", Session: "5e551010-0000-4000-8000-000000000001", Limits: idling().Limits}); err != nil {
				b.t.Fatal(err)
			}
			b.until("their turn's end", func() bool { return b.m.Early("01JDX4A0000000000000000000", "turn-3") })
		}, `you said: three`, []string{"one", "two", "theirs", "three"}},
		"no agent had it": {"stillborn", nil, `^> stillborn`, []string{"one", "stillborn"}},
		"stopped":         {"two", func(b *bench, _ *daemon) { b.press("esc") }, `^> three`, []string{"one", "two"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, d := start(t)
			b.press("'one", "enter")
			b.wait(`you said: one`)
			b.until("the first turn's end", func() bool { return !b.m.Busy() })
			release := d.late()
			b.press("'"+c.text, "enter", "'three", "enter")
			b.until("the turn's end", func() bool { return b.m.Early("01JDX4A0000000000000000000", "turn-2") })
			b.shows(`^ · three`, `sending|stopping`)
			if c.then != nil {
				c.then(b, d)
			}
			close(release)
			b.wait(c.shows)
			b.hides(`^ · three`)
			var sent []string
			for _, s := range d.Starts() {
				sent = append(sent, s.Text)
			}
			if diff := cmp.Diff(c.sent, sent); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Esc stops the turn; what waited is not sent, and not lost.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	b, d := start(t)
	b.press("'please wait", "enter")
	b.wait(`^ waiting`)
	b.press("'later", "enter", "'draft", "esc")
	b.shows(`stopping; what was written is saved`)
	b.wait(`! interrupted; what was written is saved`)
	b.shows(`^> later`, `^  draft`)
	if n := len(d.Starts()); n != 1 {
		t.Errorf("%d messages were sent", n)
	}
}

func TestLeaving(t *testing.T) {
	t.Parallel()
	b, d := start(t)
	b.press("'please wait", "enter")
	b.wait(`^ waiting`)
	b.press("ctrl+d")
	b.until("it leaves", func() bool { return b.gone })
	if want := "the agent goes on; come back with: vexa chat --session 5e551010-0000-4000-8000-000000000001"; b.m.Left() != want {
		t.Errorf("left %q", b.m.Left())
	}
	list, err := d.client().Dispatches(t.Context(), false)
	if err != nil || len(list) != 1 {
		t.Errorf("the turn was ended: %+v, %v", list, err)
	}

	// What waits is not left without a word.
	b, _ = start(t)
	b.press("'please wait", "enter")
	b.wait(`^ waiting`)
	b.press("'later", "enter", "ctrl+d")
	b.shows(`\? Leave\? Not sent yet: 1 message\. …`)
	b.until("the question takes answers", b.m.Armed)
	b.press("y")
	b.until("it leaves", func() bool { return b.gone })
	if !strings.Contains(b.m.Left(), "not sent: 1 message that waited") {
		t.Errorf("left %q", b.m.Left())
	}

	b, _ = start(t)
	b.press("'draft", "ctrl+c")
	b.shows(`emptied; Ctrl-Z brings it back`)
	b.press("ctrl+z")
	b.shows(`^> draft`)
	b.press("ctrl+c", "'precious", "ctrl+c") // a key between: it is emptied, not left
	b.shows(`emptied; Ctrl-Z brings it back`)
	b.press("ctrl+z")
	b.shows(`^> precious`)
	b.press("ctrl+d") // a draft is asked for, in whichever session it is
	b.shows(`^> precious`)
	b.press("ctrl+n", "ctrl+d")
	b.shows(`\? Leave\? Not sent yet: 1 draft\. …`)
	b.until("the question takes answers", b.m.Armed)
	b.press("y")
	b.until("it leaves", func() bool { return b.gone })

	b, _ = start(t)
	b.press("ctrl+c", "ctrl+c")
	b.until("it leaves", func() bool { return b.gone })

	b, _ = start(t) // the first stops a turn
	b.press("'please wait", "enter")
	b.wait(`^ waiting`)
	b.press("ctrl+c", "ctrl+c")
	b.until("it leaves", func() bool { return b.gone })
}

// Enter that bounces queues a message, and does not stop the turn.
func TestABouncingEnter(t *testing.T) {
	t.Parallel()
	b, _ := start(t)
	b.press("'please wait", "enter")
	b.wait(`^ waiting`)
	b.press("'later", "enter", "enter")
	b.shows(`later`, `sent at the end of the turn`)
	b.hides(`stopping`)
}

// A stream that breaks goes on where it was, and it is said.
func TestTheStreamBreaks(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.DropAfter = 7
	b := newBench(t, chat.Options{Daemon: d.client()})
	b.wait("rehearsal")
	back := make(chan struct{})
	d.holding(func(r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/status") {
			<-back
		}
	})
	b.press("'a message of several pieces", "enter")
	b.wait(`the stream broke; connecting again, nothing is lost`)
	b.hides(`✓ commit`)
	close(back)
	b.wait(`✓ commit`)
	b.wait(`the stream is back; nothing was lost`)
	b.shows(`^ you said: a message of several pieces$`)
	if n := strings.Count(b.text(), "Let me write"); n != 1 {
		t.Errorf("it is there %d times:\n%s", n, b.text())
	}
}

// A message that the daemon was not there for is kept and sent once.
func TestTheDaemonGoes(t *testing.T) {
	t.Parallel()
	b, d := start(t)
	d.down()
	b.press("'hello", "enter")
	b.wait(`the daemon is gone; the message is sent when it is back`)
	b.shows(`^ > hello`)
	d.Restart()
	d.up()
	b.wait(`✓ commit`)
	b.wait(`the daemon was restarted`)
	if n := len(d.Starts()); n != 1 {
		t.Errorf("%d messages", n)
	}
	b.waitNot(`Esc stops`)
	d.down()
	b.press("'more", "enter")
	b.wait(`the daemon is gone`)
	b.press("esc")
	b.wait(`^> more`)
}

func TestNoDaemon(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.down()
	b := newBench(t, chat.Options{Daemon: d.client()})
	b.wait(`! no daemon is running`)
	b.shows(`there is no daemon · vexa daemon start`)
	d.up()
	b.wait(`model       none: a rehearsal`)
	b.shows(`the daemon answers now`)
	b.hides(`no daemon`)
}

func TestLocked(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	if err := d.Reset("locked"); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, chat.Options{Daemon: d.client()})
	b.wait(`Vexa is locked · /unlock`)
	b.press("'hello", "enter")
	b.wait(`^> hello`) // it is given back
	if err := d.client().Unlock(t.Context(), api.UnlockRequest{Identity: "AGE-SECRET-KEY-1"}); err != nil {
		t.Fatal(err)
	}
	b.waitNot(`Vexa is locked · `)
}

// Once the key is open again, nothing says any more that anything is amiss.
func TestUnlocking(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	b := newBench(t, chat.Options{Daemon: d.client(), Request: idling(), Unlock: func(ctx context.Context) error {
		return d.client().Unlock(ctx, api.UnlockRequest{Identity: "AGE-SECRET-KEY-1"})
	}})
	b.wait("rehearsal")
	b.press("'hello", "enter")
	b.wait(`✓ commit`)
	if err := d.client().Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.wait(`Vexa is locked · /unlock`)
	b.press("'hello again", "enter")
	b.wait(`^> hello again`)
	b.wait(`Vexa is locked · /unlock`)
	b.hides(`vexa unlock`)
	b.press("ctrl+u", "'/theme pink", "enter", "ctrl+u", "'/unlock", "enter")
	b.waitNot(`(?m)^!`)
}

func TestARefusedMessageComesBack(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	b := newBench(t, chat.Options{Daemon: d.client(), Request: api.StartRequest{Workspaces: []api.Grant{{Workspace: "none", Mode: "rw"}}}})
	b.wait(`none:rw`)
	b.press("'hello", "enter")
	b.wait(`^> hello`)
	b.shows(`! .*there is no workspace none`)
}

func TestTurnsThatFail(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"fail": `! the turn failed`, "truncate": `! the answer is incomplete`, "lose": `! the container ended during the turn`,
		"limit": `! a limit of the dispatch is used up`, "conflict": `! commit .* is not in main`, "reject": `! not saved: evil`, "queue": `you said: queue`,
	} {
		b, _ := start(t)
		b.press("'"+word, "enter")
		b.wait(want)
	}
}

// A message that no agent got is not lost.
func TestAMessageThatNobodyGotComesBack(t *testing.T) {
	t.Parallel()
	b, _ := start(t)
	b.press("'stillborn", "enter")
	b.wait(`! the container ended during the turn`)
	b.wait(`^> stillborn`)
}

// A proposal is merged at a key, once the person has said so.
func TestAccept(t *testing.T) {
	t.Parallel()
	b, d := start(t)
	b.press("'hello", "enter")
	b.wait(`✓ commit`)
	b.press("tab", "a")
	b.wait(`that is no proposal`)
	b.press("esc", "'with approval", "enter")
	b.wait(`it needs approval`)
	b.press("tab", "u")
	b.wait(`there is nothing to take back`)
	b.press("a")
	b.wait(`look at it first`)
	b.press("enter")
	b.wait(`- old`)
	b.press("a")
	b.wait(`\? Merge proposal 01JDX4A0000000000000000000 \(1 of 2 approvals\) into main`)
	b.until("the question takes answers", b.m.Armed)
	if len(d.Accepted()) > 0 {
		t.Error("it was merged before anybody said so")
	}
	b.press("y")
	b.wait(`▾ ✓ commit .*, merged since`)
	if diff := cmp.Diff([]string{"01JDX4A0000000000000000000 9c0ffee1d2c3b4a5968778695a4b3c2d1e0f1a2b"}, d.Accepted()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
