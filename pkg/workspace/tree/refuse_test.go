package tree_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/workspace/tree"
)

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
		"attr/.gitattributes":      strings.Repeat("x", 2049) + " text\n",
		"attr/GITATT~1":            strings.Repeat("x", 2<<20),
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
		"attr/.gitattributes": "longer than Git reads", "attr/GITATT~1": "larger than Git reads",
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
