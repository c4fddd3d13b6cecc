package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// A process costs more than most reads, so a cat-file process that has answered
// is kept for the next one: at most maxKept for each repository, until it has
// been idle for a while or the repository is closed. One that a read did not
// come to the end of, for whatever reason, is ended at once.
const (
	maxKept     = 2
	defaultIdle = 30 * time.Second
	// maxAsked is how many objects are asked for before their answers are read.
	maxAsked = 4096
)

// ErrClosed reports a read of a repository that was closed.
var ErrClosed = errors.New("the repository is closed")

// errEnded reports that the process ended before it answered.
var errEnded = errors.New("git cat-file ended early")

// readers are the cat-file processes of one repository.
type readers struct {
	mu     sync.Mutex
	closed bool
	live   map[*reader]struct{} // all of them
	kept   []*reader            // those that nobody uses
	wait   sync.WaitGroup       // for the end of each
}

// reader is one cat-file process. Who took it owns it.
type reader struct {
	proc   *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr *head
	kill   context.CancelFunc
	idle   *time.Timer // while it is kept
	used   bool        // it has answered before
}

// Close ends the processes that are kept for reading objects, and those that
// are reading. Nothing can be read afterwards.
func (r *Repo) Close() {
	s := &r.readers
	s.mu.Lock()
	s.closed = true
	kept := s.kept
	s.kept = nil
	for p := range s.live {
		p.kill()
	}
	s.mu.Unlock()
	for _, p := range kept {
		p.idle.Stop()
		r.end(p)
	}
	s.wait.Wait()
}

// take returns a process that is kept, or a new one.
func (r *Repo) take(ctx context.Context) (*reader, error) {
	s := &r.readers
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fault.Wrap(fault.Unavailable, "read "+r.dir, ErrClosed)
	}
	if n := len(s.kept); n > 0 {
		p := s.kept[n-1]
		s.kept = s.kept[:n-1]
		p.idle.Stop()
		return p, nil
	}
	p, err := r.start(ctx)
	if err != nil {
		return nil, fmt.Errorf("git cat-file: %w", err)
	}
	if s.live == nil {
		s.live = make(map[*reader]struct{})
	}
	s.live[p] = struct{}{}
	s.wait.Add(1)
	return p, nil
}

// start starts a process, which outlives the read that needs it.
func (r *Repo) start(ctx context.Context) (*reader, error) {
	life, kill := context.WithCancel(context.WithoutCancel(ctx))
	p, err := r.startFor(life)
	if err != nil {
		kill()
		return nil, err
	}
	p.kill = kill
	return p, nil
}

func (r *Repo) startFor(life context.Context) (*reader, error) {
	proc, err := r.git.command(life, r.dir, Cmd{Args: []string{"cat-file", "--batch-command", "--buffer"}}, r)
	if err != nil {
		return nil, err
	}
	p := &reader{proc: proc, stderr: &head{left: stderrLimit}}
	proc.Stderr = p.stderr
	if p.in, err = proc.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := proc.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReaderSize(out, 64<<10)
	return p, proc.Start()
}

// keep takes back a process that has answered in full.
func (r *Repo) keep(p *reader) {
	s := &r.readers
	s.mu.Lock()
	if s.closed || len(s.kept) >= maxKept {
		s.mu.Unlock()
		r.end(p)
		return
	}
	p.used = true
	p.idle = time.AfterFunc(r.git.idle, func() { r.expire(p) })
	s.kept = append(s.kept, p)
	s.mu.Unlock()
}

// expire ends a process that was idle for too long, unless it was just taken.
func (r *Repo) expire(p *reader) {
	s := &r.readers
	s.mu.Lock()
	i := slices.Index(s.kept, p)
	if i >= 0 {
		s.kept = slices.Delete(s.kept, i, i+1)
	}
	s.mu.Unlock()
	if i >= 0 {
		r.end(p)
	}
}

// end kills a process and waits for its end.
func (r *Repo) end(p *reader) {
	p.kill()
	_ = p.proc.Wait()
	r.forget(p)
}

func (r *Repo) forget(p *reader) {
	r.readers.mu.Lock()
	delete(r.readers.live, p)
	r.readers.mu.Unlock()
	r.readers.wait.Done()
}

// read asks a process for objects and gives it back, or ends it. answered
// reports whether fn was called.
func (r *Repo) read(ctx context.Context, p *reader, q question, fn func(Object) error) (answered bool, err error) {
	stop := context.AfterFunc(ctx, p.kill)
	answered, err = p.ask(q, fn)
	switch {
	case err == nil && stop():
		r.keep(p)
	case errors.Is(err, errEnded):
		err = r.post(ctx, p)
		stop()
	default:
		stop()
		r.end(p)
	}
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("git cat-file: %w", context.Cause(ctx))
	}
	return answered, err
}

// post waits for a process that ended by itself and says why it did.
func (r *Repo) post(ctx context.Context, p *reader) error {
	_ = p.in.Close()
	waited := p.proc.Wait()
	p.kill()
	r.forget(p)
	err := verdict(ctx, waited, Cmd{Args: []string{"cat-file"}}, p.proc.ProcessState.ExitCode(), p.stderr)
	return errors.Join(errEnded, err)
}

// question is what a process is asked about some objects.
type question struct {
	ids   []string
	heads bool // their types and sizes only
	names bool // ids are names, which may mean nothing
}

// command is what cat-file calls it.
func (q question) command() string {
	if q.heads {
		return "info "
	}
	return "contents "
}

// ask sends the commands and reads the answers. While the commands are sent the
// process only reads, and while the answers are read it only writes.
func (p *reader) ask(q question, fn func(Object) error) (answered bool, err error) {
	for part := range slices.Chunk(q.ids, maxAsked) {
		var text strings.Builder
		text.Grow(len(part)*len("contents \n") + len(part)*40 + len("flush\n"))
		for _, id := range part {
			text.WriteString(q.command())
			text.WriteString(id)
			text.WriteByte('\n')
		}
		text.WriteString("flush\n")
		if _, err := io.WriteString(p.in, text.String()); err != nil {
			return answered, fmt.Errorf("%w: %w", errEnded, err)
		}
		for _, id := range part {
			o, err := p.header(id)
			if q.names && errors.Is(err, ErrMissing) {
				o, err = Object{}, nil
			}
			if err != nil {
				return answered, err
			}
			answered = true
			if err := p.answer(q, o, fn); err != nil {
				return answered, err
			}
		}
	}
	return answered, nil
}

// answer hands fn what was asked for of an object.
func (p *reader) answer(q question, o Object, fn func(Object) error) error {
	if q.heads {
		return fn(o)
	}
	return p.pass(o, fn)
}

// header reads "<id> <type> <size>\n".
func (p *reader) header(name string) (Object, error) {
	bad := func(line []byte) error {
		return fmt.Errorf("git cat-file answered %s for %s", quote(string(line)), quote(name))
	}
	line, err := p.out.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return Object{}, bad(line)
	}
	if err != nil {
		return Object{}, fmt.Errorf("%w at %s: %w", errEnded, quote(name), err)
	}
	if rest, ok := strings.CutPrefix(string(line), name+" "); ok && (rest == "missing\n" || rest == "ambiguous\n") {
		return Object{}, fmt.Errorf("%s: %w", quote(name), ErrMissing)
	}
	parts := strings.Fields(string(line))
	if len(parts) != 3 || !isID(parts[0]) || isID(name) && parts[0] != name {
		return Object{}, bad(line)
	}
	size, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil || size < 0 {
		return Object{}, bad(line)
	}
	return Object{ID: parts[0], Type: parts[1], Size: size}, nil
}

// pass hands the content to fn and skips what fn leaves of it.
func (p *reader) pass(o Object, fn func(Object) error) error {
	body := &io.LimitedReader{R: p.out, N: o.Size}
	o.Content = body
	if err := fn(o); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, body); err != nil {
		return fmt.Errorf("git cat-file: %w", err)
	}
	if b, err := p.out.ReadByte(); body.N != 0 || err != nil || b != '\n' {
		return fmt.Errorf("git cat-file: %s is cut short", o.ID)
	}
	return nil
}
