package daemon

import (
	"slices"
	"testing"

	"github.com/vexa-ai/vexa/pkg/workspace/session"
)

// What is gone on with is what a turn was begun in last, however long that one took: a clock
// says when it was kept, and the records in which order turns came.
func TestSessionsByTheirTurns(t *testing.T) {
	t.Parallel()
	var all []session.Meta
	for _, id := range []string{"long", "old", "short", "older"} { // as they were kept, the last first
		all = append(all, session.Meta{Session: id})
	}
	var got []string
	for _, m := range byTurn(all, []string{"short", "forgotten", "long"}) {
		got = append(got, m.Session)
	}
	if want := []string{"short", "long", "old", "older"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
