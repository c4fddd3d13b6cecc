package chat_test

import (
	"testing"
	"time"

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
