package workspace_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/internal/removetree"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/zootest"
)

// outsideOf makes what lies beside a tree.
func outsideOf(tb testing.TB, dir string) zootest.Pen {
	tb.Helper()
	p := zootest.Pen{Dir: dir, Outside: filepath.Join(tb.TempDir(), "outside")}
	if err := p.MakeOutside(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = removetree.All(dir) })
	return p
}

// house plants every animal that is not alone, each in a directory of its own.
func house(tb testing.TB, p zootest.Pen) []zootest.Housed {
	tb.Helper()
	var list []zootest.Housed
	for _, a := range zootest.Zoo(false) {
		h := zootest.Pen{Dir: filepath.Join(p.Dir, a.House), Outside: p.Outside}
		if err := os.Mkdir(h.Dir, 0o755); err != nil {
			tb.Fatal(err)
		}
		err := a.Plant(h)
		if errors.Is(err, zootest.ErrElsewhere) {
			if err := removetree.All(h.Dir); err != nil {
				tb.Fatal(err)
			}
			continue
		}
		if err != nil {
			tb.Fatalf("%s: %v", a.Name, err)
		}
		list = append(list, a)
	}
	return list
}

// committed lists the files of a commit of the repository.
func (w *world) committed(tb testing.TB, id, rev string) []string {
	tb.Helper()
	out := plainGit(tb, "/", "--git-dir="+w.repo(id), "ls-tree", "-r", "-z", "--name-only", "--full-tree", rev)
	return strings.FieldsFunc(out, func(r rune) bool { return r == 0 })
}

func rejections(list []workspace.Rejected) map[string]string {
	m := make(map[string]string)
	for _, r := range list {
		m[r.Path] = r.Reason
	}
	return m
}

// tripsNothing clones what is committed with an ordinary git, works in the clone
// as a person does, and looks for the canary.
func (w *world) tripsNothing(tb testing.TB, p zootest.Pen, id string) {
	tb.Helper()
	for line := range strings.Lines(plainGit(tb, "/", "--git-dir="+w.repo(id), "fsck", "--full", "--strict", "--no-dangling")) {
		// A link in the place of what git reads is followed by no git, and only said.
		if !strings.Contains(line, "Symlink: .") {
			tb.Errorf("fsck: %s", line)
		}
	}
	clone := filepath.Join(tb.TempDir(), "clone")
	plainGit(tb, "/", "clone", "-q", "--recurse-submodules", w.repo(id), clone)
	plainGit(tb, clone, "config", "gc.auto", "0") // what a commit begins by itself is in the way of the one below
	for _, step := range []string{
		"status --porcelain", "fsck --strict", "log -p --stat", "diff HEAD", "add -A", "commit -q --allow-empty -m x",
		"checkout -q -b other", "merge -q main", "stash list", "gc -q", "grep -q -v -e zzz", "archive HEAD -o /dev/null",
	} {
		out := plainGit(tb, clone, strings.Fields(step)...)
		if step == "status --porcelain" && strings.TrimSpace(out) != "" {
			// What attributes of the tree bend shows as changed at once; nothing else does.
			for line := range strings.Lines(out) {
				if !strings.Contains(line, "x.txt") {
					tb.Errorf("the clone begins changed: %s", line)
				}
			}
		}
	}
	objects := exec.Command("git", "--git-dir="+w.repo(id), "cat-file", "--batch-all-objects", "--batch")
	all, err := objects.Output()
	if err != nil {
		tb.Fatal(err)
	}
	if bytes.Contains(all, []byte(zootest.Secret)) {
		tb.Error("the repository holds what lies outside the tree")
	}
	if p.Bitten() {
		tb.Error("something of the zoo ran on the host")
	}
}

// TestHostileZoo takes the zoo through everything the store does.
func TestHostileZoo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	info := w.create(t, "notes", map[string]string{"ok.md": "before\n", "other.md": "x\n"})
	c, other := w.checkout(t, "01ZOO"), w.checkout(t, "01OTHER")
	p := outsideOf(t, c.Dir())
	animals := house(t, p)
	write(t, c.Dir(), map[string]string{"ok.md": "an honest change\n"})
	out := w.seal(t, c, "hostile\n\nVexa-Launcher: root")
	if !out.Merged || out.SHA == "" {
		t.Fatalf("sealed %+v", out)
	}
	got := zootest.Outcome{Rejected: rejections(out.Rejected), Committed: w.committed(t, info.ID, out.SHA)}
	own := zootest.Housed{Animal: zootest.Animal{Name: "what was there", Kept: []string{"ok.md", "other.md"}}}
	for _, wrong := range zootest.Compare(append(animals, own), got) {
		t.Error(wrong)
	}
	write(t, other.Dir(), map[string]string{"ok.md": "another change\n", "new.md": "y\n"})
	if got := w.seal(t, other, "conflicts"); got.Merged || len(got.Conflicts) != 1 || got.Conflicts[0] != "ok.md" {
		t.Errorf("sealed beside it %+v", got)
	}
	again, err := w.OpenCheckout(ctx, filepath.Join(w.tmp, "units", "01ZOO", "meta"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, again.Dir(), map[string]string{"ok.md": "once more\n"})
	if got := w.seal(t, again, "again"); !got.Merged || len(got.Rejected) != len(out.Rejected) {
		t.Errorf("sealed again %+v", got)
	}
	if _, err := w.Diff(ctx, "notes", workspace.DiffQuery{}); err != nil {
		t.Error(err)
	}
	log, err := w.Log(ctx, "notes", workspace.LogQuery{})
	if err != nil || log[1].Launcher != "user:u_jane" || log[1].Message != "hostile" || !strings.HasPrefix(log[1].Author, jane.Name) {
		t.Errorf("log %+v, %v", log, err)
	}
	fresh := w.checkout(t, "01FRESH")
	if got, err := os.ReadFile(filepath.Join(fresh.Dir(), "ok.md")); err != nil || string(got) != "once more\n" {
		t.Errorf("checked out %q, %v", got, err)
	}
	w.tripsNothing(t, p, info.ID)
	if _, err := w.Undo(ctx, "notes", workspace.UndoRequest{Dispatch: "01ZOO", Author: jane}); err != nil {
		t.Error(err)
	}
	for _, co := range []*workspace.Checkout{c, other, fresh} {
		if err := w.Release(ctx, co, false); err != nil {
			t.Error(err)
		}
	}
	w.tripsNothing(t, p, info.ID)
}

// TestEachAnimalAtTheTop seals the animals that take the place of the checkout's
// own .git, and those that live alone.
func TestEachAnimalAtTheTop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	info := w.create(t, "notes", nil)
	for i, a := range zootest.All() {
		_, git := a.Refused[".git"]
		if !a.Lives(false) || !git && a.Where&zootest.Ending == 0 {
			continue // pkg/workspace/tree walks the others there
		}
		c := w.checkout(t, fmt.Sprintf("01TOP%d", i))
		p := outsideOf(t, c.Dir())
		if err := a.Plant(p); errors.Is(err, zootest.ErrElsewhere) {
			continue
		} else if err != nil {
			t.Fatalf("%s: %v", a.Name, err)
		}
		out := w.seal(t, c, a.Name)
		got := zootest.Outcome{Rejected: rejections(out.Rejected)}
		if out.SHA != "" {
			got.Committed = w.committed(t, info.ID, out.SHA)
		}
		for _, wrong := range zootest.Compare([]zootest.Housed{{Animal: a}}, got) {
			t.Error(wrong)
		}
		if p.Bitten() {
			t.Errorf("%s ran on the host", a.Name)
		}
		if err := errors.Join(removetree.All(c.Dir()), os.Mkdir(c.Dir(), 0o755)); err != nil {
			t.Fatal(err)
		}
		w.seal(t, c, "empty") // the next starts from nothing
		if err := w.Release(context.Background(), c, false); err != nil {
			t.Errorf("%s: %v", a.Name, err)
		}
	}
	w.fsck(t, info.ID)
}

// TestHostileImport makes a workspace of a hostile folder, and checks it out.
func TestHostileImport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := outsideOf(t, t.TempDir())
	animals := house(t, p)
	if err := zootest.Evil().Plant(p); err != nil {
		t.Fatal(err)
	}
	info, err := w.Create(context.Background(), "notes", p.Dir, jane)
	if err != nil {
		t.Fatal(err)
	}
	got := zootest.Outcome{Rejected: rejections(info.Rejected), Committed: w.committed(t, info.ID, "main")}
	for _, wrong := range zootest.Compare(append(animals, zootest.Housed{Animal: zootest.Evil()}), got) {
		t.Error(wrong)
	}
	w.checkoutMode(t, "01READS", unitv1.ReadOnly)
	w.tripsNothing(t, p, info.ID)
}
