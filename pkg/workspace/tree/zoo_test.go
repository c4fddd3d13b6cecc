package tree_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/internal/removetree"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/tree"
	"github.com/vexa-ai/vexa/pkg/workspace/zootest"
)

// pen makes room for animals.
func pen(tb testing.TB) zootest.Pen {
	tb.Helper()
	base := tb.TempDir()
	p := zootest.Pen{Dir: filepath.Join(base, "pen"), Outside: filepath.Join(base, "outside")}
	if err := errors.Join(os.Mkdir(p.Dir, 0o755), p.MakeOutside()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = removetree.All(p.Dir) })
	return p
}

// outcome is what a walk did, and fails the test where it gave away anything of
// what lies outside.
func outcome(tb testing.TB, p zootest.Pen, res tree.Result, m memory) zootest.Outcome {
	tb.Helper()
	got := zootest.Outcome{Rejected: reasons(res.Rejected)}
	err := res.Index.Files(func(path string, e *tree.Entry) error {
		got.Committed = append(got.Committed, path)
		have, err := os.ReadFile(filepath.Join(p.Dir, path))
		if e.Mode == object.ModeLink {
			var target string
			target, err = os.Readlink(filepath.Join(p.Dir, path))
			have = []byte(target)
		}
		if err == nil && !bytes.Equal(have, m[e.ID]) {
			err = fmt.Errorf("%q became %q", path, m[e.ID])
		}
		return err
	})
	if err != nil {
		tb.Error(err)
	}
	for _, data := range m {
		if bytes.Contains(data, []byte(zootest.Secret)) {
			tb.Errorf("what lies outside is in an object: %q", data)
		}
	}
	if p.Bitten() {
		tb.Error("the canary was run")
	}
	return got
}

// timely walks, and fails the test where that does not end.
func timely(tb testing.TB, dir string) (tree.Result, memory) {
	tb.Helper()
	type done struct {
		res tree.Result
		m   memory
		err error
	}
	ch := make(chan done, 1)
	go func() {
		m := memory{}
		res, err := tree.Walk(ctx, dir, tree.Options{}, m)
		ch <- done{res, m, err}
	}()
	select {
	case d := <-ch:
		if d.err != nil {
			tb.Fatal(d.err)
		}
		return d.res, d.m
	case <-time.After(60 * time.Second):
		tb.Fatal("the walk hangs")
		return tree.Result{}, nil
	}
}

// TestEachAnimal walks each animal of the zoo where it bites most, at the top.
func TestEachAnimal(t *testing.T) {
	t.Parallel()
	for _, a := range zootest.All() {
		t.Run(a.Name, func(t *testing.T) {
			t.Parallel()
			if !a.Lives(false) {
				t.Skip("root may read everything")
			}
			p := pen(t)
			if err := a.Plant(p); errors.Is(err, zootest.ErrElsewhere) {
				t.Skip(err)
			} else if err != nil {
				t.Fatal(err)
			}
			res, m := timely(t, p.Dir)
			for _, wrong := range zootest.Compare([]zootest.Housed{{Animal: a}}, outcome(t, p, res, m)) {
				t.Error(wrong)
			}
		})
	}
}

// TestCollectPassesOver takes the zoo as a session's state directory: what is
// not a plain file inside is passed over, and nothing of it blocks.
func TestCollectPassesOver(t *testing.T) {
	t.Parallel()
	p := pen(t)
	for _, a := range zootest.Zoo(false) {
		if a.Name == "sparse file of 5 GB" {
			continue // a cap: TestCollectCaps
		}
		house := zootest.Pen{Dir: filepath.Join(p.Dir, a.House), Outside: p.Outside}
		if err := os.Mkdir(house.Dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := a.Plant(house); err != nil && !errors.Is(err, zootest.ErrElsewhere) {
			t.Fatal(err)
		}
	}
	regular := make(map[string]bool)
	err := filepath.WalkDir(p.Dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && d.Name() != "stolen" {
			rel, _ := filepath.Rel(p.Dir, path)
			regular[rel] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	err = tree.Collect(ctx, p.Dir, tree.Limits{}, func(string) bool { return true }, func(f tree.File) error {
		found[f.Path] = true
		if bytes.Contains(f.Content, []byte(zootest.Secret)) {
			return fmt.Errorf("%q gives what lies outside", f.Path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(found, regular) {
		t.Errorf("it found %d files, of %d: %q", len(found), len(regular), slices.Sorted(maps.Keys(found)))
	}
}
