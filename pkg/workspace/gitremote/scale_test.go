package gitremote_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// measured runs git, which succeeds, and returns the most memory that the helper
// had at any time, in bytes.
func (m *machine) measured(at string, args ...string) (peak int64) {
	m.tb.Helper()
	h := m.hold()
	end := h.start(at, append([]string{"git"}, args...)...)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for pid := h.cmd.Process.Pid; ; {
			if helper := helperOf(pid); helper != 0 {
				peak = max(peak, highWater(helper))
			}
			select {
			case <-done:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	})
	r := end()
	close(done)
	wg.Wait()
	if r.code != 0 {
		m.tb.Fatalf("git %s: exit %d\n%s", strings.Join(args, " "), r.code, r.err)
	}
	if peak == 0 {
		m.tb.Fatalf("git %s: no helper was seen", strings.Join(args, " "))
	}
	return peak
}

// highWater is the most memory that a process had so far, in bytes.
func highWater(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	text, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n << 10
}

// maxMemory is what the helper may have, whatever it moves.
const maxMemory = 200 << 20

// TestLargeFile: a file of 5 GB goes through the helper, which holds little of it.
func TestLargeFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if scale(5, 0) != 0 {
		w = newWorldIn(t, "") // it does not fit into memory several times
	}
	a, b := w.machine("a"), w.machine("b")
	for _, first := range []bool{true, false} { // a push to an empty bucket, and to another
		size := int64(scale(5<<30, 300<<20))
		if first {
			size = int64(scale(5<<30, 100<<20))
		}
		name := fmt.Sprintf("first-%v", first)
		at := a.init(name)
		a.git(at, "config", "core.compression", "0")
		f, err := os.Create(filepath.Join(at, "large"))
		must(t, err)
		_, err = io.CopyN(f, rand.NewChaCha8([32]byte{byte(len(name))}), size)
		must(t, err)
		must(t, f.Close())
		a.git(at, "add", "large")
		must(t, os.Remove(f.Name()))
		a.git(at, "commit", "-q", "-m", "Large")
		push := a.measured(at, "push", "-q", "origin", "HEAD:refs/heads/"+name)
		id := a.git(at, "rev-parse", "HEAD:large")
		must(t, os.RemoveAll(at))
		clone := b.measured(b.home, "clone", "-q", "--bare", "--single-branch", "--branch", name, w.url, name)
		b.sound(b.path(name))
		if got := b.git(b.path(name), "cat-file", "-s", id); got != fmt.Sprint(size) {
			t.Errorf("it has %s bytes, want %d", got, size)
		}
		must(t, os.RemoveAll(b.path(name)))
		t.Logf("%d MB, into an empty bucket %v: the helper had %d MB to push and %d MB to clone", size>>20, first, push>>20, clone>>20)
		if max(push, clone) > maxMemory {
			t.Errorf("the helper had %d bytes to push and %d to clone, want at most %d", push, clone, maxMemory)
		}
		w.remake()
		if first {
			s := w.machine("s")
			s.seeded("notes")
		}
	}
}

// remake makes the bucket anew, for whom never saw it.
func (w *world) remake() {
	w.tb.Helper()
	must(w.tb, os.RemoveAll(w.bucket))
	for _, name := range []string{"a", "b", "s"} {
		_ = os.RemoveAll(filepath.Join(w.dir, name, "vexa", "state", "buckets"))
	}
	must(w.tb, os.RemoveAll(filepath.Join(w.dir, "maker")))
	w.makeBucket(w.bucket)
}

// TestManyFiles: 100,000 files, and a line in one of them afterwards.
func TestManyFiles(t *testing.T) {
	t.Parallel()
	n := scale(100_000, 5000)
	w := newWorld(t)
	a, b := w.machine("a").faulty(), w.machine("b")
	at := a.init("notes")
	for i := range n {
		path := filepath.Join(at, fmt.Sprintf("area-%02d/topic-%02d/note-%06d.md", i%40, i/40%25, i))
		must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(t, os.WriteFile(path, fmt.Appendf(nil, "# Note %d\n\nWhat was said.\n", i), 0o600))
	}
	a.git(at, "add", ".")
	a.git(at, "commit", "-q", "-m", "Many")
	push := a.measured(at, "push", "-q", "-u", "origin", "main")
	clone := b.measured(b.home, "clone", "-q", w.url, "notes")
	copied := b.path("notes")
	if got, want := b.git(copied, "rev-parse", "HEAD^{tree}"), a.git(at, "rev-parse", "HEAD^{tree}"); got != want {
		t.Errorf("the clone has the tree %s, want %s", got, want)
	}
	if got := b.git(copied, "status", "--short"); got != "" {
		t.Errorf("the checkout differs: %.300s", got)
	}
	b.sound(copied)
	before := w.files()
	a.commit(at, "area-00/topic-00/note-000000.md", "# Note 0\n\nWhat was said.\nAnd done.\n")
	a.git(at, "push", "-q")
	over := w.files().since(before) - a.thin(at)
	t.Logf("%d files: the helper had %d MB to push and %d MB to clone; a line more stored %d bytes beyond its pack", n, push>>20, clone>>20, over)
	if over > overhead || max(push, clone) > maxMemory {
		t.Errorf("a line more stored %d bytes beyond its pack, and the helper had %d and %d bytes", over, push, clone)
	}
	b.git(copied, "pull", "-q")
	if b.head(copied) != a.head(at) {
		t.Errorf("pulled %s", b.head(copied))
	}
}

// TestManyRefs: 50,000 branches, and pushes of a line afterwards.
func TestManyRefs(t *testing.T) {
	t.Parallel()
	n := scale(50_000, 2000)
	w := newWorld(t)
	a, b := w.machine("a").faulty(), w.machine("b").faulty()
	at := a.seeded("notes")
	copied := b.clone("notes")
	ids := []string{a.head(at)}
	for i := range 20 {
		ids = append(ids, a.commit(at, "a", fmt.Sprint(i)))
	}
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "create refs/heads/topic/%03d/branch-%06d %s\n", i%500, i, ids[i%len(ids)])
	}
	cmd := a.command(at, "git", "update-ref", "--stdin")
	cmd.Stdin = strings.NewReader(text.String())
	must(t, cmd.Run())
	push := a.measured(at, "push", "-q", "--all", "origin")
	fetch := b.measured(copied, "fetch", "-q")
	if got := len(strings.Fields(b.git(copied, "for-each-ref", "--format=%(refname)", "refs/remotes/origin/topic"))); got != n {
		t.Errorf("%d branches came, want %d", got, n)
	}
	var over []int64
	for i := range 5 {
		before := w.files()
		a.commit(at, "a", fmt.Sprintf("line %d\n", i))
		a.git(at, "push", "-q", "origin", "main")
		over = append(over, w.files().since(before)-a.thin(at))
	}
	t.Logf("%d refs: the helper had %d MB to push and %d MB to fetch; a line more stored %v bytes beyond its pack", n, push>>20, fetch>>20, over)
	if slices.Max(over) > overhead || max(push, fetch) > maxMemory {
		t.Errorf("a line more stored %v bytes beyond its pack, and the helper had %d and %d bytes", over, push, fetch)
	}
	b.git(copied, "fetch", "-q")
	a.git(at, "push", "-q", "origin", ":topic/000/branch-000000", "main:topic/new")
	b.git(copied, "fetch", "-q", "--prune")
	if got := len(strings.Fields(b.git(copied, "for-each-ref", "--format=%(refname)", "refs/remotes/origin/topic"))); got != n {
		t.Errorf("%d branches are left, want %d", got, n)
	}
	b.sound(copied)
}

// TestNamesAlike: names that another file system may take for one.
func TestNamesAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.machine("a"), w.machine("b")
	at := a.init("notes")
	names := []string{"Name", "name", "NAME", "caf\u00e9", "cafe\u0301", "\u212b", "\u00c5", "A\u030a", "stra\u00dfe", "STRASSE", "\u0131", "i", "I", "\U0001f9a6"}
	for i, name := range names {
		must(t, os.WriteFile(filepath.Join(at, name), fmt.Appendf(nil, "%d\n", i), 0o600))
	}
	a.git(at, "add", ".")
	a.git(at, "commit", "-q", "-m", "Alike")
	for i, name := range names {
		a.git(at, "branch", name)
		a.git(at, "checkout", "-q", name)
		a.commit(at, "which", fmt.Sprint(i))
		a.git(at, "tag", "-a", "-m", name, "t-"+name)
	}
	a.git(at, "push", "-q", "--all", "origin")
	a.git(at, "push", "-q", "--tags", "origin")
	w.same(a, at)
	copied := b.clone("notes", "--branch", "main")
	for i, name := range names {
		if data, err := os.ReadFile(filepath.Join(copied, name)); err != nil || string(data) != fmt.Sprintf("%d\n", i) {
			t.Errorf("%q holds %q, %v", name, data, err)
		}
		if got := b.git(copied, "show", "origin/"+name+":which"); got != fmt.Sprint(i) {
			t.Errorf("the branch %q is that of %s", name, got)
		}
	}
	for _, name := range names {
		b.git(copied, "push", "-q", "origin", "--delete", name)
		if refs := b.remoteRefs(); refs["refs/heads/"+name] != "" || refs["refs/heads/main"] == "" {
			t.Errorf("after %q was deleted: %v", name, refs)
		}
	}
	// A name that is no text is no name in a bucket.
	a.refused(at, []string{"vexa: error: ", "not the name of a ref"}, "push", "origin", "HEAD:refs/heads/\xff\xfe")
}
