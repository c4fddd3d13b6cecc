// Package history is what a person has said before, to be said again. It is kept in
// memory alone: on disk it is in the sessions, encrypted, from which it is filled.
package history

import "strings"

// most is how many messages are kept.
const most = 1000

// History goes back and forth through messages. What was being written when it was asked
// first is behind the newest, and not lost. It is used by one goroutine; the zero value is
// empty.
type History struct {
	said  []string
	at    int    // of the one that is shown; len(said): the draft
	draft string // what was being written
	begin string // what those that are gone through begin with
}

// Add puts a message behind the others, and ends going through them. One that is empty,
// or the same as the newest, is not added.
func (h *History) Add(text string) {
	if n := len(h.said); strings.TrimSpace(text) != "" && (n == 0 || h.said[n-1] != text) {
		h.said = append(h.said, text)
		if len(h.said) > most {
			h.said = append([]string(nil), h.said[1:]...)
		}
	}
	h.Reset()
}

// Reset ends going through messages: the next Older begins at the newest.
func (h *History) Reset() { h.at, h.draft, h.begin = len(h.said), "", "" }

// Older returns the next older message that begins as what is being written does, and
// false where there is none. Text is what the person sees now.
func (h *History) Older(text string) (string, bool) {
	if h.at == len(h.said) || text != h.said[h.at] { // it was changed: this is what is written now
		h.at, h.draft, h.begin = len(h.said), text, text
	}
	for i := h.at - 1; i >= 0; i-- {
		if strings.HasPrefix(h.said[i], h.begin) && h.said[i] != text {
			h.at = i
			return h.said[i], true
		}
	}
	return "", false
}

// Newer returns the next newer one, and behind the newest what was being written; false
// where the person is there already.
func (h *History) Newer(text string) (string, bool) {
	if h.at == len(h.said) || text != h.said[h.at] {
		return "", false
	}
	for h.at++; h.at < len(h.said); h.at++ {
		if strings.HasPrefix(h.said[h.at], h.begin) && h.said[h.at] != text {
			return h.said[h.at], true
		}
	}
	return h.draft, true
}
