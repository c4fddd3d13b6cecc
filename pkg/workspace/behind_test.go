package workspace_test

import (
	"testing"

	"github.com/vexa-ai/vexa/pkg/workspace"
)

// behind asks whether a checkout is to be replaced.
func (w *world) behind(t *testing.T, c *workspace.Checkout) bool {
	t.Helper()
	behind, err := w.Behind(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return behind
}

// A checkout is behind where main holds it and more: by another dispatch, or by
// an undo of what it wrote itself.
func TestBehindMain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(t, "notes", map[string]string{"a.md": "one\n", "b.md": "one\n"})
	first, second, reader := w.checkout(t, "01FIRST"), w.checkout(t, "01SECOND"), w.checkoutMode(t, "01READER", "ro")
	for _, c := range []*workspace.Checkout{first, second, reader} {
		if w.behind(t, c) {
			t.Errorf("%s is behind what it was made of", c.Unit())
		}
	}
	write(t, first.Dir(), map[string]string{"a.md": "first\n"})
	w.seal(t, first, "first")
	if w.behind(t, first) || !w.behind(t, second) || !w.behind(t, reader) {
		t.Errorf("after the first: %v %v %v", w.behind(t, first), w.behind(t, second), w.behind(t, reader))
	}
	if _, err := w.Undo(t.Context(), "notes", workspace.UndoRequest{Author: jane}); err != nil {
		t.Fatal(err)
	}
	if !w.behind(t, first) || w.behind(t, second) {
		t.Errorf("after the undo: %v, and what is as the second has it: %v", w.behind(t, first), w.behind(t, second))
	}
}

// What waits to be merged is nowhere but in the checkout: that is kept, until it
// is rejected.
func TestBehindARejection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(t, "notes", map[string]string{"a.md": "one\n"})
	first, second := w.checkout(t, "01FIRST"), w.checkout(t, "01SECOND")
	write(t, first.Dir(), map[string]string{"a.md": "first\n"})
	write(t, second.Dir(), map[string]string{"a.md": "second\n"})
	w.seal(t, first, "first")
	out := w.seal(t, second, "second")
	if out.Merged {
		t.Fatalf("%+v", out)
	}
	if w.behind(t, second) {
		t.Error("what waits is given up")
	}
	if _, err := w.RejectProposal(t.Context(), "notes", out.Proposal, "", jane); err != nil {
		t.Fatal(err)
	}
	if !w.behind(t, second) {
		t.Error("what was rejected is gone on with")
	}
}
