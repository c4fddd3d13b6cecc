package worker_test

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/link"
	"github.com/vexa-ai/vexa/pkg/worker"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

// shell is a runner whose messages are shell scripts and whose output is text.
func shell() runnerv2.Manifest {
	return runnerv2.Manifest{
		Name: "test", Title: "test", Image: runnerv2.Image{Builtin: "shell"},
		Argv: runnerv2.Argv{New: []string{"/bin/sh", "-s"}}, Prompt: "stdin",
		Stream:  runnerv2.Stream{Dialect: "text", Deltas: true},
		Session: runnerv2.Session{ID: "none"},
		Signals: &runnerv2.Signals{Interrupt: "SIGINT", GraceSec: 1},
		Exit:    runnerv2.Exit{OK: []int{0}, Interrupted: []int{130}},
	}
}

// events is one whose scripts print vexa-ndjson.
func events() runnerv2.Manifest {
	m := shell()
	m.Stream = runnerv2.Stream{Dialect: "vexa-ndjson", Deltas: true, Terminal: "result"}
	return m
}

func launchOf(m runnerv2.Manifest) runnerv2.Launch {
	return runnerv2.Launch{
		Unit: unitv1.Unit{
			ID: "01K5Q8Z3V4M7T2C9XW6B0NRHJA", Identity: unitv1.Identity{Subject: "u_jane", Launcher: "user:u_jane"}, Runner: m.Name,
			Workspaces: []unitv1.Workspace{{ID: "w1", Mode: unitv1.ReadWrite}}, Trigger: unitv1.TriggerMessage,
			Start: unitv1.Start{Entrypoint: &unitv1.Entrypoint{Inline: "x"}},
		},
		Manifest: m, Session: runnerv2.LaunchSession{ID: "6f2a1c9e-0b7d-4e35-9a41-3c8f5d2e7b60"},
		Socket: "/.vexa/run/broker.sock", TokenFile: "/.vexa/run/token", Listen: "127.0.0.1:8787", IdleSec: 60,
	}
}

// options writes the dispatch file and returns surroundings below h.dir.
func options(t *testing.T, h *host, launch runnerv2.Launch) worker.Options {
	t.Helper()
	launch.TokenFile = filepath.Join(h.dir, "token")
	for _, dir := range []string{"work", "state", "tmp"} {
		if err := os.MkdirAll(filepath.Join(h.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	data, err := json.Marshal(launch)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"dispatch.json": data, "token": []byte(token + "\n")} {
		if err := os.WriteFile(filepath.Join(h.dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return worker.Options{
		LaunchFile: filepath.Join(h.dir, "dispatch.json"), Dial: link.UnixDialer(h.socket),
		Listen:  func(context.Context, string) (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") },
		Workdir: filepath.Join(h.dir, "work"), Home: h.dir, State: filepath.Join(h.dir, "state"), Scratch: filepath.Join(h.dir, "tmp"),
		GiveUp: 10 * time.Second, MinBackoff: time.Millisecond, MaxBackoff: 20 * time.Millisecond,
	}
}

// running is a worker at work.
type running struct {
	t    *testing.T
	end  context.CancelFunc // SIGTERM
	done chan struct{}
	code int
	err  error
}

func start(t *testing.T, o worker.Options) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{t: t, end: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.code, r.err = worker.Run(ctx, o)
	}()
	t.Cleanup(func() {
		cancel()
		<-r.done
	})
	return r
}

// startWith runs a worker on launch, with a host of its own.
func startWith(t *testing.T, launch runnerv2.Launch) (*host, *running) {
	t.Helper()
	h := newHost(t)
	return h, start(t, options(t, h, launch))
}

func (r *running) exit(want int) {
	r.t.Helper()
	select {
	case <-r.done:
	case <-time.After(20 * time.Second):
		r.t.Fatal("the worker does not end")
	}
	if r.code != want || (want == worker.ExitOK) != (r.err == nil) {
		r.t.Fatalf("exit code %d (%v), want %d", r.code, r.err, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
