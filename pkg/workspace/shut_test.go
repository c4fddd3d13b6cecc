package workspace_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace"
)

// TestShut: a workspace that is closed leaves nothing readable, and opens again
// with everything, a turn that was not merged and a live checkout included.
func TestShut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	a, b := w.checkout(t, "01UNITA"), w.checkout(t, "01UNITB")
	write(t, a.Dir(), map[string]string{"a.md": "from a\n"})
	if out := w.seal(t, a, "a"); !out.Merged {
		t.Fatalf("%+v", out)
	}
	write(t, b.Dir(), map[string]string{"a.md": "from b\n"})
	conflict := w.seal(t, b, "b")
	if conflict.Merged || len(conflict.Conflicts) != 1 {
		t.Fatalf("%+v", conflict)
	}
	for range 2 {
		if err := w.Shut(ctx, "notes"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(w.repos(), info.ID)); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("something is left: %v", err)
	}
	if branches, err := w.Unmerged(ctx, "notes"); err != nil || len(branches) != 1 || branches[0] != b.Branch() {
		t.Errorf("unmerged %q, %v", branches, err)
	}
	write(t, a.Dir(), map[string]string{"more.md": "2\n"})
	if out := w.seal(t, a, "more"); !out.Merged || out.Files != 1 {
		t.Errorf("sealed after the workspace was closed: %+v", out)
	}
	w.fsck(t, info.ID)
	if err := w.ShutAll(ctx); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(w.repos()); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestShutIdle: looking after a workspace is not using it, and what is looked at
// without being opened is let go of too.
func TestShutIdle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	if _, err := w.ReadFile(ctx, "notes", "", "a.md"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	idle := 40 * time.Millisecond
	for what, fn := range map[string]func() error{
		"verify": func() error { return w.VerifyOpen(ctx) },
		"rekey":  func() error { _, err := w.Rekey(ctx); return err },
		"list":   func() error { _, err := w.List(ctx); return err },
		"sweep":  func() error { return w.Sweep(ctx, func(string) bool { return true }) },
	} {
		if err := fn(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := w.ShutIdle(ctx, idle); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(w.repos(), info.ID)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is open: %v", err)
	}
	if _, err := w.List(ctx); err != nil || workspace.Opens(w.Store) != 1 {
		t.Fatalf("%d are kept, %v", workspace.Opens(w.Store), err)
	}
	if err := w.VerifyOpen(ctx); err != nil {
		t.Error(err)
	}
	if err := w.ShutIdle(ctx, 0); err != nil || workspace.Opens(w.Store) != 0 {
		t.Errorf("%d are kept, %v", workspace.Opens(w.Store), err)
	}
	if _, err := w.ReadFile(ctx, "notes", "", "a.md"); err != nil {
		t.Error(err)
	}
}

// TestStorageSwapped: a disk that was mounted anew while nobody looked is no error to
// the first who does; nor is it one to whoever comes after somebody who looked while
// another was in its place.
func TestStorageSwapped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	dir := w.buckets.Dir(info.ID)
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	read := func() {
		t.Helper()
		if data, err := w.ReadFile(ctx, "notes", "", "a.md"); err != nil || string(data) != "1\n" {
			t.Errorf("%q, %v", data, err)
		}
	}
	if out, err := exec.Command("cp", "-r", dir, dir+"-before").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c := w.checkout(t, "01J00000000000000000000001")
	write(t, c.Dir(), map[string]string{"b.md": "2\n"})
	w.seal(t, c, "Write b.md")

	move(dir, dir+"-away")
	if out, err := exec.Command("cp", "-r", dir+"-away", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	read()

	move(dir, dir+"-after")
	move(dir+"-before", dir)
	if _, err := w.ReadFile(ctx, "notes", "", "a.md"); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "was set back") {
		t.Errorf("with what was there before: %v", err)
	}
	move(dir, dir+"-before")
	move(dir+"-after", dir)
	read()
	write(t, c.Dir(), map[string]string{"c.md": "3\n"})
	w.seal(t, c, "Write c.md")
}

// TestShutWithoutItsStorage: what is readable of a workspace goes while its disk is away,
// whether somebody noticed that or not, unless something of it is nowhere else.
func TestShutWithoutItsStorage(t *testing.T) {
	t.Parallel()
	for _, noticed := range []bool{false, true} {
		t.Run(map[bool]string{false: "unnoticed", true: "noticed"}[noticed], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.buckets.Watch(t)
			w.open(t)
			ctx := context.Background()
			info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
			dir := w.buckets.Dir(info.ID)
			move := func(from, to string) {
				t.Helper()
				if err := os.Rename(from, to); err != nil {
					t.Fatal(err)
				}
			}
			read := func() error {
				_, err := w.ReadFile(ctx, "notes", "", "a.md")
				return err
			}
			isOpen := func() bool {
				_, err := os.Stat(filepath.Join(w.repos(), info.ID))
				return err == nil
			}
			away := func() {
				t.Helper()
				move(dir, dir+"-away")
				if !noticed {
					return
				}
				if err := read(); !fault.Is(err, fault.Failed) || !strings.Contains(fault.HintOf(err), "mounted") {
					t.Errorf("without its storage: %v (%s)", err, fault.HintOf(err))
				}
			}
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			must(read())
			away()
			if err := w.ShutIdle(ctx, 0); err != nil || !isOpen() {
				t.Errorf("it was closed, which nobody asked for, and cannot be opened again: %v", err)
			}
			must(w.ShutAll(ctx))
			if isOpen() || workspace.Opens(w.Store) != 0 {
				t.Errorf("it is readable; %d are kept", workspace.Opens(w.Store))
			}
			move(dir+"-away", dir)

			// A branch that is in no bucket, as a seal leaves it that was killed before it was
			// published, is not lost.
			must(read())
			const branch = "vexa/01UNITA"
			git := func(args ...string) string {
				t.Helper()
				cmd := exec.Command("git", append([]string{"--git-dir", w.repo(info.ID), "-c", "user.name=a", "-c", "user.email=a@example.org"}, args...)...)
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				return strings.TrimSpace(string(out))
			}
			git("update-ref", "refs/heads/"+branch, git("commit-tree", "-p", "main", "-m", "nowhere else", "main^{tree}"))
			away()
			if err := w.ShutAll(ctx); !fault.Is(err, fault.Conflict) || !isOpen() {
				t.Errorf("what was not saved was removed: %v", err)
			}
			move(dir+"-away", dir)
			if noticed { // as after a restore of its bucket
				must(os.Remove(filepath.Join(w.repos(), info.ID, "seen.json")))
			}
			must(w.ShutAll(ctx))
			if isOpen() {
				t.Error("it is readable")
			}
			if left, err := w.Unmerged(ctx, "notes"); err != nil || len(left) != 1 || left[0] != branch {
				t.Errorf("unmerged: %q, %v", left, err)
			}
		})
	}
}

// TestStorageComesBack: a disk that went and came back is opened anew.
func TestStorageComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	dir := w.buckets.Dir(info.ID)
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := w.ReadFile(ctx, "notes", "", "a.md"); err == nil || fault.HintOf(err) == "" {
			t.Fatalf("without its storage: %v", err)
		}
	}
	if out, err := exec.Command("cp", "-r", dir+"-away", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if data, err := w.ReadFile(ctx, "notes", "", "a.md"); err != nil || string(data) != "1\n" {
		t.Errorf("%q, %v", data, err)
	}
}

// TestAdd: a bucket that is there is used under a name of one's own.
func TestAdd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	if _, err := w.Add(ctx, "again", info.Bucket); err == nil {
		t.Error("a bucket is two workspaces")
	}
	if _, err := w.Add(ctx, "again", w.buckets.Dir(info.ID)+"/"); err == nil {
		t.Error("a bucket is two workspaces, by another spelling of its address")
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Dir(w.buckets.Dir(info.ID)), link); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Add(ctx, "again", filepath.Join(link, info.ID)); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "notes") {
		t.Errorf("a bucket is two workspaces, by another way to it: %v", err)
	}
	other := newWorld(t)
	other.buckets = w.buckets
	other.openAs(t, w.buckets)
	got, err := other.Add(ctx, "mine", info.Bucket)
	if err != nil || got.Head != info.Head || got.Name != "mine" {
		t.Fatalf("%+v, %v", got, err)
	}
	data, err := other.ReadFile(ctx, "mine", "", "a.md")
	if err != nil || string(data) != "1\n" {
		t.Fatalf("%q, %v", data, err)
	}
	// Both write, and each sees what the other wrote.
	c := w.checkout(t, "01UNITA")
	write(t, c.Dir(), map[string]string{"b.md": "2\n"})
	w.seal(t, c, "b")
	if data, err := other.ReadFile(ctx, "mine", "", "b.md"); err != nil || string(data) != "2\n" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := other.Undo(ctx, "mine", workspace.UndoRequest{Author: jane, Launcher: "user:u_jane"}); err != nil {
		t.Error(err)
	}
	if _, err := w.ReadFile(ctx, "notes", "", "b.md"); err == nil {
		t.Error("an undo elsewhere is not seen")
	}
}
