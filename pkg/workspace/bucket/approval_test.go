package bucket_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/workspacetest"
)

// TestNothingIsSignedOverALyingIndex: a member stores a pack whose index shows other
// bytes for an id. Until it is gone nobody's approval is to be had by that.
func TestNothingIsSignedOverALyingIndex(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	buckets := workspacetest.New(t, filepath.Join(root, "rest"))
	s, err := workspace.Open(workspace.Options{
		Root: filepath.Join(root, "registry"), Repos: filepath.Join(root, "open"), Buckets: buckets, Sealer: buckets, Git: newGit(t), Now: time.Now,
		NewID: func() string { return "01TEST00000000000000000001" },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	by := workspace.Author{Subject: "u_jane"}
	info, err := s.Create(t.Context(), workspace.CreateRequest{Name: "notes", Author: by})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetApprovals(t.Context(), "notes", "refs/heads/main", 1); err != nil {
		t.Fatal(err)
	}
	c, err := s.Checkout(t.Context(), workspace.CheckoutRequest{
		Workspace: "notes", Unit: "01UNIT", Mode: unitv1.ReadWrite,
		Dir: filepath.Join(root, "ws"), History: filepath.Join(root, "history"), Meta: filepath.Join(root, "meta"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.Dir(), "a.md"), []byte("a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := s.Seal(t.Context(), workspace.SealRequest{Checkout: c, Author: by, Message: "a", Unit: "01UNIT"})
	if err != nil || out.Proposal == "" {
		t.Fatalf("%+v, %v", out, err)
	}
	pack, index, id := forgeIndex(t, create(t, mem.New()))
	b, err := buckets.Open(t.Context(), info.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := bucket.StorePack(t.Context(), b, pack, index, map[string]string{"refs/heads/side": id}); err != nil {
		t.Fatal(err)
	}
	for what, do := range map[string]func() error{
		"approved": func() error { _, err := s.ApproveProposal(t.Context(), "notes", out.Proposal, "", by); return err },
		"accepted": func() error { _, err := s.AcceptProposal(t.Context(), "notes", out.Proposal, "", by); return err },
	} {
		if err := do(); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "is not what it says") || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if st, err := b.Head(t.Context()); err != nil || st.Refs["refs/heads/main"] != info.Head {
		t.Errorf("main moved: %v", err)
	}
}
