package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/client/clienttest"
	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// socketPath returns the path of a socket that is short enough.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "vx")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(dir, "daemon.sock")
}

// serve serves a handler on a socket until stop is called; keep leaves the
// socket's file behind, as a killed process does.
func serve(t *testing.T, path string, h http.Handler) (stop func(keep bool)) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h}
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(l) })
	stop = sync.OnceValue(func() func(bool) {
		return func(keep bool) {
			l.(*net.UnixListener).SetUnlinkOnClose(!keep)
			_ = srv.Close() // only connections that are in use complain
			wg.Wait()
		}
	})()
	t.Cleanup(func() { stop(false) })
	return stop
}

func TestConnectStartsOneDaemon(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	d := clienttest.New(path, "/home")
	var starts atomic.Int32
	start := func(ctx context.Context) (<-chan error, error) {
		starts.Add(1)
		time.AfterFunc(20*time.Millisecond, func() { serve(t, path, d) }) // a daemon takes its time
		return make(chan error, 1), ctx.Err()
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			c := client.New(client.Options{Socket: path, Start: start})
			defer c.Close()
			st, err := c.Connect(t.Context())
			if err != nil || st.PID != 4242 {
				t.Errorf("Connect = %+v, %v", st, err)
			}
		})
	}
	wg.Wait()
	if n := starts.Load(); n != 1 {
		t.Errorf("%d daemons were started", n)
	}
}

func TestConnectWithoutStart(t *testing.T) {
	t.Parallel()
	c := client.New(client.Options{Socket: socketPath(t)})
	_, err := c.Connect(t.Context())
	if !fault.Is(err, fault.Unreachable) || fault.HintOf(err) == "" {
		t.Errorf("error %v, hint %q", err, fault.HintOf(err))
	}
	if _, err := c.Status(t.Context()); !fault.Is(err, fault.Unreachable) {
		t.Errorf("Status: %v", err)
	}
}

func TestAFailedStartIsUnreachable(t *testing.T) {
	t.Parallel()
	cause := errors.New("no such program")
	c := client.New(client.Options{Socket: socketPath(t), Start: func(context.Context) (<-chan error, error) { return nil, cause }})
	_, err := c.Connect(t.Context())
	if !fault.Is(err, fault.Unreachable) || !errors.Is(err, cause) {
		t.Errorf("error %v", err)
	}
}

// A daemon that ends at its start is not waited for, and its last words are said.
func TestADaemonThatEndsAtItsStart(t *testing.T) {
	t.Parallel()
	ending := func(cause error) client.Start {
		return func(context.Context) (<-chan error, error) {
			ended := make(chan error, 1)
			ended <- cause
			return ended, nil
		}
	}
	c := client.New(client.Options{
		Socket: socketPath(t), Start: ending(fault.New(fault.Internal, "the disk is full", "make room")),
	})
	began := time.Now()
	_, err := c.Connect(t.Context())
	if !fault.Is(err, fault.Unreachable) || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("error %v", err)
	}
	if hint := fault.HintOf(err); hint != "make room (its log: vexa daemon logs)" {
		t.Errorf("hint %q", hint)
	}
	if waited := time.Since(began); waited > 10*time.Second {
		t.Errorf("it waited %s for a daemon that had ended", waited)
	}

	c = client.New(client.Options{Socket: socketPath(t), Start: ending(errors.New("killed"))})
	if _, err := c.Connect(t.Context()); fault.HintOf(err) != "its log: vexa daemon logs" {
		t.Errorf("without a hint of its own: %q", fault.HintOf(err))
	}

	path := socketPath(t)
	second := ending(fault.New(fault.Conflict, "the socket is taken", ""))
	c = client.New(client.Options{Socket: path, Start: func(ctx context.Context) (<-chan error, error) {
		time.AfterFunc(50*time.Millisecond, func() { serve(t, path, clienttest.New(path, "/home")) }) // the first one
		return second(ctx)
	}})
	if st, err := c.Connect(t.Context()); err != nil || st.PID != 4242 {
		t.Errorf("beside another daemon: %+v, %v", st, err)
	}
}

func TestTheEndOfTheContextIsSaid(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	serve(t, path, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	c := client.New(client.Options{Socket: path})
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(fault.New(fault.Interrupted, "interrupted", ""))
	if _, err := c.Status(ctx); !fault.Is(err, fault.Interrupted) {
		t.Errorf("cancelled: %v", err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	if _, err := c.Status(ctx); !fault.Is(err, fault.Timeout) {
		t.Errorf("deadline: %v", err)
	}
}

func TestErrorsKeepTheirClass(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	serve(t, path, clienttest.New(path, "/home"))
	c := client.New(client.Options{Socket: path})
	_, err := c.Workspace(t.Context(), "nowhere/../x")
	if !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), "nowhere/../x") || fault.HintOf(err) == "" {
		t.Errorf("error %v, hint %q", err, fault.HintOf(err))
	}
	if _, err := c.CreateWorkspace(t.Context(), api.CreateWorkspace{Name: "personal"}); !fault.Is(err, fault.Conflict) {
		t.Errorf("error %v", err)
	}
}

func TestVersionSkewIsSaidOnce(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	serve(t, path, clienttest.New(path, "/home"))
	var said []string
	c := client.New(client.Options{Socket: path, Version: "other", OnSkew: func(v string, _ int) { said = append(said, v) }})
	for range 3 {
		if _, err := c.Status(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(said) != 1 || said[0] != "test" {
		t.Errorf("said %q", said)
	}
}

func seqs(t *testing.T, c *client.Client, unit string, q client.FrameQuery) (got []uint64, last client.Entry) {
	t.Helper()
	for e, err := range c.Frames(t.Context(), unit, q) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Frame.Seq)
		last = e
	}
	return got, last
}

func wantRun(t *testing.T, got []uint64, from, to uint64) {
	t.Helper()
	for i, seq := range got {
		if seq != from+uint64(i) {
			t.Fatalf("frames %v have a gap or a repeat", got)
		}
	}
	if len(got) == 0 || got[len(got)-1] != to {
		t.Fatalf("frames %v, want %d to %d", got, from, to)
	}
}

func TestFramesSurviveABrokenConnection(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	d := clienttest.New(path, "/home")
	d.DropAfter = 4
	serve(t, path, d)
	c := client.New(client.Options{Socket: path})
	s, err := c.Start(t.Context(), api.StartRequest{Text: "a longer text, for more frames"})
	if err != nil {
		t.Fatal(err)
	}
	var broken []bool
	opened := 0
	got, last := seqs(t, c, s.Unit, client.FrameQuery{
		From: s.From, Follow: true, Broken: func(err error) { broken = append(broken, err != nil) }, Opened: func() { opened++ },
	})
	wantRun(t, got, 1, last.Frame.Seq)
	if len(broken) < 2 || !broken[0] || broken[1] || len(broken)%2 != 0 {
		t.Errorf("of broken connections it was told %v", broken)
	}
	if opened != 1 {
		t.Errorf("of the first connection it was told %d times", opened)
	}
	if _, ok := last.Frame.Body.(wsv2.State); !ok {
		t.Errorf("the last frame is %T", last.Frame.Body)
	}
	tail, _ := seqs(t, c, s.Unit, client.FrameQuery{From: "c3"})
	wantRun(t, tail, 4, last.Frame.Seq)
}

// A daemon that is killed leaves its socket behind; the stream starts another
// one, which knows the same journal.
func TestFramesSurviveAKilledDaemon(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	d := clienttest.New(path, "/home")
	stop := serve(t, path, d)
	c := client.New(client.Options{Socket: path, Start: func(context.Context) (<-chan error, error) {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
		serve(t, path, d)
		return nil, nil
	}})
	s, err := c.Start(t.Context(), api.StartRequest{Text: "wait"})
	if err != nil {
		t.Fatal(err)
	}
	var got []uint64
	for e, err := range c.Frames(t.Context(), s.Unit, client.FrameQuery{From: s.From, Follow: true}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Frame.Seq)
		if len(got) == 2 {
			stop(true)
			go func() {
				other := client.New(client.Options{Socket: path})
				tick := time.NewTicker(5 * time.Millisecond)
				defer tick.Stop()
				for range tick.C { // until the stream has started a daemon again
					if _, err := other.Stop(t.Context(), s.Unit, false); err == nil {
						return
					}
				}
			}()
		}
	}
	wantRun(t, got, 1, 5)
}

func TestStartIsRepeatedOnlyWithAKey(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	d := clienttest.New(path, "/home")
	var posts atomic.Int32
	serve(t, path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && posts.Add(1)%2 == 1 {
			d.ServeHTTP(discard{header: http.Header{}}, r) // it was taken, and the answer lost
			panic(http.ErrAbortHandler)
		}
		d.ServeHTTP(w, r)
	}))
	c := client.New(client.Options{Socket: path})
	s, err := c.Start(t.Context(), api.StartRequest{Text: "hello", Key: "k1"})
	if err != nil || s.Unit == "" {
		t.Fatalf("with a key: %+v, %v", s, err)
	}
	if n := len(d.Starts()); n != 1 {
		t.Errorf("the agent was started %d times", n)
	}
	if _, err := c.Start(t.Context(), api.StartRequest{Text: "hello"}); !fault.Is(err, fault.Unreachable) {
		t.Errorf("without a key: %v", err)
	}
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

func TestFramesOfAnUnknownUnit(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	serve(t, path, clienttest.New(path, "/home"))
	c := client.New(client.Options{Socket: path})
	for _, err := range c.Frames(t.Context(), "nope", client.FrameQuery{Follow: true}) {
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("error %v", err)
		}
	}
}

// A frame that breaks its contract is not handed on, whatever daemon sent it. One of a
// type of a newer one is, as what is not understood, of the source that it had: a frame
// of the contract still.
func TestFramesThatDrift(t *testing.T) {
	t.Parallel()
	const unit = "01JDX4A0000000000000000000"
	path := socketPath(t)
	serve(t, path, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i, rest := range []string{
			`"source":"host","type":"state","state":"running"`,
			`"source":"agent","agentSeq":7,"type":"dance","steps":3`, `"source":"host","type":"dance","steps":3`,
			`"source":"agent","type":"dance","steps":3`, `"source":"moon","agentSeq":7,"type":"dance","steps":3`,
			`"source":"host","type":"state","state":"party"`,
		} {
			fmt.Fprintf(w, "id: c%d\ndata: {\"seq\":%d,\"ts\":\"2026-01-01T00:00:00Z\",\"unit\":%q,%s}\n\n", i+1, i+1, unit, rest)
		}
	}))
	c := client.New(client.Options{Socket: path})
	var got []uint64
	var failed error
	var strange []string
	for e, err := range c.Frames(t.Context(), unit, client.FrameQuery{}) {
		if failed = err; err != nil {
			continue
		}
		got = append(got, e.Frame.Seq)
		data, err := json.Marshal(e.Frame)
		if err == nil {
			err = contract.Validate("ws.v2#Frame", data)
		}
		if err != nil {
			t.Errorf("frame %d: %v", e.Frame.Seq, err)
		}
		if o, ok := e.Frame.Body.(wsv2.Opaque); ok {
			strange = append(strange, fmt.Sprintf("%s %d", e.Frame.Source, e.Frame.AgentSeq))
			if o.Event != "dance" || o.Known || !strings.Contains(string(o.JSON), `"steps":3`) {
				t.Errorf("of a newer daemon: %#v", o)
			}
		}
	}
	wantRun(t, got, 1, 5)
	if want := []string{"agent 7", "host 0", "host 0", "host 0"}; !slices.Equal(strange, want) {
		t.Errorf("what is strange is of %q, want %q", strange, want)
	}
	if !fault.Is(failed, fault.Internal) || !strings.Contains(failed.Error(), "/state") {
		t.Errorf("at the end: %v, want what the last breaks", failed)
	}
}

// A test of a model is told as it goes on, to its outcome; one that breaks off
// before has none.
func TestModelTestToItsEnd(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	const begun = "data: {\"check\":\"answers\",\"protocol\":\"openai-chat\"}\n\n"
	serve(t, path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = fmt.Fprint(w, begun)
		if strings.Contains(r.URL.Path, "whole") {
			_, _ = fmt.Fprint(w, "data: {\"done\":{\"ok\":true,\"model\":\"m\"}}\n\n")
		}
	}))
	c := client.New(client.Options{Socket: path})
	t.Cleanup(c.Close)
	var told []api.ModelProgress
	progress := func(p api.ModelProgress) { told = append(told, p) }
	got, err := c.TestModel(t.Context(), "whole", api.TestModel{}, progress)
	if err != nil || !got.OK || got.Model != "m" || len(told) != 1 || told[0].Check != "answers" || told[0].Protocol != "openai-chat" {
		t.Errorf("%+v, %v, told %+v", got, err, told)
	}
	if got, err := c.TestModel(t.Context(), "cut", api.TestModel{}, progress); !fault.Is(err, fault.Unreachable) || got.OK {
		t.Errorf("%+v, %v", got, err)
	}
}
