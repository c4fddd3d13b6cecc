package workspace_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/workspace"
)

const canary = "CANARY-otters-7319"

// oldWorkspace is a workspace of the time before buckets.
func oldWorkspace(t *testing.T, w *world, id, name string) (refs string) {
	t.Helper()
	src, dir := t.TempDir(), filepath.Join(w.root, id)
	plainGit(t, src, "init", "-q", "-b", "main")
	write(t, src, map[string]string{canary + ".md": canary})
	plainGit(t, src, "add", "-A")
	plainGit(t, src, "commit", "-q", "-m", canary)
	plainGit(t, src, "update-ref", "refs/vexa/sessions/u_jane/s", "HEAD")
	plainGit(t, src, "branch", "vexa/01UNMERGED")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	repo := filepath.Join(dir, "repo.git")
	plainGit(t, "/", "clone", "-q", "--mirror", src, repo)
	plainGit(t, repo, "remote", "remove", "origin")
	for file, text := range map[string]string{
		"record.json":    fmt.Sprintf(`{"id": %q, "name": %q, "createdAt": "2026-01-02T03:04:05Z"}`, id, name),
		"workspace.json": fmt.Sprintf(`{"id": %q, "bucket": "file://%s", "mode": "rw", "encryption": {"scheme": "none", "recipients": [], "keyGeneration": 0}}`, id, "/old"),
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return plainGit(t, repo, "for-each-ref")
}

// readable returns the files below a directory that have the canary in name or
// content.
func readable(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.Contains(d.Name(), canary) {
			found = append(found, path)
		}
		if d.Type().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if bytes.Contains(data, []byte(canary)) {
				found = append(found, path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestMigrate: a workspace of the time before buckets is encrypted with all of
// its refs, also where the one who does it is stopped at any step.
func TestMigrate(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"", "moved", "migrated"} {
		t.Run("stopped at "+step, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			const id = "01k000000000000000000000aa"
			refs := oldWorkspace(t, w, id, "canary-notes")
			stopped := errors.New("stopped")
			func() {
				defer func() {
					if r := recover(); r != nil && r != any(stopped) {
						panic(r)
					}
				}()
				workspace.SetStep(w.Store, func(at string) {
					if at == step {
						panic(stopped)
					}
				})
				if err := w.MigrateAll(context.Background()); err != nil {
					t.Error(err)
				}
			}()
			workspace.SetStep(w.Store, func(string) {})
			if err := w.MigrateAll(context.Background()); err != nil {
				t.Fatal(err)
			}
			info, err := w.Lookup(context.Background(), "canary-notes")
			if err != nil || info.ID != id || !info.Encrypted || len(info.Unmerged) != 0 || info.Files != 1 {
				t.Fatalf("%+v, %v", info, err)
			}
			if got := plainGit(t, "/", "--git-dir="+w.repo(id), "for-each-ref"); got != refs {
				t.Errorf("refs are\n%s, were\n%s", got, refs)
			}
			w.fsck(t, id)
			entries, err := os.ReadDir(filepath.Join(w.root, id))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if n := e.Name(); n == "repo.git" || n == "record.json" || n == "packs" {
					t.Errorf("%s is left", n)
				}
			}
			if found := readable(t, w.root); len(found) > 0 {
				t.Errorf("readable: %q", found)
			}
			if found := readable(t, w.root+"-at-rest"); len(found) > 0 {
				t.Errorf("readable: %q", found)
			}
			data, err := w.ReadFile(context.Background(), id, "", canary+".md")
			if err != nil || string(data) != canary {
				t.Errorf("%q, %v", data, err)
			}
		})
	}
}
