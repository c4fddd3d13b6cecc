package worker_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/internal/require"
	"github.com/vexa-ai/vexa/pkg/link"
	"github.com/vexa-ai/vexa/pkg/worker"
)

const asInit = "VEXA_TEST_WORKER_DIR"

// TestMain lets the test binary be the worker, as PID 1 of a PID namespace.
func TestMain(m *testing.M) {
	dir := os.Getenv(asInit)
	if dir == "" {
		os.Exit(m.Run())
	}
	if os.Getpid() != 1 {
		os.Exit(99)
	}
	code, err := worker.Run(context.Background(), worker.Options{
		LaunchFile: filepath.Join(dir, "dispatch.json"), Dial: link.UnixDialer(filepath.Join(dir, "s")),
		Listen:  func(context.Context, string) (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") },
		Workdir: filepath.Join(dir, "work"), Home: dir, State: filepath.Join(dir, "state"), Scratch: filepath.Join(dir, "tmp"),
	})
	if err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
	}
	os.Exit(code)
}

// startInit runs the worker as PID 1 of its own namespace.
func startInit(t *testing.T, h *host) *exec.Cmd {
	t.Helper()
	options(t, h, launchOf(shell()))
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = []string{asInit + "=" + h.dir}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
	}
	if err := cmd.Start(); errors.Is(err, syscall.EPERM) {
		require.Missing(t, "pidns", "PID namespaces are not allowed here")
	} else if err != nil {
		t.Fatal(err)
	}
	return cmd
}

// A daemon that left the agent's session and process group is dead before the
// turn-end is reported, and the orphans are reaped.
func TestAsInitNothingSurvivesTheTurn(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	cmd := startInit(t, h)
	fifo := filepath.Join(h.dir, "work", "alive")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, turn := range []string{"t1", "t2"} {
		alive, err := os.OpenFile(fifo, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		// The daemon holds the pipe open and writes to it; it and its parent are
		// orphans in sessions of their own, ignore every signal they may, and
		// keep the agent's standard output too.
		h.turn(turn, `
setsid sh -c '
  trap "" HUP INT TERM
  setsid sh -c "trap \"\" HUP INT TERM; exec 9>alive; echo up >&9; while :; do sleep 0.05; done" &
  exec sleep 300' &
for i in 1 2 3 4 5 6 7 8; do (sleep 0.01 &) ; done
until [ -e ready ]; do sleep 0.01; done
echo answered`)
		waitFor(t, alive, "up")
		if err := os.WriteFile(filepath.Join(h.dir, "work", "ready"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if end := h.end(turn); end.Outcome != wsv2.OutcomeCompleted || end.Reply != "answered\n" {
			t.Errorf("turn-end %+v", end)
		}
		// Nobody has the pipe open any more: reading ends at once.
		if err := alive.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if n, err := alive.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("turn %s has ended and a process of it lives: %d, %v", turn, n, err)
		}
		alive.Close()
		if left := children(t, cmd.Process.Pid); left != "" {
			t.Errorf("the worker has children after turn-end: %s", left)
		}
		must(t, os.Remove(filepath.Join(h.dir, "work", "ready")))
	}
	h.send(wsv2.Input{Type: wsv2.InputStop})
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// waitFor reads until the pipe says want; without a writer yet it reads nothing.
func waitFor(t *testing.T, pipe *os.File, want string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	var got []byte
	for buf := make([]byte, 64); !strings.Contains(string(got), want); {
		n, err := pipe.Read(buf)
		got = append(got, buf[:n]...)
		if err != nil && time.Now().After(deadline) {
			t.Fatalf("%q, %v instead of %q", got, err, want)
		}
		if n == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

// children lists the children of a process, zombies too.
func children(t *testing.T, pid int) string {
	t.Helper()
	tasks, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	if err != nil || len(tasks) == 0 {
		t.Fatalf("no children files: %v", err)
	}
	var out string
	for _, file := range tasks {
		data, err := os.ReadFile(file)
		if err == nil {
			out += string(data)
		}
	}
	return strings.TrimSpace(out)
}
