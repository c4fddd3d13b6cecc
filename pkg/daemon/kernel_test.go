package daemon_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/daemon"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// process is a kernel that says its pid in a file instead of on a socket.
func process(t *testing.T, script string) (k *daemon.Kernel, pid func() int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pid")
	read := func(context.Context) (int, error) {
		data, err := os.ReadFile(file)
		if err != nil {
			return 0, err
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
		if err == nil && syscall.Kill(pid, 0) != nil {
			return 0, errors.New("gone")
		}
		return pid, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	k = daemon.NewKernel(ctx, daemon.KernelOptions{
		Command: func() (*exec.Cmd, error) {
			return exec.CommandContext(ctx, "/bin/sh", "-c", script, "kernel", file), nil
		},
		PID: read, Log: slog.New(slog.DiscardHandler), RestartAfter: 100 * time.Millisecond,
	})
	return k, func() int { return k.PID(t.Context()) }
}

const serving = `echo $$ > "$1.new"; mv "$1.new" "$1"; exec sleep 600`

func TestKernelIsStartedOnceAndStopped(t *testing.T) {
	t.Parallel()
	k, pid := process(t, serving)
	must(t, k.Start(t.Context()))
	first := pid()
	must(t, k.Start(t.Context()))
	if first == 0 || pid() != first {
		t.Fatalf("pids %d and %d", first, pid())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	must(t, k.Stop(ctx))
	if pid() != 0 {
		t.Error("it still runs")
	}
	must(t, k.Stop(ctx))
}

func TestKernelThatCrashedComesBack(t *testing.T) {
	t.Parallel()
	k, pid := process(t, serving)
	must(t, k.Start(t.Context()))
	first := pid()
	must(t, syscall.Kill(first, syscall.SIGKILL))
	for deadline := time.Now().Add(10 * time.Second); pid() == 0 || pid() == first; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not come back")
		}
	}
}

func TestKernelThatWasStoppedStaysDown(t *testing.T) {
	t.Parallel()
	k, pid := process(t, `trap 'kill $!; exit 0' TERM; sleep 600 & echo $$ > "$1.new"; mv "$1.new" "$1"; wait`)
	must(t, k.Start(t.Context()))
	must(t, syscall.Kill(pid(), syscall.SIGTERM))
	for deadline := time.Now().Add(10 * time.Second); pid() != 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it goes on")
		}
	}
	time.Sleep(300 * time.Millisecond) // three times what a crashed one waits
	if pid() != 0 {
		t.Error("it came back by itself")
	}
	must(t, k.Start(t.Context()))
	if pid() == 0 {
		t.Error("it was not started again")
	}
}

func TestKernelThatEndsAtOnceIsReported(t *testing.T) {
	t.Parallel()
	k, _ := process(t, "exit 3")
	err := k.Start(t.Context())
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "exit status 3") || fault.HintOf(err) == "" {
		t.Fatalf("got %v", err)
	}
}
