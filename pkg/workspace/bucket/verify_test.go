package bucket_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// verify verifies everything, and again with git.
func (m *machine) verify() bucket.Report {
	m.tb.Helper()
	r, err := m.bucket.Verify(m.tb.Context(), bucket.VerifyOptions{Paranoid: true, Git: newGit(m.tb), Scratch: m.tb.TempDir()})
	if err != nil {
		m.tb.Fatalf("verify: %v", err)
	}
	return r
}

func TestVerifyHealthy(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	a := create(t, storage)
	if r := a.verify(); !r.Healthy || r.Generation != 1 || r.Manifests != 1 || r.Keyrings != 1 {
		t.Fatalf("an empty bucket: %+v\n%s", r, r)
	}
	for i := range 45 {
		id := a.commit("notes/a.md", strings.Repeat(fmt.Sprintf("line %d\n", i), 100))
		a.mustPush("refs/heads/main", id)
	}
	var last, total int64
	b := a.another(storage.Handle())
	r, err := b.bucket.Verify(t.Context(), bucket.VerifyOptions{
		Paranoid: true, Git: newGit(t), Scratch: t.TempDir(),
		Progress: func(done, all int64) {
			if done < last || all < done {
				t.Errorf("progress from %d to %d of %d", last, done, all)
			}
			last, total = done, all
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Healthy || r.Generation != 46 || r.Newest != 46 || r.Seen != 0 || r.Manifests != 46 || r.Packs != 45 || r.Indexes != 1 || r.Refs != 1 {
		t.Fatalf("%+v\n%s", r, r)
	}
	if last != total || last == 0 {
		t.Fatalf("read %d of %d bytes", last, total)
	}
	if r := a.verify(); !r.Healthy || r.Seen != 46 {
		t.Fatalf("%+v", r)
	}
}
