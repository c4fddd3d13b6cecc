package chat_test

import (
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/client/clienttest"
	"github.com/vexa-ai/vexa/pkg/tui/chat"
)

// A commit that was taken back since an earlier chat is marked where the session is gone on
// with, and cannot be taken back again.
func TestACommitThatAnEarlierChatTookBack(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	if _, err := d.client().Start(t.Context(), api.StartRequest{Text: "hello"}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.client().Undo(t.Context(), "personal", api.UndoRequest{Commit: "9c0ffee1d2c3b4a5968778695a4b3c2d1e0f1a2b"}); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, chat.Options{Daemon: d.client(), Open: chat.Opening{Latest: true}, Request: idling()})
	b.wait(`↶ commit 9c0ffee1d2c3 in personal \(1 file\), taken back by 0ddba11d2c3b`)
	b.press("tab", "u")
	b.wait(`taken back by 0ddba11d2c3b already`)
}

// What the command line chose is for new sessions: one that is opened from the list has its
// own model and runner.
func TestASessionFromTheListKeepsItsOwn(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	if _, err := d.client().Start(t.Context(), api.StartRequest{Text: "otters quiet"}); err != nil {
		t.Fatal(err)
	}
	r := idling()
	r.Runner = "text"
	now := func() time.Time { return clienttest.Epoch().Add(11 * time.Minute) }
	b := newBench(t, chat.Options{Daemon: twoRunners{d.client()}, Request: r, Now: now})
	b.wait(`no container now · text`)
	b.press("ctrl+s") // it may be before the sessions are known
	b.wait(`otters quiet +11 min ago`)
	b.press("'otters", "enter")
	b.wait(`you said: otters`)
	b.waitNot(`reading what`)
	b.shows(`rehearsal · vexa`)
	b.press("'and badgers", "enter")
	b.wait(`you said: and badgers`)
	if s := d.Starts(); len(s) != 2 || s[1].Runner != "" || s[1].Session == "" {
		t.Errorf("%+v", s)
	}
}

// A session that is opened from the list has its own workspaces, in the status line, in what
// is sent, and in what completes; a chat that was begun with others keeps those for new ones.
func TestASessionFromTheListKeepsItsWorkspaces(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	for _, name := range []string{"handbook", "journal"} {
		if _, err := d.client().CreateWorkspace(t.Context(), api.CreateWorkspace{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	old := []api.Grant{{Workspace: "handbook", Mode: "ro"}, {Workspace: "journal", Mode: "rw"}}
	if _, err := d.client().Start(t.Context(), api.StartRequest{Text: "otters quiet", Workspaces: old}); err != nil {
		t.Fatal(err)
	}
	r := idling()
	r.Workspaces, r.Tools = []api.Grant{{Workspace: "personal", Mode: "rw"}}, []string{"acme.send"}
	b := newBench(t, chat.Options{Daemon: d.client(), Request: r})
	b.wait(`personal:rw · no container now`)
	brought(b)
	b.press("ctrl+s")
	b.wait(`otters quiet`)
	b.press("'otters", "enter")
	b.wait(`you said: otters`)
	b.wait(`handbook:ro journal:rw · no container now`)
	b.press("'look at @journal:note.md @handbook:note.md", "esc", "enter")
	b.wait(`you said: look at`)
	s := d.Starts()
	last := s[len(s)-1]
	if last.Session == "" || len(last.Workspaces) != 0 || len(last.Tools) != 0 || last.Text != "look at /workspaces/ws_01jdx0journal/note.md @note.md" {
		t.Errorf("%+v", last)
	}
	b.waitNot(`Esc stops`)
	b.press("'see @note.m")
	b.wait(`note\.md +journal`)
	b.press("esc", "ctrl+u", "ctrl+n")
	b.wait(`personal:rw · no container now`)
	b.press("'a new one", "enter")
	b.wait(`you said: a new one`)
	s = d.Starts()
	if last := s[len(s)-1]; last.Session != "" || len(last.Workspaces) != 1 || len(last.Tools) != 1 {
		t.Errorf("%+v", last)
	}
}

// Where the command line names workspaces for a session that is gone on with, it has those.
func TestOtherWorkspacesForASession(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	if _, err := d.client().Start(t.Context(), api.StartRequest{Text: "otters quiet"}); err != nil {
		t.Fatal(err)
	}
	r := idling()
	r.Workspaces = []api.Grant{{Workspace: "personal", Mode: "ro"}}
	b := newBench(t, chat.Options{Daemon: d.client(), Request: r, Open: chat.Opening{Latest: true}})
	b.wait(`you said: otters`)
	b.shows(`personal:ro`)
	b.hides(`personal:rw`)
}

// What is said to a session elsewhere is shown: once the window is come back to, and at the
// latest before what is said here next.
func TestASessionThatSomebodyElseGoesOnWith(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	b := newBench(t, chat.Options{Daemon: d.client()}) // its containers end with the turn
	b.give(tea.WindowSizeMsg{Width: 80, Height: 60})
	b.wait("rehearsal")
	b.press("'quiet one", "enter")
	b.wait(`you said: quiet one`)
	b.wait(`no container now`)
	session := "5e551010-0000-4000-8000-000000000001"
	say := func(text string) {
		if _, err := d.client().Start(t.Context(), api.StartRequest{Text: text, Session: session}); err != nil {
			t.Fatal(err)
		}
	}
	say("number two")
	b.give(tea.FocusMsg{})
	b.wait(`you said: number two`)
	b.wait(`no container now`)
	say("number three")
	say("number four")
	b.press("'number five", "enter")
	b.wait(`you said: number five`)
	b.wait(`no container now`)
	all := b.text()
	at := 0
	for _, n := range []string{"three", "four", "five"} {
		next := strings.Index(all, "you said: number "+n)
		if next < at || strings.Count(all, "you said: number "+n) != 1 {
			t.Fatalf("%s is not where it belongs:\n%s", n, all)
		}
		at = next
	}
}

// An undo that others contest is a proposal, which the commit leads to from then on, and
// there is one of it.
func TestAnUndoThatIsAProposal(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.Contested = true
	b := newBench(t, chat.Options{Daemon: d.client(), Request: idling()})
	b.wait("rehearsal")
	b.press("'hello", "enter")
	b.wait(`✓ commit`)
	b.waitNot(`Esc stops`)
	b.press("'/undo", "enter")
	b.until("the question takes an answer", b.m.Armed)
	b.press("y")
	b.wait(`to be taken back by a proposal`)
	b.shows(`vexa proposal show personal 01JDX4A0UND00000000000000`)
	b.press("'/undo", "enter")
	b.wait(`no commit to take back`)
	b.press("tab", "u")
	b.wait(`a proposal is to take it back already`)

	b = newBench(t, chat.Options{Daemon: d.client(), Request: idling(), Open: chat.Opening{Latest: true}})
	b.wait(`vexa proposal show personal 01JDX4A0UND00000000000000`)
}
