package journal

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestTrim(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.SegmentBytes = 500
	j := mustOpen(t, o)
	write(t, j, 100)
	all := len(segmentsOf(t, o))
	for _, before := range []uint64{0, 1, 2, 40, 30, 41, 100} {
		first := max(j.First(), before)
		if err := j.TrimBefore(before); err != nil {
			t.Fatal(err)
		}
		holds(t, j, first, 100)
		var trimmed *TrimmedError
		if _, err := j.Read(first-1, 1); !errors.As(err, &trimmed) || trimmed.First != first {
			t.Fatalf("read from %d: %v", first-1, err)
		}
		mustClose(t, j)
		j = mustOpen(t, o)
		holds(t, j, first, 100)
	}
	if n := len(segmentsOf(t, o)); n > 2 || all < 10 {
		t.Fatalf("%d of %d segments are left", n, all)
	}
	// Everything goes, numbers go on.
	if err := j.TrimBefore(1 << 40); err != nil {
		t.Fatal(err)
	}
	holds(t, j, 101, 100)
	mustClose(t, j)
	j = mustOpen(t, o)
	holds(t, j, 101, 100)
	write(t, j, 110)
	holds(t, j, 101, 110)
}

func TestTrimUnderReaders(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.SegmentBytes = 500
	j := mustOpen(t, o)
	write(t, j, 500)
	mustClose(t, j)
	j = mustOpen(t, o) // older segments are loaded by the readers
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for next := uint64(1); next <= 500; {
				records, err := j.Read(next, 5)
				var trimmed *TrimmedError
				switch {
				case errors.As(err, &trimmed):
					next = trimmed.First
				case err != nil:
					t.Errorf("read from %d: %v", next, err)
					return
				default:
					next += uint64(len(records))
				}
			}
		})
	}
	for before := uint64(10); before <= 500; before += 10 {
		if err := j.TrimBefore(before); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
}

// An interrupted trim has moved the checkpoint and not yet removed the files.
func TestInterruptedTrim(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.SegmentBytes = 500
	j := mustOpen(t, o)
	write(t, j, 60)
	old := segmentsOf(t, o)[0]
	data, err := os.ReadFile(old)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.TrimBefore(50); err != nil {
		t.Fatal(err)
	}
	mustClose(t, j)
	if err := os.WriteFile(old, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(o.Dir, segmentTemp), data[:20], 0o600); err != nil {
		t.Fatal(err)
	}
	holds(t, mustOpen(t, o), 50, 60)
	if segmentsOf(t, o)[0] == old {
		t.Fatal("the trimmed segment is still there")
	}
}

func TestTrimTo(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.SegmentBytes = 500
	j := mustOpen(t, o)
	if err := j.TrimTo(0); err != nil {
		t.Fatal("an empty journal: ", err)
	}
	write(t, j, 100)
	size := func() (sum int64) {
		for _, path := range segmentsOf(t, o) {
			st, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			sum += st.Size()
		}
		return sum
	}
	all := size()
	if err := j.TrimTo(all); err != nil || j.First() != 1 {
		t.Fatalf("what fits was trimmed: first %d, %v", j.First(), err)
	}
	const limit = 2000
	if err := j.TrimTo(limit); err != nil {
		t.Fatal(err)
	}
	if now := size(); now > limit || now < limit-1000 || all < 2*limit {
		t.Errorf("%d of %d bytes are left", now, all)
	}
	holds(t, j, j.First(), 100)
	mustClose(t, j)
	j = mustOpen(t, o)
	first := j.First()
	holds(t, j, first, 100)
	if err := j.TrimTo(0); err != nil {
		t.Fatal(err)
	}
	if n := len(segmentsOf(t, o)); n != 1 || j.First() <= first {
		t.Errorf("%d segments are left, from %d on", n, j.First())
	}
	write(t, j, 101)
	holds(t, j, j.First(), 101)
}
