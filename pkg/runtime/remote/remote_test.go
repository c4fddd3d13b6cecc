package remote_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/identityv1"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
	"github.com/vexa-ai/vexa/pkg/runtime"
	"github.com/vexa-ai/vexa/pkg/runtime/remote"
	"github.com/vexa-ai/vexa/pkg/runtime/runtimetest"
	"github.com/vexa-ai/vexa/pkg/runtime/server"
)

const unit = "01JDXK0000000000000000000A"

// stack is a kernel over the in-memory driver behind its real socket.
type stack struct {
	t      *testing.T
	dir    string
	socket string
	driver *runtimetest.Memory
	client *remote.Client
}

// tokens takes the token "good" for the unit's own.
type tokens struct{}

func (tokens) Verify(token, audience, unit string) (identityv1.DispatchToken, error) {
	if token != "good" || audience != identityv1.AudienceRuntime {
		return identityv1.DispatchToken{}, fault.New(fault.Denied, "refused", "")
	}
	return identityv1.DispatchToken{Unit: unit, Details: []identityv1.Detail{{Type: "workspace", ID: "ws1", Mode: "rw"}}}, nil
}

func newStack(t *testing.T) *stack {
	t.Helper()
	dir, err := os.MkdirTemp("", "vx") // t.TempDir is too long for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	s := &stack{t: t, dir: dir, socket: filepath.Join(dir, "runtime.sock"), driver: runtimetest.NewMemory()}
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, unit, "ws", "ws1"), 0o700), os.WriteFile(filepath.Join(dir, "vexa"), nil, 0o700)); err != nil {
		t.Fatal(err)
	}
	s.client = remote.New(s.socket)
	t.Cleanup(s.client.Close)
	return s
}

// serve runs a kernel until the function it returns is called.
func (s *stack) serve() (stop func()) {
	s.t.Helper()
	kernel, err := runtime.New(runtime.Options{
		Version: "v1.2.3", Install: "0123456789ab", Root: s.dir, Binary: filepath.Join(s.dir, "vexa"), Driver: s.driver, Verifier: tokens{},
		Images: func(name string) (runtime.Image, error) {
			return runtime.Image{Ref: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil }}, nil
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, s.socket, kernel, slog.New(slog.DiscardHandler)) }()
	s.eventually(func() bool {
		_, err := s.client.Health(s.t.Context())
		return err == nil
	})
	return func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("serve: %v", err)
		}
	}
}

func (s *stack) eventually(holds func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			s.t.Fatal("it did not come to hold in 10 s")
		}
		time.Sleep(time.Millisecond)
	}
}

func (s *stack) spec(argv ...string) runtimev1.Spec {
	return runtimev1.Spec{WorkloadID: unit, Profile: "agent", Argv: argv, Mounts: []runtimev1.Mount{{
		Kind: runtimev1.MountWorkspace, Source: filepath.Join(s.dir, unit, "ws", "ws1"), Target: "/workspace", Workspace: "ws1",
	}}}
}

func TestALifeOverTheSocket(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	defer s.serve()()
	ctx := t.Context()
	st, err := s.client.Create(ctx, s.spec("sleep"), "good")
	if err != nil || st.State != runtimev1.Running {
		t.Fatalf("create: %+v, %v", st, err)
	}
	if again, err := s.client.Create(ctx, s.spec("sleep"), "good"); err != nil || again.Container != st.Container {
		t.Errorf("touch: %+v, %v", again, err)
	}
	if got, err := s.client.Get(ctx, unit); err != nil || got.Container != st.Container {
		t.Errorf("get: %+v, %v", got, err)
	}
	if list, err := s.client.List(ctx); err != nil || len(list) != 1 {
		t.Errorf("list: %+v, %v", list, err)
	}
	if err := errors.Join(s.client.Pause(ctx, unit), s.client.Resume(ctx, unit)); err != nil {
		t.Errorf("pause and resume: %v", err)
	}
	if h, err := s.client.Health(ctx); err != nil || h.PID != os.Getpid() || h.Backend != "podman" || h.Live != 1 {
		t.Errorf("health: %+v, %v", h, err)
	}
	if got, err := s.client.Stop(ctx, unit, runtimev1.ReasonQuota); err != nil || got.StopReason != runtimev1.ReasonQuota || *got.ExitCode != 143 {
		t.Errorf("stop: %+v, %v", got, err)
	}
	if _, err := s.client.Create(ctx, s.spec("sleep"), "good"); !fault.Is(err, fault.Conflict) || fault.HintOf(err) == "" {
		t.Errorf("create of a stopped one: %v, want a conflict with a hint", err)
	}
	if err := s.client.Delete(ctx, unit); err != nil {
		t.Errorf("delete: %v", err)
	}
	if _, err := s.client.Get(ctx, unit); !fault.Is(err, fault.NotFound) {
		t.Errorf("get of a deleted one: %v", err)
	}
}

func TestAProgramIsTriedOverTheSocket(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	defer s.serve()()
	ctx := t.Context()
	s.driver.Program("seven", func(p *runtimetest.Process) { p.Exit(7, false) })
	if _, err := s.client.ImageDigest(ctx, "tool:1"); !fault.Is(err, fault.NotFound) {
		t.Errorf("the digest of no image: %v", err)
	}
	image := runtime.Image{Ref: "tool:1", Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil }}
	if err := s.driver.EnsureImage(ctx, image); err != nil {
		t.Fatal(err)
	}
	if digest, err := s.client.ImageDigest(ctx, "tool:1"); err != nil || !strings.HasPrefix(digest, "sha256:") {
		t.Errorf("%q, %v", digest, err)
	}
	for program, want := range map[string]int{"true": 0, "seven": 7, "absent": 127} {
		if code, err := s.client.Try(ctx, unit, "good", "tool:1", []string{program}); err != nil || code != want {
			t.Errorf("%s: %d, %v", program, code, err)
		}
	}
	for name, try := range map[string]func() (int, error){
		"no token":   func() (int, error) { return s.client.Try(ctx, unit, "", "tool:1", []string{"true"}) },
		"a bad one":  func() (int, error) { return s.client.Try(ctx, unit, "bad", "tool:1", []string{"true"}) },
		"no program": func() (int, error) { return s.client.Try(ctx, unit, "good", "tool:1", nil) },
		"no image":   func() (int, error) { return s.client.Try(ctx, unit, "good", "", []string{"true"}) },
		"no unit":    func() (int, error) { return s.client.Try(ctx, "", "good", "tool:1", []string{"true"}) },
		"none there": func() (int, error) { return s.client.Try(ctx, unit, "good", "tool:2", []string{"true"}) },
	} {
		if code, err := try(); err == nil {
			t.Errorf("%s: %d", name, code)
		}
	}
	if left := s.driver.All(); len(left) != 0 {
		t.Errorf("%d containers are left", len(left))
	}
}

func TestWhatTheSocketRefuses(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	defer s.serve()()
	ctx := t.Context()
	if _, err := s.client.Create(ctx, s.spec("sleep"), "bad"); !fault.Is(err, fault.Denied) {
		t.Errorf("a bad token: %v", err)
	}
	if _, err := s.client.Create(ctx, s.spec("sleep"), ""); !fault.Is(err, fault.Denied) {
		t.Errorf("no token: %v", err)
	}
	refused, err := s.client.Refusals(ctx, "")
	if err != nil || len(refused) != 2 || refused[0].Unit != unit || refused[1].Unit != "" || !strings.Contains(refused[1].Reason, "needs its dispatch token") {
		t.Errorf("told of refusals: %+v, %v", refused, err)
	}
	bad := s.spec("sleep")
	bad.Mounts[0].Kind = "device"
	if _, err := s.client.Create(ctx, bad, "good"); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "/mounts/0/kind") {
		t.Errorf("a spec that breaks the contract: %v, want the pointer", err)
	}
	raw := unixhttp.Client(s.socket)
	defer raw.CloseIdleConnections()
	for name, test := range map[string]struct {
		method, path, body, host, origin string
		want                             int
	}{
		"a member that the contract lacks": {"POST", "/workloads", `{"workloadId":"a","profile":"agent","env":{},"privileged":true}`, "", "", 400},
		"no JSON":                          {"POST", "/workloads", `{`, "", "", 400},
		"another host":                     {"GET", "/workloads", "", "example.org", "", 403},
		"a web page":                       {"GET", "/workloads", "", "", "http://localhost", 403},
		"a body without end":               {"POST", "/workloads", strings.Repeat(" ", 2<<20), "", "", 400},
		"a reason that is none":            {"POST", "/workloads/x/stop", `{"reason":"whim"}`, "", "", 400},
		"an unknown path":                  {"GET", "/containers", "", "", "", 404},
		"a method that is none of a path":  {"PUT", "/workloads", "", "", "", 405},
		"an unknown workload":              {"DELETE", "/workloads/x", "", "", "", 404},
	} {
		req, err := http.NewRequestWithContext(ctx, test.method, "http://vexa"+test.path, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer good")
		if test.host != "" {
			req.Host = test.host
		}
		if test.origin != "" {
			req.Header.Set("Origin", test.origin)
		}
		res, err := raw.Do(req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if res.StatusCode != test.want {
			t.Errorf("%s: got %s, want %d", name, res.Status, test.want)
		}
		var said api.Error
		if err := json.NewDecoder(res.Body).Decode(&said); err != nil || said.Code == "" || res.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: said %+v, %v, as %s", name, said, err, res.Header.Get("Content-Type"))
		}
		if test.want != 403 && res.Header.Get(api.HeaderVersion) != "v1.2.3" {
			t.Errorf("%s: headers %v", name, res.Header)
		}
		if test.host != "" && !strings.Contains(said.Hint, "http://vexa/") {
			t.Errorf("%s: the hint %q does not name the host", name, said.Hint)
		}
		if test.want == 405 && res.Header.Get("Allow") != "GET, HEAD, POST" {
			t.Errorf("%s: allows %q", name, res.Header.Get("Allow"))
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
	}
	if all := s.driver.All(); len(all) != 0 {
		t.Errorf("containers: %+v", all)
	}
}

func TestEventsOutliveTheKernel(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	stop := s.serve()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	next := make(chan runtimev1.Event)
	lost := make(chan error, 100)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		for e, err := range s.client.Events(ctx) {
			if err != nil {
				lost <- err
				continue
			}
			select {
			case next <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	want := func(states ...runtimev1.State) {
		t.Helper()
		for _, state := range states {
			select {
			case e := <-next:
				if e.WorkloadID != unit || e.State != state {
					t.Fatalf("got %+v, want %s", e, state)
				}
			case <-ctx.Done():
				t.Fatalf("no event %s", state)
			}
		}
	}
	if _, err := s.client.Create(ctx, s.spec("sleep"), "good"); err != nil {
		t.Fatal(err)
	}
	if e := <-next; e.State != runtimev1.Starting {
		// The reader may have come later; then it begins with the present.
		if e.State != runtimev1.Running {
			t.Fatalf("got %+v", e)
		}
	} else {
		want(runtimev1.Running)
	}
	stop()
	defer s.serve()()
	want(runtimev1.Running) // the new kernel has adopted it
	if err := s.client.Delete(ctx, unit); err != nil {
		t.Fatal(err)
	}
	want(runtimev1.Stopping, runtimev1.Stopped, runtimev1.Destroyed)
	if err := <-lost; !fault.Is(err, fault.Unavailable) {
		t.Errorf("the loss was told as %v", err)
	}
	cancel()
	<-finished
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	if _, err := s.client.Get(t.Context(), unit); !fault.Is(err, fault.Unavailable) || fault.HintOf(err) == "" {
		t.Errorf("got %v, want runtime_unavailable with a hint", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.client.Get(ctx, unit); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestASecondKernelIsRefused(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	defer s.serve()()
	if l, err := unixhttp.Listen(t.Context(), s.socket); !fault.Is(err, fault.Conflict) {
		t.Errorf("got %v, %v, want a conflict", l, err)
	}
}
