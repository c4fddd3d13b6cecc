package bucket_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// A day of 10,000 pushes, each by a process of its own, with maintenance as `git
// push` starts it: what is stored, each manifest and the requests of a
// push stay within bounds.
func TestADayOfPushes(t *testing.T) {
	t.Parallel()
	n := scaled(10_000, 400)
	storage := mem.New()
	c := newClock(time.Now())
	var requests atomic.Int64
	store := counted(timed{storage.Handle(), c}, &requests)
	usual := []func(*bucket.Options){grace(24 * time.Hour), keep(256)}
	a := found(t, store, usual...)
	opt := a.consolidation()
	ids := a.line("main", n)
	var counts []int64
	var times []time.Duration
	var maintained, most, packs, blobsMost, largest int64
	for i, id := range ids {
		c.pass(24 * time.Hour / 10_000)
		requests.Store(0)
		start := time.Now()
		a.open(usual...)
		a.mustPush("refs/heads/main", id)
		times = append(times, time.Since(start))
		counts = append(counts, requests.Load())
		now := a.head()
		packs = max(packs, int64(len(now.Packs)))
		if len(now.Packs) > 32 {
			requests.Store(0)
			a.mustMaintain(opt)
			maintained++
			most = max(most, requests.Load())
		}
		if i%100 == 99 {
			var n int64
			err := store.List(t.Context(), "", "", func(b blob.Info) error {
				n++
				if strings.HasPrefix(b.Name, "m/") {
					largest = max(largest, b.Size)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			blobsMost = max(blobsMost, n)
		}
	}
	part := n / 10
	t.Logf("%d pushes: requests %d at first and %d at last, each in %v and %v; maintained %d times with up to %d requests; up to %d packs, %d blobs, manifests of %d bytes",
		n, counts[1], counts[n-1], mean(times[:part]), mean(times[n-part:]), maintained, most, packs, blobsMost, largest)
	for i, count := range counts {
		if count > 12 {
			t.Errorf("push %d made %d requests", i, count)
			break
		}
	}
	if a, z := mean(counts[1:part]), mean(counts[n-part:]); z > a+1 {
		t.Errorf("requests of a push grow from %d to %d", a, z)
	}
	if largest > 4<<10 {
		t.Errorf("a manifest has %d bytes", largest)
	}
	// 2,000 objects and as many manifests wait, those of the last hour besides, and
	// those since the last maintenance.
	if limit := int64(6000); blobsMost > limit {
		t.Errorf("%d blobs, the limit is %d", blobsMost, limit)
	}
	if packs > 33 || maintained > int64(n)/20 || most > 300+int64(n)/10 {
		t.Errorf("%d packs, maintained %d times with %d requests", packs, maintained, most)
	}
	c.pass(25 * time.Hour)
	for range 3 {
		a.mustCollect()
	}
	if names := blobs(t, store, ""); len(names) > 256+64+100 {
		t.Errorf("a day later %d blobs are left", len(names))
	}
	st := a.clone(storage, ids...)
	if st.Refs["refs/heads/main"] != ids[n-1] {
		t.Errorf("refs: %v", st.Refs)
	}
}

func mean[T int64 | time.Duration](list []T) T {
	var all T
	for _, x := range list {
		all += x
	}
	return all / T(max(len(list), 1))
}
