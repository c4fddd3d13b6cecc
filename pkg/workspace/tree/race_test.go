package tree_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/tree"
	"github.com/vexa-ai/vexa/pkg/workspace/zootest"
)

// scale is n at the stated scale, and reduced otherwise.
func scale(n, reduced int) int {
	if os.Getenv("VEXA_SCALE") == "full" {
		return n
	}
	return reduced
}

// TestRaces walks and collects a tree that changes all the while: what lies
// outside is never read, every walk ends, what nobody touches is taken as it is,
// and only what moves is refused.
func TestRaces(t *testing.T) {
	t.Parallel()
	p := pen(t)
	s, err := zootest.NewSwapper(p, filepath.Join(filepath.Dir(p.Dir), "spare"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute) // a walk that never ends is refused by it
	defer cancel()
	rounds, swaps := scale(20_000, 150), int64(scale(1_000_000, 10_000))
	why := make(map[string]int)
	var prev *tree.Index
	for i := 0; i < rounds || s.Swaps() < swaps; i++ {
		m := memory{}
		res, err := tree.Walk(ctx, p.Dir, tree.Options{Prev: prev}, m)
		if err != nil {
			t.Fatal(err)
		}
		if prev = res.Index; i%3 == 0 {
			prev = nil // reads everything
		}
		checkRace(t, res, m, why)
		err = tree.Collect(ctx, p.Dir, tree.Limits{}, func(string) bool { return true }, func(f tree.File) error {
			if bytes.Contains(f.Content, []byte(zootest.Secret)) {
				t.Errorf("%s: what lies outside was collected", f.Path)
			}
			return nil
		})
		if err != nil && !strings.Contains(err.Error(), "changed while it was read") {
			t.Fatal(err)
		}
		if t.Failed() {
			break
		}
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	t.Logf("%d changes; refused: %v", s.Swaps(), why)
	for _, path := range []string{"link: the link is absolute", "hard: it is a hard link", "fifo: it is a FIFO"} {
		if !slices.ContainsFunc(keys(why), func(k string) bool { return strings.HasPrefix(k, path) }) {
			t.Errorf("never refused: %s", path)
		}
	}
}

func keys(m map[string]int) []string {
	var list []string
	for k := range m {
		list = append(list, k)
	}
	return list
}

func checkRace(t *testing.T, res tree.Result, m memory, why map[string]int) {
	t.Helper()
	for id, data := range m {
		if bytes.Contains(data, []byte(zootest.Secret)) {
			t.Errorf("what lies outside is in object %s", id)
		}
	}
	for path, text := range zootest.Still() {
		id, err := object.Name(object.KindBlob, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if e := res.Index.Lookup(path); e == nil || e.ID != id {
			t.Errorf("%s, which nobody touched, became %+v", path, e)
		}
	}
	for _, r := range res.Rejected {
		top, _, _ := strings.Cut(r.Path, "/")
		if !slices.Contains(zootest.Moving(), top) {
			t.Errorf("%s is refused: %s", r.Path, r.Reason)
		}
		if strings.Contains(r.Reason, "cannot be read") {
			t.Errorf("%s: %s", r.Path, r.Reason)
		}
		why[top+": "+r.Reason]++
	}
}

// TestDirectoryThatBecomesALink swaps a directory that was scanned for a link to
// one outside that has the same names.
func TestDirectoryThatBecomesALink(t *testing.T) {
	t.Parallel()
	p := pen(t)
	write(t, p.Dir, map[string]string{"a": "first", "d/secret.txt": "public", "d/below/secret.txt": "public"})
	out := hooked{memory: memory{}, add: func(data []byte) {
		if string(data) == "first" {
			if err := errors.Join(os.RemoveAll(filepath.Join(p.Dir, "d")), os.Symlink(p.Outside, filepath.Join(p.Dir, "d"))); err != nil {
				t.Error(err)
			}
		}
	}}
	res, err := tree.Walk(ctx, p.Dir, tree.Options{}, out)
	if err != nil {
		t.Fatal(err)
	}
	if e := res.Index.Lookup("d/secret.txt"); e != nil || len(res.Rejected) != 2 || !strings.Contains(reasons(res.Rejected)["d/secret.txt"], "changed") {
		t.Errorf("it took %+v, refused %v", e, res.Rejected)
	}
	checkRace(t, tree.Result{Index: &tree.Index{Root: tree.Entry{Children: stillEntries(t)}}}, out.memory, map[string]int{})
}

// stillEntries are what checkRace wants of an index.
func stillEntries(t *testing.T) []tree.Entry {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, zootest.Still())
	res, _ := walk(t, dir, tree.Options{})
	return res.Index.Root.Children
}

// TestCollectOfWhatBecomesAnother swaps a file between the look at it and its
// opening.
func TestCollectOfWhatBecomesAnother(t *testing.T) {
	t.Parallel()
	for name, swap := range map[string]func(p zootest.Pen, path string) error{
		"link":      func(p zootest.Pen, path string) error { return os.Symlink(p.SecretFile(), path) },
		"hard link": func(p zootest.Pen, path string) error { return os.Link(p.SecretFile(), path) },
		"FIFO":      func(_ zootest.Pen, path string) error { return unix.Mkfifo(path, 0o644) },
		"directory": func(_ zootest.Pen, path string) error { return os.Mkdir(path, 0o755) },
		"nothing":   func(zootest.Pen, string) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := pen(t)
			write(t, p.Dir, map[string]string{"f": "public", "ok": "ok"})
			path := filepath.Join(p.Dir, "f")
			match := func(rel string) bool {
				if rel == "f" {
					if err := errors.Join(os.Remove(path), swap(p, path)); err != nil {
						t.Error(err)
					}
				}
				return true
			}
			var got []string
			err := tree.Collect(ctx, p.Dir, tree.Limits{}, match, func(f tree.File) error {
				got = append(got, f.Path+": "+string(f.Content))
				return nil
			})
			if err != nil || !slices.Equal(got, []string{"ok: ok"}) {
				t.Errorf("collected %q, %v", got, err)
			}
		})
	}
}

// TestCollectHardLinks: a file with several names is taken where all of them are
// in the directory.
func TestCollectHardLinks(t *testing.T) {
	t.Parallel()
	p := pen(t)
	write(t, p.Dir, map[string]string{"a": "two names", "d/x": "x"})
	if err := errors.Join(os.Link(filepath.Join(p.Dir, "a"), filepath.Join(p.Dir, "d/b")), os.Link(p.SecretFile(), filepath.Join(p.Dir, "stolen"))); err != nil {
		t.Fatal(err)
	}
	var got []string
	err := tree.Collect(ctx, p.Dir, tree.Limits{}, func(path string) bool { return path != "d/b" }, func(f tree.File) error {
		got = append(got, f.Path+": "+string(f.Content))
		return nil
	})
	if err != nil || !slices.Equal(got, []string{"d/x: x", "a: two names"}) {
		t.Errorf("collected %q, %v", got, err)
	}
}
