package workspace_test

import (
	"context"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace"
)

// TestHistoryForPeople: what a dispatch did is found by dispatch, session,
// subject, launcher and path, merged or not, line by line.
func TestHistoryForPeople(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	w.create(t, "notes", map[string]string{"a.md": "one\ntwo\n", "dir/b.md": "b\n"})
	a, b := w.checkout(t, "01UNITA"), w.checkout(t, "01UNITB")
	write(t, a.Dir(), map[string]string{"a.md": "one\nTWO\nthree\n"})
	w.seal(t, a, "first")
	write(t, a.Dir(), map[string]string{"dir/b.md": "b\nc\n"})
	w.seal(t, a, "second")
	write(t, b.Dir(), map[string]string{"a.md": "one\nzwei\n"})
	if out := w.seal(t, b, "conflict"); out.Merged {
		t.Fatalf("%+v", out)
	}

	lines, err := w.Blame(ctx, "notes", "", "a.md")
	if err != nil || len(lines) != 3 {
		t.Fatalf("%+v, %v", lines, err)
	}
	for i, want := range []workspace.BlameLine{{Line: 1, Text: "one"}, {Line: 2, Text: "TWO", Commit: workspace.Commit{Unit: "01UNITA"}}, {Line: 3, Text: "three", Commit: workspace.Commit{Unit: "01UNITA"}}} {
		if got := lines[i]; got.Line != want.Line || got.Text != want.Text || got.Commit.Unit != want.Commit.Unit || got.Commit.SHA == "" || got.Commit.Subject == "" {
			t.Errorf("line %d is %+v", i+1, got)
		}
	}
	for path, kind := range map[string]fault.Kind{"missing.md": fault.NotFound, "dir": fault.NotFound, "../a": fault.Invalid, "": fault.Invalid} {
		if _, err := w.Blame(ctx, "notes", "", path); !fault.Is(err, kind) {
			t.Errorf("%q: %v", path, err)
		}
	}

	for name, c := range map[string]struct {
		q       workspace.DiffQuery
		has, no string
	}{
		"a dispatch":                     {workspace.DiffQuery{Unit: "01UNITA"}, "+three", "zwei"},
		"both turns of it":               {workspace.DiffQuery{Unit: "01unita"}, "+c", "zwei"},
		"one path of it":                 {workspace.DiffQuery{Unit: "01UNITA", Path: "dir"}, "+c", "+three"},
		"a dispatch that did not merge":  {workspace.DiffQuery{Unit: "01UNITB"}, "+zwei", "+three"},
		"one path of the newest commit":  {workspace.DiffQuery{Path: "dir/b.md"}, "+c", "a.md"},
		"a path that nothing changed at": {workspace.DiffQuery{Path: "nothing"}, "", "+"},
	} {
		patch, err := w.Diff(ctx, "notes", c.q)
		if err != nil || !strings.Contains(patch, c.has) || strings.Contains(patch, c.no) {
			t.Errorf("%s: %v\n%s", name, err, patch)
		}
	}
	if _, err := w.Diff(ctx, "notes", workspace.DiffQuery{Unit: "01UNITZ"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("a dispatch that is none: %v", err)
	}

	for name, c := range map[string]struct {
		q    workspace.LogQuery
		want int
	}{
		"a subject": {workspace.LogQuery{Subject: "u_jane"}, 3}, "nobody": {workspace.LogQuery{Subject: "u_joe"}, 0},
		"a launcher": {workspace.LogQuery{Launcher: "user:u_jane"}, 2}, "a launcher and a path": {workspace.LogQuery{Launcher: "user:u_jane", Path: "dir"}, 1},
	} {
		list, err := w.Log(ctx, "notes", c.q)
		if err != nil || len(list) != c.want {
			t.Errorf("%s: %d commits, %v", name, len(list), err)
		}
	}
}

// TestStatus says what is so, and changes nothing.
func TestStatus(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	st, err := w.Status(ctx, "notes")
	if err != nil || !st.Open || st.Behind != 0 || st.Ahead != 0 || st.Members != 1 || st.Epoch != 1 || st.Policy != 1 || st.Packs != 1 || st.Backup != nil {
		t.Fatalf("%+v, %v", st, err)
	}
	a, b := w.checkout(t, "01UNITA"), w.checkout(t, "01UNITB")
	write(t, a.Dir(), map[string]string{"a.md": "a\n"})
	w.seal(t, a, "a")
	write(t, b.Dir(), map[string]string{"a.md": "b\n"})
	w.seal(t, b, "b")
	other := newWorld(t)
	other.openAs(t, w.buckets)
	if _, err := other.Add(ctx, "notes", info.Bucket); err != nil {
		t.Fatal(err)
	}
	c := other.checkout(t, "01UNITC")
	write(t, c.Dir(), map[string]string{"c.md": "c\n"})
	other.seal(t, c, "c")
	if _, _, err := w.Backup(ctx, "notes", t.TempDir(), false); err != nil {
		t.Fatal(err)
	}
	if err := w.VerifyOpen(ctx); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		st, err = w.Status(ctx, "notes")
		if err != nil || st.Behind != 1 || st.Ahead != 1 || len(st.Info.Unmerged) != 1 || st.Unverified != 0 || st.Packs < 2 || st.Backup == nil || st.Backup.Generation != st.Info.Generation {
			t.Fatalf("%+v, %v", st, err)
		}
	}
	if err := w.Shut(ctx, "notes"); err != nil {
		t.Fatal(err)
	}
	if st, err = w.Status(ctx, "notes"); err != nil || st.Open || st.Behind != 0 || st.Ahead != 0 {
		t.Errorf("closed: %+v, %v", st, err)
	}
}
