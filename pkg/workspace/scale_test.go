package workspace_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/internal/removetree"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/zootest"
)

// scale is n at the stated scale, and reduced otherwise.
func scale(n, reduced int) int {
	if os.Getenv("VEXA_SCALE") == "full" {
		return n
	}
	return reduced
}

// memoryDir is a directory in memory, where there is some.
func memoryDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "vexa-test-*")
	if err != nil {
		return tb.TempDir()
	}
	tb.Cleanup(func() { _ = removetree.All(dir) })
	return dir
}

// TestManyFiles seals 100,000 new files in one turn, as the tree that git makes
// of them, and then a turn that changes one.
func TestManyFiles(t *testing.T) {
	t.Parallel()
	w := &world{tmp: memoryDir(t)}
	w.root = filepath.Join(w.tmp, "workspaces")
	w.now.Store(1_700_000_000)
	w.open(t)
	info := w.create(t, "notes", nil)
	c := w.checkout(t, "01MANY")
	n := scale(100_000, 3000)
	if err := zootest.Many(c.Dir(), n); err != nil {
		t.Fatal(err)
	}
	out := w.seal(t, c, "many")
	if out.Files != n || !out.Merged || len(out.Rejected) > 0 {
		t.Fatalf("sealed %d files of %d: %v", out.Files, n, out.Rejected)
	}
	host := filepath.Join(w.tmp, "host")
	plainGit(t, w.tmp, "init", "-q", "--bare", host)
	plainGit(t, c.Dir(), "--git-dir="+host, "--work-tree="+c.Dir(), "add", "-A")
	want := strings.TrimSpace(plainGit(t, c.Dir(), "--git-dir="+host, "--work-tree="+c.Dir(), "write-tree"))
	if got := strings.TrimSpace(plainGit(t, "/", "--git-dir="+w.repo(info.ID), "rev-parse", out.SHA+"^{tree}")); got != want {
		t.Errorf("its tree is %s; git's is %s", got, want)
	}
	write(t, c.Dir(), map[string]string{"d000/f000007": "changed\n"})
	if out := w.seal(t, c, "one"); out.Files != 1 {
		t.Errorf("sealed %d files, not one", out.Files)
	}
	w.fsck(t, info.ID)
}

// BenchmarkSealNewFiles seals a turn that made 100,000 files, at the reduced
// scale 10,000. The floor is "git add -A && git commit" of the same files.
func BenchmarkSealNewFiles(b *testing.B) {
	dir := benchDir(b)
	w := &world{tmp: dir, root: filepath.Join(dir, "workspaces")}
	w.now.Store(1_700_000_000)
	w.open(b)
	w.create(b, "notes", nil)
	n := scale(100_000, 10_000)
	from := filepath.Join(dir, "from")
	if err := errors.Join(os.Mkdir(from, 0o755), zootest.Many(from, n)); err != nil {
		b.Fatal(err)
	}
	var ours, floor []time.Duration
	for b.Loop() {
		b.StopTimer()
		c := w.checkout(b, "01NEW"+strings.Repeat("I", len(ours)))
		if err := zootest.Many(c.Dir(), n); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		start := time.Now()
		out := w.seal(b, c, "bench")
		ours = append(ours, time.Since(start))
		b.StopTimer()
		if out.Files != n {
			b.Fatalf("sealed %+v", out)
		}
		_ = os.RemoveAll(filepath.Join(from, ".git"))
		plainGit(b, from, "init", "-q")
		start = time.Now()
		plainGit(b, from, "add", "-A")
		plainGit(b, from, "commit", "-q", "-m", "bench")
		floor = append(floor, time.Since(start))
		if err := removetree.All(c.Dir()); err != nil {
			b.Fatal(err)
		}
		if err := os.Mkdir(c.Dir(), 0o755); err != nil {
			b.Fatal(err)
		}
		w.seal(b, c, "empty again")
		b.StartTimer()
	}
	b.ReportMetric(float64(median(ours))/float64(time.Millisecond), "ms/seal")
	b.ReportMetric(float64(median(floor))/float64(time.Millisecond), "ms/floor")
	b.ReportMetric(float64(median(ours))/float64(median(floor)), "x-floor")
}

// TestRacesWhileSealing seals a checkout that changes all the while: what lies
// outside is in no commit, each seal ends, and the repository stays whole.
func TestRacesWhileSealing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	info := w.create(t, "notes", map[string]string{"ok.md": "ok\n"})
	c := w.checkout(t, "01RACE")
	p := outsideOf(t, c.Dir())
	s, err := zootest.NewSwapper(p, filepath.Join(w.tmp, "spare"))
	if err != nil {
		t.Fatal(err)
	}
	refused := make(map[string]bool)
	swaps := int64(scale(500_000, 10_000))
	for i := 0; i < scale(300, 15) || s.Swaps() < swaps; i++ {
		out, err := w.Seal(t.Context(), workspace.SealRequest{
			Checkout: c, Author: jane, Message: "race", Unit: c.Unit(), Thorough: i%2 == 0,
		})
		if err != nil {
			t.Fatal(err)
		}
		if out.SHA != "" && !out.Merged {
			t.Fatalf("sealed %+v", out)
		}
		for _, r := range out.Rejected {
			refused[strings.SplitN(r.Path, "/", 2)[0]] = true
		}
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	for _, path := range []string{"still", "z", "ok.md"} {
		if refused[path] {
			t.Errorf("%s, which nobody touched, was refused", path)
		}
	}
	for _, path := range []string{"link", "hard", "fifo", "dir"} {
		if !refused[path] {
			t.Errorf("%s was never refused", path)
		}
	}
	final := w.seal(t, c, "at rest")
	got := w.committed(t, info.ID, "main")
	if !slices.Contains(got, "still") || !slices.Contains(got, "z/still") || !slices.Contains(got, "size") {
		t.Errorf("after %d changes main holds %q; %v", s.Swaps(), got, final.Rejected)
	}
	w.tripsNothing(t, p, info.ID)
}
