package gitref_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/require"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/gitref"
)

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	url := "file://" + remote(t)
	for name, c := range map[string]struct {
		url   string
		cache func() string
		kind  fault.Kind
	}{
		"an option":          {"--upload-pack=touch /tmp/x", nil, fault.Invalid},
		"a helper":           {"ext::sh -c id", nil, fault.Invalid},
		"a path":             {"/srv/r.git", nil, fault.Invalid},
		"no path":            {url, func() string { return "cache" }, fault.Internal},
		"a directory in use": {url, func() string { return mkdir(t, 0o700, "something") }, fault.Invalid},
		"an open directory":  {url, func() string { return mkdir(t, 0o755, "") }, fault.Denied},
	} {
		opt := options(t)
		if c.cache != nil {
			opt.Cache = c.cache()
		}
		if s, err := gitref.Open(t.Context(), c.url, opt); !fault.Is(err, c.kind) {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
	opt := options(t)
	store(t, url, opt)
	if _, err := gitref.Open(t.Context(), "file://"+remote(t), opt); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), url) {
		t.Errorf("another's cache: %v", err)
	}
}

func mkdir(t *testing.T, mode os.FileMode, file string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "cache")
	if err := errors.Join(os.Mkdir(dir, mode), os.Chmod(dir, mode)); err != nil {
		t.Fatal(err)
	}
	if file != "" {
		if err := os.WriteFile(filepath.Join(dir, file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestCacheIsHeld: what needs the cache waits for another process, as long as
// its context; what the cache has is read meanwhile.
func TestCacheIsHeld(t *testing.T) {
	t.Parallel()
	opt := options(t)
	s := store(t, "file://"+remote(t), opt)
	if err := s.Create(t.Context(), "m/1", []byte("x")); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(opt.Cache, "vexa/lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Stat(t.Context(), "m/1"); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Create(ctx, "m/2", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), "m/2", nil); err != nil {
		t.Error(err)
	}
}

// TestParts: a blob that is too large for one file is whole for who reads it,
// and more than one push may hold is pushed in several.
func TestParts(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dir := remote(t)
	s, other := store(t, "file://"+dir, options(t)), store(t, "file://"+dir, options(t))
	s.SetSizes(1000, 10_000)
	sizes := []int{0, 1, 999, 1000, 1001, 2000, 2500, 9999, 25_000}
	want := map[string][]byte{}
	for _, n := range sizes {
		want[fmt.Sprintf("o/%d", n)] = noise(n)
		stageBlob(t, s, fmt.Sprintf("o/%d", n), want[fmt.Sprintf("o/%d", n)])
		want[fmt.Sprintf("m/%d", n)] = noise(n)
	}
	for _, n := range sizes {
		name := fmt.Sprintf("m/%d", n)
		if err := s.Create(ctx, name, want[name]); err != nil {
			t.Fatal(err)
		}
		if err := s.Create(ctx, name, want[name]); err != nil {
			t.Errorf("again: %v", err)
		}
		if err := other.Create(ctx, name, append(bytes.Clone(want[name]), 'x')); !errors.Is(err, blob.ErrExist) {
			t.Errorf("another: %v", err)
		}
	}
	for _, from := range []*gitref.Store{s, other} {
		for name, data := range want {
			got, err := blob.ReadAll(ctx, from, name, 1<<20)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s: %d bytes, %v", name, len(got), err)
			}
		}
		seen := 0
		if err := from.List(ctx, "", "", func(i blob.Info) error {
			if seen++; i.Size != int64(len(want[i.Name])) {
				t.Errorf("%+v", i)
			}
			return nil
		}); err != nil || seen != len(want) {
			t.Errorf("%d of %d, %v", seen, len(want), err)
		}
	}
	if n := plainGit(t, dir, "rev-list", "--count", branch); n == "9" {
		t.Error("all was pushed at once")
	}
	tree := plainGit(t, dir, "ls-tree", "-r", "-l", branch)
	if !strings.Contains(tree, "\to/2500+/00002") || strings.Contains(tree, "\to/1000+") {
		t.Error(tree)
	}
	if err := other.Remove(ctx, "o/2500", "m/1"); err != nil {
		t.Fatal(err)
	}
	if err := s.List(ctx, "o/25", "", func(i blob.Info) error { return errors.New(i.Name) }); err == nil || err.Error() != "o/25000" {
		t.Error(err)
	}
}

// TestNothingIsSaid: neither the remote nor the cache holds anything that says
// who wrote, when, or what.
func TestNothingIsSaid(t *testing.T) {
	t.Parallel()
	dir := remote(t)
	opt := options(t)
	opt.Env = append(opt.Env, "GIT_AUTHOR_NAME=jane", "GIT_COMMITTER_EMAIL=jane@example.com", "EMAIL=jane@example.com", "TZ=Asia/Tokyo")
	s := store(t, "file://"+dir, opt)
	for i := range 3 {
		stageBlob(t, s, fmt.Sprintf("o/%d", i), noise(100))
		if err := s.Create(t.Context(), fmt.Sprintf("m/%d", i), noise(10)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(s.Remove(t.Context(), "o/1"), s.Probe(t.Context())); err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(plainGit(t, dir, "log", "--format=%an|%ae|%cn|%ce|%at|%ct|%ad|%B", branch), "\n") {
		if line != "" && line != "vexa|vexa@localhost|vexa|vexa@localhost|1577836800|1577836800|Wed Jan 1 00:00:00 2020 +0000|bucket" {
			t.Errorf("%q", line)
		}
	}
	if refs := plainGit(t, dir, "for-each-ref", "--format=%(refname)"); refs != branch {
		t.Errorf("refs %q", refs)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	// What the objects say is looked at as it is: compressed, it may hold a short
	// name by chance.
	said := regexp.MustCompile(`jane|\b` + regexp.QuoteMeta(host) + `\b`)
	for line := range strings.SplitSeq(plainGit(t, dir, "cat-file", "--batch-check=%(objectname) %(objecttype)", "--batch-all-objects"), "\n") {
		id, kind, _ := strings.Cut(line, " ")
		if text := plainGit(t, dir, "cat-file", "-p", id); kind != "blob" && said.MatchString(text) && host != "localhost" {
			t.Errorf("%s %s says too much: %q", kind, id, text)
		}
	}
	for _, root := range []string{dir, opt.Cache} {
		if err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			objects := strings.HasPrefix(path, filepath.Join(dir, "objects"))
			if bytes.Contains(data, []byte("jane")) || root == dir && !objects && host != "localhost" && said.Match(data) {
				t.Errorf("%s says too much", path)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSquash: what was removed is gone from the branch and from the cache, others
// go on, and no Create is lost on the way.
func TestSquash(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dir := remote(t)
	opt := options(t)
	s, other := store(t, "file://"+dir, opt), store(t, "file://"+dir, options(t))
	if err := s.Squash(ctx); err != nil {
		t.Fatalf("nothing: %v", err)
	}
	for i := range 5 {
		stageBlob(t, s, fmt.Sprintf("o/%d", i), noise(200_000))
		if err := s.Create(ctx, fmt.Sprintf("m/%d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := other.Create(ctx, "m/other", nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(ctx, "o/0", "o/1", "o/2", "o/3"); err != nil {
		t.Fatal(err)
	}
	stageBlob(t, s, "o/waits", []byte("x"))
	done := make(chan error, 1)
	go func() {
		var err error
		for i := range 10 {
			err = errors.Join(err, other.Create(ctx, fmt.Sprintf("m/at-once-%d", i), nil))
		}
		done <- err
	}()
	for range 3 {
		if err := s.Squash(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := s.Squash(ctx); err != nil {
		t.Fatal(err)
	}
	if n := plainGit(t, dir, "rev-list", "--count", branch); n != "1" {
		t.Errorf("%s commits", n)
	}
	if n := size(t, opt.Cache); n > 300_000 {
		t.Errorf("the cache has %d bytes", n)
	}
	plainGit(t, dir, "gc", "-q", "--prune=now")
	if n := size(t, dir); n > 300_000 {
		t.Errorf("the remote has %d bytes", n)
	}
	for _, from := range []*gitref.Store{s, other, store(t, "file://"+dir, options(t))} {
		for i := range 10 {
			if _, err := from.Stat(ctx, fmt.Sprintf("m/at-once-%d", i)); err != nil {
				t.Error(err)
			}
		}
		if err := from.Create(ctx, fmt.Sprintf("m/after-%p", from), nil); err != nil {
			t.Error(err)
		}
		if _, err := blob.ReadAll(ctx, from, "o/4", 1<<20); err != nil {
			t.Error(err)
		}
	}
	if _, err := other.Stat(ctx, "o/waits"); err != nil {
		t.Error(err)
	}
	plainGit(t, opt.Cache, "fsck")
	plainGit(t, dir, "config", "receive.denyNonFastForwards", "true")
	if err := s.Squash(ctx); !fault.Is(err, fault.Denied) || !errors.Is(err, blob.ErrDenied) || fault.HintOf(err) == "" {
		t.Errorf("a protected branch: %v", err)
	}
}

// size is how many bytes the packs and objects of a repository have.
func size(t *testing.T, dir string) int64 {
	t.Helper()
	var n int64
	if err := filepath.WalkDir(filepath.Join(dir, "objects"), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		st, err := d.Info()
		if err == nil {
			n += st.Size()
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestManyCreates: the cache of who writes a lot stays small, with few packs and
// a short history, and so does that of who comes new.
func TestManyCreates(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dir := remote(t)
	opt := options(t)
	s := store(t, "file://"+dir, opt)
	s.SetTidy(10, 20)
	const n = 60
	for i := range n {
		if err := s.Create(ctx, fmt.Sprintf("m/%d", i), noise(10)); err != nil {
			t.Fatal(err)
		}
	}
	packs, err := filepath.Glob(filepath.Join(opt.Cache, "objects/pack/*.pack"))
	if err != nil || len(packs) > 15 {
		t.Errorf("%d packs, %v", len(packs), err)
	}
	if got := plainGit(t, opt.Cache, "rev-list", "--count", branch); got == fmt.Sprint(n) {
		t.Errorf("the cache has all %s commits", got)
	}
	fresh := options(t)
	if err := store(t, "file://"+dir, fresh).Create(ctx, "m/last", nil); err != nil {
		t.Fatal(err)
	}
	if got := plainGit(t, fresh.Cache, "rev-list", "--count", branch); got != "2" {
		t.Errorf("a new cache has %s commits", got)
	}
	seen := 0
	if err := s.List(ctx, "m/", "", func(blob.Info) error { seen++; return nil }); err != nil || seen != n+1 {
		t.Errorf("%d are listed, %v", seen, err)
	}
	plainGit(t, opt.Cache, "fsck")
	plainGit(t, dir, "fsck", "--strict")
}

// TestPowerLoss: a ref that is damaged, and files that were being written, are no
// obstacle.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	dir := remote(t)
	opt := options(t)
	s := store(t, "file://"+dir, opt)
	if err := s.Create(t.Context(), "m/1", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{branch, "refs/vexa/incoming", "shallow", "HEAD", "config"} {
		if err := os.WriteFile(filepath.Join(opt.Cache, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = store(t, "file://"+dir, opt)
	if got, err := blob.ReadAll(t.Context(), s, "m/1", 10); err != nil || string(got) != "x" {
		t.Errorf("%q, %v", got, err)
	}
	if err := s.Create(t.Context(), "m/2", nil); err != nil {
		t.Error(err)
	}
}

func TestReadOnlyDirectory(t *testing.T) {
	t.Parallel()
	require.Unprivileged(t)
	dir := remote(t)
	if err := store(t, "file://"+dir, options(t)).Create(t.Context(), "m/1", nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"objects", "refs/heads", "refs"} {
		if err := os.Chmod(filepath.Join(dir, name), 0o500); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, name), 0o700) })
	}
	s := store(t, "file://"+dir, options(t))
	if _, err := s.Stat(t.Context(), "m/1"); err != nil {
		t.Error(err)
	}
	if err := s.Create(t.Context(), "m/2", nil); !errors.Is(err, blob.ErrDenied) || !fault.Is(err, fault.Denied) {
		t.Errorf("%v", err)
	}
}

// TestReaders: many read large blobs at once, and some leave early.
func TestReaders(t *testing.T) {
	t.Parallel()
	s := store(t, "file://"+remote(t), options(t))
	data := noise(3 << 20)
	if err := s.Create(t.Context(), "o/1", data); err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, 20)
	for i := range cap(errs) {
		go func() {
			r, err := s.Open(t.Context(), "o/1")
			if err != nil {
				errs <- err
				return
			}
			got, err := io.ReadAll(io.LimitReader(r, int64(1+i%2*len(data))))
			if !bytes.HasPrefix(data, got) {
				err = errors.New("other bytes")
			}
			errs <- errors.Join(err, r.Close())
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// TestCloseEndsReaders: a store can be closed whoever still reads.
func TestCloseEndsReaders(t *testing.T) {
	t.Parallel()
	s := store(t, "file://"+remote(t), options(t))
	if err := s.Create(t.Context(), "o/1", noise(3<<20)); err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(t.Context(), "o/1")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); err == nil {
		t.Error("all was read")
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
