package workspace_test

import (
	"context"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/workspace"
)

// TestPagesMergeByKey: what two dispatches change of one page's frontmatter is
// brought together by key, and nothing is guessed.
func TestPagesMergeByKey(t *testing.T) {
	t.Parallel()
	page := func(front, body string) string { return "---\n" + front + "---\n" + body }
	const body = "# Otters\n\nThey swim.\n\nThey eat.\n\nThey sleep.\n"
	base := page("title: Otters\nstatus: draft\nowner: jane\ntags: [river]\n", body)
	for name, c := range map[string]struct {
		ours, theirs string
		want         string // "": it conflicts
	}{
		"neighbouring keys": {
			page("title: Otters\nstatus: final\nowner: jane\ntags: [river]\n", body),
			page("title: Otters\nstatus: draft\nowner: joe\ntags: [river]\n", body),
			page("title: Otters\nstatus: final\nowner: joe\ntags: [river]\n", body),
		},
		"the same key, differently": {
			page("title: Otters\nstatus: final\nowner: jane\ntags: [river]\n", body),
			page("title: Otters\nstatus: old\nowner: jane\ntags: [river]\n", body), "",
		},
		"the same key, at two places": { // git merges this into a page with two of them
			page("due: 2026-12-01\ntitle: Otters\nstatus: draft\nowner: jane\ntags: [river]\n", body),
			page("title: Otters\nstatus: draft\nowner: jane\ntags: [river]\ndue: 2026-12-24\n", body), "",
		},
		"tags are a set": {
			page("title: Otters\nstatus: draft\nowner: jane\ntags: [river, mammal]\n", body),
			page("title: Otters\nstatus: draft\nowner: jane\ntags: [river, swims]\n", body),
			page("title: Otters\nstatus: draft\nowner: jane\ntags: [river, mammal, swims]\n", body),
		},
		"frontmatter by key, body by line": {
			page("title: Otters\nstatus: final\nowner: jane\ntags: [river]\n", strings.Replace(body, "swim", "swim far", 1)),
			page("title: Otters\nstatus: draft\nowner: joe\ntags: [river]\n", strings.Replace(body, "sleep", "sleep long", 1)),
			page("title: Otters\nstatus: final\nowner: joe\ntags: [river]\n", strings.NewReplacer("swim", "swim far", "sleep", "sleep long").Replace(body)),
		},
		"a body that conflicts": {
			page("title: Otters\nstatus: final\nowner: jane\ntags: [river]\n", strings.Replace(body, "swim", "swim far", 1)),
			page("title: Otters\nstatus: draft\nowner: joe\ntags: [river]\n", strings.Replace(body, "swim", "fly", 1)), "",
		},
		"what is no text behind it": {
			page("title: Otters\nstatus: final\nowner: jane\ntags: [river]\n", body+strings.Repeat("x\n", 3972)+"\x00\n"),
			page("title: Otters\nstatus: draft\nowner: jane\ntags: [river]\n", strings.Replace(body, "Otters", "Sea otters", 1)),
			page("title: Otters\nstatus: final\nowner: jane\ntags: [river]\n", strings.Replace(body, "Otters", "Sea otters", 1)+strings.Repeat("x\n", 3972)+"\x00\n"),
		},
		"what is no frontmatter": {
			page("title: &a Otters\nstatus: final\nowner: jane\ntags: [river]\n", body),
			page("title: Otters\nstatus: draft\nowner: joe\ntags: [river]\n", body), "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			info := w.create(t, "notes", map[string]string{"deep/er/page.md": base, "other.md": "x\n"})
			a, b := w.checkout(t, "01UNITA"), w.checkout(t, "01UNITB")
			write(t, a.Dir(), map[string]string{"deep/er/page.md": c.ours, "a.md": "a\n"})
			write(t, b.Dir(), map[string]string{"deep/er/page.md": c.theirs, "b.md": "b\n"})
			if out := w.seal(t, a, "a"); !out.Merged {
				t.Fatalf("%+v", out)
			}
			out := w.seal(t, b, "b")
			if out.Merged != (c.want != "") || !out.Merged && (len(out.Conflicts) != 1 || out.Conflicts[0] != "deep/er/page.md") {
				t.Fatalf("%+v", out)
			}
			if out.Merged {
				if got := w.read(t, "deep/er/page.md"); got != c.want {
					t.Errorf("merged:\n%s", got)
				}
				if w.read(t, "a.md") != "a\n" || w.read(t, "b.md") != "b\n" || w.read(t, "other.md") != "x\n" {
					t.Error("something else is lost")
				}
			} else if got := w.read(t, "deep/er/page.md"); got != c.ours {
				t.Errorf("main took a conflict:\n%s", got)
			}
			w.fsck(t, info.ID)
		})
	}
}

// TestUndoMergesByKey: a turn is taken back although a later one changed the next
// key.
func TestUndoMergesByKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(t, "notes", map[string]string{"page.md": "---\nstatus: draft\nowner: jane\n---\nText.\n"})
	for _, text := range []string{"---\nstatus: final\nowner: jane\n---\nText.\n", "---\nstatus: final\nowner: joe\n---\nText.\n"} {
		unit := "01UNIT" + text[len("---\nstatus: final\nowner: j"):][:1]
		c := w.checkout(t, unit)
		write(t, c.Dir(), map[string]string{"page.md": text})
		w.seal(t, c, unit)
	}
	out, err := w.Undo(context.Background(), "notes", workspace.UndoRequest{Dispatch: "01UNITa", Author: jane, Launcher: "user:u_jane"})
	if err != nil || len(out.Conflicts) > 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	if got := w.read(t, "page.md"); got != "---\nstatus: draft\nowner: joe\n---\nText.\n" {
		t.Errorf("%s", got)
	}
}
