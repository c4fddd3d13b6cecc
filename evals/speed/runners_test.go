package speed

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/evals/harness"
	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/runners"
)

// BenchmarkRunnerFirstRequest is the time from a message to the agent's first
// request of its model, in a fresh container, against the same program, with the
// same command line and environment, bare on this machine.
func BenchmarkRunnerFirstRequest(b *testing.B) {
	eachRunner(b, func(b *testing.B, l *harness.Live, m runnerv2.Manifest) {
		b.Helper()
		provider := newAsked(b)
		l.Run(b, "model", "add", "bench", "--protocol", m.Inference.Protocols[0], "--url", provider.url, "--model", "m-1")
		program := unpackImage(b, m, l.Vexa)
		path := func() time.Duration { return provider.took(b, func() func() { return dispatched(b, l, m.Name) }) }
		floor := func() time.Duration {
			cmd := program.command(b, provider.url)
			return provider.took(b, func() func() { return started(b, cmd) })
		}
		path()
		floor()
		var paths, floors []time.Duration
		for b.Loop() {
			paths, floors = append(paths, path()), append(floors, floor())
		}
		p, bare := quantile(paths, 0.5), quantile(floors, 0.5)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(ms(p), "p50-ms")
		b.ReportMetric(ms(bare), "bare-p50-ms")
		b.ReportMetric(ms(p-bare), "added-ms")
		b.ReportMetric(float64(p)/float64(bare), "x-floor")
	})
}

// BenchmarkRunnerFollowUp is what the host adds to a turn of each runner in a live
// container, as BenchmarkFollowUp is for the built-in one: before the worker has
// the turn, and after the agent's last word, where the agent's own end is in it.
func BenchmarkRunnerFollowUp(b *testing.B) {
	eachRunner(b, func(b *testing.B, l *harness.Live, m runnerv2.Manifest) {
		b.Helper()
		idle := 120
		request := api.StartRequest{
			Text: "What did I ask you before?", Runner: m.Name, Model: "rehearsal/rehearsal",
			Workspaces: []api.Grant{{Workspace: "field-notes", Mode: unitv1.ReadWrite}},
			Limits:     &unitv1.Limits{IdleSec: &idle},
		}
		request.Session = turn(b, l, request).session
		var before, after []time.Duration
		for b.Loop() {
			t := turn(b, l, request)
			before, after = append(before, t.accepted), append(after, t.settled)
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(ms(quantile(before, 0.5)), "p50-before-ms")
		b.ReportMetric(ms(quantile(after, 0.5)), "p50-after-ms")
	})
}

// eachRunner runs a benchmark with the image of every runner that is a program of
// others.
func eachRunner(b *testing.B, f func(*testing.B, *harness.Live, runnerv2.Manifest)) {
	b.Helper()
	if os.Getenv("VEXA_NPM_REGISTRY") == "" {
		b.Skip("needs registries: VEXA_NPM_REGISTRY names none")
	}
	catalog, err := runner.Load(runners.FS)
	if err != nil {
		b.Fatal(err)
	}
	for _, m := range catalog.List() {
		if m.Image.Ref == "" || m.Inference == nil {
			continue
		}
		b.Run(m.Name, func(b *testing.B) {
			l := harness.NewLive(b)
			l.Run(b, "runner", "build", m.Name)
			f(b, l, m)
		})
	}
}

// asked is a provider that tells when it is asked, and refuses.
type asked struct {
	url string

	mu    sync.Mutex
	first chan struct{} // closed by the next request
}

func newAsked(b *testing.B) *asked {
	b.Helper()
	a := &asked{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a client that has gone is not told
		if r.Method == http.MethodPost {   // some look first whether anybody is there
			a.request()
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"type":"error","error":{"type":"invalid_request_error","code":400,"message":"that is enough","status":"INVALID_ARGUMENT"}}`)
	}))
	b.Cleanup(server.Close)
	a.url = server.URL
	return a
}

func (a *asked) request() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.first != nil {
		close(a.first)
		a.first = nil
	}
}

// took is the time from a start to the first request. It returns when what was
// started has ended.
func (a *asked) took(b *testing.B, start func() (wait func())) time.Duration {
	b.Helper()
	first := make(chan struct{})
	a.mu.Lock()
	a.first = first
	a.mu.Unlock()
	begun := time.Now()
	wait := start()
	select {
	case <-first:
	case <-time.After(time.Minute):
		b.Fatal("the model was not asked")
	}
	d := time.Since(begun)
	wait()
	return d
}

// dispatched starts a runner in a container of its own.
func dispatched(b *testing.B, l *harness.Live, name string) (wait func()) {
	b.Helper()
	idle := 0
	started, err := l.Client.Start(b.Context(), api.StartRequest{
		Text: "Say something.", Runner: name, Model: "bench/m-1",
		Workspaces: []api.Grant{{Workspace: "field-notes", Mode: unitv1.ReadWrite}},
		Limits:     &unitv1.Limits{IdleSec: &idle},
	})
	if err != nil {
		b.Fatal(err)
	}
	return func() {
		for _, err := range l.Client.Frames(b.Context(), started.Unit, client.FrameQuery{From: started.From, Follow: true}) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

// bare is a runner's program as a user would have installed it: the files of its
// image, of which the programs and libraries of this machine are not taken.
type bare struct {
	manifest runnerv2.Manifest
	root     string
	argv     []string // the program, with the Node.js that runs it
	skip     int      // arguments of the manifest's command line that these stand for
}

func unpackImage(b *testing.B, m runnerv2.Manifest, vexa string) bare {
	b.Helper()
	root := b.TempDir()
	id := strings.TrimSpace(run(b, "podman", "create", "--pull=never", m.Image.Ref, "true"))
	defer run(b, "podman", "rm", id)
	run(b, "sh", "-c", `podman export "$1" | tar -x -C "$2" --no-same-owner opt usr/local`, "sh", id, root)
	x := bare{manifest: m, root: root}
	name, skip := m.Argv.New[0], 1
	if i := slices.Index(m.Argv.New, "--"); strings.HasPrefix(name, "/.vexa/") && i > 0 { // the bridge is ours: bare, too
		x.argv, name, skip = append([]string{vexa}, m.Argv.New[1:i+1]...), m.Argv.New[i+1], i+2
	}
	x.skip = skip
	at := x.program(b, name)
	if first, err := os.ReadFile(at); err == nil && bytes.HasPrefix(first, []byte("#!/usr/bin/env node")) {
		x.argv = append(x.argv, x.program(b, "node"))
	}
	x.argv = append(x.argv, at)
	return x
}

// program is the file that a name on the image's path leads to.
func (x bare) program(b *testing.B, name string) string {
	b.Helper()
	at := filepath.Join(x.root, "usr/local/bin", name)
	for range 8 {
		to, err := os.Readlink(at)
		if err != nil {
			break
		}
		if filepath.IsAbs(to) {
			at = filepath.Join(x.root, to)
		} else {
			at = filepath.Join(filepath.Dir(at), to)
		}
	}
	if _, err := os.Stat(at); err != nil {
		b.Fatal(err)
	}
	return at
}

// command is a turn of the program as the worker starts it, but for the container.
func (x bare) command(b *testing.B, url string) *exec.Cmd {
	b.Helper()
	dir := b.TempDir()
	vars := runner.Vars{
		Session: uuid(), Model: "m-1", Protocol: x.manifest.Inference.Protocols[0], Token: "none",
		BaseURL: runner.BaseURL(strings.TrimPrefix(url, "http://"), x.manifest.Inference.Protocols[0]),
		Workdir: filepath.Join(dir, "work"), Home: dir, State: filepath.Join(dir, "state"), PromptFile: filepath.Join(dir, "prompt"), Prompt: "Say something.",
	}
	command, err := runner.Render(x.manifest, vars, false)
	if err != nil {
		b.Fatal(err)
	}
	for _, d := range []string{vars.Workdir, vars.State} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			b.Fatal(err)
		}
	}
	for name, data := range command.Files {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	argv := append(slices.Clone(x.argv), command.Argv[x.skip:]...)
	cmd := exec.CommandContext(b.Context(), argv[0], argv[1:]...)
	cmd.Dir, cmd.Stdin = vars.Workdir, bytes.NewReader(command.Stdin)
	cmd.Env = append([]string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "USER=agent", "TERM=dumb", "LANG=C.UTF-8", "TMPDIR=" + dir}, command.Env...)
	return cmd
}

// started starts a command, and waits for its end, which need not be a good one.
func started(b *testing.B, cmd *exec.Cmd) (wait func()) {
	b.Helper()
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	return func() {
		var ended *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &ended) {
			b.Fatalf("%v: %s", err, &said)
		}
	}
}

func uuid() string {
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", r.Uint32(), r.Uint32()&0xffff, r.Uint32()&0xfff, r.Uint32()&0xfff, r.Uint64()&0xffffffffffff)
}
