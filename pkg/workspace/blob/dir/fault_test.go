package dir_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/againtest"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/dir"
)

// says fails unless err is of a kind and matches the targets, names the
// directory, and says what to do.
func says(t *testing.T, err error, kind fault.Kind, path, what string, targets ...error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	t.Logf("%s: %v (%s; %s)", what, err, fault.KindOf(err), fault.HintOf(err))
	if fault.KindOf(err) != kind {
		t.Errorf("%s: %v is %s, want %s", what, err, fault.KindOf(err), kind)
	}
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Errorf("%s: %v is not %v", what, err, target)
		}
	}
	if !strings.Contains(err.Error(), path) || fault.HintOf(err) == "" {
		t.Errorf("%s: %v (hint %q) names neither directory nor way out", what, err, fault.HintOf(err))
	}
}

func TestRoots(t *testing.T) {
	t.Parallel()
	at := t.TempDir()
	file := filepath.Join(at, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	missing := filepath.Join(at, "missing")

	_, err := dir.Open(file, dir.Options{})
	says(t, err, fault.Invalid, file, "a file")
	_, err = dir.Open(file, dir.Options{Make: true})
	says(t, err, fault.Invalid, file, "a file to make")
	_, err = dir.Open(missing, dir.Options{})
	says(t, err, fault.NotFound, missing, "nothing", blob.ErrUnavailable)
	_, err = dir.Open(filepath.Join(missing, "below"), dir.Options{Make: true})
	says(t, err, fault.NotFound, missing, "below nothing", blob.ErrUnavailable)
	if _, err := os.Lstat(missing); err == nil {
		t.Error("what the root lies in was made")
	}

	s := open(t, missing, dir.Options{Make: true})
	must(t, s.Create(ctx(), "a/b", []byte("x")))
	if st, err := os.Stat(missing); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("made %v, %v", st, err)
	}
	other := open(t, missing, dir.Options{Make: true})
	if _, err := other.Stat(ctx(), "a/b"); err != nil {
		t.Error(err)
	}
	if want := "file://" + missing; s.URL() != want {
		t.Errorf("the URL is %s, want %s", s.URL(), want)
	}
	for name, mode := range map[string]os.FileMode{"a": 0o700 | os.ModeDir, ".tmp": 0o700 | os.ModeDir, "a/b": 0o600} {
		if st, err := os.Lstat(filepath.Join(missing, name)); err != nil || st.Mode() != mode {
			t.Errorf("%s: %v, %v, want %v", name, st.Mode(), err, mode)
		}
	}
}

// TestRelativeRoot: the directory is the one that the path led to.
func TestRelativeRoot(t *testing.T) {
	at := t.TempDir()
	must(t, os.Mkdir(filepath.Join(at, "a b"), 0o700))
	t.Chdir(at)
	s := open(t, "a b", dir.Options{})
	t.Chdir(os.TempDir())
	must(t, s.Create(ctx(), "x", nil))
	if want := "file://" + filepath.Join(at, "a%20b"); s.URL() != want {
		t.Errorf("the URL is %s, want %s", s.URL(), want)
	}
	// The way to it may lead through a link, which is the person's choice.
	must(t, os.Symlink("a b", filepath.Join(at, "link")))
	if _, err := open(t, filepath.Join(at, "link"), dir.Options{}).Stat(ctx(), "x"); err != nil {
		t.Error(err)
	}
}

// writes are all ways to write, each of which must fail where one does.
func writes(s *dir.Store) map[string]error {
	_, stage := s.Stage(ctx())
	return map[string]error{
		"create":  s.Create(ctx(), "log/9", []byte("x")),
		"replace": s.Replace(ctx(), "head", []byte("x")),
		"stage":   stage,
		"probe":   s.Probe(ctx()),
	}
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	if !againtest.Unprivileged(t) {
		return
	}
	path := t.TempDir()
	t.Cleanup(func() { _ = os.Chmod(path, 0o700) })
	s := open(t, path, dir.Options{})
	must(t, s.Create(ctx(), "log/1", []byte("x")))

	for _, mode := range []os.FileMode{0, 0o200, 0o400, 0o300} {
		must(t, os.Chmod(path, mode))
		_, err := dir.Open(path, dir.Options{})
		says(t, err, fault.Denied, path, "a root of mode "+mode.String(), blob.ErrDenied)
	}
	must(t, os.Chmod(path, 0))
	_, err := s.Stat(ctx(), "log/1")
	says(t, err, fault.Denied, path, "stat in a root of mode 0", blob.ErrDenied)
	must(t, s.Close())

	must(t, os.Chmod(path, 0o700))
	must(t, os.Remove(filepath.Join(path, ".tmp")))
	must(t, os.Chmod(path, 0o500))
	s = open(t, path, dir.Options{}) // it may be read
	if data, err := blob.ReadAll(ctx(), s, "log/1", 10); err != nil || string(data) != "x" {
		t.Errorf("read %q, %v", data, err)
	}
	for what, err := range writes(s) {
		says(t, err, fault.Denied, path, what, blob.ErrDenied)
	}
	must(t, os.Chmod(path, 0o700))

	must(t, s.Create(ctx(), "log/2", []byte("x")))
	must(t, os.Chmod(filepath.Join(path, "log/2"), 0))
	_, err = s.Open(ctx(), "log/2")
	says(t, err, fault.Denied, path, "open", blob.ErrDenied)
	must(t, os.Chmod(filepath.Join(path, "log"), 0o500))
	says(t, s.Create(ctx(), "log/3", []byte("x")), fault.Denied, path, "create", blob.ErrDenied)
	says(t, s.Remove(ctx(), "log/1"), fault.Denied, path, "remove", blob.ErrDenied)
	must(t, os.Chmod(filepath.Join(path, "log"), 0))
	says(t, s.List(ctx(), "", "", func(blob.Info) error { return nil }), fault.Denied, path, "list", blob.ErrDenied)
	_, err = s.Stat(ctx(), "log/1")
	says(t, err, fault.Denied, path, "stat", blob.ErrDenied)
	must(t, os.Chmod(filepath.Join(path, "log"), 0o700))
	if left, err := os.ReadDir(filepath.Join(path, ".tmp")); err != nil || len(left) != 0 {
		t.Errorf("left is %v, %v", left, err)
	}
}

// onTmpfs makes a file system of its own, of one megabyte.
func onTmpfs(t *testing.T) string {
	t.Helper()
	path := t.TempDir()
	must(t, syscall.Mount("small", path, "tmpfs", 0, "size=1m"))
	t.Cleanup(func() { _ = syscall.Unmount(path, syscall.MNT_DETACH) })
	return path
}

func TestReadOnlyFileSystem(t *testing.T) {
	t.Parallel()
	if !againtest.Mounting(t) {
		return
	}
	path := onTmpfs(t)
	s := open(t, path, dir.Options{})
	must(t, s.Create(ctx(), "log/1", []byte("x")))
	st, err := s.Stage(ctx())
	must(t, err)
	st.Abort()
	must(t, syscall.Mount("small", path, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, "size=1m"))
	for _, s := range []*dir.Store{s, open(t, path, dir.Options{})} {
		for what, err := range writes(s) {
			says(t, err, fault.Denied, path, what, blob.ErrDenied, syscall.EROFS)
		}
		says(t, s.Remove(ctx(), "log/1"), fault.Denied, path, "remove", blob.ErrDenied, syscall.EROFS)
		if data, err := blob.ReadAll(ctx(), s, "log/1", 10); err != nil || string(data) != "x" {
			t.Errorf("read %q, %v", data, err)
		}
	}
}

// TestFullDisk: whatever is written when there is no room says so, leaves
// nothing, and can be done when there is room again.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	if !againtest.Mounting(t) {
		return
	}
	for kind, as := range kinds() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			path := onTmpfs(t)
			s := open(t, path, dir.Options{})
			as(s)
			must(t, s.Create(ctx(), "log/1", []byte("x")))
			ballast := filepath.Join(path, "ballast~") // no blob
			fill := func() { fillUp(t, ballast) }
			fill()
			full := func(err error, what string) {
				t.Helper()
				says(t, err, fault.Failed, path, what, blob.ErrUnavailable, syscall.ENOSPC)
			}
			large := bytes.Repeat([]byte("x"), 100_000)
			full(s.Create(ctx(), "log/2", large), "create")
			full(s.Replace(ctx(), "head", large), "replace")
			full(s.Probe(ctx()), "probe")
			st, err := s.Stage(ctx())
			must(t, err)
			_, err = st.Write(large)
			full(err, "write")
			full(st.Commit(ctx(), "pack/half"), "commit of what was not written")
			st.Abort()
			if left, err := os.ReadDir(filepath.Join(path, ".tmp")); err != nil || len(left) != 0 {
				t.Errorf("left is %v, %v", left, err)
			}

			// There is room for the data, and then for no name.
			must(t, os.Remove(ballast))
			must(t, put(s, "pack/named/later"))
			fill()
			err = s.Create(ctx(), "log/2", nil)
			if err != nil {
				full(err, "create")
			}
			must(t, os.Remove(ballast))
			must(t, s.Create(ctx(), "log/2", nil))
			if data, err := blob.ReadAll(ctx(), s, "pack/named/later", 1<<20); err != nil || string(data) != body("pack/named/later") {
				t.Errorf("%d bytes, %v", len(data), err)
			}
			must(t, s.Create(ctx(), "log/3", large))
		})
	}
}

func fillUp(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

// TestNoInodes: no file can be made.
func TestNoInodes(t *testing.T) {
	t.Parallel()
	if !againtest.Mounting(t) {
		return
	}
	path := t.TempDir()
	must(t, syscall.Mount("small", path, "tmpfs", 0, "size=1m,nr_inodes=16"))
	t.Cleanup(func() { _ = syscall.Unmount(path, syscall.MNT_DETACH) })
	s := open(t, path, dir.Options{})
	var err error
	for i := 0; err == nil; i++ {
		must(t, os.WriteFile(filepath.Join(path, fmt.Sprintf("ballast~%d", i)), nil, 0o600))
		err = s.Create(ctx(), fmt.Sprintf("log/%d", i), nil)
	}
	says(t, err, fault.Failed, path, "create", blob.ErrUnavailable, syscall.ENOSPC)
	for i, err := 0, error(nil); err == nil; i++ {
		err = os.WriteFile(filepath.Join(path, fmt.Sprintf("last~%d", i)), nil, 0o600)
	}
	for what, err := range writes(s) {
		says(t, err, fault.Failed, path, what, blob.ErrUnavailable, syscall.ENOSPC)
	}
	must(t, s.Remove(ctx(), "log/0", "log/1"))
	must(t, s.Create(ctx(), "log/0", nil))
}

// TestOtherFileSystemBelow: a name can only be given within one file system, and
// nothing is read from another.
func TestOtherFileSystemBelow(t *testing.T) {
	t.Parallel()
	if !againtest.Mounting(t) {
		return
	}
	path := t.TempDir()
	must(t, os.Mkdir(filepath.Join(path, "log"), 0o700))
	must(t, syscall.Mount("small", filepath.Join(path, "log"), "tmpfs", 0, "size=1m"))
	t.Cleanup(func() { _ = syscall.Unmount(filepath.Join(path, "log"), syscall.MNT_DETACH) })
	must(t, os.WriteFile(filepath.Join(path, "log/1"), nil, 0o600))
	s := open(t, path, dir.Options{})
	says(t, s.Create(ctx(), "log/2", nil), fault.Invalid, path, "create")
	_, err := s.Stat(ctx(), "log/1")
	says(t, err, fault.Invalid, path, "stat")
}

// TestRootReplaced: where another directory is in the place of the root, or none,
// nothing is done in either.
func TestRootReplaced(t *testing.T) {
	t.Parallel()
	at := t.TempDir()
	path, aside := filepath.Join(at, "root"), filepath.Join(at, "aside")
	s := open(t, path, dir.Options{Make: true})
	must(t, s.Create(ctx(), "log/1", []byte("x")))
	st, err := s.Stage(ctx())
	must(t, err)
	if s.Gone() {
		t.Error("it is gone before anything happened")
	}
	must(t, os.Rename(path, aside))
	gone := func(what string) {
		t.Helper()
		if !s.Gone() {
			t.Errorf("it is not gone with %s", what)
		}
		for op, err := range writes(s) {
			says(t, err, fault.Failed, path, op+" with "+what, blob.ErrUnavailable)
		}
		_, err := s.Stat(ctx(), "log/1")
		says(t, err, fault.Failed, path, "stat with "+what, blob.ErrUnavailable)
		says(t, s.Remove(ctx(), "log/1"), fault.Failed, path, "remove with "+what, blob.ErrUnavailable)
		says(t, st.Commit(ctx(), "pack/1"), fault.Failed, path, "commit with "+what, blob.ErrUnavailable)
	}
	gone("nothing in its place")
	must(t, os.Mkdir(path, 0o700))
	gone("another in its place")
	must(t, os.Remove(path))
	must(t, os.WriteFile(path, nil, 0o600))
	gone("a file in its place")
	must(t, os.Remove(path))
	other := filepath.Join(at, "other")
	must(t, os.Mkdir(other, 0o700))
	must(t, os.Symlink(other, path))
	gone("a link in its place")
	if left, err := os.ReadDir(other); err != nil || len(left) != 0 {
		t.Errorf("in the other is %v, %v", left, err)
	}
	must(t, os.Remove(path))
	must(t, os.Rename(aside, path))
	if s.Gone() {
		t.Error("it is gone where it came back")
	}
	must(t, st.Commit(ctx(), "pack/1"))
	must(t, s.Create(ctx(), "log/2", []byte("y")))
}

// TestNotCreateOnly: a file system without any way to give a name only where it
// is free is refused, clearly, and nothing is left.
func TestNotCreateOnly(t *testing.T) {
	t.Parallel()
	for _, cannot := range []error{unix.EINVAL, unix.ENOSYS, unix.EOPNOTSUPP} {
		path := t.TempDir()
		s := open(t, path, dir.Options{})
		dir.SetLink(s, unix.EPERM)
		dir.SetRename(s, cannot)
		says(t, s.Probe(ctx()), fault.Invalid, path, "probe")
		if left, err := os.ReadDir(path); err != nil || len(left) != 0 {
			t.Errorf("left is %v, %v", left, err)
		}
		says(t, s.Create(ctx(), "log/1", nil), fault.Invalid, path, "create")
	}
	// One that has both, and keeps to neither.
	path := t.TempDir()
	s := open(t, path, dir.Options{})
	dir.SetOverwriting(s)
	says(t, s.Probe(ctx()), fault.Invalid, path, "probe")
}

// TestNoHardLinks: however a file system says that it has none.
func TestNoHardLinks(t *testing.T) {
	t.Parallel()
	for _, lacks := range []error{unix.EPERM, unix.ENOTSUP, unix.EOPNOTSUPP, unix.EMLINK, unix.ENOSYS} {
		path := t.TempDir()
		s := open(t, path, dir.Options{})
		dir.SetLink(s, lacks)
		must(t, s.Probe(ctx()))
		must(t, s.Create(ctx(), "log/1", []byte("x")))
		if err := s.Create(ctx(), "log/1", []byte("y")); !errors.Is(err, blob.ErrExist) {
			t.Error(err)
		}
	}
	s := open(t, t.TempDir(), dir.Options{NoHardLinks: true})
	dir.SetLink(s, unix.EIO) // it is not asked
	must(t, s.Create(ctx(), "log/1", []byte("x")))
}

// TestProbeLeavesNothing, not even its directory, and tells what is in the way.
func TestProbeLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, as := range kinds() {
		path := t.TempDir()
		s := open(t, path, dir.Options{})
		as(s)
		must(t, s.Probe(ctx()))
		if left, err := os.ReadDir(path); err != nil || len(left) != 0 {
			t.Errorf("left is %v, %v", left, err)
		}
	}
}

// TestLinkAskedTwice: a network file system may say of its own first try that
// the name is taken.
func TestLinkAskedTwice(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	s := open(t, path, dir.Options{})
	dir.SetLinkTwice(s)
	must(t, s.Create(ctx(), "log/1", []byte("x")))
	must(t, put(s, "pack/1"))
	must(t, s.Create(ctx(), "log/2", []byte("y")))
	if got := strings.Join(namesIn(t, path), " "); got != "log/1 log/2 pack/1" {
		t.Errorf("there is %s", got)
	}
}

func namesIn(t *testing.T, path string) []string {
	t.Helper()
	s := open(t, path, dir.Options{})
	var names []string
	must(t, s.List(ctx(), "", "", func(info blob.Info) error {
		names = append(names, info.Name)
		return nil
	}))
	return names
}
