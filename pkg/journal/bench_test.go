package journal

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// The records of the benchmarks: 200 B, flushed in groups of a thousand, as
// they come when frames arrive faster than the disk flushes.
const (
	benchSize  = 200
	benchGroup = 1000
)

// BenchmarkWrite measures records written and flushed in groups, against the
// same bytes appended to a plain file with the same flushes.
func BenchmarkWrite(b *testing.B) {
	p := make([]byte, benchSize)
	const records = 20 * benchGroup
	f, err := os.Create(filepath.Join(b.TempDir(), "floor"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	frame := make([]byte, benchSize+frameOverhead)
	o := options(b)
	o.SegmentBytes = 1 << 30
	j := mustOpen(b, o)
	write(b, j, 1)
	var floor, spent time.Duration
	rounds := 0
	for b.Loop() {
		rounds++
		start := time.Now()
		for i := range records {
			if _, err := f.Write(frame); err != nil {
				b.Fatal(err)
			}
			if i%benchGroup == benchGroup-1 {
				if err := fdatasync(f); err != nil {
					b.Fatal(err)
				}
			}
		}
		floor += time.Since(start)
		start = time.Now()
		for i := range records {
			if _, err := j.Write(p); err != nil {
				b.Fatal(err)
			}
			if i%benchGroup == benchGroup-1 {
				mustSync(b, j)
			}
		}
		spent += time.Since(start)
	}
	total := float64(rounds * records)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(total/spent.Seconds(), "records/s")
	b.ReportMetric(total/floor.Seconds(), "floor-records/s")
	b.ReportMetric(spent.Seconds()/floor.Seconds(), "x-floor")
}

// BenchmarkAppend measures records that are each durable before the next one
// of the same writer: 64 writers share the flushes.
func BenchmarkAppend(b *testing.B) {
	o := options(b)
	o.SegmentBytes = 1 << 30
	j := mustOpen(b, o)
	p := make([]byte, benchSize)
	const writers, each = 64, 100
	rounds := 0
	for b.Loop() {
		rounds++
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for range each {
					if _, err := j.Append(b.Context(), p); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
	b.ReportMetric(float64(rounds*writers*each)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkRead measures reading back, opened and verified.
func BenchmarkRead(b *testing.B) {
	j := mustOpen(b, options(b))
	p := make([]byte, benchSize)
	const records = 50_000
	for range records {
		if _, err := j.Write(p); err != nil {
			b.Fatal(err)
		}
	}
	rounds := 0
	for b.Loop() {
		rounds++
		for next := uint64(1); next <= records; {
			got, err := j.Read(next, 512)
			if err != nil {
				b.Fatal(err)
			}
			next += uint64(len(got))
		}
	}
	b.ReportMetric(float64(rounds*records)/b.Elapsed().Seconds(), "records/s")
}
