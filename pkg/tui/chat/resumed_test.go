package chat_test

import (
	"testing"

	"github.com/vexa-ai/vexa/pkg/api"
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
