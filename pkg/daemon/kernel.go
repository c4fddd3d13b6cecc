package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// RestartAfter is how long a runtime kernel that crashed stays down. One that
// ended by itself, as on SIGTERM, stays down until somebody starts it.
const RestartAfter = 10 * time.Second

// KernelEnds is how long a kernel may take to end: it gives its callers two seconds and its
// Podman service three.
const KernelEnds = 10 * time.Second

// KernelOptions configure a Kernel. Command, PID and Log are required.
type KernelOptions struct {
	// Command returns the command that serves the runtime, ready to start.
	Command func() (*exec.Cmd, error)
	// PID asks the kernel for its process id over its socket.
	PID func(ctx context.Context) (int, error)
	Log *slog.Logger
	// RestartAfter replaces the constant of that name where it is not zero.
	RestartAfter time.Duration
}

// Kernel keeps the runtime kernel's process. The kernel outlives a daemon that
// crashed: a new daemon finds it on its socket.
type Kernel struct {
	o    KernelOptions
	life context.Context //nolint:containedctx // the life of the goroutine that restarts it

	mu       sync.Mutex // guards what follows
	stopped  bool       // deliberately
	child    int        // pid of the kernel that this daemon started
	followed int        // pid of the kernel that it found
}

// NewKernel returns a keeper; ctx is its life. Nothing is started yet.
func NewKernel(ctx context.Context, o KernelOptions) *Kernel {
	if o.RestartAfter == 0 {
		o.RestartAfter = RestartAfter
	}
	return &Kernel{o: o, life: ctx}
}

// PID returns the kernel's process id, 0 where it does not answer.
func (k *Kernel) PID(ctx context.Context) int {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	pid, err := k.o.PID(ctx)
	if err != nil {
		return 0
	}
	return pid
}

// Start makes sure that the kernel serves, and returns when it answers.
func (k *Kernel) Start(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stopped = false
	if pid := k.PID(ctx); pid != 0 {
		k.follow(pid)
		return nil
	}
	cmd, err := k.o.Command()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fault.Wrap(fault.Unavailable, "start the runtime kernel", err)
	}
	k.child = cmd.Process.Pid
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		ended <- err
		var exit *exec.ExitError
		k.ended(errors.As(err, &exit))
	}()
	return k.await(ctx, ended)
}

// await waits until the new kernel answers, or ends instead.
func (k *Kernel) await(ctx context.Context, ended <-chan error) error {
	const patience = 45 * time.Second // longer than Podman is given for its first start
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, 200*time.Millisecond) {
		if k.PID(ctx) != 0 {
			return nil
		}
		select {
		case err := <-ended:
			return &fault.Error{
				Kind: fault.Unavailable, Msg: fmt.Sprintf("the runtime kernel ended at once (%v)", err),
				Hint: "see: vexa daemon logs, and vexa doctor",
			}
		case <-ctx.Done():
			return fault.New(fault.Unavailable, "the runtime kernel does not answer", "see: vexa daemon logs, and vexa doctor")
		case <-time.After(wait):
		}
	}
}

// follow watches a kernel that an earlier daemon started.
func (k *Kernel) follow(pid int) {
	if k.followed == pid || k.child == pid {
		return
	}
	k.followed = pid
	go func() {
		for syscall.Kill(pid, 0) == nil {
			select {
			case <-time.After(time.Second):
			case <-k.life.Done():
				return
			}
		}
		k.ended(true)
	}()
}

// ended starts a kernel again that crashed.
func (k *Kernel) ended(crashed bool) {
	k.mu.Lock()
	restart := crashed && !k.stopped && k.life.Err() == nil
	k.mu.Unlock()
	if !restart {
		k.o.Log.InfoContext(k.life, "runtime kernel ended")
		return
	}
	k.o.Log.ErrorContext(k.life, "runtime kernel crashed; it is started again", "after", k.o.RestartAfter)
	select {
	case <-time.After(k.o.RestartAfter):
		if err := k.Start(k.life); err != nil {
			k.o.Log.ErrorContext(k.life, "restart the runtime kernel", "error", err)
		}
	case <-k.life.Done():
	}
}

// Stop ends the kernel and waits for that. Containers that run go on running.
func (k *Kernel) Stop(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stopped = true
	pid := k.PID(ctx)
	if pid == 0 {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fault.Wrap(fault.Unavailable, "stop the runtime kernel", err)
	}
	for syscall.Kill(pid, 0) == nil {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return fault.Wrap(fault.Timeout, "stop the runtime kernel", ctx.Err())
		}
	}
	return nil
}
