package removetree_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/internal/removetree"
)

func gone(t *testing.T, dir string) {
	t.Helper()
	if err := removetree.All(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s is still there: %v", dir, err)
	}
}

// must fails the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestPermissionsTakenAway is only an attack on who is not root.
func TestPermissionsTakenAway(t *testing.T) {
	t.Parallel()
	for _, mode := range []fs.FileMode{0, 0o100, 0o200, 0o400, 0o500} {
		dir := filepath.Join(t.TempDir(), "tree")
		must(t, os.MkdirAll(filepath.Join(dir, "a/b/c"), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, "a/b/c/f"), []byte("x"), 0o600))
		must(t, os.Mkdir(filepath.Join(dir, "a/b/1"), 0o700)) // a name that the move to the top might choose
		must(t, os.Mkdir(filepath.Join(dir, "1"), 0o700))
		for _, name := range []string{"a/b/c/f", "a/b/c", "a/b/1", "a/b", "a", "."} {
			must(t, os.Chmod(filepath.Join(dir, name), mode))
		}
		gone(t, dir)
	}
}

// TestDeeperThanAnyPath nests directories until no path reaches the last, and
// a remover that holds each level's descriptor runs out of them.
func TestDeeperThanAnyPath(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "tree")
	must(t, os.Mkdir(dir, 0o700))
	at, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	must(t, err)
	name := strings.Repeat("d", 200)
	for range 400 {
		must(t, unix.Mkdirat(at, name, 0o700))
		next, err := unix.Openat(at, name, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		must(t, err)
		must(t, unix.Fchmod(at, 0))
		must(t, unix.Close(at))
		at = next
	}
	must(t, unix.Close(at))
	gone(t, dir)
}

func TestLinksAreNotFollowed(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	kept := filepath.Join(home, "kept")
	must(t, os.Mkdir(kept, 0o500))
	dir := filepath.Join(home, "tree")
	must(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o700))
	must(t, os.Symlink(kept, filepath.Join(dir, "link")))
	must(t, os.Symlink(kept, filepath.Join(dir, "sub/link")))
	must(t, unix.Mkfifo(filepath.Join(dir, "sub/fifo"), 0o600))
	gone(t, dir)
	must(t, os.Symlink(kept, dir))
	gone(t, dir)
	info, err := os.Stat(kept)
	must(t, err)
	if info.Mode().Perm() != 0o500 {
		t.Errorf("what a link led to has mode %v now", info.Mode())
	}
}

func TestManyNames(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "tree")
	for i := range 30 {
		sub := filepath.Join(dir, strconv.Itoa(i), "below")
		must(t, os.MkdirAll(sub, 0o700))
		for j := range 100 {
			must(t, os.WriteFile(filepath.Join(sub, strconv.Itoa(j)), nil, 0o600))
		}
	}
	gone(t, dir)
}

func TestWhatIsNoDirectory(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	gone(t, file)
	must(t, os.WriteFile(file, nil, 0o600))
	gone(t, file)
}
