// Package sessionid is how sessions are named: by a whole id, or by the first letters of
// one where no other begins with them.
package sessionid

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

// form is what a whole id looks like: a random UUID.
var form = textform.Regexp(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

const (
	// some is an id: what a short one lacks is taken from it to see whether it can be one.
	some = "00000000-0000-4000-8000-000000000000"
	// mostNamed is how many sessions are named that begin alike.
	mostNamed = 5
	hint      = "see: vexa session list"
)

// Whole reports whether a text is a whole id, in any case.
func Whole(text string) bool { return form.MatchString(strings.ToLower(text)) }

// Begins reports whether a text is an id or the beginning of one, in any case.
func Begins(text string) bool {
	return text != "" && len(text) <= len(some) && Whole(text+some[len(text):])
}

// Check is fault.Invalid unless a text is an id or the beginning of one.
func Check(text string) error {
	if !Begins(text) {
		return fault.New(fault.Invalid, fmt.Sprintf("%q is not a session id", text), hint)
	}
	return nil
}

// Find returns the session that a text names, among the ids of the first list that has
// one. It is fault.Invalid where the text can name none, fault.NotFound where none of them
// begins with it, and fault.Conflict, with their names, where several do.
func Find(text string, lists ...[]string) (string, error) {
	if err := Check(text); err != nil {
		return "", err
	}
	short := strings.ToLower(text)
	for _, ids := range lists {
		var found []string
		for _, id := range ids {
			if strings.HasPrefix(id, short) && !slices.Contains(found, id) {
				found = append(found, id)
			}
		}
		switch {
		case len(found) == 1:
			return found[0], nil
		case len(found) > 1:
			return "", fault.New(fault.Conflict, "several sessions begin with "+short+": "+listed(found), "give more of the id; "+hint)
		}
	}
	return "", fault.New(fault.NotFound, "there is no session "+short, hint)
}

// Among is Find among what a daemon knows: sessions that are kept or held by a live
// dispatch, then those of dispatches that have ended.
func Among(text string, kept []api.Session, dispatches []api.Dispatch) (string, error) {
	var there, past []string
	for _, s := range kept {
		there = append(there, s.ID)
	}
	for _, d := range dispatches {
		if d.EndedAt == nil {
			there = append(there, d.Session)
		} else {
			past = append(past, d.Session)
		}
	}
	return Find(text, there, past)
}

// listed names the first of them.
func listed(ids []string) string {
	text := strings.Join(ids[:min(len(ids), mostNamed)], ", ")
	if more := len(ids) - mostNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
