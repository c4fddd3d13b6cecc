package workspace_test

import (
	"context"
	"strings"
	"testing"
)

// What a dispatch leaves that never released its checkout: a merged branch goes,
// one that is live or that main does not hold stays.
func TestSweep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	info := w.create(t, "notes", map[string]string{"a.md": "a"})
	for _, unit := range []string{"01MERGED", "01LIVE", "01CONFLICT"} {
		c := w.checkout(t, unit)
		if unit == "01CONFLICT" {
			other := w.checkout(t, "01OTHER")
			write(t, other.Dir(), map[string]string{"a.md": "theirs"})
			w.seal(t, other, "x")
		}
		write(t, c.Dir(), map[string]string{unit: "x"})
		if unit == "01CONFLICT" {
			write(t, c.Dir(), map[string]string{"a.md": "ours"})
			if out, err := w.trySeal(c, "x"); err != nil || out.Merged {
				t.Fatalf("%+v, %v", out, err)
			}
			continue
		}
		w.seal(t, c, "x")
	}
	plainGit(t, "/", "--git-dir="+w.repo(info.ID), "pack-refs", "--all") // as another git may have done
	err := w.Sweep(ctx, func(unit string) bool { return unit == "01LIVE" })
	if err != nil {
		t.Fatal(err)
	}
	got := plainGit(t, "/", "--git-dir="+w.repo(info.ID), "for-each-ref", "--format=%(refname)", "refs/heads/vexa")
	if strings.Join(strings.Fields(got), " ") != "refs/heads/vexa/01CONFLICT refs/heads/vexa/01LIVE" {
		t.Errorf("branches are left:\n%s", got)
	}
	w.fsck(t, info.ID)
	if data := w.read(t, "01MERGED"); data != "x" {
		t.Errorf("main lost a file: %q", data)
	}
}
