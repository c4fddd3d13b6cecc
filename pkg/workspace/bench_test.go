package workspace_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/workspace/workspacetest"
)

// benchFiles is the size of the workspace that the goals are stated for.
const benchFiles = 10_000

// manyFiles makes a directory of as many small notes.
func manyFiles(tb testing.TB, dir string) {
	tb.Helper()
	for i := range benchFiles {
		path := filepath.Join(dir, fmt.Sprintf("area-%02d/topic-%02d/note-%05d.md", i%40, i/40%10, i))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			tb.Fatal(err)
		}
		text := fmt.Sprintf("# Note %d\n\nWhat was said about it, at some length, so that it is a file like others.\n", i)
		for len(text) < 900+i%400 {
			text += fmt.Sprintf("- item %d of note %d\n", len(text), i)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
}

// touchTen changes ten files.
func touchTen(tb testing.TB, dir string, round int) {
	tb.Helper()
	for i := range 10 {
		n := i * 997
		path := filepath.Join(dir, fmt.Sprintf("area-%02d/topic-%02d/note-%05d.md", n%40, n/40%10, n))
		if err := os.WriteFile(path, fmt.Appendf(nil, "round %d file %d at %d\n", round, i, time.Now().UnixNano()), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
}

func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}

// benchDir is where checkouts lie in production: memory, where there is some.
func benchDir(b *testing.B) string {
	b.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "vexa-bench-*")
	if err != nil {
		return b.TempDir()
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// benchWorld is a store whose buckets rest on the disk, and whose open
// repositories are in dir.
func benchWorld(b *testing.B, dir string) *world {
	b.Helper()
	w := &world{tmp: dir, root: filepath.Join(dir, "workspaces"), buckets: workspacetest.New(b, b.TempDir())}
	w.now.Store(1_700_000_000)
	w.open(b)
	return w
}

// BenchmarkSeal seals ten changes in a workspace of 10,000 files. The floor is
// "git add -A && git commit" on the same files, the same storage, the same run.
func BenchmarkSeal(b *testing.B) {
	dir := benchDir(b)
	from := filepath.Join(dir, "from")
	manyFiles(b, from)
	w := benchWorld(b, dir)
	if _, err := w.Create(context.Background(), "notes", from, jane); err != nil {
		b.Fatal(err)
	}
	c := w.checkout(b, "01BENCH")
	clone := filepath.Join(dir, "clone")
	plainGit(b, dir, "clone", "-q", w.repo(c.Workspace()), clone)
	plainGit(b, clone, "status", "--short")
	var ours, floor []time.Duration
	round := 0
	for b.Loop() {
		round++
		touchTen(b, c.Dir(), round)
		touchTen(b, clone, round)
		start := time.Now()
		if out := w.seal(b, c, "bench"); out.Files != 10 {
			b.Fatalf("sealed %+v", out)
		}
		ours = append(ours, time.Since(start))
		start = time.Now()
		plainGit(b, clone, "add", "-A")
		plainGit(b, clone, "commit", "-q", "-m", "bench")
		floor = append(floor, time.Since(start))
	}
	b.ReportMetric(float64(median(ours))/float64(time.Millisecond), "ms/seal")
	b.ReportMetric(float64(median(floor))/float64(time.Millisecond), "ms/floor")
	b.ReportMetric(float64(median(ours))/float64(median(floor)), "x-floor")
}

// BenchmarkCheckout makes a checkout of 10,000 files. The floor is "git clone"
// of the same repository.
func BenchmarkCheckout(b *testing.B) {
	dir := benchDir(b)
	from := filepath.Join(dir, "from")
	manyFiles(b, from)
	w := benchWorld(b, dir)
	info, err := w.Create(context.Background(), "notes", from, jane)
	if err != nil {
		b.Fatal(err)
	}
	var ours, floor []time.Duration
	for n := 0; b.Loop(); n++ {
		unit := fmt.Sprintf("01BENCH%d", n)
		start := time.Now()
		c := w.checkoutMode(b, unit, unitv1.ReadWrite)
		ours = append(ours, time.Since(start))
		clone := filepath.Join(dir, unit)
		start = time.Now()
		plainGit(b, dir, "clone", "-q", "--no-hardlinks", w.repo(info.ID), clone)
		floor = append(floor, time.Since(start))
		b.StopTimer()
		if err := os.RemoveAll(clone); err != nil {
			b.Fatal(err)
		}
		if err := w.Release(context.Background(), c, false); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(median(ours))/float64(time.Millisecond), "ms/checkout")
	b.ReportMetric(float64(median(floor))/float64(time.Millisecond), "ms/floor")
	b.ReportMetric(float64(median(ours))/float64(median(floor)), "x-floor")
}

// BenchmarkOpen opens a closed workspace of 10,000 files and checks it out: its
// bucket is decrypted from the disk into memory, and the files are written. The
// floor is "git clone" of the same repository from the same disk to the same
// memory; what of each is without the files is reported, too.
func BenchmarkOpen(b *testing.B) {
	dir := benchDir(b)
	from := filepath.Join(dir, "from")
	manyFiles(b, from)
	w := benchWorld(b, dir)
	ctx := context.Background()
	info, err := w.Create(ctx, "notes", from, jane)
	if err != nil {
		b.Fatal(err)
	}
	rest := filepath.Join(b.TempDir(), "plain.git")
	plainGit(b, dir, "clone", "-q", "--bare", "--no-hardlinks", w.repo(info.ID), rest)
	var open, bare, ours, floor []time.Duration
	since := func(start time.Time, list *[]time.Duration) { *list = append(*list, time.Since(start)) }
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		if err := w.Shut(ctx, "notes"); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		start := time.Now()
		if _, err := w.Unmerged(ctx, "notes"); err != nil {
			b.Fatal(err)
		}
		since(start, &open)
		c := w.checkout(b, fmt.Sprintf("01BENCH%d", n))
		since(start, &ours)
		clone := filepath.Join(dir, fmt.Sprintf("clone-%d", n))
		start = time.Now()
		plainGit(b, dir, "clone", "-q", "--bare", "--no-hardlinks", rest, clone+".git")
		since(start, &bare)
		start = time.Now()
		plainGit(b, dir, "clone", "-q", "--no-hardlinks", rest, clone)
		since(start, &floor)
		b.StopTimer()
		for _, made := range []string{clone, clone + ".git"} {
			if err := os.RemoveAll(made); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Release(ctx, c, false); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(median(open))/float64(time.Millisecond), "ms/open-alone")
	b.ReportMetric(float64(median(bare))/float64(time.Millisecond), "ms/bare-clone")
	b.ReportMetric(float64(median(ours))/float64(time.Millisecond), "ms/open-and-checkout")
	b.ReportMetric(float64(median(floor))/float64(time.Millisecond), "ms/floor")
	b.ReportMetric(float64(median(ours))/float64(median(floor)), "x-floor")
}

// BenchmarkAccept approves and accepts a proposal of ten changes in a workspace of
// 10,000 files: every file is read for the digest, twice. The floor is "git merge
// --no-ff" and "git push" to a bare repository, which asks nobody.
func BenchmarkAccept(b *testing.B) {
	ctx := context.Background()
	dir := benchDir(b)
	from := filepath.Join(dir, "from")
	manyFiles(b, from)
	w := benchWorld(b, dir)
	if _, err := w.Create(ctx, "notes", from, jane); err != nil {
		b.Fatal(err)
	}
	c := w.checkout(b, "01BENCH")
	bare, clone := filepath.Join(dir, "bare.git"), filepath.Join(dir, "clone")
	plainGit(b, dir, "clone", "-q", "--bare", "--no-hardlinks", w.repo(c.Workspace()), bare)
	plainGit(b, dir, "clone", "-q", bare, clone)
	if _, err := w.SetApprovals(ctx, "notes", "refs/heads/main", 1); err != nil {
		b.Fatal(err)
	}
	var approve, accept, floor []time.Duration
	round := 0
	for b.Loop() {
		round++
		touchTen(b, c.Dir(), round)
		id := w.seal(b, c, "bench").Proposal
		start := time.Now()
		if _, err := w.ApproveProposal(ctx, "notes", id, "", jane); err != nil {
			b.Fatal(err)
		}
		approve = append(approve, time.Since(start))
		start = time.Now()
		if p, err := w.AcceptProposal(ctx, "notes", id, "", jane); err != nil || p.Status != "accepted" {
			b.Fatal(p, err)
		}
		accept = append(accept, time.Since(start))
		plainGit(b, clone, "checkout", "-q", "-B", "side")
		touchTen(b, clone, round)
		plainGit(b, clone, "commit", "-q", "-am", "bench")
		plainGit(b, clone, "checkout", "-q", "main")
		start = time.Now()
		plainGit(b, clone, "merge", "-q", "--no-ff", "-m", "bench", "side")
		plainGit(b, clone, "push", "-q", "origin", "main")
		floor = append(floor, time.Since(start))
	}
	for name, all := range map[string][]time.Duration{"ms/approve": approve, "ms/accept": accept, "ms/floor": floor} {
		b.ReportMetric(float64(median(all))/float64(time.Millisecond), name)
	}
	b.ReportMetric(float64(median(accept))/float64(median(floor)), "x-floor")
}
