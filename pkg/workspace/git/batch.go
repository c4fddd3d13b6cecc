package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// Object is one object as cat-file announces it. Content must be used before
// the callback that got it returns; what it leaves unread is skipped.
type Object struct {
	ID      string
	Type    string // blob | tree | commit | tag
	Size    int64
	Content io.Reader
}

// ErrMissing reports an object that the repository does not hold.
var ErrMissing = errors.New("object is missing")

// Objects reads the objects with the given ids, full hexadecimal ones, through
// one cat-file process, and calls fn with each in order. An error of fn ends it
// and is returned.
func (r *Repo) Objects(ctx context.Context, ids []string, fn func(Object) error) error {
	for _, id := range ids {
		if len(id) != 40 || !hexForm.MatchString(id) {
			return fault.Newf(fault.Internal, "not an object id: %q", id)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := Cmd{Args: []string{"cat-file", "--batch", "--buffer"}}
	proc, err := r.git.command(ctx, r.dir, cmd, r)
	if err != nil {
		return err
	}
	stderr := &head{left: stderrLimit}
	proc.Stderr = stderr
	proc.Stdin = strings.NewReader(strings.Join(ids, "\n") + "\n")
	if len(ids) == 0 {
		return nil
	}
	out, err := proc.StdoutPipe()
	if err != nil {
		return fmt.Errorf("git cat-file: %w", err)
	}
	if err := proc.Start(); err != nil {
		return fmt.Errorf("git cat-file: %w", err)
	}
	err = drain(bufio.NewReaderSize(out, 256<<10), ids, fn)
	if err != nil {
		cancel() // the answer is already known
		_ = proc.Wait()
		return err
	}
	return verdict(ctx, proc.Wait(), cmd, proc.ProcessState.ExitCode(), stderr)
}

// drain parses "<id> <type> <size>\n<content>\n" for each id.
func drain(out *bufio.Reader, ids []string, fn func(Object) error) error {
	for _, id := range ids {
		line, err := out.ReadString('\n')
		if err != nil {
			return fmt.Errorf("git cat-file ended early at %s: %w", id, err)
		}
		parts := strings.Fields(line)
		if len(parts) == 2 && parts[1] == "missing" {
			return fmt.Errorf("%s: %w", id, ErrMissing)
		}
		if len(parts) != 3 || parts[0] != id {
			return fmt.Errorf("git cat-file answered %q for %s", line, id)
		}
		size, err := strconv.ParseInt(parts[2], 10, 64)
		if err != nil || size < 0 {
			return fmt.Errorf("git cat-file answered %q for %s", line, id)
		}
		body := io.LimitReader(out, size)
		if err := fn(Object{ID: id, Type: parts[1], Size: size, Content: body}); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, body); err != nil {
			return fmt.Errorf("git cat-file: %w", err)
		}
		if b, err := out.ReadByte(); err != nil || b != '\n' {
			return fmt.Errorf("git cat-file: %s is cut short", id)
		}
	}
	return nil
}

func quote(s string) string {
	if len(s) > 80 {
		s = s[:80] + "…"
	}
	return strconv.Quote(s)
}
