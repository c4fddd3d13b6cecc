package tree_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/internal/require"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/tree"
)

// TestSameTreeAsGit holds the walker to git's own answer on benign trees, whole
// and after changes, with what an earlier walk left to go by.
func TestSameTreeAsGit(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 1))
			dir := t.TempDir()
			benign(t, dir, rng)
			res, _ := walk(t, dir, tree.Options{})
			if len(res.Rejected) > 0 {
				t.Fatalf("refused %s", names(reasons(res.Rejected)))
			}
			if got, want := res.Index.Root.ID.String(), gitTree(t, dir); got != want {
				t.Fatalf("tree %s, git's is %s", got, want)
			}
			sub := filepath.Join(dir, "added")
			if err := os.Mkdir(sub, 0o755); err != nil {
				t.Fatal(err)
			}
			benign(t, sub, rng)
			if err := os.RemoveAll(filepath.Join(dir, "a")); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "a"), []byte("another kind"), 0o755); err != nil {
				t.Fatal(err)
			}
			next, _ := walk(t, dir, tree.Options{Prev: res.Index})
			want := gitTree(t, dir)
			if got := next.Index.Root.ID.String(); got != want {
				t.Fatalf("after a change: tree %s, git's is %s", got, want)
			}
			fresh, _ := walk(t, dir, tree.Options{Prev: next.Index, Thorough: true})
			if fresh.Index.Root.ID != next.Index.Root.ID {
				t.Fatal("a thorough walk disagrees")
			}
		})
	}
}

func TestEmptyDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"gone": "x"})
	res, _ := walk(t, dir, tree.Options{})
	if err := os.Remove(filepath.Join(dir, "gone")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "a/b/c"), 0o755); err != nil {
		t.Fatal(err)
	}
	res, _ = walk(t, dir, tree.Options{Prev: res.Index})
	if got := res.Index.Root.ID.String(); got != "4b825dc642cb6eb9a060e54bf8d69288fbee4904" {
		t.Errorf("tree %s", got)
	}
}

// settle waits until what was written below dir is older than the clock.
func settle(t *testing.T, dir string) {
	t.Helper()
	newest := int64(0)
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		var st unix.Stat_t
		err = errors.Join(err, unix.Lstat(path, &st))
		newest = max(newest, st.Ctim.Nano())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for tree.Clock() <= newest {
		time.Sleep(time.Millisecond)
	}
}

func TestUnchangedFilesAreNotRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 50 {
		write(t, dir, map[string]string{fmt.Sprintf("d%d/f%d", i%5, i): fmt.Sprint(i), fmt.Sprintf("l%d", i): "->d0"})
	}
	settle(t, dir)
	res, _ := walk(t, dir, tree.Options{})
	if res.Read != 100 {
		t.Fatalf("first walk read %d", res.Read)
	}
	write(t, dir, map[string]string{"d1/f1": "x"})
	res, _ = walk(t, dir, tree.Options{Prev: res.Index})
	if res.Read != 1 {
		t.Fatalf("second walk read %d", res.Read)
	}
	res, _ = walk(t, dir, tree.Options{Prev: res.Index, Thorough: true})
	if res.Read != 100 {
		t.Fatalf("thorough walk read %d", res.Read)
	}
}

// TestModificationTimeIsNotTrusted replaces content without changing size,
// inode or modification time.
func TestModificationTimeIsNotTrusted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	write(t, dir, map[string]string{"f": "old"})
	past := time.Unix(1_000_000_000, 0)
	if err := os.Chtimes(path, past, past); err != nil {
		t.Fatal(err)
	}
	settle(t, dir)
	res, _ := walk(t, dir, tree.Options{})
	settle(t, dir)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString("new")
	if err := errors.Join(err, f.Close(), os.Chtimes(path, past, past)); err != nil {
		t.Fatal(err)
	}
	next, out := walk(t, dir, tree.Options{Prev: res.Index})
	if string(out[next.Index.Lookup("f").ID]) != "new" {
		t.Error("the change was not seen")
	}
}

// TestRacyFilesAreReadAgain changes files right after they were read, within
// one tick of the clock.
func TestRacyFilesAreReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	res := tree.Result{Index: &tree.Index{}}
	for i := range 300 {
		text := fmt.Sprintf("%04d", i)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		next, _ := walk(t, dir, tree.Options{Prev: res.Index})
		want, err := object.Name(object.KindBlob, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if next.Index.Lookup("f").ID != want {
			t.Fatalf("round %d was not seen", i)
		}
		res = next
	}
}

// TestRacyRule proves the rule itself: a stat that is not older than the read
// is not remembered.
func TestRacyRule(t *testing.T) {
	t.Parallel()
	now := tree.Clock()
	for ctime, want := range map[int64]bool{now - 1: true, now: false, now + 1: false, 0: false} {
		if got := (tree.Stat{Ctime: ctime}).Settled(now); got != want {
			t.Errorf("%+d: %v", ctime-now, got)
		}
	}
}

// TestUnreadable needs no root: a directory and a file without permissions.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	require.Unprivileged(t)
	dir := t.TempDir()
	write(t, dir, map[string]string{"d/x": "x", "f": "f", "ok": "ok"})
	before, _ := walk(t, dir, tree.Options{})
	if err := errors.Join(os.Chmod(filepath.Join(dir, "d"), 0), os.Chmod(filepath.Join(dir, "f"), 0)); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Join(dir, "d"), 0o700) //nolint:errcheck // for the cleanup
	res, _ := walk(t, dir, tree.Options{Prev: before.Index})
	if res.Index.Root.ID != before.Index.Root.ID || len(res.Rejected) != 2 {
		t.Errorf("refused %v", res.Rejected)
	}
}

// TestRootWithoutPermissions: the mode of the root is the agent's to change, and
// keeps the host from nothing.
func TestRootWithoutPermissions(t *testing.T) {
	t.Parallel()
	require.Unprivileged(t)
	for _, mode := range []os.FileMode{0, 0o100, 0o300, 0o400} {
		dir := filepath.Join(t.TempDir(), "root")
		write(t, dir, map[string]string{"f": "f"})
		want, _ := walk(t, dir, tree.Options{})
		lock := func() {
			t.Helper()
			if err := os.Chmod(dir, mode); err != nil {
				t.Fatal(err)
			}
		}
		lock()
		if got, _ := walk(t, dir, tree.Options{}); got.Index.Root.ID != want.Index.Root.ID {
			t.Errorf("%v: refused %v", mode, got.Rejected)
		}
		lock()
		found := 0
		err := tree.Collect(ctx, dir, tree.Limits{}, func(string) bool { return true }, func(tree.File) error { found++; return nil })
		if err != nil || found != 1 {
			t.Errorf("%v: %d files collected, %v", mode, found, err)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(t.TempDir(), link); err != nil {
		t.Fatal(err)
	}
	if _, err := tree.Walk(ctx, link, tree.Options{}, memory{}); err == nil {
		t.Error("a link in the root's place was followed")
	}
}

// TestChangingFiles seals a tree while files in it are written, replaced and
// removed: every blob taken must be a state that the file had.
func TestChangingFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stop := make(chan struct{})
	done := make(chan struct{})
	sizes := []int{10, 5000, 3 << 20}
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			path := filepath.Join(dir, fmt.Sprintf("f%d", i%3))
			data := strings.Repeat(string(rune('a'+i%26)), sizes[i%3])
			switch i % 5 {
			case 4: // in place, a piece at a time
				f, err := os.OpenFile(path, os.O_WRONLY, 0)
				if err != nil {
					continue
				}
				for piece := 0; piece < len(data); piece += 64 << 10 {
					_, _ = f.WriteAt([]byte(data[piece:min(len(data), piece+64<<10)]), int64(piece))
				}
				_ = f.Close()
			case 0:
				_ = os.WriteFile(path, []byte(data), 0o644)
			case 1:
				_ = os.WriteFile(path+".new", []byte(data), 0o644)
				_ = os.Rename(path+".new", path)
			case 2:
				_ = os.Remove(path)
				_ = os.Symlink("f0", path)
			case 3:
				_ = os.Remove(path)
				_ = os.Mkdir(path, 0o755)
				_ = os.Remove(path)
			}
		}
	}()
	prev := &tree.Index{}
	for range 60 {
		out := memory{}
		res, err := tree.Walk(ctx, dir, tree.Options{Prev: prev}, out)
		if err != nil {
			t.Error(err)
			break
		}
		for id, data := range out {
			if string(data) != "f0" && !strings.Contains(string(data), "\x00") && mixes(string(data)) {
				t.Errorf("blob %s mixes two states of a file", id)
			}
		}
		prev = res.Index
	}
	close(stop)
	<-done
}

// mixes reports whether a file of TestChangingFiles was never so. What was there before
// it is written in place is three letters back.
func mixes(data string) bool {
	if data == "" {
		return false
	}
	rest := strings.TrimLeft(data, data[:1])
	if rest == "" {
		return false
	}
	written := len(data) - len(rest)
	return written%(64<<10) != 0 || strings.TrimLeft(rest, rest[:1]) != "" || (data[0]-'a'+26-(rest[0]-'a'))%26 != 3
}

// TestSwappedDirectories swaps a directory for a link to one outside while the
// tree is walked: nothing from outside may get in.
func TestSwappedDirectories(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	dir := filepath.Join(base, "ws")
	write(t, dir, map[string]string{"d/f": "inside", "d/sub/f": "inside"})
	write(t, base, map[string]string{"out/f": "secret", "out/sub/f": "secret"})
	if err := os.Symlink(filepath.Join(base, "out"), filepath.Join(base, "link")); err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, filepath.Join(dir, "d"), unix.AT_FDCWD, filepath.Join(base, "link"), unix.RENAME_EXCHANGE)
			}
		}
	}()
	for range 500 {
		_, out := walk(t, dir, tree.Options{})
		for _, data := range out {
			if string(data) == "secret" {
				t.Error("a file from outside was taken")
			}
		}
	}
	close(stop)
	<-done
}
