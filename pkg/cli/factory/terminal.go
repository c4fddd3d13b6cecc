package factory

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// Terminal asks a person. An answer that does not come, since the input of the
// terminal ended (Ctrl-D, or nobody is there), is io.EOF; where ctx ends first
// the error is its cause.
type Terminal interface {
	// Ask prints the question and returns one line, without its end.
	Ask(ctx context.Context, question string) (string, error)
	// Secret is Ask without echo. The caller overwrites the answer.
	Secret(ctx context.Context, question string) ([]byte, error)
	io.Closer
}

// OpenTerminal opens the controlling terminal of this process.
func OpenTerminal() (Terminal, error) { //nolint:iface // tests have another terminal
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &tty{f}, nil
}

// tty is a terminal that edits its lines: a read returns one whole line.
type tty struct{ f *os.File }

var _ Terminal = (*tty)(nil)

func (t *tty) Ask(ctx context.Context, question string) (string, error) {
	line, err := t.ask(ctx, question)
	return string(line), err
}

func (t *tty) Secret(ctx context.Context, question string) ([]byte, error) {
	restore, err := t.hide()
	if err != nil {
		return nil, err
	}
	line, err := t.ask(ctx, question)
	_, _ = io.WriteString(t.f, "\n") // the person's own line end was not echoed
	return line, errors.Join(err, restore())
}

// maxLine is the longest line that a terminal of Linux gives, in bytes.
const maxLine = 4096

func (t *tty) ask(ctx context.Context, question string) ([]byte, error) {
	if _, err := io.WriteString(t.f, plain.Text(question)); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = t.f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	line := make([]byte, maxLine)
	n, err := t.f.Read(line)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return bytes.TrimRight(line[:n], "\r\n"), err
}

// hide turns the echo off until restore is called.
func (t *tty) hide() (restore func() error, err error) {
	conn, err := t.f.SyscallConn() // Fd would make the file block, and deaf to its deadline
	if err != nil {
		return nil, err
	}
	var before unix.Termios
	change := func(do func(fd int) error) error {
		var derr error
		return errors.Join(conn.Control(func(fd uintptr) { derr = do(int(fd)) }), derr)
	}
	err = change(func(fd int) error {
		now, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err != nil {
			return err
		}
		before = *now
		now.Lflag &^= unix.ECHO
		now.Lflag |= unix.ICANON | unix.ISIG
		now.Iflag |= unix.ICRNL
		return unix.IoctlSetTermios(fd, unix.TCSETS, now)
	})
	return func() error {
		return change(func(fd int) error { return unix.IoctlSetTermios(fd, unix.TCSETS, &before) })
	}, err
}

func (t *tty) Close() error { return t.f.Close() }

// AskSecret asks for a secret on the terminal. instead says what to do where
// nobody answers: it names the flag that does without the question.
func (f *Factory) AskSecret(ctx context.Context, question, instead string) (secret []byte, err error) {
	err = f.onTerminal(instead, func(t Terminal) error {
		secret, err = t.Secret(ctx, question)
		return err
	})
	return secret, err
}

// Ask asks for one line on the terminal; for instead see AskSecret.
func (f *Factory) Ask(ctx context.Context, question, instead string) (answer string, err error) {
	err = f.onTerminal(instead, func(t Terminal) error {
		answer, err = t.Ask(ctx, question)
		return err
	})
	return answer, err
}

// Confirm asks a question of yes or no on the terminal; an empty answer is as
// otherwise says. For instead see AskSecret.
func (f *Factory) Confirm(ctx context.Context, question, instead string, otherwise bool) (bool, error) {
	answer, err := f.Ask(ctx, question, instead)
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "":
		return otherwise, err
	case "y", "yes":
		return true, err
	default:
		return false, err
	}
}

// onTerminal gives ask the terminal. A question without an answer is
// fault.Usage: the command line has to say what the person does not.
func (f *Factory) onTerminal(instead string, ask func(Terminal) error) error {
	t, err := f.Terminal()
	if err != nil {
		return &fault.Error{Kind: fault.Usage, Msg: "there is no terminal to ask on", Hint: instead, Err: err}
	}
	defer t.Close()
	defer f.pause()()
	err = ask(t)
	var classified *fault.Error
	switch {
	case errors.Is(err, io.EOF):
		return fault.New(fault.Usage, "nobody answered the question: the terminal's input has ended", instead)
	case err != nil && !errors.As(err, &classified):
		return &fault.Error{Kind: fault.Internal, Msg: "ask on the terminal", Hint: instead, Err: err}
	default:
		return err
	}
}
