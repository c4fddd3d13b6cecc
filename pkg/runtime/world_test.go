package runtime_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/identity"
	"github.com/vexa-ai/vexa/pkg/runtime"
	"github.com/vexa-ai/vexa/pkg/runtime/runtimetest"
	"github.com/vexa-ai/vexa/pkg/steady"
)

const (
	install = "0123456789ab"
	unitA   = "01JDXK0000000000000000000A"
	unitB   = "01JDXK0000000000000000000B"
	wsRW    = "ws-notes"
	wsRO    = "ws-shared"
)

// world is a kernel over the in-memory driver, with the real token authority.
type world struct {
	t      testing.TB
	root   string
	binary string
	driver *runtimetest.Memory
	auth   *identity.Authority
	opt    runtime.Options
	kernel *runtime.Kernel // the newest
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	dir := tb.TempDir()
	w := &world{t: tb, root: filepath.Join(dir, "units"), binary: filepath.Join(dir, "vexa"), driver: runtimetest.NewMemory()}
	w.mkdir(w.root)
	tb.Cleanup(func() { // containers outlive their kernel
		w.driver.Fail(nil)
		for _, c := range w.driver.All() {
			if err := w.driver.Remove(context.WithoutCancel(tb.Context()), c.ID); err != nil {
				tb.Error(err)
			}
		}
	})
	if err := os.WriteFile(w.binary, []byte("binary"), 0o700); err != nil {
		tb.Fatal(err)
	}
	key := newKey("authority")
	w.auth = authority(key)
	w.opt = runtime.Options{
		Install: install, Root: w.root, Binary: w.binary, Driver: w.driver,
		Verifier: identity.NewVerifier("test", key.Public().(ed25519.PublicKey), time.Now), Images: images,
		Moment: func() (steady.Moment, error) {
			return steady.Moment{Boot: "boot-1", Up: time.Duration(time.Now().UnixNano())}, nil
		},
		Space: func(string) (runtime.Space, error) { return runtime.Space{Bytes: 1 << 40, FreeBytes: 1 << 39}, nil },
	}
	return w
}

func newKey(seed string) ed25519.PrivateKey {
	sum := sha256.Sum256([]byte(seed))
	return ed25519.NewKeyFromSeed(sum[:])
}

func authority(key ed25519.PrivateKey) *identity.Authority { return authorityAt(key, time.Time{}) }

// authorityAt mints as of a fixed time, or as of now where that is zero.
func authorityAt(key ed25519.PrivateKey, at time.Time) *identity.Authority {
	now := time.Now
	if !at.IsZero() {
		now = func() time.Time { return at }
	}
	return identity.NewAuthority(identity.Options{Issuer: "test", Key: key, Now: now, NewID: func() string { return "jti-1" }})
}

func images(name string) (runtime.Image, error) {
	if name == "absent" {
		return runtime.Image{Ref: name}, nil
	}
	return runtime.Image{Ref: "localhost/" + name, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("")), nil
	}}, nil
}

// run starts a kernel and returns it and what ends it.
func (w *world) run() (*runtime.Kernel, func()) {
	w.t.Helper()
	k, err := runtime.New(w.opt)
	if err != nil {
		w.t.Fatal(err)
	}
	w.kernel = k
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	return k, sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("run: %v", err)
		}
	})
}

func (w *world) mkdir(path ...string) string {
	w.t.Helper()
	dir := filepath.Join(path...)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		w.t.Fatal(err)
	}
	return dir
}

func (w *world) fill(dir, name string, size int) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// veryLong is the longest idle time that a spec may ask for, in seconds.
const veryLong = 1 << 24

// unit is a dispatch over one writable and one read-only workspace.
func unit(id string) unitv1.Unit {
	return unitv1.Unit{
		ID: id, Identity: unitv1.Identity{Subject: "u_jane", Launcher: "user:u_jane"}, Runner: "vexa",
		Workspaces: []unitv1.Workspace{{ID: wsRW, Mode: unitv1.ReadWrite}, {ID: wsRO, Mode: unitv1.ReadOnly}},
		Trigger:    unitv1.TriggerMessage,
	}
}

func (w *world) token(id string) string {
	w.t.Helper()
	token, err := w.auth.Mint(unit(id), nil, 24*time.Hour)
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

// spec is a workload of a unit whose directories exist, with every kind of
// mount.
func (w *world) spec(id string, argv ...string) runtimev1.Spec {
	w.t.Helper()
	u := filepath.Join(w.root, id)
	m := func(kind runtimev1.MountKind, source, target string, ro bool, ws string) runtimev1.Mount {
		return runtimev1.Mount{Kind: kind, Source: w.mkdir(u, source), Target: target, ReadOnly: ro, Workspace: ws}
	}
	return runtimev1.Spec{
		WorkloadID: id, Profile: "agent", Env: map[string]string{}, Argv: argv, Mounts: []runtimev1.Mount{
			m(runtimev1.MountWorkspace, "ws/"+wsRW, "/workspace", false, wsRW),
			m(runtimev1.MountWorkspace, "ws/"+wsRO, "/workspaces/"+wsRO, true, wsRO),
			m(runtimev1.MountHistory, "history/"+wsRW, "/.vexa/history/"+wsRW, true, wsRW),
			m(runtimev1.MountSession, "session", "/.vexa/session", false, ""),
			m(runtimev1.MountRun, "run", "/.vexa/run", true, ""),
			{Kind: runtimev1.MountBin, Source: w.binary, Target: "/.vexa/bin/vexa", ReadOnly: true},
		},
	}
}

func (w *world) create(k *runtime.Kernel, spec runtimev1.Spec) runtimev1.Status {
	w.t.Helper()
	st, err := k.Create(w.t.Context(), spec, w.token(spec.WorkloadID))
	if err != nil {
		w.t.Fatal(err)
	}
	return st
}

// get returns a status, once every goroutine of the bubble rests.
func (w *world) get(k *runtime.Kernel, id string) runtimev1.Status {
	w.t.Helper()
	synctest.Wait()
	st, err := k.Get(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return st
}

func wantKind(tb testing.TB, err error, kind fault.Kind) {
	tb.Helper()
	if !fault.Is(err, kind) {
		tb.Fatalf("got %v, want a fault of kind %s", err, kind)
	}
}
