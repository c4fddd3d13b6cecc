package factory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// person is the other side of a terminal.
type person struct {
	t    *testing.T
	f    *os.File
	seen string
}

// newTerminal returns a terminal and the person in front of it.
func newTerminal(t *testing.T) (*tty, *person) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	conn, err := master.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	err = errors.Join(conn.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	}), err)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	if err := master.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &tty{slave}, &person{t: t, f: master}
}

// reads waits until the terminal shows text.
func (p *person) reads(text string) {
	buf := make([]byte, 4096)
	for !strings.Contains(p.seen, text) {
		n, err := p.f.Read(buf)
		if err != nil {
			p.t.Errorf("never saw %q in %q: %v", text, p.seen, err)
			return
		}
		p.seen += string(buf[:n])
	}
}

func (p *person) types(keys string) {
	if _, err := io.WriteString(p.f, keys); err != nil {
		p.t.Error(err)
	}
}

// asks runs ask and does what the person does, and returns what ask returned.
func asks(t *testing.T, does func(), ask func() error) error {
	t.Helper()
	got := make(chan error, 1)
	go func() { got <- ask() }()
	does()
	select {
	case err := <-got:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("the question hangs")
		return nil
	}
}

func TestQuestions(t *testing.T) {
	t.Parallel()
	const ctrlD = "\x04"
	for name, c := range map[string]struct {
		keys, want string
		ended      bool
	}{
		"a line":                 {"horse\n", "horse", false},
		"a corrected line":       {"horze\x7f\x7fse\n", "horse", false},
		"an empty line":          {"\n", "", false},
		"the end in a line":      {"horse" + ctrlD, "horse", false},
		"the end of the input":   {ctrlD, "", true},
		"the end after deleting": {"h\x7f" + ctrlD, "", true},
	} {
		for _, secret := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s secret=%t", name, secret), func(t *testing.T) {
				t.Parallel()
				term, p := newTerminal(t)
				f := &Factory{Terminal: func() (Terminal, error) { return term, nil }}
				var answer string
				err := asks(t, func() { p.reads("Word: "); p.types(c.keys) }, func() (err error) {
					if !secret {
						answer, err = f.Ask(t.Context(), "Word: ", "use --yes")
						return err
					}
					word, err := f.AskSecret(t.Context(), "Word: ", "use --yes")
					answer = string(word)
					return err
				})
				if answer != c.want {
					t.Errorf("answer %q, want %q", answer, c.want)
				}
				if !c.ended {
					if err != nil {
						t.Error(err)
					}
				} else if !fault.Is(err, fault.Usage) || fault.HintOf(err) != "use --yes" {
					t.Errorf("error %v, hint %q", err, fault.HintOf(err))
				}
			})
		}
	}
}

func echoes(t *testing.T, f *os.File) bool {
	t.Helper()
	conn, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var mode *unix.Termios
	if cerr := conn.Control(func(fd uintptr) { mode, err = unix.IoctlGetTermios(int(fd), unix.TCGETS) }); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	return mode.Lflag&unix.ECHO != 0
}

// A secret is not shown, and Ctrl-C leaves a terminal that shows what is typed.
func TestSecretLeavesTheTerminalAsItWas(t *testing.T) {
	t.Parallel()
	term, p := newTerminal(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := fault.New(fault.Interrupted, "interrupted", "")
	var hidden bool
	err := asks(t, func() {
		p.reads("Word: ")
		hidden = !echoes(t, p.f)
		cancel(interrupted)
	}, func() error {
		_, err := term.Secret(ctx, "Word: ")
		return err
	})
	if !errors.Is(err, interrupted) {
		t.Errorf("error %v", err)
	}
	if !hidden || !echoes(t, p.f) {
		t.Errorf("hidden while asking: %t; shown after: %t", hidden, echoes(t, p.f))
	}
}
