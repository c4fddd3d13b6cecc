package git

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
	"slices"
	"syscall"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// remoteLimit bounds what a remote has git print, in bytes.
const remoteLimit = 4 << 20

// leaves reports whether Vexa uses the subcommand to speak to a remote.
func leaves(sub string) bool {
	return slices.Contains([]string{"ls-remote", "fetch", "push"}, sub)
}

// run runs one command that speaks to the remote. What git could not do is a
// *RemoteError; the result holds what it printed all the same.
func (m *Remote) run(ctx context.Context, args []string) (Result, error) {
	if !leaves(args[0]) {
		return Result{}, fault.Newf(fault.Internal, "git %q does not speak to a remote", args[:1])
	}
	if _, err := m.repo.git.version(); err != nil {
		return Result{}, err
	}
	// The kernel kills the child when the thread that started it ends, and so
	// also when this process is killed: nothing then goes on writing here.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	res, err := collect(ctx, m.command(ctx, args), Cmd{Args: args, Limit: remoteLimit})
	if failed, ok := errors.AsType[*Error](err); ok {
		said := m.at.redact(failed.Stderr)
		return res, &RemoteError{Command: args[0], URL: m.at.shown, Trouble: diagnose(said), Stderr: said}
	}
	return res, err
}

func (m *Remote) command(ctx context.Context, args []string) *exec.Cmd {
	all := append(remoteGuards(), "--git-dir="+m.repo.dir)
	proc := exec.CommandContext(ctx, m.repo.git.path, append(all, args...)...) //nolint:gosec // the second mode of the one place that starts git
	proc.Dir = m.repo.dir
	proc.Env = m.env
	proc.WaitDelay = waitDelay
	if m.prompt {
		// Only the terminal's own group may read from it. What git started ends
		// when its pipes do.
		proc.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		return proc
	}
	// A session of its own has no terminal that ssh could ask on.
	proc.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	proc.Cancel = func() error { return syscall.Kill(-proc.Process.Pid, syscall.SIGKILL) }
	return proc
}
