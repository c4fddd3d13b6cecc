package daemon_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/session"
)

// nothingKept has no session.
type nothingKept struct{ session.Keeper }

func (nothingKept) ReadPrivate(context.Context, string, string, string, func(io.Reader) error) error {
	return fault.New(fault.NotFound, "there is no such ref", "")
}

// A session that is held, and of which nothing is kept, is told from one that never was.
func TestRenamingWhatIsNotKept(t *testing.T) {
	t.Parallel()
	f := newFixture(t, true)
	if w := f.ask(t, http.MethodPost, "/v1/unlock", `{"identity":"secret"}`); w.Code != http.StatusNoContent {
		t.Fatalf("unlock: %d %s", w.Code, w.Body)
	}
	for id, want := range map[string]string{"s": "nothing is kept of session s", "x": "there is no session x"} {
		w := f.ask(t, http.MethodPost, "/v1/sessions/"+id+"/rename", `{"title":"Otters"}`)
		if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", id, w.Code, w.Body)
		}
	}
}
