package podman

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
)

// Numbers of the service's life, each with its reason.
const (
	serviceStart   = 30 * time.Second       // the first start of rootless Podman makes its storage
	serviceGrace   = 3 * time.Second        // it has nothing to save
	servicePoll    = 5 * time.Millisecond   // while it starts
	minRestart     = 100 * time.Millisecond // doubling to maxRestart while it dies at once
	maxRestart     = 5 * time.Second
	serviceHealthy = 2 * time.Second // a life this long sets the delay back: it did not fail at its start
)

// service is "podman system service", run for as long as this process lives.
type service struct {
	program, socket string
	environ         []string
	log             *slog.Logger
	lock            io.Closer
	quit            chan struct{} // closed to stop
	done            chan struct{} // closed when stopped

	mu      sync.Mutex
	process *os.Process // of the present life, nil between two
	stopped bool
}

// serve starts the service on socket and returns once it answers. A service
// that dies is started again until stop.
//
// A lock beside the socket is held as long, so that no second kernel takes the
// socket away; there it is fault.Conflict.
func serve(ctx context.Context, program, socket string, opt Options) (*service, error) {
	lock, err := unixhttp.Hold(socket)
	if err != nil {
		return nil, err
	}
	s := &service{
		program: program, socket: socket, environ: cleanEnviron(opt.Environ), log: opt.Log, lock: lock,
		quit: make(chan struct{}), done: make(chan struct{}),
	}
	first := make(chan error, 1)
	go s.supervise(first)
	deadline := time.NewTimer(serviceStart)
	defer deadline.Stop()
	poll := time.NewTicker(servicePoll)
	defer poll.Stop()
	for {
		select {
		case err := <-first:
			return nil, errors.Join(unavailable(err), s.stop())
		case <-deadline.C:
			return nil, errors.Join(unavailable(errors.New("its service did not start in time")), s.stop())
		case <-ctx.Done():
			return nil, errors.Join(unavailable(ctx.Err()), s.stop())
		case <-poll.C:
		}
		var d net.Dialer
		if c, err := d.DialContext(ctx, "unix", socket); err == nil {
			return s, c.Close()
		}
	}
}

// supervise runs the service again and again. It keeps its thread: the kernel
// kills the child when the thread that started it ends.
func (s *service) supervise(first chan<- error) {
	defer close(s.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	delay := minRestart
	for {
		began := time.Now()
		err := s.run()
		select {
		case <-s.quit:
			return
		default:
		}
		select {
		case first <- err: // read by serve while it waits, else kept and never looked at
		default:
		}
		if time.Since(began) > serviceHealthy {
			delay = minRestart
		}
		s.log.Warn("the podman service ended and is started again", "delay", delay, "error", err.Error())
		select {
		case <-s.quit:
			return
		case <-time.After(delay):
		}
		delay = min(2*delay, maxRestart)
	}
}

// run is one life of the service. It always returns an error.
func (s *service) run() error {
	if err := os.Remove(s.socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	cmd := exec.Command(s.program, "system", "service", "--time=0", "unix://"+s.socket) //nolint:gosec,noctx // it ends by stop
	cmd.Env = s.environ
	cmd.Dir = "/"
	var stderr tail
	cmd.Stderr = &stderr
	cmd.WaitDelay = serviceGrace
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		return errors.New("stopped")
	}
	err := cmd.Start()
	if err == nil {
		s.process = cmd.Process
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	err = cmd.Wait()
	s.mu.Lock()
	s.process = nil
	s.mu.Unlock()
	if err == nil {
		err = errors.New("it ended by itself")
	}
	if text := strings.TrimSpace(stderr.String()); text != "" {
		err = errors.New(err.Error() + ": " + text)
	}
	return err
}

// stop ends the service and waits for that. It is called once.
func (s *service) stop() error {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	close(s.quit)
	s.signal(syscall.SIGTERM)
	timer := time.NewTimer(serviceGrace)
	defer timer.Stop()
	select {
	case <-s.done:
	case <-timer.C:
		s.signal(syscall.SIGKILL)
		<-s.done
	}
	err := os.Remove(s.socket)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, s.lock.Close())
}

// signal reaches the whole process group: rootless Podman is two processes.
func (s *service) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		syscall.Kill(-s.process.Pid, sig) //nolint:errcheck // it may have ended just now
	}
}

// cleanEnviron takes out what would have the service talk to somebody.
func cleanEnviron(environ []string) []string {
	out := []string{}
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		upper := strings.ToUpper(name)
		switch {
		case strings.HasSuffix(upper, "_PROXY"), upper == "CONTAINER_HOST", upper == "CONTAINER_SSHKEY",
			upper == "CONTAINER_CONNECTION", upper == "DOCKER_HOST", upper == "NOTIFY_SOCKET", strings.HasPrefix(upper, "LISTEN_"):
		default:
			out = append(out, kv)
		}
	}
	return out
}

// tail keeps the end of what a process printed. It is written by one goroutine
// and read after that has ended.
type tail struct{ data []byte }

const tailSize = 2048

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if over := len(t.data) - tailSize; over > 0 {
		t.data = append(t.data[:0:0], t.data[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.data) }
