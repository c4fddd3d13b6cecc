package dispatch_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/broker"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/identity"
	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/journal"
	"github.com/vexa-ai/vexa/pkg/quota"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/pkg/runtime"
	"github.com/vexa-ai/vexa/pkg/runtime/remote"
	"github.com/vexa-ai/vexa/pkg/runtime/runtimetest"
	"github.com/vexa-ai/vexa/pkg/runtime/server"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/stream"
	"github.com/vexa-ai/vexa/pkg/stream/streamtest"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/session"
	"github.com/vexa-ai/vexa/pkg/workspace/workspacetest"
)

// stack is everything but Podman: the real kernel over its socket with the
// in-memory driver, whose containers run the real worker; the real broker,
// journals and repositories.
type stack struct {
	t          *testing.T
	home       home.Home
	driver     *runtimetest.Memory
	stopKernel context.CancelFunc
	kernelDone chan struct{}
	records    *journal.Journal
	streams    stream.Log
	workspaces *workspace.Store
	buckets    *workspacetest.Buckets
	key        ed25519.PrivateKey
	id         *seal.Identity
	table      *inference.Table
	asked      *atomic.Int32 // requests that reached a provider
	trail      *audit.Log    // of the newest manager
	tools      broker.Tools  // of the managers to come
	log        *slog.Logger
	change     func(*dispatch.Options) // of the managers to come, where it is set
	m          *dispatch.Manager
}

var jane = dispatch.Caller{Subject: "u_jane", Launcher: "user:jane", Trigger: unitv1.TriggerMessage}

func newStack(t *testing.T) *stack {
	t.Helper()
	// Unix socket paths are short, which test names are not.
	root, err := os.MkdirTemp("", "vx")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	return newStackIn(t, root)
}

// newStackIn makes it in a directory that exists.
func newStackIn(t *testing.T, root string) *stack {
	t.Helper()
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Fatal("the agents of these tests are shell commands: ", err)
	}
	env := map[string]string{
		"VEXA_HOME": filepath.Join(root, "h"), "XDG_RUNTIME_DIR": filepath.Join(root, "r"), "VEXA_PLAINTEXT_DIR": filepath.Join(root, "p"),
	}
	h, err := home.Open(func(k string) string { return env[k] }, os.Getuid())
	must(t, err)
	level := slog.LevelWarn
	if testing.Verbose() {
		level = slog.LevelDebug
	}
	out := &testWriter{t: t}
	t.Cleanup(out.close)
	s := &stack{t: t, home: h, driver: runtimetest.NewMemory(), asked: &atomic.Int32{}, log: slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}))}
	s.id, err = seal.NewIdentity()
	must(t, err)
	_, s.key, err = ed25519.GenerateKey(nil)
	must(t, err)
	s.records, err = journal.Open(journal.Options{
		Dir: filepath.Join(h.State, "dispatches"), Checkpoint: filepath.Join(h.State, "check"), Key: make([]byte, 32), Name: "dispatches",
	})
	must(t, err)
	t.Cleanup(func() { _ = s.records.Close() })
	s.streams = streamtest.NewMemory()
	g, err := git.New(t.Context(), git.Options{})
	must(t, err)
	must(t, os.MkdirAll(h.Workspaces(), 0o700))
	s.buckets = workspacetest.New(t, h.Buckets())
	s.workspaces, err = workspace.Open(workspace.Options{Root: h.Workspaces(), Repos: h.Repos(), Buckets: s.buckets, Sealer: s.buckets, Git: g, Now: time.Now, NewID: newID})
	must(t, err)
	_, err = s.workspaces.Create(t.Context(), workspace.CreateRequest{Name: "personal", Author: workspace.Author{Subject: jane.Subject}})
	must(t, err)
	s.table, err = inference.Open(inference.Options{Dir: h.Config, Sealer: s.id, Now: time.Now})
	must(t, err)
	s.driver.Program("/.vexa/bin/vexa", s.container)
	s.startKernel()
	s.m = s.manager()
	must(t, s.m.Recover(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := s.m.Close(ctx, true); err != nil {
			t.Error(err)
		}
		s.stopKernel()
		<-s.kernelDone
	})
	return s
}

func newID() string { return ulid.Make().String() }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// testWriter logs until the test has ended: the worker of a container that was
// killed may speak after that.
type testWriter struct {
	mu sync.Mutex
	t  *testing.T
}

func (w *testWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.t != nil {
		w.t.Log(strings.TrimSpace(string(p)))
	}
	return len(p), nil
}

func (w *testWriter) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.t = nil
}

func (s *stack) startKernel() {
	s.t.Helper()
	must(s.t, os.MkdirAll(s.home.Units(), 0o700))
	self, err := os.Executable()
	must(s.t, err)
	kernel, err := runtime.New(runtime.Options{
		Patience: time.Second, Install: s.home.InstallID, Root: s.home.Units(), Binary: self, Driver: s.driver, Log: s.log,
		Verifier: identity.NewVerifier("test", s.key.Public().(ed25519.PublicKey), time.Now),
		Images: func(name string) (runtime.Image, error) {
			if !strings.HasPrefix(name, "builtin:") {
				return runtime.Image{Ref: name}, nil
			}
			return runtime.Image{Ref: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil }}, nil
		},
	})
	must(s.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	s.stopKernel, s.kernelDone = cancel, make(chan struct{})
	go func() {
		defer close(s.kernelDone)
		if err := server.Serve(ctx, s.home.RuntimeSocket(), kernel, s.log); err != nil {
			s.t.Error(err)
		}
	}()
	client := remote.New(s.home.RuntimeSocket())
	s.eventually("the kernel to answer", func() bool {
		_, err := client.Health(s.t.Context())
		return err == nil
	})
}

// manager returns a manager over the stack's parts: a daemon that was started.
func (s *stack) manager() *dispatch.Manager {
	s.t.Helper()
	catalog, err := runner.Load(os.DirFS("testdata/runners"))
	must(s.t, err)
	trail := audit.Open(s.auditJournal(), time.Now)
	s.trail = trail
	b, err := broker.New(broker.Options{
		Verifier:  identity.NewVerifier("test", s.key.Public().(ed25519.PublicKey), time.Now),
		Providers: s.table, Upstream: counted{inference.NewUpstream(inference.UpstreamOptions{}), s.asked}, Audit: trail, Tools: s.tools,
		Now: time.Now, Log: s.log,
	})
	must(s.t, err)
	self, err := os.Executable()
	must(s.t, err)
	options := dispatch.Options{
		Home: s.home, Binary: self, Records: s.records, Streams: s.streams, Runtime: remote.New(s.home.RuntimeSocket()),
		Workspaces: s.workspaces, Sessions: session.New(session.Options{Store: s.workspaces, Sealer: s.id, Now: time.Now}),
		Tokens:     identity.NewAuthority(identity.Options{Issuer: "test", Key: s.key, Now: time.Now, NewID: newID}),
		Audit:      trail,
		OpenSocket: func(ctx context.Context, q broker.Session) (dispatch.Socket, error) { return b.Open(ctx, q) },
		Runners:    catalog,
		Models:     func(string) ([]string, string, error) { return nil, "", fault.New(fault.NotFound, "no model", "") },
		Images:     (&runner.Images{Builds: runner.Builds{Dir: s.home.Images()}, Checked: runner.Builds{Dir: s.home.CheckedImages()}, Engine: remote.New(s.home.RuntimeSocket())}).Reference,
		Quota:      quota.NewGate(quota.Policy{}),
		Now:        time.Now, NewID: newID, Log: s.log,
	}
	if s.change != nil {
		s.change(&options)
	}
	m, err := dispatch.New(context.Background(), options)
	must(s.t, err)
	return m
}

// counted counts the requests that reach a provider.
type counted struct {
	broker.Upstream
	n *atomic.Int32
}

func (c counted) Do(req *http.Request, p inference.Provider) (*http.Response, error) {
	c.n.Add(1)
	return c.Upstream.Do(req, p)
}

// restart is the daemon gone without a word, and another one.
func (s *stack) restart(change func(*dispatch.Options)) {
	s.t.Helper()
	s.m.Abandon()
	s.change = change
	s.m = s.manager()
	must(s.t, s.m.Recover(s.t.Context()))
}

func (s *stack) auditJournal() *journal.Journal {
	dir := filepath.Join(s.home.State, "audit-"+newID())
	j, err := journal.Open(journal.Options{Dir: dir, Checkpoint: dir + ".check", Key: make([]byte, 32), Name: "audit"})
	must(s.t, err)
	s.t.Cleanup(func() { _ = j.Close() })
	return j
}

func (s *stack) start(req api.StartRequest) api.Started {
	s.t.Helper()
	started, err := s.m.Start(s.t.Context(), jane, req)
	must(s.t, err)
	return started
}

// turn follows the frames of one turn to its end.
func (s *stack) turn(st api.Started) []wsv2.Frame {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	var frames []wsv2.Frame
	for e, err := range s.streams.Tail(ctx, dispatch.OutTopic(st.Unit), stream.Cursor(st.From)) {
		if err != nil {
			s.t.Fatalf("after %d frames: %v", len(frames), err)
		}
		var f wsv2.Frame
		must(s.t, json.Unmarshal(e.Payload, &f))
		frames = append(frames, f)
		if _, ok := f.Body.(wsv2.TurnDone); ok && f.Turn == st.Turn {
			break
		}
	}
	return frames
}

func body[B wsv2.Body](frames []wsv2.Frame) []B {
	var out []B
	for _, f := range frames {
		if b, ok := f.Body.(B); ok {
			out = append(out, b)
		}
	}
	return out
}

func done(t *testing.T, frames []wsv2.Frame) wsv2.TurnDone {
	t.Helper()
	all := body[wsv2.TurnDone](frames)
	if len(all) != 1 {
		t.Fatalf("%d turn-done frames in %+v", len(all), frames)
	}
	return all[0]
}

func (s *stack) eventually(what string, ok func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			s.t.Fatal("waited too long for ", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// all returns the frames of a unit so far.
func (s *stack) all(unit string) []wsv2.Frame {
	s.t.Helper()
	entries, err := s.streams.Read(s.t.Context(), dispatch.OutTopic(unit), "", 1000)
	must(s.t, err)
	frames := make([]wsv2.Frame, len(entries))
	for i, e := range entries {
		must(s.t, json.Unmarshal(e.Payload, &frames[i]))
	}
	return frames
}

// waitForWord waits until the agent of a unit has said "started".
func (s *stack) waitForWord(unit string) {
	s.t.Helper()
	const word = "started"
	s.eventually("the agent to say "+word, func() bool {
		for _, d := range body[wsv2.MessageDelta](s.all(unit)) {
			if strings.Contains(d.Text, word) {
				return true
			}
		}
		return false
	})
}

func (s *stack) ended(unit string) api.Dispatch {
	s.t.Helper()
	var d api.Dispatch
	s.eventually("unit "+unit+" to end", func() bool {
		var err error
		d, err = s.m.Get(unit)
		must(s.t, err)
		return d.EndedAt != nil
	})
	return d
}

func (s *stack) file(path string) string {
	s.t.Helper()
	info, err := s.workspaces.Lookup(s.t.Context(), "personal")
	must(s.t, err)
	data, err := s.workspaces.ReadFile(s.t.Context(), info.ID, "main", path)
	if fault.Is(err, fault.NotFound) {
		return ""
	}
	must(s.t, err)
	return string(data)
}

func limits(idle int) *unitv1.Limits { return &unitv1.Limits{IdleSec: &idle} }
