package bucket_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// BenchmarkReencrypt encrypts 64 MB again for a new epoch. The floor is to
// decrypt and encrypt as many bytes in memory.
func BenchmarkReencrypt(b *testing.B) {
	a := create(b, mem.New())
	data := make([]byte, 64<<20)
	r := rand.New(rand.NewPCG(7, 1))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	a.mustPush("refs/heads/main", a.commit("big", string(data)))
	id := newPerson(b).id
	sealed, err := id.SealBytes(data)
	if err != nil {
		b.Fatal(err)
	}
	var ours, floor time.Duration
	for b.Loop() {
		b.StopTimer()
		if _, err := a.bucket.SetMembership(b.Context(), bucket.Edit(true, func(*manifestv1.Membership) error { return nil })); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		begun := time.Now()
		if n, err := a.bucket.Reencrypt(b.Context()); n == 0 || err != nil {
			b.Fatal(n, err)
		}
		ours += time.Since(begun)
		begun = time.Now()
		recode(b, id, sealed)
		floor += time.Since(begun)
	}
	b.ReportMetric(float64(len(data))*float64(b.N)/1e6/ours.Seconds(), "MB/s")
	b.ReportMetric(float64(ours)/float64(floor), "x-floor")
}

func recode(b *testing.B, id *seal.Identity, sealed []byte) {
	b.Helper()
	in, err := id.Open(bytes.NewReader(sealed))
	if err != nil {
		b.Fatal(err)
	}
	out, err := id.Seal(io.Discard)
	if err == nil {
		_, err = io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{in}, make([]byte, 1<<20))
	}
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		b.Fatal(err)
	}
}
