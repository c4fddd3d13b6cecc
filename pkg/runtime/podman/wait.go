package podman

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runtime"
)

// Intervals at which Podman looks whether a container has ended.
const (
	askOften  = 10 * time.Millisecond  // its process is gone: the record follows at once
	askSeldom = 250 * time.Millisecond // only where the kernel cannot tell
)

// killed is the exit code of a process that was killed, for memory perhaps.
const killed = 128 + 9

// Wait implements runtime.Driver. The end is learnt from the kernel, by a
// descriptor of the container's first process; Podman is then asked for the
// exit code.
func (d *Driver) Wait(ctx context.Context, id string) (runtime.Exit, error) {
	c, err := d.inspect(ctx, id)
	if err != nil {
		return runtime.Exit{}, err
	}
	interval := askOften
	if c.State.Running && c.State.Pid > 0 {
		err := d.waitProcess(ctx, id, c.State.Pid)
		switch {
		case ctx.Err() != nil:
			return runtime.Exit{}, ctx.Err()
		case err != nil:
			interval = askSeldom
		}
	}
	return d.exit(ctx, id, interval)
}

// exit waits until Podman says that the container has ended.
func (d *Driver) exit(ctx context.Context, id string, interval time.Duration) (runtime.Exit, error) {
	var code int
	err := d.conn.call(ctx, request{
		method: http.MethodPost, path: "/containers/%s/wait", args: []string{id},
		query: url.Values{"condition": {"stopped", "exited"}, "interval": {interval.String()}},
	}, &code)
	if err != nil {
		return runtime.Exit{}, err
	}
	exit := runtime.Exit{Code: code}
	if code == killed {
		c, err := d.inspect(ctx, id)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return runtime.Exit{}, err
		}
		exit.OOM = c.State.OOMKilled
	}
	return exit, nil
}

var errNotOurs = errors.New("the process cannot be watched")

// waitProcess blocks until a container's first process has ended, or ctx.
func (d *Driver) waitProcess(ctx context.Context, id string, pid int) error {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	defer f.Close()
	// The number may have been given to another process before it was opened.
	if !firstOfContainer(pid) {
		return errNotOurs
	}
	if c, err := d.inspect(ctx, id); err != nil || c.State.Pid != pid {
		return err
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	release := context.AfterFunc(ctx, func() { f.SetReadDeadline(time.Unix(1, 0)) }) //nolint:errcheck // it was pollable
	defer release()
	return raw.Read(func(fd uintptr) bool {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
	})
}

// firstOfContainer reports whether pid is the first process of a namespace
// below ours, as a container's is.
func firstOfContainer(pid int) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "NSpid:"); ok {
			ids := strings.Fields(rest)
			return len(ids) > 1 && ids[len(ids)-1] == "1"
		}
	}
	return false
}
