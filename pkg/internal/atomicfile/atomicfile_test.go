package atomicfile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
)

// writers are the two ways to replace a file.
var writers = map[string]func(path string, data []byte, perm fs.FileMode) error{"WriteFile": atomicfile.WriteFile, "Replace": atomicfile.Replace}

func TestReplaces(t *testing.T) {
	t.Parallel()
	for name, write := range writers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			replaces(t, write)
		})
	}
}

func replaces(t *testing.T, write func(string, []byte, fs.FileMode) error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	for _, want := range []string{"the first, longer text", "second"} {
		if err := write(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		expect(t, path, want, 0o600)
	}
	if err := write(path, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	expect(t, path, "", 0o640)
	only(t, path)
}

func TestFailureLeavesNothing(t *testing.T) {
	t.Parallel()
	for name, write := range writers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failureLeavesNothing(t, write)
		})
	}
}

func failureLeavesNothing(t *testing.T, write func(string, []byte, fs.FileMode) error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.MkdirAll(filepath.Join(path, "occupied"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := write(path, []byte("x"), 0o600); err == nil {
		t.Fatal("a directory was replaced by a file")
	}
	if err := write(filepath.Join(filepath.Dir(path), "missing", "f"), nil, 0o600); err == nil {
		t.Fatal("a file was written into no directory")
	}
	only(t, path)
}

func TestCreateLetsOneWin(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	var wins atomic.Int32
	var winner atomic.Value
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			text := fmt.Sprintf("process %d", i)
			switch err := atomicfile.Create(path, []byte(text), 0o600); {
			case err == nil:
				wins.Add(1)
				winner.Store(text)
			case !errors.Is(err, fs.ErrExist):
				t.Errorf("loser %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 {
		t.Fatalf("%d of 16 created the file", wins.Load())
	}
	expect(t, path, winner.Load().(string), 0o600)
	only(t, path)
}

func expect(t *testing.T, path, want string, perm fs.FileMode) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Fatalf("%s holds %q (%v), want %q", path, got, err, want)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != perm {
		t.Fatalf("%s has mode %v (%v), want %v", path, st.Mode(), err, perm)
	}
}

// only fails unless path is alone in its directory: no temporary file is left.
func only(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != filepath.Base(path) {
		t.Fatalf("left behind: %v", entries)
	}
}
