package daemon_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/daemon"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/session"
	"github.com/vexa-ai/vexa/pkg/workspace/workspacetest"
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

// The commits of a session are found by the first letters of its id; of what names none
// of the caller's, that is said, and what is no part of an id is looked for as it is.
func TestCommitsOfASession(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	g, err := git.New(t.Context(), git.Options{})
	must(t, err)
	buckets := workspacetest.New(t, filepath.Join(root, "rest"))
	store, err := workspace.Open(workspace.Options{
		Root: filepath.Join(root, "ws"), Repos: filepath.Join(root, "open"), Buckets: buckets, Sealer: buckets, Git: g, Now: time.Now,
		NewID: func() string { return "01TEST00000000000000000001" },
	})
	must(t, err)
	t.Cleanup(func() { _ = store.Close() })
	jane := workspace.Author{Subject: "u_jane"}
	_, err = store.Create(t.Context(), workspace.CreateRequest{Name: "notes", Author: jane})
	must(t, err)
	tree := filepath.Join(root, "tree")
	c, err := store.Checkout(t.Context(), workspace.CheckoutRequest{
		Workspace: "notes", Unit: unit, Mode: unitv1.ReadWrite, Dir: tree, History: filepath.Join(root, "history"), Meta: filepath.Join(root, "meta"),
	})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(tree, "a.md"), []byte("otters\n"), 0o600))
	_, err = store.Seal(t.Context(), workspace.SealRequest{Checkout: c, Author: jane, Message: "Otters", Unit: unit, Launcher: "user:jane", Runner: "vexa", Session: held, Turn: "t"})
	must(t, err)

	f := newFixture(t, false)
	open := f.options.Open
	f.options.Open = func(ctx context.Context, identity string) (*daemon.Engine, error) {
		e, err := open(ctx, identity)
		if err == nil {
			e.Workspaces = store
		}
		return e, err
	}
	f.server = daemon.New(t.Context(), f.options)
	must(t, f.server.Unlock(t.Context(), "secret"))
	for session, want := range map[string]string{
		held: `"message":"Otters"`, "FA5E": `"message":"Otters"`, "fa5e0000-0": `"message":"Otters"`, "e": "there is no session e", "s-1": "[]\n",
		"fa5e0000-0000-4000-8000-000000000002": "[]\n",
	} {
		if w := f.ask(t, http.MethodGet, "/v1/workspaces/notes/log?session="+session, ""); !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", session, w.Code, w.Body)
		}
	}
}
