package workspace_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace"
)

func (w *world) read(t *testing.T, path string) string {
	t.Helper()
	data, err := w.ReadFile(context.Background(), "notes", "", path)
	if fault.Is(err, fault.NotFound) {
		return "(none)"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestParallelSeals lets many dispatches work at once, through two stores as two
// processes would: every change reaches main.
func TestParallelSeals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	info := w.create(t, "notes", map[string]string{"base.md": "base\n"})
	second := &world{root: w.root, tmp: w.tmp}
	second.now.Store(1_700_000_000)
	second.open(t)
	const units, turns = 8, 4
	var wg sync.WaitGroup
	var all []*workspace.Checkout
	for u := range units {
		all = append(all, w.checkout(t, fmt.Sprintf("01U%d", u)))
	}
	for u, c := range all {
		store := w
		if u%2 == 1 {
			store = second
		}
		wg.Go(func() {
			for turn := range turns {
				write(t, c.Dir(), map[string]string{fmt.Sprintf("u%d/t%d.md", u, turn): "x"})
				out, err := store.trySeal(c, fmt.Sprintf("u%d t%d", u, turn))
				if err != nil || !out.Merged || out.Files != 1 {
					t.Errorf("sealed %+v, %v", out, err)
				}
			}
		})
	}
	wg.Wait()
	files, err := w.Files(context.Background(), "notes", "")
	if err != nil || len(files) != 1+units*turns {
		t.Fatalf("main has %d files, %v", len(files), err)
	}
	if left, err := w.Unmerged(context.Background(), "notes"); err != nil || len(left) != 0 {
		t.Errorf("unmerged %v, %v", left, err)
	}
	w.fsck(t, info.ID)
}

func TestConflictStaysOnItsBranch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	info := w.create(t, "notes", map[string]string{"a.md": "one\ntwo\nthree\n", "b.md": "b\n"})
	first, second := w.checkout(t, "01FIRST"), w.checkout(t, "01SECOND")
	write(t, first.Dir(), map[string]string{"a.md": "one\nFIRST\nthree\n"})
	write(t, second.Dir(), map[string]string{"a.md": "one\nSECOND\nthree\n", "c.md": "c\n"})
	if out := w.seal(t, first, "first"); !out.Merged {
		t.Fatalf("%+v", out)
	}
	out := w.seal(t, second, "second")
	if out.Merged || out.SHA == "" || !slices.Equal(out.Conflicts, []string{"a.md"}) || out.Branch != "vexa/01SECOND" {
		t.Fatalf("%+v", out)
	}
	if got := w.read(t, "a.md") + w.read(t, "c.md"); got != "one\nFIRST\nthree\n(none)" {
		t.Errorf("main has %q", got)
	}
	data, err := w.ReadFile(ctx, "notes", "vexa/01SECOND", "a.md")
	if err != nil || string(data) != "one\nSECOND\nthree\n" {
		t.Errorf("the branch has %q, %v", data, err)
	}
	info, err = w.Lookup(ctx, info.ID)
	if err != nil || !slices.Equal(info.Unmerged, []string{"vexa/01SECOND"}) || info.Files != 2 {
		t.Errorf("%+v, %v", info, err)
	}
	if out := w.seal(t, second, "no change"); out.SHA != "" || len(out.Conflicts) != 1 {
		t.Errorf("a turn without a change: %+v", out)
	}
	if err := w.Release(ctx, second, false); err != nil {
		t.Fatal(err)
	}
	if left, err := w.Unmerged(ctx, "notes"); err != nil || len(left) != 1 {
		t.Fatalf("the conflicting branch is gone: %v, %v", left, err)
	}
	if err := w.Release(ctx, first, false); err != nil {
		t.Fatal(err)
	}
	if _, err := w.ReadFile(ctx, "notes", "vexa/01FIRST", "a.md"); !fault.Is(err, fault.NotFound) {
		t.Errorf("the merged branch is still there: %v", err)
	}
	w.fsck(t, info.ID)
}

// TestConflictThatGoesAway: once main allows it, the next seal merges what was
// kept.
func TestConflictThatGoesAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(t, "notes", map[string]string{"a.md": "one\n"})
	first, second := w.checkout(t, "01FIRST"), w.checkout(t, "01SECOND")
	write(t, first.Dir(), map[string]string{"a.md": "first\n"})
	write(t, second.Dir(), map[string]string{"a.md": "second\n"})
	w.seal(t, first, "first")
	kept := w.seal(t, second, "second")
	if _, err := w.Undo(context.Background(), "notes", workspace.UndoRequest{Author: jane}); err != nil {
		t.Fatal(err)
	}
	out := w.seal(t, second, "nothing new")
	if !out.Merged || out.SHA != kept.SHA || w.read(t, "a.md") != "second\n" {
		t.Errorf("%+v", out)
	}
}

// TestMergedTwinsConflict: two dispatches that each add one of two names which
// differ only in case do not both reach main.
func TestMergedTwinsConflict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(t, "notes", map[string]string{"a.md": "one\n"})
	first, second := w.checkout(t, "01FIRST"), w.checkout(t, "01SECOND")
	write(t, first.Dir(), map[string]string{"Docs/README": "1"})
	write(t, second.Dir(), map[string]string{"docs/README": "2", "other": "3"})
	w.seal(t, first, "first")
	if out := w.seal(t, second, "second"); out.Merged || !slices.Equal(out.Conflicts, []string{"docs/README"}) {
		t.Errorf("%+v", out)
	}
}

// TestLaterTurnsAfterForeignChange: the checkout is never rewritten, and ordinary
// ancestry merges the second turn.
func TestLaterTurnsAfterForeignChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(t, "notes", map[string]string{"a.md": "a\n", "b.md": "b\n"})
	first, second := w.checkout(t, "01FIRST"), w.checkout(t, "01SECOND")
	write(t, first.Dir(), map[string]string{"a.md": "a1\n"})
	w.seal(t, first, "first")
	for i := range 3 {
		write(t, second.Dir(), map[string]string{"b.md": fmt.Sprintf("b%d\n", i)})
		if out := w.seal(t, second, "second"); !out.Merged || out.Main == out.SHA {
			t.Fatalf("%+v", out)
		}
		if data, err := os.ReadFile(filepath.Join(second.Dir(), "a.md")); err != nil || string(data) != "a\n" {
			t.Fatalf("the host wrote into a live checkout: %q", data)
		}
	}
	if got := w.read(t, "a.md") + w.read(t, "b.md"); got != "a1\nb2\n" {
		t.Errorf("main has %q", got)
	}
}

func TestUndo(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	turn := func(t *testing.T, w *world, c *workspace.Checkout, files map[string]string) workspace.Sealed {
		t.Helper()
		write(t, c.Dir(), files)
		out := w.seal(t, c, "turn of "+c.Unit())
		if !out.Merged {
			t.Fatalf("%+v", out)
		}
		return out
	}
	start := func(t *testing.T) *world {
		t.Helper()
		w := newWorld(t)
		w.create(t, "notes", map[string]string{"a.md": "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "b.md": "b\n"})
		return w
	}
	t.Run("last", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		c := w.checkout(t, "01ONE")
		turn(t, w, c, map[string]string{"b.md": "b1\n"})
		last := turn(t, w, c, map[string]string{"new.md": "x\n", "b.md": "b2\n"})
		out, err := w.Undo(ctx, "notes", workspace.UndoRequest{Author: jane, Launcher: "user:u_jane"})
		if err != nil || !slices.Equal(out.Reverted, []string{last.SHA}) || out.SHA == "" {
			t.Fatalf("%+v, %v", out, err)
		}
		if got := w.read(t, "b.md") + w.read(t, "new.md"); got != "b1\n(none)" {
			t.Errorf("main has %q", got)
		}
		log, err := w.Log(ctx, "notes", workspace.LogQuery{Limit: 1})
		if err != nil || len(log) != 1 || log[0].Subject != "u_jane" || log[0].Launcher != "user:u_jane" || log[0].Unit != "" || !strings.HasPrefix(log[0].Message, "Undo: turn of 01ONE") {
			t.Errorf("log %+v, %v", log, err)
		}
	})
	t.Run("last is a merge", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		one, two := w.checkout(t, "01ONE"), w.checkout(t, "01TWO")
		turn(t, w, one, map[string]string{"b.md": "b1\n"})
		turn(t, w, two, map[string]string{"new.md": "x\n"})
		if _, err := w.Undo(ctx, "notes", workspace.UndoRequest{Author: jane}); err != nil {
			t.Fatal(err)
		}
		if got := w.read(t, "b.md") + w.read(t, "new.md"); got != "b1\n(none)" {
			t.Errorf("main has %q", got)
		}
	})
	t.Run("dispatch keeps what came later", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		one, two := w.checkout(t, "01ONE"), w.checkout(t, "01TWO")
		turn(t, w, one, map[string]string{"a.md": "ONE\n2\n3\n4\n5\n6\n7\n8\n9\n"})
		turn(t, w, two, map[string]string{"a.md": "1\n2\n3\n4\n5\n6\n7\n8\nTWO\n"})
		turn(t, w, one, map[string]string{"new.md": "x\n"})
		out, err := w.Undo(ctx, "notes", workspace.UndoRequest{Dispatch: "01one", Author: jane})
		if err != nil || len(out.Reverted) != 2 {
			t.Fatalf("%+v, %v", out, err)
		}
		if got := w.read(t, "a.md") + w.read(t, "new.md"); got != "1\n2\n3\n4\n5\n6\n7\n8\nTWO\n(none)" {
			t.Errorf("main has %q", got)
		}
		if _, err := w.Undo(ctx, "notes", workspace.UndoRequest{Dispatch: "01ONE", Author: jane}); !fault.Is(err, fault.Conflict) {
			t.Errorf("undone twice: %v", err)
		}
		if _, err := w.Undo(ctx, "notes", workspace.UndoRequest{Dispatch: "01NONE", Author: jane}); !fault.Is(err, fault.NotFound) {
			t.Errorf("undone nothing: %v", err)
		}
	})
	t.Run("dispatch that conflicts", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		one, two := w.checkout(t, "01ONE"), w.checkout(t, "01TWO")
		turn(t, w, one, map[string]string{"b.md": "one\n"})
		if err := w.Release(ctx, two, false); err != nil {
			t.Fatal(err)
		}
		two = w.checkout(t, "01TWO")
		turn(t, w, two, map[string]string{"b.md": "two\n"})
		before, err := w.Lookup(ctx, "notes")
		if err != nil {
			t.Fatal(err)
		}
		out, err := w.Undo(ctx, "notes", workspace.UndoRequest{Dispatch: "01ONE", Author: jane})
		if err != nil || out.SHA != "" || !slices.Equal(out.Conflicts, []string{"b.md"}) {
			t.Fatalf("%+v, %v", out, err)
		}
		if after, err := w.Lookup(ctx, "notes"); err != nil || after.Head != before.Head {
			t.Errorf("main moved: %v", err)
		}
	})
	t.Run("to", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		c := w.checkout(t, "01ONE")
		first := turn(t, w, c, map[string]string{"b.md": "b1\n"})
		turn(t, w, c, map[string]string{"b.md": "b2\n"})
		turn(t, w, c, map[string]string{"new.md": "x\n"})
		out, err := w.Undo(ctx, "notes", workspace.UndoRequest{To: first.SHA[:8], Author: jane})
		if err != nil || len(out.Reverted) != 2 {
			t.Fatalf("%+v, %v", out, err)
		}
		if got := w.read(t, "b.md") + w.read(t, "new.md"); got != "b1\n(none)" {
			t.Errorf("main has %q", got)
		}
		log, err := w.Log(ctx, "notes", workspace.LogQuery{})
		if err != nil || len(log) != 5 {
			t.Errorf("history has %d commits, %v", len(log), err)
		}
		for _, bad := range []string{"deadbeef", "--all", "main..HEAD", "nobranch"} {
			if _, err := w.Undo(ctx, "notes", workspace.UndoRequest{To: bad, Author: jane}); err == nil {
				t.Errorf("to %s", bad)
			}
		}
	})
	t.Run("nothing", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		if _, err := w.Undo(ctx, "notes", workspace.UndoRequest{Author: jane}); !fault.Is(err, fault.NotFound) {
			t.Errorf("undone the first commit: %v", err)
		}
		if _, err := w.Undo(ctx, "notes", workspace.UndoRequest{To: "main", Dispatch: "x"}); !fault.Is(err, fault.Invalid) {
			t.Errorf("both: %v", err)
		}
	})
}

func TestLockHonoursContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(t, "notes", nil)
	c := w.checkout(t, "01ONE")
	write(t, c.Dir(), map[string]string{"x": "y"})
	held, release := make(chan struct{}), make(chan struct{})
	workspace.SetStep(w.Store, func(name string) {
		if name == "branch" {
			close(held)
			<-release
		}
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.seal(t, c, "holds the lock")
	}()
	<-held
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := w.Undo(ctx, "notes", workspace.UndoRequest{Author: jane}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waited: %v", err)
	}
	close(release)
	<-done
}

func TestReadOnlyCheckout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(t, "notes", map[string]string{"a": "1"})
	c := w.checkoutMode(t, "01RO", unitv1.ReadOnly)
	if c.Branch() != "" {
		t.Error("it has a branch")
	}
	_, err := w.Seal(context.Background(), workspace.SealRequest{Checkout: c, Unit: "01RO"})
	if !fault.Is(err, fault.Denied) {
		t.Errorf("sealed: %v", err)
	}
	if err := w.Release(context.Background(), c, false); err != nil {
		t.Error(err)
	}
}
