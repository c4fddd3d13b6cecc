package scratchdir_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/vexa-ai/vexa/pkg/internal/scratchdir"
)

func TestSweep(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	left, other := filepath.Join(parent, "s-left"), filepath.Join(parent, "other")
	for _, dir := range []string{left, other} {
		must(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o700))
	}
	file := filepath.Join(parent, "s-file")
	must(t, os.WriteFile(file, nil, 0o600))

	d, err := scratchdir.Make(parent, "s-")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(d.Path, "x"), nil, 0o600))
	scratchdir.Sweep(parent, "s-")
	for path, want := range map[string]bool{left: false, other: true, file: true, d.Path: true} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: %v", filepath.Base(path), err)
		}
	}
	must(t, d.Remove())
	if _, err := os.Stat(d.Path); err == nil {
		t.Error("removed, and still there")
	}
}

func TestMakeByMany(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				d, err := scratchdir.Make(parent, "s-")
				if err != nil {
					t.Error(err)
					return
				}
				if err := os.WriteFile(filepath.Join(d.Path, "x"), nil, 0o600); err != nil {
					t.Errorf("it is gone: %v", err)
				}
				if err := d.Remove(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if left, err := os.ReadDir(parent); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestMakeNowhere(t *testing.T) {
	t.Parallel()
	if _, err := scratchdir.Make(filepath.Join(t.TempDir(), "missing"), "s-"); !os.IsNotExist(err) {
		t.Error(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
