package history_test

import (
	"fmt"
	"testing"

	"github.com/vexa-ai/vexa/pkg/tui/history"
)

func TestHistory(t *testing.T) {
	t.Parallel()
	var h history.History
	older := func(text, want string) {
		t.Helper()
		if got, ok := h.Older(text); got != want || ok != (want != "") {
			t.Errorf("older than %q is %q, %t", text, got, ok)
		}
	}
	newer := func(text, want string, there bool) {
		t.Helper()
		if got, ok := h.Newer(text); got != want || ok != there {
			t.Errorf("newer than %q is %q, %t", text, got, ok)
		}
	}
	older("", "")
	for _, text := range []string{"write a note", "read it", "read it", "  ", "write another"} {
		h.Add(text)
	}
	newer("", "", false)
	older("", "write another")
	older("write another", "read it")
	older("read it", "write a note")
	older("write a note", "")
	newer("write a note", "read it", true)
	newer("read it", "write another", true)
	newer("write another", "", true)
	newer("", "", false)

	// What begins as it does, and a draft that is not lost.
	h.Reset()
	older("wri", "write another")
	older("write another", "write a note")
	older("write a note", "")
	newer("write a note", "write another", true)
	newer("write another", "wri", true)
	newer("wri", "", false)

	// One that was changed is what is being written.
	older("", "write another")
	newer("write another one", "", false)
	older("write another one", "")
	older("read", "read it")
	h.Add("read it")
	older("", "read it")
}

func TestItIsBounded(t *testing.T) {
	t.Parallel()
	var h history.History
	for i := range 1500 {
		h.Add(fmt.Sprint("message ", i))
	}
	text, n := "", 0
	for {
		older, ok := h.Older(text)
		if !ok {
			break
		}
		text = older
		n++
	}
	if n != 1000 || text != "message 500" {
		t.Errorf("%d, the oldest is %q", n, text)
	}
}
