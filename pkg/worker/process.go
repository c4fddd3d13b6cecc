package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// endTimeout is how long killed processes may take to be gone; only one that
// sleeps in the kernel takes longer.
const endTimeout = 10 * time.Second

// processes starts the agent and ends whatever it leaves behind. One agent runs
// at a time.
//
// As PID 1 of a container the worker is the parent of every orphan: it reaps
// them while it waits for the agent, and to end all is to kill every process
// but itself. Anywhere else, which is in tests, it answers for the agent's own
// process group only.
type processes struct {
	init bool
	pid  int // of the agent, which is also its process group and session
}

func newProcesses() *processes { return &processes{init: os.Getpid() == 1} }

// program is what to start.
type program struct {
	argv  []string
	env   []string // whole environment
	dir   string
	path  string // where to look for a bare program name
	files [3]*os.File
}

// start starts the program in a session of its own.
func (p *processes) start(c program) error {
	file, err := lookPath(c.argv[0], c.path)
	if err != nil {
		return err
	}
	proc, err := os.StartProcess(file, c.argv, &os.ProcAttr{
		Dir: c.dir, Env: c.env, Files: c.files[:],
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return fault.Wrap(fault.Internal, "start the agent", err)
	}
	p.pid = proc.Pid
	return proc.Release() // wait reaps it by number, together with the orphans
}

// wait returns the agent's exit code once it has ended, 128 plus the signal
// where it was killed. As PID 1 it reaps every other process that ends.
func (p *processes) wait() (int, error) {
	target := p.pid
	if p.init {
		target = -1
	}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(target, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return -1, fmt.Errorf("wait for the agent: %w", err)
		case pid != p.pid:
		case status.Signaled():
			return 128 + int(status.Signal()), nil
		default:
			return status.ExitStatus(), nil
		}
	}
}

// signal sends sig to the agent and its process group.
func (p *processes) signal(sig syscall.Signal) {
	_ = syscall.Kill(-p.pid, sig) // it may have ended already
}

// kill ends the agent and its process group for good.
func (p *processes) kill() { p.signal(syscall.SIGKILL) }

// endAll kills every process the agent left and returns when none is left. It
// is called after wait.
func (p *processes) endAll(ctx context.Context) error {
	if p.pid == 0 {
		return nil // nothing ever ran
	}
	target := -p.pid
	if p.init {
		target = -1
	}
	ctx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		err := syscall.Kill(target, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			return nil
		}
		p.reap()
		select {
		case <-ctx.Done():
			return fault.New(fault.Internal, "processes of the turn are still there after they were killed", "")
		case <-time.After(pause):
		}
	}
}

// reap takes what has ended, as PID 1 alone: elsewhere the orphans have another
// parent.
func (p *processes) reap() {
	for p.init {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
	}
}

// lookPath finds a program as a shell would, by the agent's PATH and not by the
// worker's.
func lookPath(name, path string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for dir := range strings.SplitSeq(path, ":") {
		if !filepath.IsAbs(dir) {
			continue
		}
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
			return file, nil
		}
	}
	return "", fault.Newf(fault.NotFound, "the image has no program %q", name)
}
