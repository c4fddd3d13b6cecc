package workspace_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace"
)

func TestRegistry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	info := w.create(t, "notes", map[string]string{"a": "1"})
	w.create(t, "a.b-c_1", nil)
	if info.Mode != "rw" || !info.Encrypted || !strings.HasPrefix(info.Bucket, "file:///") || info.CreatedAt.IsZero() {
		t.Errorf("%+v", info)
	}
	data, err := os.ReadFile(filepath.Join(w.root, info.ID, "workspace.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := contract.Validate("workspace.v1", data); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"", "A", "-x", ".x", "a/b", "..", strings.Repeat("a", 65), "a b", "é"} {
		if _, err := w.Create(ctx, name, "", jane); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := w.Lookup(ctx, name); !fault.Is(err, fault.NotFound) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := w.Create(ctx, "notes", "", jane); !fault.Is(err, fault.Conflict) {
		t.Errorf("made twice: %v", err)
	}
	if _, err := w.Create(ctx, info.ID, "", jane); !fault.Is(err, fault.Conflict) {
		t.Errorf("a name that is an id: %v", err)
	}
	if _, err := w.Create(ctx, "other", "/no/such/dir", jane); !fault.Is(err, fault.NotFound) {
		t.Errorf("from nowhere: %v", err)
	}
	list, err := w.List(ctx)
	if err != nil || len(list) != 2 || list[0].Name != "a.b-c_1" || list[1].Name != "notes" {
		t.Errorf("%+v, %v", list, err)
	}
	byID, err := w.Lookup(ctx, info.ID)
	if err != nil || byID.Name != "notes" || byID.Files != 1 || byID.UpdatedAt.IsZero() {
		t.Errorf("%+v, %v", byID, err)
	}
	for _, ref := range []string{"notes", info.ID} {
		if id, name, err := w.Find(ctx, ref); err != nil || id != info.ID || name != "notes" {
			t.Errorf("%s: %s, %s, %v", ref, id, name, err)
		}
	}
	if _, _, err := w.Find(ctx, "other"); !fault.Is(err, fault.NotFound) {
		t.Errorf("no workspace: %v", err)
	}
	if _, _, err := w.Find(ctx, "notse"); !strings.HasPrefix(fault.HintOf(err), "did you mean notes? ") {
		t.Errorf("a misspelt workspace: %s", fault.HintOf(err))
	}
	if st, err := os.Stat(w.root); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("the root is %v", st.Mode())
	}
}

func TestImport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	from := t.TempDir()
	write(t, from, map[string]string{"a.md": "a", ".git/config": "mine", "sub/.git/config": "x", "abs": "->/etc", ".gitignore": "*.o\n", "x.o": "1"})
	info, err := w.Create(context.Background(), "notes", from, jane)
	if err != nil {
		t.Fatal(err)
	}
	files, err := w.Files(context.Background(), "notes", "")
	if err != nil || len(files) != 2 || files[1].Path != "a.md" || files[1].Size != 1 || files[1].Mode != "100644" {
		t.Errorf("%+v, %v", files, err)
	}
	if len(info.Rejected) != 2 {
		t.Errorf("refused %+v", info.Rejected)
	}
	if _, err := os.Stat(filepath.Join(from, ".git/config")); err != nil {
		t.Error("the import touched its source")
	}
}

func TestCreateIsExclusive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var wg sync.WaitGroup
	made := make(chan string, 8)
	for range 8 {
		wg.Go(func() {
			info, err := w.Create(context.Background(), "notes", "", jane)
			if err == nil {
				made <- info.ID
			} else if !fault.Is(err, fault.Conflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(made) != 1 {
		t.Errorf("%d were made", len(made))
	}
}

func TestLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	w.create(t, "notes", map[string]string{"a.md": "a", "b.md": "b"})
	for i, unit := range []string{"01ONE", "01TWO", "01ONE1"} {
		c := w.checkout(t, unit)
		write(t, c.Dir(), map[string]string{fmt.Sprintf("%c.md", 'a'+i): unit})
		out, err := w.Seal(ctx, workspace.SealRequest{
			Checkout: c, Author: workspace.Author{Subject: "u_bob"}, Unit: unit, Launcher: "schedule:x", Runner: "claude",
			Session: "s-" + unit, Turn: "t-" + unit, Message: "\n \x1b[31mWrite\t" + unit + "\u202e\r\nVexa-Launcher: forged\n\nVexa-Dispatch: forged",
		})
		if err != nil || !out.Merged {
			t.Fatalf("%+v, %v", out, err)
		}
	}
	all, err := w.Log(ctx, "notes", workspace.LogQuery{})
	if err != nil || len(all) != 4 {
		t.Fatalf("%d commits, %v", len(all), err)
	}
	got := all[1]
	if got.Unit != "01TWO" || got.Launcher != "schedule:x" || got.Session != "s-01TWO" || got.Runner != "claude" || got.Turn != "t-01TWO" ||
		got.Subject != "u_bob" || got.Author != "u_bob <u_bob@localhost>" || got.Message != "[31mWrite 01TWO" || len(got.Parents) != 1 || got.Time.IsZero() {
		t.Errorf("%+v", got)
	}
	if first := all[3]; first.Message != "Import files into workspace notes" || first.Subject != "u_jane" || first.Unit != "" {
		t.Errorf("%+v", first)
	}
	for name, c := range map[string]struct {
		q    workspace.LogQuery
		want int
	}{
		"unit":              {workspace.LogQuery{Unit: "01ONE"}, 1},
		"unit, any case":    {workspace.LogQuery{Unit: "01one"}, 1},
		"session":           {workspace.LogQuery{Session: "s-01TWO"}, 1},
		"both":              {workspace.LogQuery{Session: "s-01TWO", Unit: "01ONE"}, 0},
		"path":              {workspace.LogQuery{Path: "a.md"}, 2},
		"path like option":  {workspace.LogQuery{Path: "--all"}, 0},
		"path like pattern": {workspace.LogQuery{Path: "*.md"}, 0},
		"limit":             {workspace.LogQuery{Limit: 2}, 2},
		"rev":               {workspace.LogQuery{Rev: "main~2"}, 2},
		"branch":            {workspace.LogQuery{Rev: "vexa/01ONE"}, 2},
		"abbreviated":       {workspace.LogQuery{Rev: all[2].SHA[:10]}, 2},
	} {
		if got, err := w.Log(ctx, "notes", c.q); err != nil || len(got) != c.want {
			t.Errorf("%s: %d commits, %v", name, len(got), err)
		}
	}
	for _, q := range []workspace.LogQuery{{Unit: "a|b"}, {Unit: "--x"}, {Session: "x\ny"}, {Path: "../x"}, {Path: "/x"}, {Rev: "--all"}, {Rev: "main..main"}, {Rev: "@{0}"}, {Rev: ":/x"}} {
		if _, err := w.Log(ctx, "notes", q); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	if _, err := w.Log(ctx, "notes", workspace.LogQuery{Rev: "0123456789"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("no commit: %v", err)
	}
}

func TestReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	w.create(t, "notes", map[string]string{"a.md": "a\n", "d/x": "x", "l": "->a.md", "*": "star", ":(top)a.md": "magic", "new\nline": "nl"})
	c := w.checkout(t, "01ONE")
	write(t, c.Dir(), map[string]string{"a.md": "b\n"})
	w.seal(t, c, "x")
	for path, want := range map[string]string{"a.md": "b\n", "d/x": "x", "l": "a.md", "*": "star", ":(top)a.md": "magic", "new\nline": "nl"} {
		if got, err := w.ReadFile(ctx, "notes", "", path); err != nil || string(got) != want {
			t.Errorf("%q: %q, %v", path, got, err)
		}
	}
	if got, err := w.ReadFile(ctx, "notes", "main~1", "a.md"); err != nil || string(got) != "a\n" {
		t.Errorf("%q, %v", got, err)
	}
	for path, kind := range map[string]fault.Kind{"d": fault.NotFound, "none": fault.NotFound, "a.md/x": fault.NotFound, "../a": fault.Invalid, "": fault.Invalid, "/a.md": fault.Invalid, "a\x00": fault.Invalid, "d/": fault.Invalid, "./a.md": fault.Invalid} {
		if _, err := w.ReadFile(ctx, "notes", "", path); !fault.Is(err, kind) {
			t.Errorf("%q: %v", path, err)
		}
	}
	diff, err := w.Diff(ctx, "notes", workspace.DiffQuery{})
	if err != nil || !strings.Contains(diff, "-a\n+b\n") {
		t.Errorf("%q, %v", diff, err)
	}
	back, err := w.Diff(ctx, "notes", workspace.DiffQuery{From: "main", To: "main~1"})
	if err != nil || !strings.Contains(back, "-b\n+a\n") {
		t.Errorf("%q, %v", back, err)
	}
	first, err := w.Diff(ctx, "notes", workspace.DiffQuery{To: "main~1"})
	if err != nil || strings.Count(first, "new file mode") != 6 {
		t.Errorf("%q, %v", first, err)
	}
	if _, err := w.Diff(ctx, "notes", workspace.DiffQuery{From: "--output=/tmp/x"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("an option: %v", err)
	}
}

// TestRefsMoveFromWhereTheyAre: a ref moves only from the commit the mover saw,
// and a lock file of a process that was killed is in nobody's way.
func TestRefsMoveFromWhereTheyAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	info := w.create(t, "notes", map[string]string{"a": "1"})
	c := w.checkout(t, "01X")
	write(t, c.Dir(), map[string]string{"a": "2"})
	out := w.seal(t, c, "x")
	if err := workspace.SetMain(w.Store, "notes", info.Head, info.Head); !fault.Is(err, fault.Conflict) {
		t.Errorf("it moved from elsewhere: %v", err)
	}
	write(t, w.repo(info.ID), map[string]string{"refs/heads/main.lock": "left over"})
	if err := workspace.SetMain(w.Store, "notes", info.Head, out.SHA); err != nil {
		t.Error(err)
	}
	if now, err := w.Lookup(context.Background(), "notes"); err != nil || now.Head != info.Head {
		t.Errorf("%+v, %v", now, err)
	}
}
