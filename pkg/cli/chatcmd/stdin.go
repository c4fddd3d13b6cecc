package chatcmd

import (
	"context"
	"io"
	"os"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// maxText bounds a message read from stdin, in bytes.
const maxText = 4 << 20

// silence is how long stdin may say nothing until the person is told what is waited for.
const silence = 3 * time.Second

// beside returns the text with what stdin holds behind it, an empty line between them,
// where stdin is a pipe or a file.
func beside(ctx context.Context, f *factory.Factory, text string) (string, error) {
	if !piped(f) {
		return text, nil
	}
	more, err := readText(ctx, f)
	if err != nil || more == "" {
		return text, err
	}
	return strings.TrimSpace(text) + "\n\n" + more, nil
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

// readText reads stdin to its end. Reading cannot be interrupted: at the end of ctx the
// reader is left behind, and the process is about to end.
func readText(ctx context.Context, f *factory.Factory) (string, error) {
	waiting := time.AfterFunc(silence, func() { f.Say("reading standard input; Ctrl-D or </dev/null ends it") })
	defer waiting.Stop()
	type answer struct {
		data []byte
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		data, err := io.ReadAll(io.LimitReader(heard{f.In, waiting}, maxText+1))
		got <- answer{data, err}
	}()
	var a answer
	select {
	case a = <-got:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if a.err != nil {
		return "", fault.Newf(fault.Internal, "read the message from stdin: %w", a.err)
	}
	if len(a.data) > maxText {
		return "", fault.New(fault.Usage, "the message on stdin is longer than 4 MiB", "put it into a workspace and name the file")
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
