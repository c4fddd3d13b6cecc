package acp

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// process is the agent's. It has a process group of its own: a signal to the bridge's
// is for the bridge, which tells the agent in the protocol's way.
type process struct {
	cmd    *exec.Cmd
	in     io.WriteCloser // the agent's standard input
	out    *os.File       // its standard output, read here
	errors lastWords
	ending time.Duration
	done   chan struct{} // closed when it has ended
	code   int
}

// start starts the agent.
func start(c Config) (*process, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "open the agent's streams", err)
	}
	defer w.Close()
	p := &process{out: r, ending: c.Ending, done: make(chan struct{})}
	p.cmd = exec.Command(c.Argv[0], c.Argv[1:]...) //nolint:gosec,noctx // the manifest's own command line; a context would kill it before it was told
	p.cmd.Env, p.cmd.Dir = c.Env, c.Dir
	p.cmd.Stdout = w
	p.cmd.Stderr = io.MultiWriter(c.Err, &p.errors)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = c.Ending // for what holds standard error open
	if p.in, err = p.cmd.StdinPipe(); err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		r.Close()
		return nil, fault.Wrap(fault.NotFound, "start the agent", err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // the state tells
		p.code = exitCode(p.cmd.ProcessState)
	}()
	return p, nil
}

// exitCode is the code of a process that ended, 128 plus the signal where it was
// killed.
func exitCode(s *os.ProcessState) int {
	if status, ok := s.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return s.ExitCode()
}

// end ends the agent and returns its exit code: it is told so by the end of its
// input, by a signal, by its end. Where it was not asked politely before, or is in
// the middle of something, the first of these takes no time. Nothing of its process
// group is left, and its output ends.
func (p *process) end(politely bool) int {
	_ = p.in.Close()
	wait := p.ending
	if !politely {
		wait /= 4
	}
	if !p.within(wait) {
		p.signal(syscall.SIGTERM)
		p.within(p.ending)
	}
	p.signal(syscall.SIGKILL)
	<-p.done
	// What left the group may hold the output open: it is read as far as it goes.
	_ = p.out.SetReadDeadline(time.Now().Add(p.ending / 4))
	return p.code
}

func (p *process) within(d time.Duration) bool {
	select {
	case <-p.done:
		return true
	case <-time.After(d):
		return false
	}
}

// signal signals the process group, which may be gone.
func (p *process) signal(s syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, s) }

// died says how an agent ended that was not to.
func (p *process) died(code int) error {
	err := fault.Newf(fault.Failed, "the agent ended with code %d before the turn did", code)
	if words := p.errors.String(); words != "" {
		err = fault.Newf(fault.Failed, "%w: %s", err, words)
	}
	return err
}

// lastWords keeps the end of what was written to it.
type lastWords struct {
	mu   sync.Mutex
	data []byte
}

const maxWords = 2 << 10

// Write implements io.Writer.
func (l *lastWords) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.data = append(l.data, p[max(0, len(p)-maxWords):]...)
	l.data = l.data[max(0, len(l.data)-maxWords):]
	return len(p), nil
}

// String is what was kept, as text.
func (l *lastWords) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimSpace(strings.ToValidUTF8(string(l.data), "\uFFFD"))
}
