package podman_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runtime"
	"github.com/vexa-ai/vexa/pkg/runtime/podman"
)

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come to hold in 30 s: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestADeadServiceIsStartedAgain(t *testing.T) {
	t.Parallel()
	const install, unit = "dead5e41ce00", "01JDXKDEAD5E00000000000001"
	d := open(t)
	shellImage(t)
	clean(t, d, install)
	s := newStack(t, d, install)
	st, err := s.kernel.Create(t.Context(), s.spec(t, unit, "/bin/sh", "-c", `trap "exit 3" TERM; while :; do sleep 60 & wait $!; done`), "any")
	if err != nil {
		t.Fatal(err)
	}
	old := d.ServicePID()
	if err := syscall.Kill(-old, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another service serves", func() bool {
		pid := d.ServicePID()
		_, err := d.Info(t.Context())
		return pid != 0 && pid != old && err == nil
	})
	if now, err := s.kernel.Get(t.Context(), unit); err != nil || now.State != runtimev1.Running || now.Container != st.Container {
		t.Errorf("the workload is %+v, %v", now, err)
	}
	if end, err := s.kernel.Stop(t.Context(), unit, ""); err != nil || *end.ExitCode != 3 {
		t.Errorf("stop: %+v, %v", end, err)
	}
}

// TestTheServiceEndsWithItsDriver, closed or killed: no API socket outlives the
// kernel. The test binary is the kernel here, in a process of its own.
func TestTheServiceEndsWithItsDriver(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv("VEXA_TEST_SERVICE"); dir != "" {
		holdService(t, dir)
		return
	}
	open(t) // skips where there is no Podman
	for name, end := range map[string]func(*exec.Cmd) error{
		"closed": func(c *exec.Cmd) error { return c.Process.Signal(syscall.SIGTERM) },
		"killed": func(c *exec.Cmd) error { return c.Process.Kill() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := runDir(t)
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTheServiceEndsWithItsDriver$", "-test.v")
			cmd.Env = append(os.Environ(), "VEXA_TEST_SERVICE="+dir)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			pidFile := filepath.Join(dir, "pid")
			eventually(t, "the service serves", func() bool {
				_, err := os.Stat(pidFile)
				return err == nil
			})
			data, err := os.ReadFile(pidFile)
			if err != nil {
				t.Fatal(err)
			}
			group, err := strconv.Atoi(strings.TrimSpace(string(data)))
			if err != nil {
				t.Fatal(err)
			}
			if err := end(cmd); err != nil {
				t.Fatal(err)
			}
			cmd.Wait() //nolint:errcheck // it was killed
			eventually(t, "its processes are gone", func() bool {
				return errors.Is(syscall.Kill(-group, 0), syscall.ESRCH)
			})
		})
	}
}

// holdService keeps a driver until SIGTERM.
func holdService(t *testing.T, dir string) {
	t.Helper()
	d, err := podman.New(t.Context(), podman.Options{RunDir: dir, Environ: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan os.Signal, 1)
	notify(ended)
	temporary := filepath.Join(dir, "pid.tmp")
	err = errors.Join(os.WriteFile(temporary, []byte(strconv.Itoa(d.ServicePID())), 0o600), os.Rename(temporary, filepath.Join(dir, "pid")))
	if err != nil {
		t.Fatal(err)
	}
	<-ended
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTwoDriversDoNotShareADirectory(t *testing.T) {
	t.Parallel()
	open(t)
	dir := runDir(t)
	d, err := podman.New(t.Context(), podman.Options{RunDir: dir, Environ: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := podman.New(t.Context(), podman.Options{RunDir: dir, Environ: os.Environ()}); !fault.Is(err, fault.Conflict) {
		t.Errorf("got %v, want a conflict", err)
	}
	if _, err := d.Info(t.Context()); err != nil {
		t.Errorf("the first lost its service: %v", err)
	}
	other, err := podman.New(t.Context(), podman.Options{RunDir: runDir(t), UserSocket: filepath.Join(dir, "podman.sock")})
	if err != nil {
		t.Fatal(err)
	}
	if _, own := other.Connection(); own {
		t.Error("a socket that answers was not used")
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
}

// fakeAPI serves a Podman API of a few canned answers.
func fakeAPI(t *testing.T, answers http.HandlerFunc) string {
	t.Helper()
	path := filepath.Join(runDir(t), "fake.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/_ping") {
			w.Header().Set("Libpod-API-Version", "5.4.0")
			return
		}
		answers(w, r)
	})}
	go srv.Serve(l) //nolint:errcheck // it is closed
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return "unix://" + path
}

func TestRootfulPodmanIsRefused(t *testing.T) {
	t.Parallel()
	uri := fakeAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"host":{"cgroupVersion":"v2","security":{"rootless":false,"seccompEnabled":true}}}`)
	})
	if _, err := podman.New(t.Context(), podman.Options{RunDir: runDir(t), URI: uri}); !fault.Is(err, fault.Denied) {
		t.Errorf("got %v, want it denied", err)
	}
	d, err := podman.New(t.Context(), podman.Options{RunDir: runDir(t), URI: uri, AllowRootful: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// TestCancellationIsPrompt: the bindings sleep 600 ms between tries when a call
// fails, also when it was cancelled.
func TestCancellationIsPrompt(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	uri := fakeAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/info") {
			fmt.Fprint(w, `{"host":{"cgroupVersion":"v2","security":{"rootless":true,"seccompEnabled":true}}}`)
			return
		}
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(hang) })
	d, err := podman.New(t.Context(), podman.Options{RunDir: runDir(t), URI: uri})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := d.List(ctx, "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestConnectionsThatAreRefused(t *testing.T) {
	t.Parallel()
	for uri, kind := range map[string]fault.Kind{
		"tcp://127.0.0.1:1":             fault.Invalid,
		"ssh://root@host/run/podman":    fault.Invalid,
		"unix:///nonexistent/podman.sk": fault.Unavailable,
	} {
		if _, err := podman.New(t.Context(), podman.Options{RunDir: runDir(t), URI: uri}); !fault.Is(err, kind) {
			t.Errorf("%s: got %v, want %s", uri, err, kind)
		}
	}
	if _, err := podman.New(t.Context(), podman.Options{RunDir: runDir(t), Program: "/nonexistent/podman"}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("no podman: got %v, want %s", err, fault.Unavailable)
	}
}

// TestCreatesGoOneAtATime, which TestManyAtOnce shows only sometimes.
func TestCreatesGoOneAtATime(t *testing.T) {
	t.Parallel()
	var at, most atomic.Int32
	uri := fakeAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/info") {
			fmt.Fprint(w, `{"host":{"cgroupVersion":"v2","security":{"rootless":true,"seccompEnabled":true}}}`)
			return
		}
		if at.Add(1) > 1 {
			most.Store(2)
		}
		time.Sleep(time.Millisecond) // as long as a request takes
		at.Add(-1)
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"Id":"x"}`)
	})
	d, err := podman.New(t.Context(), podman.Options{RunDir: runDir(t), URI: uri})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if id, err := d.Create(t.Context(), runtime.Container{}); err != nil || id != "x" {
				t.Errorf("got %q, %v", id, err)
			}
		})
	}
	all.Wait()
	if most.Load() > 1 {
		t.Error("two at a time")
	}
}

// TestManyAtOnce: Podman loses the user's id ranges when containers are made
// concurrently; the driver must not.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	const install, many = "a11a70ce0000", 12
	d := open(t)
	shellImage(t)
	clean(t, d, install)
	s := newStack(t, d, install)
	var all sync.WaitGroup
	for i := range many {
		spec := s.spec(t, fmt.Sprintf("01JDXKMANY%016d", i), "/bin/sleep", "600")
		all.Go(func() {
			if _, err := s.kernel.Create(t.Context(), spec, "any"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	list, err := d.List(t.Context(), install)
	if err != nil || len(list) != many {
		t.Errorf("%d containers, %v, want %d", len(list), err, many)
	}
	for _, c := range list {
		if c.Phase != runtime.PhaseRunning {
			t.Errorf("%s is %s", c.Name, c.Phase)
		}
	}
}

// TestAStopWhileTheServiceStandsStill is done once the service goes on.
func TestAStopWhileTheServiceStandsStill(t *testing.T) {
	t.Parallel()
	const install, unit = "5709717e5700", "01JDXKST0PP1NG000000000001"
	d := open(t)
	shellImage(t)
	clean(t, d, install)
	s := newStack(t, d, install)
	if _, err := s.kernel.Create(t.Context(), s.spec(t, unit, "/bin/sh", "-c", `trap "exit 3" TERM; while :; do sleep 60 & wait $!; done`), "any"); err != nil {
		t.Fatal(err)
	}
	service := d.ServicePID()
	if err := syscall.Kill(-service, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	goOn := sync.OnceFunc(func() {
		if err := syscall.Kill(-service, syscall.SIGCONT); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(goOn)
	brief, cancel := context.WithTimeout(t.Context(), 5*time.Second) // it stands still as long
	defer cancel()
	if _, err := s.kernel.Stop(brief, unit, ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while it stands still: %v", err)
	}
	goOn()
	if end, err := s.kernel.Stop(t.Context(), unit, ""); err != nil || end.State != runtimev1.Stopped {
		t.Errorf("stop: %+v, %v", end, err)
	}
	if list, err := d.List(t.Context(), install); err != nil || len(list) > 0 {
		t.Errorf("left: %+v, %v", list, err)
	}
}
