package workspace_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// traced makes the world's store anew, with a git that notes each start, and
// returns what lists the subcommands that were started since it was last asked.
func (w *world) traced(t *testing.T) func() []string {
	t.Helper()
	binary, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	notes := filepath.Join(w.tmp, "started")
	wrapper := filepath.Join(w.tmp, "git")
	text := "#!/bin/sh\nfor a; do case $a in -c|--*|*=*) ;; *) echo $a >>'" + notes + "'; break;; esac; done\nexec " + binary + " \"$@\"\n"
	syscall.ForkLock.RLock() // a child with the file open for writing would make it busy
	err = os.WriteFile(wrapper, []byte(text), 0o755)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	w.openWith(t, wrapper)
	return func() []string {
		t.Helper()
		data, err := os.ReadFile(notes)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if err := os.RemoveAll(notes); err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(data))
	}
}

func put(t *testing.T, w *world, name string, keep int, text string) {
	t.Helper()
	err := w.PutPrivate(t.Context(), "notes", name, keep, []workspace.PrivateFile{{Name: "f", Write: func(out io.Writer) error {
		_, err := io.WriteString(out, text)
		return err
	}}})
	if err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, w *world, name string) string {
	t.Helper()
	var text []byte
	err := w.ReadPrivate(t.Context(), "notes", name, "f", func(r io.Reader) (err error) {
		text, err = io.ReadAll(r)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestATurnStartsNoGit: what a turn of a live container does to its workspace
// and its session needs no process but the one that reads objects.
func TestATurnStartsNoGit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(t, "notes", map[string]string{"a.md": "a", "dir/b.md": "b"})
	started := w.traced(t)
	turns := func(c *workspace.Checkout, n int) {
		for i := range n {
			if _, _, err := w.Find(t.Context(), "notes"); err != nil {
				t.Fatal(err)
			}
			write(t, c.Dir(), map[string]string{"dir/b.md": fmt.Sprint("turn ", i)})
			if out := w.seal(t, c, "turn"); !out.Merged || out.SHA == "" {
				t.Fatalf("%+v", out)
			}
			put(t, w, "sessions/u/s", 50, fmt.Sprint("state ", i))
			if got := get(t, w, "sessions/u/s"); got != fmt.Sprint("state ", i) {
				t.Fatalf("the session holds %q", got)
			}
			if refs, err := w.ListPrivate(t.Context(), "notes", "sessions/u/"); err != nil || len(refs) != 1 {
				t.Fatalf("%v, %v", refs, err)
			}
			if text, err := w.ReadFile(t.Context(), "notes", "", "dir/b.md"); err != nil || string(text) != fmt.Sprint("turn ", i) {
				t.Fatalf("%q, %v", text, err)
			}
		}
	}
	c := w.checkout(t, "01TURNS")
	started()
	turns(c, 3)
	for _, sub := range started() {
		if sub != "cat-file" && sub != "rev-parse" { // the latter resolves the revision of ReadFile
			t.Errorf("a turn started git %s", sub)
		}
	}
	if err := w.Release(t.Context(), c, false); err != nil {
		t.Fatal(err)
	}
	// The next container costs one process, which packs what main has gained.
	c = w.checkout(t, "01NEXT")
	if err := w.Release(t.Context(), c, false); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(started()); got != "[pack-objects]" {
		t.Errorf("a checkout and its release started %s", got)
	}
}

// TestPrivateSizes: what fits into memory and what does not come back alike.
func TestPrivateSizes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	info := w.create(t, "notes", nil)
	for _, n := range []int{0, 1, 1 << 20, 1<<20 + 1, 3 << 20} {
		want := strings.Repeat("0123456789abcdef", n/16+1)[:n]
		err := w.PutPrivate(t.Context(), "notes", "sessions/u/s", 50, []workspace.PrivateFile{{Name: "f", Write: func(out io.Writer) error {
			for rest := want; rest != ""; rest = rest[min(len(rest), 100_000):] {
				if _, err := io.WriteString(out, rest[:min(len(rest), 100_000)]); err != nil {
					return err
				}
			}
			return nil
		}}})
		if err != nil {
			t.Fatal(err)
		}
		if got := get(t, w, "sessions/u/s"); got != want {
			t.Errorf("%d bytes came back as %d", n, len(got))
		}
	}
	w.fsck(t, info.ID)
	left, err := filepath.Glob(filepath.Join(w.repo(info.ID), "objects/pack/tmp_*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestClosedStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "a"})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		if line, err := os.ReadFile(path); err == nil && bytes.Contains(line, []byte(w.repo(info.ID))) {
			t.Errorf("a process is left: %q", line)
		}
	}
	if _, err := w.Lookup(t.Context(), "notes"); !fault.Is(err, fault.Locked) {
		t.Errorf("a lookup after Close: %v", err)
	}
	if _, err := w.tryCheckout("01LATE", unitv1.ReadOnly); !fault.Is(err, fault.Locked) {
		t.Errorf("a checkout after Close: %v", err)
	}
}

// TestPackedRefs: refs that git has put into one file are read, moved and
// removed as the others are.
func TestPackedRefs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	info := w.create(t, "notes", nil)
	for _, name := range []string{"sessions/u/a", "sessions/u/b", "sessions/u/c", "sessions/v/d"} {
		put(t, w, name, 50, name)
	}
	plainGit(t, w.repo(info.ID), "pack-refs", "--all")
	if _, err := os.Stat(filepath.Join(w.repo(info.ID), "refs/vexa/sessions/u/a")); err == nil {
		t.Fatal("the refs are not packed")
	}
	put(t, w, "sessions/u/a", 50, "again") // loose before packed
	if err := w.DropPrivate(t.Context(), "notes", "sessions/u/b"); err != nil {
		t.Fatal(err)
	}
	refs, err := w.ListPrivate(t.Context(), "notes", "sessions/u/")
	if err != nil || len(refs) != 2 || refs[0].Name != "sessions/u/a" || refs[1].Name != "sessions/u/c" || !refs[0].Time.After(refs[1].Time) {
		t.Errorf("%+v, %v", refs, err)
	}
	if got := get(t, w, "sessions/u/a"); got != "again" {
		t.Errorf("the newer one holds %q", got)
	}
	for range 2 { // one that lies in both places, and one that is gone
		if err := w.DropPrivate(t.Context(), "notes", "sessions/u/a"); err != nil {
			t.Fatal(err)
		}
	}
	if refs, err := w.ListPrivate(t.Context(), "notes", "sessions/"); err != nil || len(refs) != 2 {
		t.Errorf("%+v, %v", refs, err)
	}
	// Listed as git lists them.
	var want strings.Builder
	for _, r := range []string{"sessions/v/d", "sessions/u/c"} {
		want.WriteString("refs/vexa/" + r + "\n")
	}
	if got := plainGit(t, w.repo(info.ID), "for-each-ref", "--sort=-committerdate", "--format=%(refname)", "refs/vexa/"); strings.TrimSpace(got) != strings.TrimSpace(want.String()) {
		t.Errorf("git lists %q", got)
	}
}

// TestBoundedHistory: a private ref's history starts anew at its limit, also
// where its commits do not say how long it is.
func TestBoundedHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	info := w.create(t, "notes", nil)
	count := func() string {
		return strings.TrimSpace(plainGit(t, w.repo(info.ID), "rev-list", "--count", "refs/vexa/sessions/u/s"))
	}
	for i := range 9 {
		put(t, w, "sessions/u/s", 4, fmt.Sprint(i))
		if got, want := count(), fmt.Sprint(i%4+1); got != want {
			t.Errorf("after %d the history has %s commits, want %s", i+1, got, want)
		}
	}
	put(t, w, "sessions/u/s", 4, "second")
	old := strings.TrimSpace(plainGit(t, w.repo(info.ID), "-c", "user.name=a", "-c", "user.email=a", "commit-tree", "-m", "Keep\n\nVexa-Depth: many",
		"-p", "refs/vexa/sessions/u/s", "refs/vexa/sessions/u/s^{tree}"))
	if err := workspace.SetRef(w.Store, "notes", "refs/vexa/sessions/u/s", old); err != nil {
		t.Fatal(err)
	}
	put(t, w, "sessions/u/s", 4, "fourth")
	if got := count(); got != "4" {
		t.Errorf("the history has %s commits, want 4", got)
	}
	put(t, w, "sessions/u/s", 4, "fifth")
	if got := count(); got != "1" {
		t.Errorf("the history has %s commits, want 1", got)
	}
}

// TestAncestors compares with what git says, near and far.
func TestAncestors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	info := w.create(t, "notes", nil)
	repo := w.repo(info.ID)
	commit := func(parents ...string) string {
		args := []string{"-c", "user.name=a", "-c", "user.email=a", "commit-tree", "-m", fmt.Sprint(w.ids.Add(1)), "main^{tree}"}
		for _, p := range parents {
			args = append(args, "-p", p)
		}
		return strings.TrimSpace(plainGit(t, repo, args...))
	}
	chain := []string{commit()}
	for range 20 {
		chain = append(chain, commit(chain[len(chain)-1]))
	}
	merge := commit(chain[20], chain[3])
	lone := commit()
	joined := commit(chain[20], lone)
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{chain[20], chain[20], true},
		{chain[19], chain[20], true},
		{chain[15], chain[20], true},
		{chain[0], chain[20], true},
		{chain[20], chain[0], false},
		{chain[20], chain[19], false},
		{chain[5], merge, true},
		{lone, merge, false},
		{lone, joined, true},
		{merge, joined, false},
		{chain[0], lone, false},
	} {
		got, err := workspace.IsAncestor(w.Store, "notes", c.a, c.b)
		if err != nil || got != c.want {
			t.Errorf("%s in %s: %v, %v; want %v", c.a[:8], c.b[:8], got, err, c.want)
		}
	}
	if _, err := workspace.IsAncestor(w.Store, "notes", lone, strings.Repeat("1", 40)); err == nil {
		t.Error("a commit that is not there has ancestors")
	}
}

// TestHostileTrees: a tree that git would not make is not checked out.
func TestHostileTrees(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "a"})
	repo, main := w.repo(info.ID), info.Head
	blob, err := object.ParseID(strings.TrimSpace(plainGit(t, repo, "rev-parse", "main:a.md")))
	if err != nil {
		t.Fatal(err)
	}
	raw := func(entries ...object.TreeEntry) object.ID {
		cmd := exec.Command("git", "--git-dir="+repo, "hash-object", "-t", "tree", "-w", "--literally", "--stdin")
		cmd.Stdin = bytes.NewReader(object.EncodeTree(entries))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s", out)
		}
		id, err := object.ParseID(strings.TrimSpace(string(out)))
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	file := func(name string) object.TreeEntry {
		return object.TreeEntry{Name: name, Mode: object.ModeFile, ID: blob}
	}
	sub := func(name string, id object.ID) object.TreeEntry {
		return object.TreeEntry{Name: name, Mode: object.ModeDir, ID: id}
	}
	deep := raw(file("x"))
	for range 30 {
		deep = raw(sub(strings.Repeat("d", 200), deep))
	}
	bomb := raw(file("x"))
	for range 12 {
		var twice []object.TreeEntry
		for i := range 8 {
			twice = append(twice, sub(fmt.Sprint(i), bomb))
		}
		bomb = raw(twice...)
	}
	for name, root := range map[string]object.ID{
		".git": raw(file(".git")), "dots": raw(file("..")), "twice": raw(file("a"), file("a")),
		"a link and a directory": raw(object.TreeEntry{Name: "a", Mode: object.ModeLink, ID: blob}, sub("a", raw(file("b")))),
		"slash":                  raw(file("a/b")), "git~1 below": raw(sub("sub", raw(file("GIT~1")))), "empty": raw(file("")),
		"a file for a directory": raw(sub("a", blob)), "missing": raw(sub("a", object.ID{1})),
		"too deep": raw(sub("d", deep)), "too many": bomb,
	} {
		commit := strings.TrimSpace(plainGit(t, repo, "-c", "user.name=a", "-c", "user.email=a", "commit-tree", "-m", "bad", "-p", main, root.String()))
		if err := workspace.ReadIndex(w.Store, "notes", commit); err == nil {
			t.Errorf("%s: it was read", name)
		}
	}
	good := strings.TrimSpace(plainGit(t, repo, "-c", "user.name=a", "-c", "user.email=a", "commit-tree", "-m", "good", raw(sub("a", raw(file("b"))), sub("c", raw(file("b")))).String()))
	if err := workspace.ReadIndex(w.Store, "notes", good); err != nil {
		t.Errorf("two directories with the same files: %v", err)
	}
}
