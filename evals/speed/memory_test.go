package speed

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/vexa-ai/vexa/evals/harness"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
)

// BenchmarkMemory is what the daemon and the runtime kernel hold resident: with
// nothing to do, for each live dispatch with an idle container, and when as many
// have ended. The floor is the idle daemon.
func BenchmarkMemory(b *testing.B) {
	l := harness.NewLive(b)
	warm(b, l)
	n := harness.Scale(100, 10)
	st, err := l.Client.Status(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	idle := resident(b, st.PID) + resident(b, st.RuntimePID)
	var daemon, kernel, after float64
	for b.Loop() {
		request := echo()
		wait := 600
		request.Limits = &unitv1.Limits{IdleSec: &wait}
		together(n, func() { turn(b, l, request) })
		if live := len(dispatches(b, l)); live != n {
			b.Fatalf("%d dispatches are live, not %d", live, n)
		}
		daemon, kernel = resident(b, st.PID), resident(b, st.RuntimePID)
		var stopping sync.WaitGroup
		for _, d := range dispatches(b, l) {
			stopping.Go(func() {
				if _, err := l.Client.Stop(b.Context(), d.ID, false); err != nil {
					b.Error(err)
				}
			})
		}
		stopping.Wait()
		after = resident(b, st.PID) + resident(b, st.RuntimePID)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(n), "dispatches")
	b.ReportMetric(idle, "idle-MB")
	b.ReportMetric(daemon, "daemon-MB")
	b.ReportMetric(kernel, "kernel-MB")
	b.ReportMetric(after, "after-MB")
	b.ReportMetric((daemon+kernel)/idle, "x-floor")
}

// resident is the memory of a process that is in RAM, in MB.
func resident(b *testing.B, pid int) float64 {
	b.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kb / 1024
		}
	}
	b.Fatalf("process %d has no VmRSS", pid)
	return 0
}
