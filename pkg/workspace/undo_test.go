package workspace_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace"
)

// undoes is a workspace where one dispatch wrote n.md in turns 1, 2 and 3.
func undoes(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.create(t, "notes", map[string]string{"n.md": "0\n"})
	c := w.checkout(t, "01ONE")
	for i := range 3 {
		write(t, c.Dir(), map[string]string{"n.md": fmt.Sprintf("%d\n", i+1)})
		if out := w.seal(t, c, "turn"); !out.Merged {
			t.Fatalf("%+v", out)
		}
	}
	return w
}

// undo takes the last turn back and returns what n.md holds then.
func (w *world) undo(t *testing.T, req workspace.UndoRequest) string {
	t.Helper()
	req.Author = jane
	out, err := w.Undo(context.Background(), "notes", req)
	if err != nil || len(out.Conflicts) > 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	return w.read(t, "n.md")
}

// TestUndoAgain: each undo takes one more turn back, until none is left.
func TestUndoAgain(t *testing.T) {
	t.Parallel()
	w := undoes(t)
	for _, want := range []string{"2\n", "1\n", "0\n"} {
		if got := w.undo(t, workspace.UndoRequest{}); got != want {
			t.Errorf("main has %q, want %q", got, want)
		}
	}
	for range 2 {
		if _, err := w.Undo(context.Background(), "notes", workspace.UndoRequest{Author: jane}); !fault.Is(err, fault.NotFound) || fault.HintOf(err) == "" {
			t.Errorf("nothing is left: %v", err)
		}
	}
	// What is written after that is the last turn again.
	c := w.checkout(t, "01THREE")
	write(t, c.Dir(), map[string]string{"n.md": "4\n"})
	w.seal(t, c, "turn")
	if got := w.undo(t, workspace.UndoRequest{}); got != "0\n" {
		t.Errorf("main has %q", got)
	}
}

// TestUndoOfAnUndo: going back to a commit takes the undos since then back, so
// that the turns that they took back are in effect again.
func TestUndoOfAnUndo(t *testing.T) {
	t.Parallel()
	w := undoes(t)
	before, err := w.Lookup(context.Background(), "notes")
	if err != nil {
		t.Fatal(err)
	}
	w.undo(t, workspace.UndoRequest{})
	w.undo(t, workspace.UndoRequest{})
	if got := w.undo(t, workspace.UndoRequest{To: before.Head}); got != "3\n" {
		t.Errorf("back to the commit main has %q", got)
	}
	for _, want := range []string{"2\n", "1\n", "0\n"} {
		if got := w.undo(t, workspace.UndoRequest{}); got != want {
			t.Errorf("main has %q, want %q", got, want)
		}
	}
}

// TestUndoAfterADispatchWasUndone: what an undo of a dispatch took back is not
// taken back again, the commits that it does not name included.
func TestUndoAfterADispatchWasUndone(t *testing.T) {
	t.Parallel()
	w := undoes(t)
	one, two := w.checkout(t, "01TWO"), w.checkout(t, "01THREE")
	write(t, one.Dir(), map[string]string{"two.md": "2\n"})
	w.seal(t, one, "turn")
	write(t, two.Dir(), map[string]string{"three.md": "3\n"})
	w.seal(t, two, "turn") // a merge
	w.undo(t, workspace.UndoRequest{Dispatch: "01THREE"})
	w.undo(t, workspace.UndoRequest{})
	if got := w.read(t, "two.md") + w.read(t, "three.md") + w.read(t, "n.md"); got != "(none)(none)3\n" {
		t.Errorf("main has %q", got)
	}
	if got := w.undo(t, workspace.UndoRequest{}); got != "2\n" {
		t.Errorf("main has %q", got)
	}
}

// TestUndoOfACommit takes one back that is not the last, keeps what is beside it, and
// leaves to people what later commits changed.
func TestUndoOfACommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(t, "notes", map[string]string{"n.md": "0\n"})
	c := w.checkout(t, "01ONE")
	var shas []string
	for _, files := range []map[string]string{{"n.md": "1\n"}, {"m.md": "2\n"}, {"n.md": "3\n"}} {
		write(t, c.Dir(), files)
		out := w.seal(t, c, "turn")
		shas = append(shas, out.SHA)
	}
	if got := w.undo(t, workspace.UndoRequest{Commit: shas[1]}); got != "3\n" || w.read(t, "m.md") != "(none)" {
		t.Errorf("main has %q, %q", got, w.read(t, "m.md"))
	}
	if _, err := w.Undo(context.Background(), "notes", workspace.UndoRequest{Commit: shas[1], Author: jane}); !fault.Is(err, fault.Conflict) {
		t.Errorf("again: %v", err)
	}
	out, err := w.Undo(context.Background(), "notes", workspace.UndoRequest{Commit: shas[0], Author: jane})
	if err != nil || len(out.Conflicts) != 1 || out.Proposal == "" || w.read(t, "n.md") != "3\n" {
		t.Errorf("what was changed later: %+v, %v", out, err)
	}
	if _, err := w.Undo(context.Background(), "notes", workspace.UndoRequest{Commit: shas[0], Dispatch: "01ONE"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("both: %v", err)
	}
}
