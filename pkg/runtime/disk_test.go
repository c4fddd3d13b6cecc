package runtime_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
)

func TestDiskQuota(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		k, stop := w.run()
		defer stop()
		spec := w.spec(unitA, "sleep")
		spec.IdleTimeoutSec = new(veryLong)
		spec.Limits = &runtimev1.Limits{DiskMB: 1}
		work := spec.Mounts[0].Source
		w.fill(work, "before", 4<<20) // what was there does not count
		w.create(k, spec)
		w.fill(work, "small", 100<<10)
		time.Sleep(10 * time.Second)
		if st := w.get(k, unitA); st.State != runtimev1.Running {
			t.Fatalf("got %+v, want running", st)
		}
		w.fill(work, "big", 2<<20)
		time.Sleep(10 * time.Second)
		if st := w.get(k, unitA); st.State != runtimev1.Stopped || st.StopReason != runtimev1.ReasonQuota {
			t.Fatalf("got %+v, want stopped for its quota", st)
		}
	})
}

func TestDiskQuotaCannotBeHiddenFrom(t *testing.T) {
	t.Parallel()
	for name, hide := range map[string]func(t *testing.T, dir string){
		"many empty files": func(t *testing.T, dir string) {
			t.Helper()
			for i := range 3000 {
				if err := os.WriteFile(filepath.Join(dir, strings.Repeat("x", 1+i%200)+string(rune('a'+i/200))), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		},
		"a very deep tree": func(t *testing.T, dir string) {
			t.Helper()
			if err := os.MkdirAll(filepath.Join(dir, strings.Repeat("d/", 200)), 0o700); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				k, stop := w.run()
				defer stop()
				spec := w.spec(unitA, "sleep")
				spec.IdleTimeoutSec = new(veryLong)
				spec.Limits = &runtimev1.Limits{DiskMB: 1}
				w.create(k, spec)
				hide(t, spec.Mounts[0].Source)
				time.Sleep(10 * time.Second)
				if st := w.get(k, unitA); st.StopReason != runtimev1.ReasonQuota {
					t.Fatalf("got %+v, want stopped for its quota", st)
				}
			})
		})
	}
}
