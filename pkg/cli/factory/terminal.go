package factory

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// Terminal asks a person.
type Terminal interface {
	// Ask prints the question and returns one line, without its end.
	Ask(question string) (string, error)
	// Secret is Ask without echo. The caller overwrites the answer.
	Secret(question string) ([]byte, error)
	io.Closer
}

// OpenTerminal opens the controlling terminal of this process.
func OpenTerminal() (Terminal, error) { //nolint:iface // tests have another terminal
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, fault.Newf(fault.Usage, "there is no terminal to ask on: %w", err)
	}
	return &tty{f: f, r: bufio.NewReader(f)}, nil
}

type tty struct {
	f *os.File
	r *bufio.Reader
}

var _ Terminal = (*tty)(nil)

func (t *tty) Ask(question string) (string, error) {
	if _, err := io.WriteString(t.f, plain.Text(question)); err != nil {
		return "", err
	}
	line, err := t.r.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fault.Newf(fault.Internal, "read the answer: %w", err)
	}
	if err != nil && line == "" {
		return "", fault.New(fault.Interrupted, "no answer", "")
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func (t *tty) Secret(question string) ([]byte, error) {
	if _, err := io.WriteString(t.f, plain.Text(question)); err != nil {
		return nil, err
	}
	secret, err := term.ReadPassword(int(t.f.Fd()))
	_, _ = fmt.Fprintln(t.f) // the person's own line end was not echoed
	if errors.Is(err, io.EOF) {
		return nil, fault.New(fault.Interrupted, "no answer", "")
	}
	return secret, err
}

func (t *tty) Close() error { return t.f.Close() }
