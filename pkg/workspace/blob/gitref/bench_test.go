package gitref_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/workspace/blob/gitref"
)

func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}

func noise(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.Read(data) // it never fails
	return data
}

func stageBlob(tb testing.TB, s *gitref.Store, name string, data []byte) {
	tb.Helper()
	st, err := s.Stage(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	defer st.Abort()
	if _, err := st.Write(data); err != nil {
		tb.Fatal(err)
	}
	if err := st.Commit(context.Background(), name); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkCreate stages a pack of 256 KiB and creates a manifest of 2 KiB, in a
// bucket of 2,000 blobs. The floor is "git push" of a commit that adds files of
// these sizes to a tree of that size, which was committed before, to another
// repository of the same machine.
func BenchmarkCreate(b *testing.B) {
	ctx := b.Context()
	s := store(b, "file://"+remote(b), options(b))
	far, work := remote(b), remote(b)
	fill := func(n int) string { return fmt.Sprintf("o/%02x/%064x", n%256, n) }
	for n := range 2000 {
		stageBlob(b, s, fill(n), noise(100))
	}
	if err := s.Create(ctx, "m/0", []byte("first")); err != nil {
		b.Fatal(err)
	}
	floorSide := newFloor(b, work, fill)
	floorSide.commit(b, 0)
	plainGit(b, work, "push", "-q", "file://"+far, "main")
	var ours, floor []time.Duration
	round := 0
	for b.Loop() {
		round++
		stageBlob(b, s, fill(10_000+round), noise(256<<10))
		manifest := noise(2 << 10)
		start := time.Now()
		if err := s.Create(ctx, fmt.Sprintf("m/%d", round), manifest); err != nil {
			b.Fatal(err)
		}
		ours = append(ours, time.Since(start))
		floorSide.commit(b, round)
		start = time.Now()
		plainGit(b, work, "push", "-q", "file://"+far, "main")
		floor = append(floor, time.Since(start))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(median(ours))/float64(time.Millisecond), "ms/create")
	b.ReportMetric(float64(median(floor))/float64(time.Millisecond), "ms/floor")
	b.ReportMetric(float64(median(ours))/float64(median(floor)), "x-floor")
}

// floor makes commits as a person would, by fast-import.
type floor struct {
	dir  string
	fill func(int) string
}

func newFloor(_ testing.TB, dir string, fill func(int) string) *floor { return &floor{dir, fill} }

func (f *floor) commit(tb testing.TB, round int) {
	tb.Helper()
	var text strings.Builder
	text.WriteString("commit refs/heads/main\ncommitter a <a> 1 +0000\ndata 1\nx\n")
	if round > 0 {
		text.WriteString("from refs/heads/main^0\n")
	}
	file := func(name string, data []byte) {
		fmt.Fprintf(&text, "M 100644 inline %s\ndata %d\n%s\n", name, len(data), data)
	}
	if round == 0 {
		for n := range 2000 {
			file(f.fill(n), noise(100))
		}
	} else {
		file(f.fill(10_000+round), noise(256<<10))
	}
	file(fmt.Sprintf("m/%d", round), noise(2<<10))
	plainGitIn(tb, f.dir, text.String(), "fast-import", "--quiet", "--force")
}
