package daemon_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/daemon"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/journal"
	"github.com/vexa-ai/vexa/pkg/runner"
	streamjournal "github.com/vexa-ai/vexa/pkg/stream/journal"
	"github.com/vexa-ai/vexa/runners"
)

// oneContainer is a runtime kernel that answers nothing but that a container was
// stopped: until it is asked for that, the dispatch goes on.
type oneContainer struct{ noRuntime }

func (oneContainer) Stop(context.Context, string, runtimev1.StopReason) (runtimev1.Status, error) {
	return runtimev1.Status{State: runtimev1.Stopped, StopReason: runtimev1.ReasonStopped}, nil
}

func (oneContainer) Delete(context.Context, string) error { return nil }

// live is a daemon on its socket, over real topics, with one dispatch that runs
// until it is stopped.
type live struct {
	tb      testing.TB
	streams *streamjournal.Log
	server  *daemon.Server
	socket  string
	seq     int
}

func newLive(tb testing.TB, stall time.Duration) *live {
	tb.Helper()
	dir, err := os.MkdirTemp("/tmp", "vexa")
	check(tb, err)
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	env := map[string]string{"VEXA_HOME": filepath.Join(dir, "h"), "XDG_RUNTIME_DIR": dir, "VEXA_PLAINTEXT_DIR": dir}
	h, err := home.Open(func(k string) string { return env[k] }, os.Getuid())
	check(tb, err)
	l := &live{tb: tb, socket: h.DaemonSocket()}
	l.streams, err = streamjournal.Open(streamjournal.Options{Root: filepath.Join(dir, "t"), Key: make([]byte, 32), Now: time.Now})
	check(tb, err)
	catalog, err := runner.Load(runners.FS)
	check(tb, err)
	log := slog.New(slog.DiscardHandler)
	l.server = daemon.New(tb.Context(), daemon.Options{
		Home: h, Version: "1.2.3", PID: os.Getpid(), Now: time.Now, Log: log, Runners: catalog, Stall: stall,
		Kernel: daemon.NewKernel(tb.Context(), daemon.KernelOptions{
			Log: log, Command: func() (*exec.Cmd, error) { return nil, down() }, PID: func(context.Context) (int, error) { return 0, down() },
		}),
		Caller: dispatch.Caller{Subject: "u_jane", Launcher: "user:jane", Trigger: unitv1.TriggerMessage},
		Open: func(ctx context.Context, _ string) (*daemon.Engine, error) {
			m, err := dispatch.New(ctx, dispatch.Options{
				Home: h, Records: l.records(ctx, dir), Streams: l.streams, Runtime: oneContainer{}, Runners: catalog, Sessions: noSessions{}, Workspaces: noWorkspaces{},
				Now: time.Now, Log: log, ConnectGrace: time.Hour,
			})
			return &daemon.Engine{Dispatch: m, Streams: l.streams, Close: l.streams.Close}, err
		},
	})
	ctx, cancel := context.WithCancel(tb.Context())
	served := make(chan error, 1)
	go func() { served <- l.server.Serve(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			tb.Error(err)
		}
	})
	l.eventually("the daemon to answer", func() bool {
		c := l.client()
		defer c.Close()
		st, err := c.Status(tb.Context())
		return err == nil && st.Live == 1
	})
	return l
}

// records hold a dispatch whose turn is over and whose container waits.
func (l *live) records(ctx context.Context, dir string) *journal.Journal {
	j, err := journal.Open(journal.Options{Dir: filepath.Join(dir, "d"), Checkpoint: filepath.Join(dir, "c"), Key: make([]byte, 32), Name: "d"})
	check(l.tb, err)
	for _, r := range []string{
		`{"type":"accepted","at":"2026-11-23T10:00:00Z","unit":"` + unit + `","accepted":{"unit":{"id":"` + unit +
			`","identity":{"subject":"u_jane","launcher":"user:jane"},"runner":"text","workspaces":[],"trigger":"message","start":{},"limits":{"idleSec":600,"maxSec":600}},"session":"s","names":{}}}`,
		`{"type":"started","at":"2026-11-23T10:00:01Z","unit":"` + unit + `","container":"c"}`,
	} {
		_, err := j.Append(ctx, []byte(r))
		check(l.tb, err)
	}
	return j
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func (l *live) client() *client.Client { return client.New(client.Options{Socket: l.socket}) }

func (l *live) eventually(what string, ok func() bool) {
	l.tb.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			l.tb.Fatal("waited too long for ", what)
		}
	}
}

// flood appends n frames of an agent, each with so many bytes of text.
func (l *live) flood(n, size int) {
	l.tb.Helper()
	text := strings.Repeat("x", size)
	for range n {
		l.seq++
		data, err := json.Marshal(wsv2.Frame{
			Seq: uint64(l.seq), TS: time.Now().UTC(), Unit: unit, Source: wsv2.Agent, AgentSeq: uint64(l.seq), Turn: "t",
			Body: wsv2.MessageDelta{Text: text},
		})
		check(l.tb, err)
		_, err = l.streams.Append(l.tb.Context(), dispatch.OutTopic(unit), data)
		check(l.tb, err)
	}
}

// read follows the topic until frame last and returns the cursor of the last
// it read, and what was wrong: every frame comes once and in order. pace is
// called before each.
func (l *live) read(from string, first, last int, pace func()) (string, error) {
	c := l.client()
	defer c.Close()
	next := first
	for e, err := range c.Frames(l.tb.Context(), unit, client.FrameQuery{From: from, Follow: true}) {
		if err != nil {
			return from, err
		}
		if e.Frame.Seq != uint64(next) {
			return from, fmt.Errorf("frame %d came where %d should", e.Frame.Seq, next)
		}
		if from = e.Cursor; next == last {
			return from, nil
		}
		next++
		if pace != nil {
			pace()
		}
	}
	return from, errors.New("the stream ended early")
}

// dead asks for the stream and never reads it.
func (l *live) dead() net.Conn {
	l.tb.Helper()
	conn, err := net.Dial("unix", l.socket)
	check(l.tb, err)
	_, err = io.WriteString(conn, "GET /v1/dispatches/"+unit+"/frames?follow=1 HTTP/1.1\r\nHost: vexa\r\n\r\n")
	check(l.tb, err)
	return conn
}

// drain takes the stream off the socket until frame last, and looks at nothing
// else: what it costs is the daemon's share.
func (l *live) drain(last int) error {
	conn := l.dead()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	defer resp.Body.Close() // which would read to the end of the stream if it were still connected
	defer conn.Close()
	n := 0
	sc := bufio.NewScanner(resp.Body)
	for n < last && sc.Scan() {
		if bytes.HasPrefix(sc.Bytes(), []byte("id: ")) {
			n++
		}
	}
	return sc.Err()
}

func descriptors(tb testing.TB) int {
	tb.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	check(tb, err)
	return len(list)
}

// On one topic: ten fast readers get every frame in order, a slow one all of
// them in the end, a dead one is dropped, and nothing is left of any.
//
//nolint:paralleltest // it counts goroutines and descriptors
func TestASlowADeadAndTenFastReaders(t *testing.T) {
	const frames, some = 20_000, 300
	l := newLive(t, 500*time.Millisecond)
	l.flood(1, 100) // the topic is open
	goroutines, fds := runtime.NumGoroutine(), descriptors(t)

	dead := l.dead()
	var readers sync.WaitGroup
	for i := range 10 {
		readers.Go(func() {
			if _, err := l.read("", 1, frames, nil); err != nil {
				t.Errorf("fast reader %d: %v", i, err)
			}
		})
	}
	readers.Go(func() { // slow for a while, then it goes on from its cursor
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		cursor, err := l.read("", 1, some, func() { <-tick.C })
		if err == nil {
			_, err = l.read(cursor, some+1, frames, nil)
		}
		if err != nil {
			t.Errorf("the slow reader: %v", err)
		}
	})
	l.flood(frames-1, 100)
	readers.Wait()

	// The dead one has been dropped: what it finds when it reads at last is what
	// its socket held, and then the end.
	l.eventually("the daemon to drop the dead reader", func() bool { return descriptors(t) <= fds+1 })
	got := 0
	for sc := bufio.NewScanner(dead); sc.Scan(); {
		if strings.HasPrefix(sc.Text(), "id: ") {
			got++
		}
	}
	if got == 0 || got == frames {
		t.Errorf("the dead reader got %d frames of %d", got, frames)
	}
	check(t, dead.Close())
	l.eventually("nothing to be left of the readers", func() bool { return runtime.NumGoroutine() <= goroutines && descriptors(t) <= fds })
}

// A reader that takes its time, but takes, is not dropped, however large an
// entry is against what it takes at once.
func TestAReaderThatTakesIsNotDropped(t *testing.T) {
	t.Parallel()
	const size = 2 << 20
	l := newLive(t, 2*time.Second) // a busy machine does not leave it alone for so long
	l.flood(2, size)
	conn := l.dead()
	defer conn.Close()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	buf := make([]byte, 128<<10) // one frame takes four seconds
	total := 0
	for total < 2*size {
		<-tick.C
		n, err := conn.Read(buf)
		if total += n; err != nil {
			t.Fatalf("after %d bytes: %v", total, err)
		}
	}
}

// Dead readers cost the daemon what it reads ahead for each, not the topic.
//
//nolint:paralleltest // it measures the heap
func TestDeadReadersCostLittle(t *testing.T) {
	const readers, frames, size = 20, 10_000, 4 << 10 // 40 MB, of which each may hold 2
	l := newLive(t, time.Hour)
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for range readers {
		conn := l.dead()
		defer conn.Close()
	}
	l.flood(frames, size)
	if _, err := l.read("", 1, frames, nil); err != nil {
		t.Error(err)
	}
	if each := (heap() - before) / readers; each > 2<<20 {
		t.Errorf("each dead reader holds %d KB", each>>10)
	}
}
