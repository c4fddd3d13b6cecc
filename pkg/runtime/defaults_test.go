package runtime_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/runtime"
)

// The contract says of both times "0 or absent: the kernel's default"; nothing
// that is asked for runs for ever.
func TestZeroSecondsAreTheDefault(t *testing.T) {
	t.Parallel()
	defaults := runtime.DefaultProfiles()[runtime.ProfileAgent]
	for name, test := range map[string]struct {
		idle, life *int
		after      time.Duration
		want       runtimev1.StopReason
	}{
		"idle 0":      {new(0), new(veryLong), defaults.Idle, runtimev1.ReasonIdle},
		"idle absent": {nil, new(veryLong), defaults.Idle, runtimev1.ReasonIdle},
		"life 0":      {new(veryLong), new(0), defaults.MaxLifetime, runtimev1.ReasonMaxLifetime},
		"life absent": {new(veryLong), nil, defaults.MaxLifetime, runtimev1.ReasonMaxLifetime},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				k, stop := w.run()
				defer stop()
				spec := w.spec(unitA, "sleep")
				spec.IdleTimeoutSec, spec.MaxLifetimeSec = test.idle, test.life
				w.create(k, spec)
				time.Sleep(test.after - time.Second)
				if st := w.get(k, unitA); st.State != runtimev1.Running {
					t.Fatalf("before its time: %+v", st)
				}
				time.Sleep(20 * time.Second)
				if st := w.get(k, unitA); st.State != runtimev1.Stopped || st.StopReason != test.want {
					t.Errorf("got %+v, want it stopped: %s", st, test.want)
				}
			})
		})
	}
}
