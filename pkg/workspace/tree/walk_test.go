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

func TestRefusals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	long := strings.Repeat("n", 255)
	write(t, dir, map[string]string{
		"ok.md":                    "fine",
		"abs":                      "->/etc/passwd",
		"out":                      "->../x",
		"sub/out":                  "->../../x",
		"sub/in":                   "->../ok.md",
		"zigzag":                   "->sub/../ok.md",
		"togit":                    "->.git/config",
		"sub/.git/config":          "x",
		"sub2/.GIT/config":         "x",
		"sub3/git~1/config":        "x",
		"sub4/.g\u200cit/config":   "x",
		"sub5/.git . /x":           "x",
		"sub6/.git::$DATA":         "x",
		"sub7/a\\.git":             "x",
		"sub8/.git":                "gitdir: /elsewhere",
		"twin/README":              "1",
		"twin/readme":              "2",
		"nfc/\u00e9":               "1",
		"nfc/e\u0301":              "2",
		"dirs/Case/x":              "1",
		"dirs/case/y":              "2",
		".gitmodules":              "[submodule \"x\"]",
		"bad\xffutf8":              "x",
		"line\nbreak":              "allowed",
		long:                       "allowed",
		".git/config":              "the disposable one",
		".gitignore":               "# nothing",
		"github/.gitattributes":    "* filter=evil",
		"not.git/x":                "fine",
		"gitx":                     "fine",
		"sub/\u202egnp.exe":        "printed safely",
		"sub9/.git\u200d":          "x",
		"deep/" + deep(140, "d/f"): "too deep",
	})
	for _, err := range []error{
		unix.Mkfifo(filepath.Join(dir, "fifo"), 0o644),
		unix.Mknod(filepath.Join(dir, "sock"), unix.S_IFSOCK|0o644, 0),
		os.Link("/proc/self/exe", filepath.Join(dir, "never")),
	} {
		if err != nil && !errors.Is(err, unix.EXDEV) && !errors.Is(err, unix.EPERM) {
			t.Fatal(err)
		}
	}
	huge, err := os.Create(filepath.Join(dir, "huge"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(huge.Truncate(1<<40), huge.Close()); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var res tree.Result
	go func() {
		defer close(done)
		res, _ = walk(t, dir, tree.Options{})
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("the walk hangs")
	}
	got := reasons(res.Rejected)
	for path, why := range map[string]string{
		"abs": "absolute", "out": "leaves", "sub/out": "leaves", "zigzag": "climbs", "togit": "Git directory",
		"sub/.git": "Git directory", "sub2/.GIT": "Git directory", "sub3/git~1": "Git directory", `sub4/.g\u200cit`: "Git directory",
		"sub5/.git . ": "Git directory", "sub6/.git::$DATA": "Git directory", `sub7/a\\.git`: "Git directory", "sub8/.git": "Git directory", `sub9/.git\u200d`: "Git directory",
		"twin/readme": "only in case", "nfc/é": "Unicode", "dirs/case": "only in case",
		".gitmodules": "submodules", `bad\xffutf8`: "UTF-8", "fifo": "FIFO", "sock": "socket", "huge": "larger",
		"deep/" + deep(128, "d"): "deep",
	} {
		if !strings.Contains(got[path], why) {
			t.Errorf("%s: %q, want %q", path, got[path], why)
		}
		delete(got, path)
	}
	if len(got) > 0 {
		t.Errorf("refused too:\n%s", names(got))
	}
	for _, path := range []string{"ok.md", "sub/in", "twin/README", "nfc/e\u0301", "dirs/Case/x", "line\nbreak", long, ".gitignore", "github/.gitattributes", "not.git/x", "gitx", "sub/\u202egnp.exe"} {
		if res.Index.Lookup(path) == nil {
			t.Errorf("%q is missing", path)
		}
	}
	for _, path := range []string{".git", "fifo", "huge", "twin/readme", "abs"} {
		if res.Index.Lookup(path) != nil {
			t.Errorf("%q was taken", path)
		}
	}
}

func deep(n int, last string) string { return strings.Repeat("d/", n-1) + last }

// TestRefusedPathsKeepTheirCommit: a path that was committed stays as it was
// when what is there now is refused.
func TestRefusedPathsKeepTheirCommit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"f": "f", "d/x": "x", "l": "->f", "big": "small", "gone": "g"})
	before, _ := walk(t, dir, tree.Options{})
	for _, name := range []string{"f", "d", "l", "gone"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(unix.Mkfifo(filepath.Join(dir, "f"), 0o644), unix.Mkfifo(filepath.Join(dir, "d"), 0o644),
		os.Symlink("/etc", filepath.Join(dir, "l")), os.Truncate(filepath.Join(dir, "big"), 2000)); err != nil {
		t.Fatal(err)
	}
	after, _ := walk(t, dir, tree.Options{Prev: before.Index, Limits: tree.Limits{FileBytes: 1000}})
	for _, path := range []string{"f", "d/x", "l", "big"} {
		e, was := after.Index.Lookup(path), before.Index.Lookup(path)
		if e == nil || e.ID != was.ID {
			t.Errorf("%s: %+v", path, e)
		}
	}
	if after.Index.Lookup("gone") != nil {
		t.Error("a removed file stays")
	}
	if len(after.Rejected) != 4 {
		t.Errorf("refused %s", names(reasons(after.Rejected)))
	}
	if n := tree.Changed(before.Index, after.Index); n != 1 {
		t.Errorf("%d files changed", n)
	}
}

func TestCommittedTwinsStay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"readme": "1"})
	before, _ := walk(t, dir, tree.Options{})
	write(t, dir, map[string]string{"README": "2", "ReadMe": "3"})
	res, _ := walk(t, dir, tree.Options{Prev: before.Index})
	if len(res.Rejected) != 2 || res.Index.Lookup("readme") == nil || len(res.Index.Root.Children) != 1 {
		t.Errorf("refused %v", res.Rejected)
	}
	if err := os.Remove(filepath.Join(dir, "readme")); err != nil {
		t.Fatal(err)
	}
	res, _ = walk(t, dir, tree.Options{Prev: before.Index})
	if len(res.Rejected) != 1 || res.Index.Lookup("README") == nil {
		t.Errorf("after a rename: %v", res.Rejected)
	}
}

func TestHardLinks(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	dir := filepath.Join(base, "ws")
	write(t, dir, map[string]string{"a": "twice", "sub/x": "x"})
	write(t, base, map[string]string{"secret": "secret"})
	if err := errors.Join(os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "sub/b")),
		os.Link(filepath.Join(base, "secret"), filepath.Join(dir, "stolen"))); err != nil {
		t.Fatal(err)
	}
	res, _ := walk(t, dir, tree.Options{})
	if res.Index.Lookup("a") == nil || res.Index.Lookup("sub/b") == nil {
		t.Error("a file with two names in the workspace is missing")
	}
	if res.Index.Lookup("stolen") != nil || !strings.Contains(reasons(res.Rejected)["stolen"], "hard link") {
		t.Errorf("refused %v", res.Rejected)
	}
}

func TestCaps(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"a": "12345", "b": "12345", "c": "12345"})
	before, _ := walk(t, dir, tree.Options{})
	write(t, dir, map[string]string{"d": "12345", "e": "12345"})
	res, _ := walk(t, dir, tree.Options{Prev: before.Index, Limits: tree.Limits{TotalBytes: 20}})
	if len(res.Rejected) != 1 || res.Rejected[0].Path != "e" {
		t.Errorf("bytes: %v", res.Rejected)
	}
	res, _ = walk(t, dir, tree.Options{Prev: before.Index, Limits: tree.Limits{Files: 2}})
	if len(res.Index.Root.Children) < 3 || !strings.Contains(res.Rejected[0].Reason, "more than 2 names") {
		t.Errorf("names: %v, %d children", res.Rejected, len(res.Index.Root.Children))
	}
	for _, path := range []string{"a", "b", "c"} {
		if res.Index.Lookup(path) == nil {
			t.Errorf("%s was lost to the cap", path)
		}
	}
	for i := range 20 {
		if err := unix.Mkfifo(filepath.Join(dir, fmt.Sprintf("fifo%d", i)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	res, _ = walk(t, dir, tree.Options{Limits: tree.Limits{Rejected: 5}})
	if len(res.Rejected) != 6 || res.Rejected[5].Reason != "15 more paths were refused" {
		t.Errorf("refusals: %v", res.Rejected)
	}
}

// TestUnreadable needs no root: a directory and a file without permissions.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("root reads everything")
	}
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
			switch i % 4 {
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
			if len(data) > 0 && strings.Count(string(data), string(data[:1])) != len(data) && string(data) != "f0" && !strings.Contains(string(data), "\x00") {
				t.Errorf("blob %s mixes two states of a file", id)
			}
		}
		prev = res.Index
	}
	close(stop)
	<-done
}
