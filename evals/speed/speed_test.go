package speed

import (
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/evals/harness"
	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/screentest"
)

// BenchmarkHelp compares `vexa --help` with `git --version`. Goal: 30 ms.
func BenchmarkHelp(b *testing.B) {
	l := harness.NewLive(b)
	compare(b, "git-version",
		func() { l.Run(b, "--help") },
		func() { run(b, "git", "--version") })
}

// BenchmarkNextStep compares `vexa` alone, which says what comes next, with
// `git --version`. Goal: 30 ms.
func BenchmarkNextStep(b *testing.B) {
	l := harness.NewLive(b)
	compare(b, "git-version",
		func() { l.Run(b) },
		func() { run(b, "git", "--version") })
}

// BenchmarkFirstPaint is the time from the start of `vexa chat` on a terminal to its first
// screen, against `vexa --help`, which has to be started likewise. Goal: 100 ms.
func BenchmarkFirstPaint(b *testing.B) {
	l := harness.NewLive(b)
	compare(b, "help",
		func() {
			t, err := screentest.Start(screentest.Options{Command: []string{l.Vexa, "chat"}, Env: l.Env})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = t.Close() })
			if s, err := t.Wait(10*time.Second, func(s screentest.Screen) bool { return s.Contains("container of its own") }); err != nil {
				b.Fatalf("%v\n%s", err, s.Text())
			}
			if err := t.Send("<ctrl+d>"); err != nil {
				b.Fatal(err)
			}
		},
		func() { l.Run(b, "--help") })
}

// BenchmarkPs compares `vexa ps` with `podman ps`. Goal: half of it.
func BenchmarkPs(b *testing.B) {
	l := harness.NewLive(b)
	compare(b, "podman-ps",
		func() { l.Run(b, "ps") },
		func() { run(b, "podman", "ps") })
}

// BenchmarkFirstFrame is the time from a message to the agent's first word in a
// fresh container, image warm. Goal: under half of `podman run --rm`.
func BenchmarkFirstFrame(b *testing.B) {
	l := harness.NewLive(b)
	image := warm(b, l)
	var container, agent []time.Duration
	compare(b, "podman-run",
		func() {
			running, spoken := firstWord(b, l)
			container, agent = append(container, running), append(agent, spoken-running)
		},
		func() { podmanRun(b, image) })
	b.ReportMetric(ms(quantile(container, 0.5)), "p50-until-container-runs-ms")
	b.ReportMetric(ms(quantile(agent, 0.5)), "p50-then-until-word-ms")
}

// BenchmarkFollowUp is what the host adds to a turn in a live container: from
// the request to the moment the worker has it, and from the agent's end to the
// end of the turn, sealed and on disk. Goal: 5 ms.
func BenchmarkFollowUp(b *testing.B) {
	l := harness.NewLive(b)
	idle := 120
	request := api.StartRequest{
		Text:   "What did I ask you before?",
		Limits: &unitv1.Limits{IdleSec: &idle},
	}
	first := turn(b, l, request)
	request.Session = first.session
	var before, after []time.Duration
	b.ResetTimer()
	for b.Loop() {
		t := turn(b, l, request)
		before = append(before, t.accepted)
		after = append(after, t.settled)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ms(quantile(before, 0.5)), "p50-before-ms")
	b.ReportMetric(ms(quantile(after, 0.5)), "p50-after-ms")
}

// BenchmarkManyAtOnce starts many dispatches at the same moment and waits for
// the last; the floor is as many bare containers. Goal: 1.2 times, no failure.
func BenchmarkManyAtOnce(b *testing.B) {
	l := harness.NewLive(b)
	image := warm(b, l)
	n := harness.Scale(100, 10)
	compare(b, "podman-run",
		func() { together(n, func() { turn(b, l, echo()) }) },
		func() { together(n, func() { podmanRun(b, image) }) })
	b.ReportMetric(float64(n), "dispatches")
}

// timing is what one turn took.
type timing struct {
	session  string
	accepted time.Duration // until turn-accepted
	spoken   time.Duration // until the agent's first word
	settled  time.Duration // from the agent's last word until turn-done
}

// turn says something and follows it to its end, which must be good.
func turn(b *testing.B, l *harness.Live, r api.StartRequest) timing {
	b.Helper()
	var t timing
	begun, last := time.Now(), time.Time{}
	started, err := l.Client.Start(b.Context(), r)
	if err != nil {
		b.Error(err)
		return t
	}
	t.session = started.Session
	for e, err := range l.Client.Frames(b.Context(), started.Unit, client.FrameQuery{From: started.From, Follow: true}) {
		if err != nil {
			b.Error(err)
			return t
		}
		if e.Frame.Turn != started.Turn {
			continue
		}
		now := time.Now()
		if e.Frame.Source == wsv2.Agent {
			if last = now; t.spoken == 0 {
				t.spoken = now.Sub(begun)
			}
		}
		switch body := e.Frame.Body.(type) {
		case wsv2.TurnAccepted:
			t.accepted = now.Sub(begun)
		case wsv2.TurnDone:
			if !body.OK {
				b.Errorf("turn %s: %s", body.Outcome, body.Error)
			}
			t.settled = now.Sub(last)
			return t
		}
	}
	b.Error("the topic ended before the turn")
	return t
}

func echo() api.StartRequest {
	idle := 0
	return api.StartRequest{
		Text: "echo here", Runner: "text",
		Workspaces: []api.Grant{{Workspace: "field-notes", Mode: unitv1.ReadWrite}},
		Limits:     &unitv1.Limits{IdleSec: &idle},
	}
}

// firstWord returns when the agent has spoken; the turn goes on. It tells how
// long it took until the container ran, and until the agent spoke.
func firstWord(b *testing.B, l *harness.Live) (running, spoken time.Duration) {
	b.Helper()
	begun := time.Now()
	started, err := l.Client.Start(b.Context(), echo())
	if err != nil {
		b.Fatal(err)
	}
	for e, err := range l.Client.Frames(b.Context(), started.Unit, client.FrameQuery{From: started.From, Follow: true}) {
		if err != nil {
			b.Fatal(err)
		}
		if state, ok := e.Frame.Body.(wsv2.State); ok && state.State == string(runtimev1.Running) {
			running = time.Since(begun)
		}
		if e.Frame.Source == wsv2.Agent {
			return running, time.Since(begun)
		}
	}
	b.Fatal("the agent said nothing")
	return 0, 0
}

// warm runs one turn, so that the image exists, and returns its name.
func warm(b *testing.B, l *harness.Live) string {
	b.Helper()
	request := echo()
	idle := 30
	request.Limits = &unitv1.Limits{IdleSec: &idle}
	turn(b, l, request)
	image := run(b, "podman", "ps", "--filter", "label=io.vexa.install="+l.Install, "--format", "{{.Image}}")
	for _, d := range dispatches(b, l) {
		if _, err := l.Client.Stop(b.Context(), d.ID, false); err != nil {
			b.Fatal(err)
		}
	}
	return strings.TrimSpace(image)
}

func dispatches(b *testing.B, l *harness.Live) []api.Dispatch {
	b.Helper()
	list, err := l.Client.Dispatches(b.Context(), false)
	if err != nil {
		b.Fatal(err)
	}
	return list
}

// podmanRun is the floor of a container: nothing mounted, nothing done.
func podmanRun(b *testing.B, image string) {
	b.Helper()
	run(b, "podman", "run", "--rm", "--network=none", "--log-driver=none", "--read-only", "--entrypoint", "/bin/true", image)
}

func run(b *testing.B, name string, args ...string) string {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), name, args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func together(n int, f func()) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(f)
	}
	wg.Wait()
}

// compare measures the path and its floor by turns, so that both see the same
// machine, and reports their medians and ratio.
func compare(b *testing.B, floorName string, path, floor func()) {
	b.Helper()
	path()
	floor()
	var paths, floors []time.Duration
	for b.Loop() {
		paths = append(paths, took(path))
		floors = append(floors, took(floor))
	}
	p, f := quantile(paths, 0.5), quantile(floors, 0.5)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ms(p), "p50-ms")
	b.ReportMetric(ms(quantile(paths, 0.95)), "p95-ms")
	b.ReportMetric(ms(f), floorName+"-p50-ms")
	b.ReportMetric(float64(p)/float64(f), "x-floor")
}

func took(f func()) time.Duration {
	begun := time.Now()
	f()
	return time.Since(begun)
}

func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
