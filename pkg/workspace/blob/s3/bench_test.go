package s3_test

import (
	"bytes"
	"strconv"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/vexa-ai/vexa/pkg/workspace/blob/s3/s3test"
)

// BenchmarkCreate measures a small blob created, against a bare PUT of the same
// bytes to the same server.
func BenchmarkCreate(b *testing.B) { measure(b, 4<<10, true) }

// BenchmarkCommit measures a blob staged and committed, likewise.
func BenchmarkCommit(b *testing.B) {
	b.Run("64KiB", func(b *testing.B) { measure(b, 64<<10, false) })
	b.Run("4MiB", func(b *testing.B) { measure(b, 4<<20, false) })
	b.Run("64MiB", func(b *testing.B) { measure(b, 64<<20, false) })
}

func measure(b *testing.B, size int, create bool) {
	b.Helper()
	server := s3test.Start(b)
	bucket := server.Bucket(b)
	s := open(b, server, "s3://"+bucket+"/store", "", nil)
	data := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	var spent, floor time.Duration
	n := 0
	for b.Loop() {
		name := "blob/" + strconv.Itoa(n)
		n++
		start := time.Now()
		if _, err := server.Client().PutObject(b.Context(), bucket, "floor/"+name, bytes.NewReader(data), int64(size), minio.PutObjectOptions{}); err != nil {
			b.Fatal(err)
		}
		floor += time.Since(start)
		start = time.Now()
		if create {
			if err := s.Create(b.Context(), name, data); err != nil {
				b.Fatal(err)
			}
		} else {
			st, err := s.Stage(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			if _, err := st.Write(data); err != nil {
				b.Fatal(err)
			}
			if err := st.Commit(b.Context(), name); err != nil {
				b.Fatal(err)
			}
		}
		spent += time.Since(start)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(spent.Microseconds())/1000/float64(n), "ms")
	b.ReportMetric(float64(floor.Microseconds())/1000/float64(n), "floor-ms")
	b.ReportMetric(spent.Seconds()/floor.Seconds(), "x-floor")
}
