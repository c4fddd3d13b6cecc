package git

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// DefaultLimit is how many bytes of output are collected unless a command says
// otherwise.
const DefaultLimit int64 = 64 << 20

const (
	stderrLimit = 4 << 10         // bytes kept of git's complaints
	waitDelay   = 2 * time.Second // for the pipes of a process that was killed
)

// Repo is a bare repository of the host's own. It is safe for concurrent use.
type Repo struct {
	git     *Git
	dir     string
	readers readers
}

// Repo names the bare repository at dir, an absolute path. It must be one that
// only the host writes. Who reads objects of it closes it in the end.
func (g *Git) Repo(dir string) *Repo { return &Repo{git: g, dir: dir} }

// Dir returns the repository's directory.
func (r *Repo) Dir() string { return r.dir }

// Cmd is one invocation.
type Cmd struct {
	Args   []string  // the subcommand and its arguments
	Stdin  io.Reader // nil: empty
	Stdout io.Writer // nil: collected in Result.Stdout
	Limit  int64     // bytes of collected output; 0: DefaultLimit
	OK     []int     // exit codes besides 0 that are answers, not failures
	// Progress, where set, gets what git prints to stderr, too.
	Progress io.Writer
	// Objects, where set, is the directory that new objects go to; the
	// repository's own are read from where they are.
	Objects string
}

// Result is what a command answered.
type Result struct {
	Stdout []byte
	Code   int
}

// Error is a failed invocation. Its text quotes git's own complaint.
type Error struct {
	Command string // the subcommand
	Code    int    // exit code; -1 where it did not exit by itself
	Stderr  string // printable, at most 4 KiB
}

// Error says which subcommand failed and quotes git.
func (e *Error) Error() string {
	msg := "git " + e.Command + " exited with " + strconv.Itoa(e.Code)
	if e.Stderr != "" {
		msg += ": " + e.Stderr
	}
	return msg
}

// ErrOutput reports that a command printed more than its limit.
var ErrOutput = errors.New("git printed more than its limit")

// Run runs one command to its end. A command that is not on the list of those
// Vexa uses is refused; an exit code that cmd.OK does not name is an *Error.
func (r *Repo) Run(ctx context.Context, cmd Cmd) (Result, error) {
	return r.git.run(ctx, r.dir, cmd, r)
}

func (g *Git) run(ctx context.Context, dir string, cmd Cmd, repo *Repo) (Result, error) {
	proc, err := g.command(ctx, dir, cmd, repo)
	if err != nil {
		return Result{}, err
	}
	return collect(ctx, proc, cmd)
}

// collect runs a process that is prepared and keeps what it prints.
func collect(ctx context.Context, proc *exec.Cmd, cmd Cmd) (Result, error) {
	var out bytes.Buffer
	proc.Stdin = cmd.Stdin
	proc.Stdout = cmd.Stdout
	sink := &limited{w: &out, left: cmp.Or(cmd.Limit, DefaultLimit)}
	if cmd.Stdout == nil {
		proc.Stdout = sink
	}
	stderr := &head{left: stderrLimit}
	proc.Stderr = stderr
	if cmd.Progress != nil {
		proc.Stderr = io.MultiWriter(stderr, cmd.Progress)
	}
	err := proc.Run()
	if sink.over {
		err = ErrOutput
	}
	res := Result{Stdout: out.Bytes(), Code: -1}
	if proc.ProcessState != nil {
		res.Code = proc.ProcessState.ExitCode()
	}
	return res, verdict(ctx, err, cmd, res.Code, stderr)
}

// verdict turns what os/exec says into one error.
func verdict(ctx context.Context, err error, cmd Cmd, code int, stderr *head) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("git %s: %w", cmd.Args[0], context.Cause(ctx))
	}
	if errors.Is(err, ErrOutput) {
		return fmt.Errorf("git %s: %w", cmd.Args[0], ErrOutput)
	}
	if _, ok := errors.AsType[*exec.ExitError](err); !ok {
		return fmt.Errorf("git %s: %w", cmd.Args[0], err)
	}
	if slices.Contains(cmd.OK, code) {
		return nil
	}
	return &Error{Command: cmd.Args[0], Code: code, Stderr: stderr.String()}
}

// command prepares the process: guards, environment, and its own group, which
// dies with the context.
func (g *Git) command(ctx context.Context, dir string, cmd Cmd, repo *Repo) (*exec.Cmd, error) {
	if len(cmd.Args) == 0 || !known(cmd.Args[0]) {
		return nil, fault.Newf(fault.Internal, "git %q is not a command that Vexa uses", cmd.Args)
	}
	if _, err := g.version(); err != nil {
		return nil, err
	}
	args := cmd.Args
	if repo != nil {
		args = append([]string{"--git-dir=" + repo.dir}, args...)
	}
	proc := g.process(ctx, dir, args)
	if cmd.Objects != "" {
		proc.Env = append(proc.Env, "GIT_OBJECT_DIRECTORY="+cmd.Objects, "GIT_ALTERNATE_OBJECT_DIRECTORIES="+quotePath(repo.dir+"/objects"))
	}
	return proc, nil
}

func (g *Git) process(ctx context.Context, dir string, args []string) *exec.Cmd {
	proc := exec.CommandContext(ctx, g.path, append(guards(), args...)...) //nolint:gosec // the one place that starts git; see the package comment
	proc.Dir = dir
	proc.Env = environment()
	proc.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL} // nobody reads what it writes once we are gone
	proc.Cancel = func() error { return syscall.Kill(-proc.Process.Pid, syscall.SIGKILL) }
	proc.WaitDelay = waitDelay
	return proc
}

// quotePath makes a path one entry of a list that colons separate.
func quotePath(path string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(path) + `"`
}

// limited fails once more than left bytes were written to it.
type limited struct {
	w    io.Writer
	left int64
	over bool
}

func (l *limited) Write(p []byte) (int, error) {
	if int64(len(p)) > l.left {
		l.over = true
		return 0, ErrOutput
	}
	l.left -= int64(len(p))
	return l.w.Write(p)
}

// head keeps the first bytes and swallows the rest.
type head struct {
	buf  bytes.Buffer
	left int
}

func (h *head) Write(p []byte) (int, error) {
	n := min(len(p), h.left)
	h.buf.Write(p[:n])
	h.left -= n
	return len(p), nil
}

// String returns the text on one line, with everything unprintable escaped.
func (h *head) String() string {
	return printable(h.buf.String())
}

func printable(text string) string {
	q := strconv.Quote(strings.Join(strings.Fields(text), " "))
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}
