package chat_test

import (
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/tui/chat"
)

// A session is gone on with by the first letters of its id, whether it is kept or its first
// turn runs, and the next message names it whole.
func TestResumingByAShortID(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	const kept, begun = "f00d0000-0000-4000-8000-000000000001", "beef0000-0000-4000-8000-000000000002"
	for _, r := range []api.StartRequest{{Text: "the first", Session: kept}, {Text: "wait for me", Session: begun, Limits: idling().Limits}} {
		if _, err := d.client().Start(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	b := newBench(t, chat.Options{Daemon: d.client(), Open: chat.Opening{Session: "F00D"}, Request: idling()})
	b.wait(`you said: the first`)
	b.waitNot(`reading what was said before`)
	b.press("'and now", "enter")
	b.wait(`you said: and now`)
	if s := d.Starts(); s[len(s)-1].Session != kept {
		t.Errorf("%+v", s[len(s)-1])
	}
	b = newBench(t, chat.Options{Daemon: d.client(), Open: chat.Opening{Session: "beef0000"}})
	b.wait(`^ > wait for me`)
	b.wait(`waiting`)
	b.shows(`Esc stops`)
}

// What names several, none, or nothing that could be one ends the chat with what the
// command says of it.
func TestResumingByAShortIDOfNone(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	const one, two = "f00d0000-0000-4000-8000-000000000001", "f00d0000-0000-4000-8000-000000000002"
	for session, text := range map[string]string{one: "hello", two: "wait for me"} {
		if _, err := d.client().Start(t.Context(), api.StartRequest{Text: text, Session: session}); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]struct {
		kind fault.Kind
		says []string
	}{
		"f00d": {fault.Conflict, []string{one, two}},
		"f00e": {fault.NotFound, []string{"there is no session f00e"}},
		"nope": {fault.Invalid, []string{"not a session id"}},
	} {
		b := newBench(t, chat.Options{Daemon: d.client(), Open: chat.Opening{Session: text}})
		b.until("it leaves", func() bool { return b.gone })
		for _, says := range want.says {
			if err := b.m.Ended(); !fault.Is(err, want.kind) || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: it ended with %v", text, err)
			}
		}
	}
}
