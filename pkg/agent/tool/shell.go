package tool

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	maxShellTime  = 10 * time.Minute
	shellLeftover = 2 * time.Second // for output held open by what a command left running
	shellHead     = 16 << 10        // bytes of the output's beginning that are kept
	shellTail     = 32 << 10        // and of its end
)

type shellArgs struct {
	Command    string `json:"command"`
	TimeoutSec int    `json:"timeoutSec"`
}

func (b *Box) shell() builtin {
	return define("shell", "Run a command in a POSIX shell, in the working directory. Returns its output and exit code. There is no network.", `{
  "type": "object",
  "properties": {
    "command": {"type": "string"},
    "timeoutSec": {"type": "integer", "description": "seconds until it is killed; 120 if left out, at most 600"}
  },
  "required": ["command"]
}`, func(ctx context.Context, a shellArgs) (string, error) {
		limit := b.options.ShellTime
		if a.TimeoutSec > 0 {
			limit = min(time.Duration(a.TimeoutSec)*time.Second, maxShellTime)
		}
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		cmd := exec.CommandContext(ctx, b.options.Shell, "-c", a.Command) //nolint:gosec // running commands is what it is for; the container is the boundary
		cmd.Dir, cmd.Env = b.options.Workdir, b.options.Env
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		cmd.WaitDelay = shellLeftover
		var out headTail
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		return out.String(), shellError(ctx, err, limit)
	})
}

// shellError says what a command's end means; a code other than 0 is for the
// model to see, not to stumble over in prose.
func shellError(ctx context.Context, err error, limit time.Duration) error {
	var exit *exec.ExitError
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("the command was killed after %s", limit)
	case ctx.Err() != nil:
		return errors.New("the command was interrupted")
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return nil
	case errors.As(err, &exit) && exit.Exited():
		return fmt.Errorf("exit code %d", exit.ExitCode())
	case errors.As(err, &exit):
		return fmt.Errorf("the command ended by %s", exit.String())
	default:
		return err
	}
}

// headTail keeps the beginning and the end of what is written to it.
type headTail struct {
	head, tail []byte
	dropped    int
}

func (h *headTail) Write(p []byte) (int, error) {
	n := len(p)
	if room := shellHead - len(h.head); room > 0 {
		take := min(room, len(p))
		h.head = append(h.head, p[:take]...)
		p = p[take:]
	}
	h.tail = append(h.tail, p...)
	if extra := len(h.tail) - shellTail; extra > 0 {
		h.dropped += extra
		h.tail = append(h.tail[:0], h.tail[extra:]...)
	}
	return n, nil
}

func (h *headTail) String() string {
	out := string(h.head)
	if h.dropped > 0 {
		out += fmt.Sprintf("\n[%d bytes left out]\n", h.dropped)
	}
	return strings.ToValidUTF8(out+string(h.tail), "\uFFFD")
}
