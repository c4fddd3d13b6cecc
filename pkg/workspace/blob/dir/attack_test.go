package dir_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/dir"
)

// ground is a storage whose keeper is hostile, and a directory outside of it with
// a secret, which must stay as it is.
type ground struct {
	*testing.T
	path, outside string
	s             *dir.Store
}

func newGround(t *testing.T) *ground {
	t.Helper()
	at := t.TempDir()
	g := &ground{T: t, path: filepath.Join(at, "storage"), outside: filepath.Join(at, "outside")}
	must(t, os.Mkdir(g.outside, 0o700))
	must(t, os.WriteFile(filepath.Join(g.outside, "secret"), []byte("secret"), 0o600))
	must(t, os.Mkdir(filepath.Join(g.outside, "log"), 0o700))
	g.s = open(t, g.path, dir.Options{Make: true})
	must(t, g.s.Create(ctx(), "log/1", []byte("x")))
	t.Cleanup(g.untouched)
	return g
}

// untouched fails unless what is outside is what was there.
func (g *ground) untouched() {
	g.Helper()
	var names []string
	must(g, filepath.WalkDir(g.outside, func(name string, _ os.DirEntry, err error) error {
		names = append(names, strings.TrimPrefix(name, g.outside))
		return err
	}))
	data, err := os.ReadFile(filepath.Join(g.outside, "secret"))
	if err != nil || string(data) != "secret" || strings.Join(names, " ") != " /log /secret" {
		g.Errorf("outside is %q, and the secret %q, %v", names, data, err)
	}
}

func (g *ground) at(name string) string { return filepath.Join(g.path, name) }

// refused fails unless err is a refusal, and none that reads as if there were
// nothing, or another's blob.
func (g *ground) refused(err error, what string) {
	g.Helper()
	says(g.T, err, fault.Denied, g.path, what)
	for _, never := range []error{blob.ErrNotExist, blob.ErrExist, blob.ErrUnavailable} {
		if errors.Is(err, never) {
			g.Errorf("%s: %v is %v", what, err, never)
		}
	}
}

// reads are all ways to read a name.
func (g *ground) reads(name string) map[string]error {
	r, opened := g.s.Open(ctx(), name)
	if opened == nil {
		data, err := io.ReadAll(r)
		r.Close()
		g.Errorf("%s was read: %q, %v", name, data, err)
	}
	_, stated := g.s.Stat(ctx(), name)
	return map[string]error{"open": opened, "stat": stated}
}

// TestPlantedFiles: what is no regular file is neither opened nor listed, and
// never taken for a blob; it can be removed and replaced, which is not done to
// what it leads to.
func TestPlantedFiles(t *testing.T) {
	t.Parallel()
	plants := map[string]func(g *ground, path string) error{
		"a link to a file":      func(g *ground, path string) error { return os.Symlink(filepath.Join(g.outside, "secret"), path) },
		"a link to a directory": func(g *ground, path string) error { return os.Symlink(g.outside, path) },
		"a link within":         func(_ *ground, path string) error { return os.Symlink("1", path) },
		"a link to nothing":     func(g *ground, path string) error { return os.Symlink(filepath.Join(g.outside, "new"), path) },
		"a link to itself":      func(_ *ground, path string) error { return os.Symlink(filepath.Base(path), path) },
		"a pipe":                func(_ *ground, path string) error { return unix.Mkfifo(path, 0o600) },
		"a socket": func(g *ground, path string) error {
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
			if err == nil {
				g.Cleanup(func() { _ = l.Close() })
			}
			return err
		},
	}
	for name, plant := range plants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for kind, as := range kinds() {
				g := newGround(t)
				as(g.s)
				for _, n := range []string{"log/2", "3"} {
					if err := plant(g, g.at(n)); errors.Is(err, unix.EINVAL) {
						t.Skip("the path is too long for a socket")
					} else if err != nil {
						t.Fatal(err)
					}
					for what, err := range g.reads(n) {
						g.refused(err, kind+": "+what)
					}
					g.refused(g.s.Create(ctx(), n, []byte("x")), kind+": create")
					st, err := g.s.Stage(ctx())
					must(t, err)
					g.refused(st.Commit(ctx(), n), kind+": commit")
					st.Abort()
				}
				if got := strings.Join(namesIn(t, g.path), " "); got != "log/1" {
					t.Errorf("%s: listed is %s", kind, got)
				}
				must(t, g.s.Replace(ctx(), "3", []byte("y")))
				must(t, g.s.Remove(ctx(), "log/2"))
				must(t, g.s.Create(ctx(), "log/2", []byte("z")))
				if got := strings.Join(namesIn(t, g.path), " "); got != "3 log/1 log/2" {
					t.Errorf("%s: listed is %s", kind, got)
				}
			}
		})
	}
}

// TestPlantedParents: no link on the way to a name is followed, by whatever is
// done with it.
func TestPlantedParents(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	must(t, os.Symlink(g.outside, g.at("pack")))
	must(t, os.Symlink("log", g.at("alias")))
	for _, name := range []string{"pack/secret", "pack/log/x", "pack/new", "pack/new/er", "alias/1"} {
		for what, err := range g.reads(name) {
			g.refused(err, what)
		}
		g.refused(g.s.Create(ctx(), name, []byte("secret")), "create")
		g.refused(g.s.Replace(ctx(), name, []byte("x")), "replace")
		g.refused(g.s.Remove(ctx(), name), "remove")
		st, err := g.s.Stage(ctx())
		must(t, err)
		g.refused(st.Commit(ctx(), name), "commit")
		st.Abort()
	}
	if got := strings.Join(namesIn(t, g.path), " "); got != "log/1" {
		t.Errorf("listed is %s", got)
	}
	for _, prefix := range []string{"pack/", "pack/log", "alias/"} {
		err := g.s.List(ctx(), prefix, "", func(info blob.Info) error {
			t.Errorf("%s is listed", info.Name)
			return nil
		})
		if err != nil {
			g.refused(err, "list")
		}
	}
}

// TestPlantedTemp: .tmp is ours or nothing is written.
func TestPlantedTemp(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	must(t, os.Remove(g.at(".tmp")))
	must(t, os.Symlink(g.outside, g.at(".tmp")))
	for what, err := range writes(g.s) {
		g.refused(err, what)
	}
	must(t, os.Remove(g.at(".tmp")))
	must(t, os.WriteFile(g.at(".tmp"), nil, 0o600))
	for what, err := range writes(g.s) {
		says(t, err, fault.Invalid, g.path, what)
	}
}

// TestSweepFollowsNothing: nothing is removed from .tmp but files of our names.
func TestSweepFollowsNothing(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	name := func(c string) string { return g.at(".tmp/" + strings.Repeat(c, 26)) }
	old := time.Now().Add(-100 * time.Hour)
	must(t, os.Symlink(g.outside, name("A")))
	must(t, os.Symlink(filepath.Join(g.outside, "secret"), name("B")))
	must(t, os.WriteFile(name("C"), nil, 0o600))
	must(t, os.Mkdir(name("D"), 0o700))
	must(t, os.Symlink(g.outside, filepath.Join(name("D"), strings.Repeat("E", 26))))
	must(t, os.WriteFile(g.at(".tmp/another's"), nil, 0o600))
	must(t, unix.Mkfifo(name("F"), 0o600))
	for _, entry := range []string{name("C"), name("D"), name("F"), g.at(".tmp/another's"), filepath.Join(g.outside, "secret")} {
		must(t, os.Chtimes(entry, old, old))
	}
	links := []unix.Timespec{unix.NsecToTimespec(old.UnixNano()), unix.NsecToTimespec(old.UnixNano())}
	for _, link := range []string{name("A"), name("B"), filepath.Join(name("D"), strings.Repeat("E", 26))} {
		must(t, unix.UtimesNanoAt(unix.AT_FDCWD, link, links, unix.AT_SYMLINK_NOFOLLOW))
	}
	s := open(t, g.path, dir.Options{})
	must(t, s.Create(ctx(), "log/2", nil))
	for entry, stays := range map[string]bool{name("A"): true, name("B"): true, name("C"): false, name("D"): true, name("F"): true, g.at(".tmp/another's"): true} {
		if _, err := os.Lstat(entry); err == nil != stays {
			t.Errorf("%s: %v", entry, err)
		}
	}
}

// TestBlobInTheWay: a name below a blob's, or of a directory with blobs, is
// refused, and not taken for a race that was lost.
func TestBlobInTheWay(t *testing.T) {
	t.Parallel()
	for _, as := range kinds() {
		s := open(t, t.TempDir(), dir.Options{})
		as(s)
		must(t, s.Create(ctx(), "a/b", []byte("x")))
		for _, name := range []string{"a", "a/b/c", "a/b/c/d"} {
			st, err := s.Stage(ctx())
			must(t, err)
			errs := []error{s.Create(ctx(), name, nil), s.Replace(ctx(), name, nil)}
			if !dir.Ordered(s) || name == "a" {
				errs = append(errs, st.Commit(ctx(), name))
			}
			for _, err := range errs {
				if fault.KindOf(err) != fault.Conflict || errors.Is(err, blob.ErrExist) || !strings.Contains(err.Error(), name) {
					t.Errorf("%s: %v", name, err)
				}
			}
			st.Abort()
			must(t, s.Remove(ctx(), name))
		}
		if data, err := blob.ReadAll(ctx(), s, "a/b", 10); err != nil || string(data) != "x" {
			t.Errorf("%q, %v", data, err)
		}
	}
}

// TestSwappedDirectory: while a directory is exchanged for a link to the outside,
// over and over, nothing is read or written there.
func TestSwappedDirectory(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	must(t, os.WriteFile(filepath.Join(g.outside, "1"), []byte("secret"), 0o600))
	defer func() { _ = os.Remove(filepath.Join(g.outside, "1")) }()
	must(t, os.Symlink(g.outside, g.at("swap~")))
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, g.at("swap~"), unix.AT_FDCWD, g.at("log"), unix.RENAME_EXCHANGE)
			}
		}
	}()
	end := time.Now().Add(500 * time.Millisecond)
	done, failed := 0, 0
	for i := 0; time.Now().Before(end); i++ {
		name := fmt.Sprintf("log/s%d", i)
		err := g.s.Create(ctx(), name, []byte("x"))
		if data, err := blob.ReadAll(ctx(), g.s, "log/1", 100); err == nil && string(data) != "x" {
			t.Fatalf("read %q", data)
		}
		_ = g.s.Replace(ctx(), "log/head", []byte("x"))
		_ = g.s.Remove(ctx(), "log/secret")
		_ = g.s.List(ctx(), "", "", func(info blob.Info) error {
			if info.Name == "log/secret" {
				t.Error("the outside was listed")
			}
			return nil
		})
		if err == nil {
			done++
		} else {
			failed++
		}
	}
	close(stop)
	<-stopped
	t.Logf("%d were created, %d refused", done, failed)
}

// TestTempRemoved: a file that is removed before it has its name is not said to
// be stored.
func TestTempRemoved(t *testing.T) {
	t.Parallel()
	for kind, as := range kinds() {
		g := newGround(t)
		as(g.s)
		st, err := g.s.Stage(ctx())
		must(t, err)
		_, err = st.Write([]byte("x"))
		must(t, err)
		must(t, os.RemoveAll(g.at(".tmp")))
		err = st.Commit(ctx(), "pack/1")
		if err == nil {
			err = g.s.Create(ctx(), "log/2", []byte("pack/1"))
		}
		says(t, err, fault.Failed, g.path, kind, blob.ErrUnavailable)
		if _, err := open(t, g.path, dir.Options{}).Stat(ctx(), "log/2"); !errors.Is(err, blob.ErrNotExist) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// TestDescriptors: nothing that is done, or fails, keeps a file open.
func TestDescriptors(t *testing.T) {
	path := t.TempDir()
	must(t, everything(open(t, t.TempDir(), dir.Options{}))) // the runtime has some for itself
	before := descriptors(t)
	for _, as := range kinds() {
		s, err := dir.Open(path, dir.Options{})
		must(t, err)
		as(s)
		for i := range 3 {
			must(t, everything(s))
			_ = s.Create(ctx(), "log/1", []byte("lost"))
			_ = s.Create(ctx(), "log/1/x", nil)
			_, _ = s.Stat(ctx(), "none")
			must(t, put(s, fmt.Sprintf("late/%d", i)))
		}
		st, err := s.Stage(ctx())
		must(t, err)
		_ = st.Commit(ctx(), "log")
		restore := dir.SetLink(s, syscall.EIO)
		_ = s.Create(ctx(), "new", nil)
		restore()
		must(t, s.Close())
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors are open, and %d were", after, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(entries)
}
