package chatcmd

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// maxText bounds a message read from stdin, in bytes.
const maxText = 1 << 20

// silence is how long stdin may say nothing until the person is told what is waited for, or
// where there is a message without it until it is left alone: a pipe that nobody writes to is
// what many programs give those that they start.
const silence = 3 * time.Second

// beside returns what stdin holds where there is a message without it, as long as it is a
// pipe or a file. One that says nothing is left alone after a while.
func beside(ctx context.Context, f *factory.Factory) (string, error) {
	if !piped(f) {
		return "", nil
	}
	silent := make(chan struct{})
	waiting := time.AfterFunc(silence, func() { close(silent) })
	defer waiting.Stop()
	more, err := readAll(ctx, f.In, waiting, silent)
	if errors.Is(err, errSilent) {
		f.Say("nothing came on standard input; going on without it")
		return "", nil
	}
	return more, err
}

// piped reports whether stdin is a pipe or a file. A terminal, /dev/null and a closed
// stdin have nothing to say.
func piped(f *factory.Factory) bool {
	file, ok := f.In.(*os.File)
	if !ok {
		return f.In != nil && !factory.IsTTY(f.InTTY)
	}
	info, err := file.Stat()
	return err == nil && (info.Mode().IsRegular() || info.Mode()&os.ModeNamedPipe != 0)
}

// readText reads the message from stdin.
func readText(ctx context.Context, f *factory.Factory) (string, error) {
	waiting := time.AfterFunc(silence, func() { f.Say("reading standard input; Ctrl-D or </dev/null ends it") })
	defer waiting.Stop()
	return readAll(ctx, f.In, waiting, nil)
}

var errSilent = errors.New("nothing came")

// readAll reads in to its end, or until silent is closed, which waiting does that is
// stopped by the first byte. Reading cannot be interrupted: at the end of ctx the reader is
// left behind, and the process is about to end.
func readAll(ctx context.Context, in io.Reader, waiting *time.Timer, silent <-chan struct{}) (string, error) {
	type answer struct {
		data []byte
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		data, err := io.ReadAll(io.LimitReader(heard{in, waiting}, maxText+1))
		got <- answer{data, err}
	}()
	var a answer
	select {
	case a = <-got:
	case <-silent:
		return "", errSilent
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if a.err != nil {
		return "", fault.Newf(fault.Internal, "read the message from stdin: %w", a.err)
	}
	if len(a.data) > maxText {
		return "", fault.New(fault.Usage, "the message on stdin is longer than 1 MiB", "put it into a workspace and name the file")
	}
	return strings.TrimSpace(string(a.data)), nil
}

// heard stops the timer as soon as something was read.
type heard struct {
	io.Reader
	waiting *time.Timer
}

// Read implements io.Reader.
func (h heard) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if n > 0 {
		h.waiting.Stop()
	}
	return n, err
}
