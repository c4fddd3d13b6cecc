package chatcmd

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
)

// errCtrlC says that Ctrl-C came in place of a line.
var errCtrlC = errors.New("interrupted at the prompt")

// lines reads a terminal line by line. Reading cannot be interrupted: a line that nobody
// waits for any more is the answer to the next question.
type lines struct {
	r       *bufio.Reader
	pending chan line // nil: nothing is being read
}

type line struct {
	text string
	err  error
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReader(r)} }

// next returns a line without its end, errCtrlC at a Ctrl-C and the cause of ctx at its
// end. The end of the input is io.EOF.
func (l *lines) next(ctx context.Context, f *factory.Factory) (string, error) {
	pressed := make(chan struct{}, 1)
	defer f.OnInterrupt(func() {
		select {
		case pressed <- struct{}{}:
		default: // it is told already
		}
	})()
	if l.pending == nil {
		got := make(chan line, 1)
		l.pending = got
		go func() {
			text, err := l.r.ReadString('\n')
			if errors.Is(err, io.EOF) && text != "" {
				err = nil
			}
			got <- line{strings.TrimRight(text, "\r\n"), err}
		}()
	}
	select {
	case got := <-l.pending:
		l.pending = nil
		return got.text, got.err
	case <-pressed:
		return "", errCtrlC
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}
