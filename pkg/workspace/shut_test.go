package workspace_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
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
	read := func() {
		t.Helper()
		if data, err := w.ReadFile(ctx, "notes", "", "a.md"); err != nil || string(data) != "1\n" {
			t.Errorf("%q, %v", data, err)
		}
	}
	copyDir(t, dir, dir+"-before")
	c := w.checkout(t, "01J00000000000000000000001")
	write(t, c.Dir(), map[string]string{"b.md": "2\n"})
	w.seal(t, c, "Write b.md")

	must(t, os.Rename(dir, dir+"-away"))
	copyDir(t, dir+"-away", dir)
	read()

	must(t, os.Rename(dir, dir+"-after"))
	must(t, os.Rename(dir+"-before", dir))
	if _, err := w.ReadFile(ctx, "notes", "", "a.md"); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "was set back") {
		t.Errorf("with what was there before: %v", err)
	}
	must(t, os.Rename(dir, dir+"-before"))
	must(t, os.Rename(dir+"-after", dir))
	read()
	write(t, c.Dir(), map[string]string{"c.md": "3\n"})
	w.seal(t, c, "Write c.md")
}

// TestShutWithoutItsStorage: what is readable of a workspace goes while its disk is away,
// whether somebody noticed that or not, unless something of it is nowhere else.
func TestShutWithoutItsStorage(t *testing.T) {
	t.Parallel()
	asRead := func(t *testing.T, w *world) {
		t.Helper()
		_, err := w.ReadFile(t.Context(), "notes", "", "a.md")
		if !fault.Is(err, fault.Failed) || !strings.Contains(fault.HintOf(err), "mounted") {
			t.Errorf("without its storage: %v (%s)", err, fault.HintOf(err))
		}
	}
	// What nobody asked to be closed stays: it could not be opened again.
	whenIdle := func(t *testing.T, w *world) {
		t.Helper()
		must(t, w.ShutIdle(t.Context(), 0))
		if open, err := w.Opened(); err != nil || len(open) != 1 {
			t.Errorf("open are %q, %v", open, err)
		}
	}
	for name, notice := range map[string]func(*testing.T, *world){
		"unnoticed": nil, "noticed as it is read": asRead, "noticed when it is idle": whenIdle,
		"noticed twice": func(t *testing.T, w *world) {
			t.Helper()
			asRead(t, w)
			whenIdle(t, w)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.buckets.Watch(t)
			w.open(t)
			ctx := context.Background()
			info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
			dir := w.buckets.Dir(info.ID)
			read := func() {
				t.Helper()
				_, err := w.ReadFile(ctx, "notes", "", "a.md")
				must(t, err)
			}
			isOpen := func() bool {
				_, err := os.Stat(filepath.Join(w.repos(), info.ID))
				return err == nil
			}
			away := func() {
				t.Helper()
				must(t, os.Rename(dir, dir+"-away"))
				if notice != nil {
					notice(t, w)
				}
			}
			read()
			away()
			must(t, w.ShutAll(ctx))
			if isOpen() || workspace.Opens(w.Store) != 0 {
				t.Errorf("it is readable; %d are kept", workspace.Opens(w.Store))
			}
			must(t, os.Rename(dir+"-away", dir))

			// A branch that is in no bucket, as a seal leaves it that was killed before it was
			// published, is not lost.
			read()
			const branch = "vexa/01UNITA"
			tip := plainGit(t, w.repo(info.ID), "commit-tree", "-p", "main", "-m", "nowhere else", "main^{tree}")
			plainGit(t, w.repo(info.ID), "update-ref", "refs/heads/"+branch, strings.TrimSpace(tip))
			away()
			if err := w.ShutAll(ctx); !fault.Is(err, fault.Conflict) || !isOpen() {
				t.Errorf("what was not saved was removed: %v", err)
			}
			must(t, os.Rename(dir+"-away", dir))
			if notice != nil { // as after a restore of its bucket
				must(t, os.Remove(filepath.Join(w.repos(), info.ID, "seen.json")))
			}
			must(t, w.ShutAll(ctx))
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
	must(t, os.Rename(dir, dir+"-away"))
	for range 2 {
		if _, err := w.ReadFile(ctx, "notes", "", "a.md"); err == nil || fault.HintOf(err) == "" {
			t.Fatalf("without its storage: %v", err)
		}
	}
	copyDir(t, dir+"-away", dir)
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
