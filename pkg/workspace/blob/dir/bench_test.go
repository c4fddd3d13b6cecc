package dir_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/workspace/blob/dir"
)

// BenchmarkPush measures what a push asks of the storage, a blob that is staged
// and an entry of the log that is created, against the same bytes written to two
// files that are each flushed and renamed, with no flush of any directory. It
// does so as this file system is found to be, and as one that keeps the order of
// names.
func BenchmarkPush(b *testing.B) {
	for _, size := range []int{64 << 10, 4 << 20} {
		for name, as := range map[string]func(*dir.Store){
			"as-found": func(*dir.Store) {},
			"ordered":  func(s *dir.Store) { dir.SetOrdered(s, true) },
		} {
			b.Run(fmt.Sprintf("%dKiB/%s", size>>10, name), func(b *testing.B) { benchmarkPush(b, size, as) })
		}
	}
}

func benchmarkPush(b *testing.B, size int, as func(*dir.Store)) {
	b.Helper()
	pack, entry := bytes.Repeat([]byte("p"), size), bytes.Repeat([]byte("e"), 1000)
	path, bare := b.TempDir(), b.TempDir()
	s := open(b, path, dir.Options{})
	as(s)
	push(b, s, "first", pack, entry)
	var spent, floor time.Duration
	rounds := 0
	for b.Loop() {
		rounds++
		name := fmt.Sprintf("%09d", rounds)
		start := time.Now()
		bareWrite(b, bare, "pack-"+name, pack)
		bareWrite(b, bare, "log-"+name, entry)
		floor += time.Since(start)
		start = time.Now()
		push(b, s, name, pack, entry)
		spent += time.Since(start)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(spent.Seconds()*1000/float64(rounds), "ms/push")
	b.ReportMetric(floor.Seconds()*1000/float64(rounds), "ms/floor")
	b.ReportMetric(spent.Seconds()/floor.Seconds(), "x-floor")
}

func push(b *testing.B, s *dir.Store, name string, pack, entry []byte) {
	b.Helper()
	st, err := s.Stage(ctx())
	must(b, err)
	_, err = st.Write(pack)
	must(b, err)
	must(b, st.Commit(ctx(), "pack/"+name))
	must(b, s.Create(ctx(), "log/"+name, entry))
}

func bareWrite(b *testing.B, at, name string, data []byte) {
	b.Helper()
	f, err := os.Create(filepath.Join(at, ".tmp-"+name))
	must(b, err)
	_, err = f.Write(data)
	must(b, err)
	must(b, f.Sync())
	must(b, f.Close())
	must(b, os.Rename(f.Name(), filepath.Join(at, name)))
}
