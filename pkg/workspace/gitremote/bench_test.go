package gitremote_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// The floor of each benchmark is git's own transport: the same to a bare
// repository on the same disk by file://, in the same run.

// benched is a machine with a bucket and a bare repository beside it.
type benched struct {
	*machine
	plain string // the URL of the bare repository
}

func newBenched(b *testing.B) *benched {
	b.Helper()
	w := newWorldIn(b, "") // buckets rest on the disk
	m := &benched{machine: w.machine("a"), plain: "file://" + filepath.Join(w.dir, "plain.git")}
	m.git(m.home, "config", "--global", "--unset", "core.fsync")
	m.git(m.home, "init", "-q", "--bare", filepath.Join(w.dir, "plain.git"))
	return m
}

func took(fn func()) time.Duration {
	start := time.Now()
	fn()
	return time.Since(start)
}

func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}

// report says what was measured in units of what.
func report(b *testing.B, what string, ours, floor []time.Duration) {
	b.Helper()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(median(ours))/float64(time.Millisecond), "ms/"+what)
	b.ReportMetric(float64(median(floor))/float64(time.Millisecond), "ms/floor")
	b.ReportMetric(float64(median(ours))/float64(median(floor)), "x-floor")
}

// BenchmarkPush pushes a commit of one line.
func BenchmarkPush(b *testing.B) {
	m := newBenched(b)
	at := m.seeded("notes")
	m.git(at, "remote", "add", "plain", m.plain)
	m.git(at, "push", "-q", "plain", "main")
	var ours, floor []time.Duration
	for n := 0; b.Loop(); n++ {
		m.commit(at, "a", fmt.Sprintf("line %d\n", n))
		floor = append(floor, took(func() { m.git(at, "push", "-q", "plain", "main") }))
		ours = append(ours, took(func() { m.git(at, "push", "-q", "origin", "main") }))
	}
	report(b, "push", ours, floor)
}

// BenchmarkFetchNothing fetches where nothing is new.
func BenchmarkFetchNothing(b *testing.B) {
	m := newBenched(b)
	at := m.seeded("notes")
	m.git(at, "remote", "add", "plain", m.plain)
	m.git(at, "push", "-q", "plain", "main")
	var ours, floor []time.Duration
	for b.Loop() {
		floor = append(floor, took(func() { m.git(at, "fetch", "-q", "plain") }))
		ours = append(ours, took(func() { m.git(at, "fetch", "-q", "origin") }))
	}
	report(b, "fetch", ours, floor)
}

// BenchmarkClone clones a repository of 20,000 objects.
func BenchmarkClone(b *testing.B) {
	m := newBenched(b)
	at := m.init("notes")
	objects := 0
	for round := range 10 {
		for i := range 1000 {
			path := filepath.Join(at, fmt.Sprintf("area-%02d/topic-%03d/note-%05d.md", i%40, i, round*100+i%7))
			must(b, os.MkdirAll(filepath.Dir(path), 0o700))
			must(b, os.WriteFile(path, fmt.Appendf(nil, "# Note %d of round %d\n\nWhat was said about it, at some length.\n", i, round), 0o600))
		}
		m.git(at, "add", ".")
		m.git(at, "commit", "-q", "-m", fmt.Sprint(round))
	}
	if _, err := fmt.Sscan(m.git(at, "rev-list", "--all", "--objects", "--count"), &objects); err != nil || objects < 20_000 {
		b.Fatalf("%d objects, %v", objects, err)
	}
	m.git(at, "push", "-q", m.plain, "main")
	m.git(at, "push", "-q", "origin", "main")
	var ours, floor []time.Duration
	for b.Loop() {
		floor = append(floor, took(func() { m.git(m.home, "clone", "-q", "--bare", m.plain, "floor") }))
		ours = append(ours, took(func() { m.git(m.home, "clone", "-q", "--bare", m.url, "ours") }))
		b.StopTimer()
		must(b, os.RemoveAll(m.path("floor")))
		must(b, os.RemoveAll(m.path("ours")))
		b.StartTimer()
	}
	b.ReportMetric(float64(objects), "objects")
	report(b, "clone", ours, floor)
}
