package workspace_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/require"
	"github.com/vexa-ai/vexa/pkg/workspace"
)

// inContainer makes a checkout's .git find its history where the host has it,
// as the mounts do, and runs git there.
func inContainer(t *testing.T, c *workspace.Checkout, args ...string) string {
	t.Helper()
	alternates := filepath.Join(c.Dir(), ".git/objects/info/alternates")
	got, err := os.ReadFile(alternates)
	if err != nil {
		t.Fatal(err)
	}
	if want := workspace.HistoryMount(c.Workspace()) + "\n"; string(got) != want && string(got) != c.History()+"\n" {
		t.Fatalf("alternates %q", got)
	}
	if err := os.WriteFile(alternates, []byte(c.History()+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return plainGit(t, c.Dir(), args...)
}

// TestCheckoutIsRaw: no attribute of the tree changes a byte on the way out or
// back in, and the container's git sees a clean tree.
func TestCheckoutIsRaw(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := map[string]string{
		".gitattributes": "* text=auto eol=crlf ident filter=lfs\n*.u16 working-tree-encoding=UTF-16LE\n",
		"lf.txt":         "a\nb\n$Id$\n", "crlf.txt": "a\r\nb\r\n", "mixed.txt": "a\r\nb\n",
		"x.u16": "\xff\xfea\x00", "bin": "\x00\x01\xff", "empty": "", "run!": "#!/bin/sh\n",
		"d/e/f": "deep", "link": "->d/e", "big": strings.Repeat("0123456789abcdef", 100_000),
		"\u65e5\u672c \n.md": "odd name", "a.b": "1", "a/b": "2", "a-b": "3", // sorted unlike their bytes
	}
	info := w.create(t, "notes", files)
	c := w.checkout(t, "01RAW")
	for name, want := range files {
		path := filepath.Join(c.Dir(), strings.TrimSuffix(name, "!"))
		st, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if target, ok := strings.CutPrefix(want, "->"); ok {
			if got, err := os.Readlink(path); err != nil || got != target {
				t.Errorf("%s links to %q, %v", name, got, err)
			}
			continue
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Errorf("%q has %d bytes, want %d, %v", name, len(got), len(want), err)
		}
		perm := os.FileMode(0o644)
		if strings.HasSuffix(name, "!") {
			perm = 0o755
		}
		if st.Mode().Perm() != perm {
			t.Errorf("%q is %v", name, st.Mode())
		}
	}
	if st, err := os.Stat(filepath.Join(c.Dir(), "d/e")); err != nil || st.Mode().Perm() != 0o755 {
		t.Errorf("directory %v, %v", st.Mode(), err)
	}
	if got := inContainer(t, c, "diff-files", "--name-only"); got != "" { // before anything refreshes it
		t.Errorf("its index does not match:\n%s", got)
	}
	if got := inContainer(t, c, "status", "--porcelain"); got != "" {
		t.Errorf("status in the container:\n%s", got)
	}
	if got := inContainer(t, c, "rev-parse", "HEAD", "--abbrev-ref", "HEAD"); got != info.Head+"\nmain\n" {
		t.Errorf("HEAD is %q", got)
	}
	inContainer(t, c, "fsck", "--full", "--strict")
	if out := w.seal(t, c, "nothing"); out.SHA != "" {
		t.Errorf("a turn without a change: %+v", out)
	}
	write(t, c.Dir(), map[string]string{"lf.txt": "a\nc\n$Id$\n"})
	if got := inContainer(t, c, "status", "--porcelain"); got != " M lf.txt\n" {
		t.Errorf("status after a change: %q", got)
	}
	w.seal(t, c, "change")
	if got := w.read(t, "lf.txt"); got != "a\nc\n$Id$\n" {
		t.Errorf("sealed %q", got)
	}
	// What the container's git commits, and how, is its own affair.
	inContainer(t, c, "commit", "-qam", "inside")
	if out := w.seal(t, c, "nothing"); out.SHA != "" {
		t.Errorf("a commit inside counts as a change: %+v", out)
	}
}

// TestHistoryHoldsOnlyMain: what only another branch, a private ref or an undone
// merge reaches is in no checkout's packs.
func TestHistoryHoldsOnlyMain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	w.create(t, "notes", map[string]string{"a.md": "one\n"})
	first, second := w.checkout(t, "01FIRST"), w.checkout(t, "01SECOND")
	write(t, first.Dir(), map[string]string{"a.md": "first\n"})
	write(t, second.Dir(), map[string]string{"a.md": "the secret of another branch\n"})
	merged := w.seal(t, first, "first")
	kept := w.seal(t, second, "second")
	err := w.PutPrivate(ctx, "notes", "sessions/u/s", 5, []workspace.PrivateFile{{Name: "capsule", Write: func(out io.Writer) error {
		_, err := out.Write([]byte("the private thing"))
		return err
	}}})
	if err != nil {
		t.Fatal(err)
	}
	third := w.checkout(t, "01THIRD")
	all := inContainer(t, third, "cat-file", "--batch-check", "--batch-all-objects")
	if !strings.Contains(all, merged.SHA) || strings.Contains(all, kept.SHA) {
		t.Errorf("the history has the wrong commits:\n%s", all)
	}
	for line := range strings.Lines(all) {
		id, rest, _ := strings.Cut(line, " ")
		if !strings.HasPrefix(rest, "blob") {
			continue
		}
		if text := inContainer(t, third, "cat-file", "blob", id); strings.Contains(text, "secret") || strings.Contains(text, "private") {
			t.Errorf("the history has %q", text)
		}
	}
	if got := inContainer(t, third, "rev-list", "--objects", "--all", "--count"); got == "" {
		t.Error("the history is not whole")
	}
}

// TestHistoryIsShared: on one file system checkouts share packs by hard link, and
// one that was consolidated away stays where it is mounted.
func TestHistoryIsShared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": strings.Repeat("a line\n", 1000)})
	early := w.checkout(t, "01EARLY")
	for i := range 40 {
		c := w.checkout(t, fmt.Sprintf("01U%d", i))
		write(t, c.Dir(), map[string]string{fmt.Sprintf("f%d", i): strings.Repeat(fmt.Sprint(i), i)})
		w.seal(t, c, "x")
	}
	late := w.checkout(t, "01LATE")
	packs, err := filepath.Glob(filepath.Join(late.History(), "pack/*.pack"))
	if err != nil || len(packs) > 17 {
		t.Fatalf("%d packs, %v", len(packs), err)
	}
	for _, p := range packs {
		st, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if n := st.Sys().(*syscall.Stat_t).Nlink; n < 2 {
			t.Errorf("%s has %d links", p, n)
		}
	}
	for _, c := range []*workspace.Checkout{early, late} {
		inContainer(t, c, "fsck", "--full", "--strict")
		if got := inContainer(t, c, "status", "--porcelain"); got != "" {
			t.Errorf("status:\n%s", got)
		}
	}
	if got := inContainer(t, late, "rev-list", "--count", "HEAD"); got != "41\n" {
		t.Errorf("the late history has %q commits", got)
	}
	w.fsck(t, info.ID)
}

// TestHistoryAcrossFileSystems copies where it cannot link, and shares again
// with the cache on the checkouts' file system.
func TestHistoryAcrossFileSystems(t *testing.T) {
	t.Parallel()
	shm, err := os.MkdirTemp("/dev/shm", "vexa-test-*")
	if err != nil {
		require.Missing(t, "shm", err.Error())
	}
	t.Cleanup(func() { _ = os.RemoveAll(shm) })
	w := newWorld(t)
	w.create(t, "notes", map[string]string{"a.md": "a"})
	w.tmp = shm
	c := w.checkout(t, "01FAR")
	if got := inContainer(t, c, "status", "--porcelain"); got != "" {
		t.Errorf("status: %q", got)
	}
}

func TestCheckoutFailsWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(t, "notes", map[string]string{"a.md": "a"})
	base := t.TempDir()
	write(t, base, map[string]string{"full/x": "1"})
	ok := workspace.CheckoutRequest{Workspace: "notes", Unit: "01X", Mode: unitv1.ReadWrite, Dir: base + "/d", History: base + "/h", Meta: base + "/m"}
	for name, change := range map[string]func(*workspace.CheckoutRequest){
		"unit":      func(r *workspace.CheckoutRequest) { r.Unit = "../x" },
		"mode":      func(r *workspace.CheckoutRequest) { r.Mode = "rwx" },
		"relative":  func(r *workspace.CheckoutRequest) { r.Dir = "d" },
		"workspace": func(r *workspace.CheckoutRequest) { r.Workspace = "none" },
		"full":      func(r *workspace.CheckoutRequest) { r.History = base + "/full" },
	} {
		req := ok
		change(&req)
		if _, err := w.Checkout(context.Background(), req); err == nil {
			t.Errorf("%s: it was made", name)
		}
	}
	if _, err := os.Stat(base + "/full/x"); err != nil {
		t.Error("what was there is gone")
	}
	c, err := w.Checkout(context.Background(), ok)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Checkout(context.Background(), ok); !fault.Is(err, fault.Conflict) {
		t.Errorf("made twice: %v", err)
	}
	if err := w.Release(context.Background(), c, false); err != nil {
		t.Fatal(err)
	}
	if _, err := w.OpenCheckout(context.Background(), ok.Meta); !fault.Is(err, fault.NotFound) {
		t.Errorf("opened after its release: %v", err)
	}
}

// TestOpenCheckoutWithoutWorkspace: a checkout whose workspace is missing is not
// taken for none.
func TestOpenCheckoutWithoutWorkspace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(t, "notes", map[string]string{"a.md": "a"})
	c := w.checkout(t, "01X")
	meta := filepath.Join(filepath.Dir(c.Dir()), "meta")
	if err := os.RemoveAll(filepath.Join(w.root, c.Workspace())); err != nil {
		t.Fatal(err)
	}
	if _, err := w.OpenCheckout(context.Background(), meta); err == nil || fault.Is(err, fault.NotFound) {
		t.Errorf("opened: %v", err)
	}
}

// TestOpenCheckoutWithoutIndex: the stored index is only a cache.
func TestOpenCheckoutWithoutIndex(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(t, "notes", map[string]string{"a.md": "a", "b.md": "b"})
	c := w.checkout(t, "01X")
	write(t, c.Dir(), map[string]string{"a.md": "changed"})
	meta := filepath.Join(filepath.Dir(c.Dir()), "meta")
	for _, damage := range []func(string) error{
		func(p string) error { return os.WriteFile(p, []byte("nonsense"), 0o600) },
		os.Remove,
	} {
		if err := damage(filepath.Join(meta, "index")); err != nil {
			t.Fatal(err)
		}
		again, err := w.OpenCheckout(context.Background(), meta)
		if err != nil {
			t.Fatal(err)
		}
		if again.Dir() != c.Dir() || again.Branch() != "vexa/01X" || again.Base() != c.Base() || again.Mode() != unitv1.ReadWrite {
			t.Errorf("found %+v", again)
		}
		c = again
	}
	if out := w.seal(t, c, "x"); out.Files != 1 || !out.Merged {
		t.Errorf("%+v", out)
	}
}

// TestReleaseOfLockedDirectories removes what an agent left without permissions.
func TestReleaseOfLockedDirectories(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(t, "notes", nil)
	c := w.checkout(t, "01X")
	write(t, c.Dir(), map[string]string{"locked/deep/x": "1"})
	if err := errors.Join(os.Chmod(filepath.Join(c.Dir(), "locked/deep"), 0), os.Chmod(filepath.Join(c.Dir(), "locked"), 0)); err != nil {
		t.Fatal(err)
	}
	if err := w.Release(context.Background(), c, false); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.Dir()); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}

// TestOddRepositoryIsRefused: the store's repositories have the configuration it
// writes, or are not opened.
func TestOddRepositoryIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	info := w.create(t, "notes", nil)
	path := filepath.Join(w.repo(info.ID), "config")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, odd := range []string{"[filter \"x\"]\n\tclean = touch /tmp/x\n", "  [ core ]\n[include] path = /x\n", "[coreX]\n"} {
		if err := os.WriteFile(path, append(bytes.Clone(good), odd...), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Lookup(context.Background(), "notes"); !fault.Is(err, fault.Denied) {
			t.Errorf("%q: %v", odd, err)
		}
	}
	if err := os.WriteFile(path, []byte("[core]\n\tbare = true\n\tfsmonitor = /tmp/x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Lookup(context.Background(), "notes"); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, good) {
		t.Errorf("it was not written again: %q, %v", got, err)
	}
	write(t, w.repo(info.ID), map[string]string{"objects/info/alternates": "/elsewhere\n"})
	if _, err := w.Lookup(context.Background(), "notes"); !fault.Is(err, fault.Denied) {
		t.Errorf("alternates: %v", err)
	}
}
