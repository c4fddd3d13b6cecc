package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/keys"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/runners"
)

// A closed engine leaves nothing readable in memory-backed storage, and the
// next one works without what was wiped.
func TestClosedEngineLeavesNoHistory(t *testing.T) {
	t.Parallel()
	env := map[string]string{"VEXA_HOME": t.TempDir(), "XDG_RUNTIME_DIR": t.TempDir(), "VEXA_PLAINTEXT_DIR": t.TempDir()}
	h, err := home.Open(func(k string) string { return env[k] }, os.Getuid())
	must(t, err)
	s, err := keyStore(h)
	must(t, err)
	_, err = s.Create(t.Context(), keys.With{})
	must(t, err)
	catalog, err := runner.Load(runners.FS)
	must(t, err)
	for _, unit := range []string{"01ARZ3NDEKTSV4RRFFQ69G5FA0", "01ARZ3NDEKTSV4RRFFQ69G5FA1"} {
		e, err := openEngine(t.Context(), h, "", catalogs{runners: catalog}, slog.New(slog.DiscardHandler))
		must(t, err)
		info, err := e.Workspaces.Lookup(t.Context(), "notes")
		if fault.Is(err, fault.NotFound) {
			info, err = e.Workspaces.Create(t.Context(), workspace.CreateRequest{Name: "notes", Author: workspace.Author{Subject: "u_jane"}})
		}
		must(t, err)
		dir := filepath.Join(h.Plain, unit)
		c, err := e.Workspaces.Checkout(t.Context(), workspace.CheckoutRequest{
			Workspace: info.ID, Unit: unit, Mode: unitv1.ReadWrite,
			Dir: filepath.Join(dir, "ws"), History: filepath.Join(dir, "history"), Meta: filepath.Join(dir, "meta"),
		})
		must(t, err)
		packs := h.Packs()
		if _, err := os.Stat(packs); err != nil {
			t.Fatal("the history is kept elsewhere now: ", err)
		}
		must(t, e.Workspaces.Release(t.Context(), c, false))
		must(t, e.Close())
		if _, err := os.Stat(packs); !os.IsNotExist(err) {
			t.Errorf("the history is still readable: %v", err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
