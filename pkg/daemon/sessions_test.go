package daemon_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/session"
)

// nothingKept has no session.
type nothingKept struct{ session.Keeper }

func (nothingKept) ReadPrivate(context.Context, string, string, string, func(io.Reader) error) error {
	return fault.New(fault.NotFound, "there is no such ref", "")
}

// ListPrivate implements session.Keeper.
func (nothingKept) ListPrivate(context.Context, string, string) ([]workspace.PrivateRef, error) {
	return nil, nil
}

// A session that is held, and of which nothing is kept, is told from one that never was,
// by its id and by the first letters of it; what can be neither from both.
func TestRenamingWhatIsNotKept(t *testing.T) {
	t.Parallel()
	f := newFixture(t, true)
	if w := f.ask(t, http.MethodPost, "/v1/unlock", `{"identity":"secret"}`); w.Code != http.StatusNoContent {
		t.Fatalf("unlock: %d %s", w.Code, w.Body)
	}
	nothing, none := "nothing is kept of session "+held, "there is no session "
	for id, want := range map[string]string{
		held: nothing, held[:8]: nothing, "F": nothing, "e": none + "e", "11111111-2222-4333-8444-555555555555": none + "11111111-2222-4333-8444-555555555555",
	} {
		w := f.ask(t, http.MethodPost, "/v1/sessions/"+id+"/rename", `{"title":"Otters"}`)
		if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", id, w.Code, w.Body)
		}
	}
	if w := f.ask(t, http.MethodPost, "/v1/sessions/nope/rename", `{"title":"Otters"}`); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "is not a session id") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
