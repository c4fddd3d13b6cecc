package workspace_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace"
)

// TestBackupAndRestore: what is lost comes back from a backup, an older state
// only on purpose, and an open repository follows.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	url, out, err := w.Backup(ctx, "notes", "file://"+t.TempDir(), false)
	if err != nil || out.Objects == 0 {
		t.Fatalf("%s %+v, %v", url, out, err)
	}
	turn := func(unit, file string) {
		c := w.checkout(t, unit)
		write(t, c.Dir(), map[string]string{file: "2\n"})
		w.seal(t, c, file)
		if err := w.Release(ctx, c, false); err != nil {
			t.Fatal(err)
		}
	}
	turn("01UNITA", "lost.md")
	for _, part := range []string{"o", "m", "k"} {
		if err := os.RemoveAll(filepath.Join(w.buckets.Dir(info.ID), part)); err != nil {
			t.Fatal(err)
		}
	}
	if rep, err := w.Verify(ctx, "notes", false); err == nil && rep.Healthy {
		t.Error("an empty bucket is healthy")
	}
	_, _, err = w.Restore(ctx, workspace.RestoreRequest{Workspace: "notes", From: url})
	if !fault.Is(err, fault.Denied) || fault.HintOf(err) == "" {
		t.Fatalf("an older state was taken: %v", err)
	}
	if _, _, err := w.Restore(ctx, workspace.RestoreRequest{Workspace: "notes", From: url, AcceptOlder: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.ReadFile(ctx, "notes", "", "lost.md"); !fault.Is(err, fault.NotFound) {
		t.Errorf("the open repository has what was lost: %v", err)
	}
	turn("01UNITB", "after.md")
	turn("01UNITC", "more.md")
	for _, file := range []string{"a.md", "after.md", "more.md"} {
		if _, err := w.ReadFile(ctx, "notes", "", file); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	w.fsck(t, info.ID)
	if rep, err := w.Verify(ctx, "notes", true); err != nil || !rep.Healthy {
		t.Errorf("%v, %v", rep, err)
	}

	if err := w.VerifyOpen(ctx); err != nil {
		t.Error(err)
	}
	other := newWorld(t)
	other.openAs(t, w.buckets)
	if _, _, err := other.Restore(ctx, workspace.RestoreRequest{Workspace: "mine", From: url, AcceptOlder: true}); err != nil {
		t.Fatal(err)
	}
	if data, err := other.ReadFile(ctx, "mine", "", "a.md"); err != nil || string(data) != "1\n" {
		t.Errorf("%q, %v", data, err)
	}
}
