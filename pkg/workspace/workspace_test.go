package workspace_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/workspacetest"
)

var jane = workspace.Author{Subject: "u_jane", Name: "Jane", Email: "jane@example.com"}

// world is one store with what tests need around it.
type world struct {
	*workspace.Store
	git     *git.Git
	buckets *workspacetest.Buckets
	root    string
	tmp     string
	ids     atomic.Int64
	now     atomic.Int64
	log     *slog.Logger
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{tmp: tb.TempDir()}
	w.root = filepath.Join(w.tmp, "a: \"root\" \\ é")
	w.now.Store(1_700_000_000)
	w.open(tb)
	return w
}

func (w *world) open(tb testing.TB) {
	tb.Helper()
	w.openWith(tb, "")
}

// openWith opens the store with the git at path; "" is the machine's.
func (w *world) openWith(tb testing.TB, path string) {
	tb.Helper()
	g, err := git.New(context.Background(), git.Options{Path: path})
	if err != nil {
		tb.Fatal(err)
	}
	w.git = g
	if w.buckets == nil {
		w.buckets = workspacetest.New(tb, w.root+"-at-rest")
	}
	w.Store, err = workspace.Open(workspace.Options{
		Root: w.root, Repos: w.repos(), Buckets: w.buckets, Sealer: w.buckets, Git: g, Log: w.log,
		Now:   func() time.Time { return time.Unix(w.now.Add(1), 0) },
		NewID: func() string { return fmt.Sprintf("01TEST%020d", w.ids.Add(1)) },
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = w.Close() })
}

// openAs opens the store with the keys and buckets of another one.
func (w *world) openAs(tb testing.TB, b *workspacetest.Buckets) {
	tb.Helper()
	w.buckets = b
	w.open(tb)
}

// repos is where the open repositories are.
func (w *world) repos() string { return w.root + "-open" }

// Create is the store's, with its arguments spelled out.
func (w *world) Create(ctx context.Context, name, from string, author workspace.Author) (workspace.Info, error) {
	return w.Store.Create(ctx, workspace.CreateRequest{Name: name, From: from, Author: author})
}

func (w *world) create(tb testing.TB, name string, files map[string]string) workspace.Info {
	tb.Helper()
	from := ""
	if files != nil {
		from = tb.TempDir()
		write(tb, from, files)
	}
	info, err := w.Create(context.Background(), name, from, jane)
	if err != nil {
		tb.Fatal(err)
	}
	return info
}

func (w *world) checkout(tb testing.TB, unit string) *workspace.Checkout {
	tb.Helper()
	return w.checkoutMode(tb, unit, unitv1.ReadWrite)
}

func (w *world) checkoutMode(tb testing.TB, unit string, mode unitv1.Mode) *workspace.Checkout {
	tb.Helper()
	c, err := w.tryCheckout(unit, mode)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func (w *world) tryCheckout(unit string, mode unitv1.Mode) (*workspace.Checkout, error) {
	base := filepath.Join(w.tmp, "units", unit)
	return w.Checkout(context.Background(), workspace.CheckoutRequest{
		Workspace: "notes", Unit: unit, Mode: mode,
		Dir: filepath.Join(base, "ws"), History: filepath.Join(base, "history"), Meta: filepath.Join(base, "meta"),
	})
}

func (w *world) seal(tb testing.TB, c *workspace.Checkout, msg string) workspace.Sealed {
	tb.Helper()
	out, err := w.trySeal(c, msg)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func (w *world) trySeal(c *workspace.Checkout, msg string) (workspace.Sealed, error) {
	return w.Seal(context.Background(), workspace.SealRequest{
		Checkout: c, Author: jane, Message: msg, Unit: c.Unit(), Launcher: "user:u_jane", Runner: "vexa", Session: "s-1", Turn: "t-1",
	})
}

// write makes files; a name that ends in "!" is executable, a value that begins
// with "->" a symbolic link.
func write(tb testing.TB, dir string, files map[string]string) {
	tb.Helper()
	for name, text := range files {
		path := filepath.Join(dir, strings.TrimSuffix(name, "!"))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			tb.Fatal(err)
		}
		if target, ok := strings.CutPrefix(text, "->"); ok {
			if err := os.Symlink(target, path); err != nil {
				tb.Fatal(err)
			}
			continue
		}
		perm := os.FileMode(0o644)
		if strings.HasSuffix(name, "!") {
			perm = 0o755
		}
		if err := os.WriteFile(path, []byte(text), perm); err != nil {
			tb.Fatal(err)
		}
	}
}

// plainGit runs an ordinary git, as a test's oracle.
func plainGit(tb testing.TB, dir string, args ...string) string {
	tb.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
	out, err := cmd.CombinedOutput()
	if err != nil {
		tb.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// copyDir copies as cp -r does: into a directory that is there.
func copyDir(tb testing.TB, from, to string) {
	tb.Helper()
	if out, err := exec.Command("cp", "-r", from, to).CombinedOutput(); err != nil {
		tb.Fatalf("%v: %s", err, out)
	}
}

func (w *world) repo(id string) string { return filepath.Join(w.repos(), id, "repo.git") }

func (w *world) fsck(tb testing.TB, id string) {
	tb.Helper()
	out := plainGit(tb, "/", "--git-dir="+w.repo(id), "fsck", "--full", "--strict", "--no-dangling")
	if s := strings.TrimSpace(out); s != "" {
		tb.Fatalf("fsck: %s", s)
	}
}

func TestTurns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	info := w.create(t, "notes", map[string]string{"a.md": "a\n", "dir/b.md": "b\n", "run.sh!": "#!/bin/sh\n", "link": "->dir/b.md"})
	if info.Head == "" {
		t.Fatal("no head")
	}
	c := w.checkout(t, "01UNITA")
	if out := w.seal(t, c, "nothing"); out.SHA != "" || out.Files != 0 {
		t.Fatalf("a turn without a change made %+v", out)
	}
	write(t, c.Dir(), map[string]string{"c.md": "c\n", "dir/b.md": "bb\n"})
	if err := os.Remove(filepath.Join(c.Dir(), "a.md")); err != nil {
		t.Fatal(err)
	}
	out := w.seal(t, c, "Write c\nand more")
	if out.SHA == "" || !out.Merged || out.Files != 3 || out.Main != out.SHA {
		t.Fatalf("sealed %+v", out)
	}
	w.fsck(t, info.ID)
	log, err := w.Log(ctx, "notes", workspace.LogQuery{})
	if err != nil {
		t.Fatal(err)
	}
	if len(log) != 2 {
		t.Fatalf("log has %d commits", len(log))
	}
	got := log[0]
	if got.SHA != out.SHA || got.Subject != "u_jane" || got.Unit != "01UNITA" || got.Launcher != "user:u_jane" || got.Session != "s-1" || got.Runner != "vexa" || got.Turn != "t-1" || got.Message != "Write c" {
		t.Fatalf("log says %+v", got)
	}
	if err := w.Release(ctx, c, false); err != nil {
		t.Fatal(err)
	}
}
