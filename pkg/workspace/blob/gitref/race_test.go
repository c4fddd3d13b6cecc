package gitref_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/gitref"
)

// TestCreators: creators on as many machines all make progress, and of those who
// want one name exactly one gets it.
func TestCreators(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 8, 32} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
			defer cancel()
			dir := remote(t)
			stores := make([]*gitref.Store, n)
			for i := range stores {
				stores[i] = store(t, "file://"+dir, options(t))
			}
			start := time.Now()
			winners := make(chan int, n)
			var wg sync.WaitGroup
			for i, s := range stores {
				wg.Go(func() {
					if err := s.Create(ctx, fmt.Sprintf("own/%d", i), []byte{byte(i)}); err != nil {
						t.Errorf("creator %d: %v", i, err)
					}
					switch err := s.Create(ctx, "one", []byte{byte(i)}); {
					case err == nil:
						winners <- i
					case !errors.Is(err, blob.ErrExist):
						t.Errorf("creator %d: %v", i, err)
					}
				})
			}
			wg.Wait()
			t.Logf("%d creators took %v", n, time.Since(start))
			if len(winners) != 1 {
				t.Fatalf("%d won", len(winners))
			}
			seen := 0
			if err := stores[0].List(ctx, "own/", "", func(blob.Info) error { seen++; return nil }); err != nil || seen != n {
				t.Errorf("%d of %d are listed, %v", seen, n, err)
			}
			if data, err := blob.ReadAll(ctx, stores[0], "one", 10); err != nil || len(data) != 1 || int(data[0]) != <-winners {
				t.Errorf("%v, %v", data, err)
			}
			plainGit(t, dir, "fsck", "--strict")
			if got := plainGit(t, dir, "rev-list", "--count", "refs/heads/vexa-bucket"); got != fmt.Sprint(n+1) {
				t.Errorf("%s commits", got)
			}
		})
	}
}
