// Package plugin runs age plugins: programs that keep keys where age itself
// does not reach, in hardware above all. It speaks the protocol of C2SP
// (age-plugin.md) with a program that is named by its absolute path.
//
// The client that comes with age looks the program up on the PATH, and prints
// the file's key to standard error where a variable of the environment says so.
// Neither is acceptable where a key of everything is opened.
package plugin

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// Program is a plugin: its name, as in age1NAME1…, and the absolute path of its
// program.
type Program struct{ Name, Path string }

// How long a plugin may take: to encrypt, which asks nobody, and to end when it
// is done.
const (
	wrapTime = 30 * time.Second
	endTime  = 2 * time.Second
)

// check refuses a program that somebody else could have put there. Links are
// followed: what counts is what would run.
func (p Program) check() error {
	const hint = "put its path right in config/plugins.json"
	if !filepath.IsAbs(p.Path) {
		return fault.New(fault.Invalid, "the path of the plugin "+p.Name+" is not absolute: "+p.Path, hint)
	}
	st, err := os.Stat(p.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.NotFound, "there is no plugin "+p.Name+" at "+p.Path, "install it, or "+hint)
	}
	if err != nil {
		return &fault.Error{Kind: fault.Internal, Msg: "look at the plugin " + p.Name, Err: err, Hint: hint}
	}
	var owner unix.Stat_t
	if err := unix.Stat(p.Path, &owner); err != nil {
		return fault.Wrap(fault.Internal, "look at the plugin "+p.Path, err)
	}
	switch mode := st.Mode(); {
	case !mode.IsRegular() || mode&0o111 == 0:
		return fault.New(fault.Invalid, "the plugin "+p.Path+" is no program", hint)
	case mode&0o022 != 0 || owner.Uid != 0 && int(owner.Uid) != os.Getuid():
		return fault.New(fault.Denied, "others can change the plugin "+p.Path, "give it to root or to yourself: chmod go-w "+p.Path)
	}
	return p.checkFolders()
}

// checkFolders refuses a program in whose place everybody could put another.
func (p Program) checkFolders() error {
	path, err := filepath.EvalSymlinks(p.Path)
	if err != nil {
		return fault.Wrap(fault.Internal, "look at the plugin "+p.Path, err)
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		st, err := os.Stat(dir)
		if err != nil {
			return fault.Wrap(fault.Internal, "look at the plugin "+p.Path, err)
		}
		if st.Mode()&0o002 != 0 && st.Mode()&fs.ModeSticky == 0 {
			return fault.New(fault.Denied, "others can replace the plugin "+p.Path+": everybody can write to "+dir, "keep it elsewhere, or: chmod o-w "+dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// session is a running plugin. It is used by one goroutine.
type session struct {
	in  io.Writer
	out *bufio.Reader
}

// run starts the program in one of its state machines, has the conversation and
// waits for its end. The program is killed when stop is closed and where the
// conversation fails.
func (p Program) run(machine string, stop <-chan struct{}, talk func(session) error) error {
	if err := p.check(); err != nil {
		return err
	}
	var words tail
	cmd := &exec.Cmd{Path: p.Path, Args: []string{p.Path, "--age-plugin=" + machine}, Dir: "/", Stderr: &words, WaitDelay: endTime}
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		return fault.Wrap(fault.Internal, "start the plugin "+p.Name, err)
	}
	kill := func() { _ = cmd.Process.Kill() } // it may have ended
	talked := make(chan struct{})
	go func() {
		select {
		case <-stop:
			kill()
		case <-talked:
		}
	}()
	err := talk(session{in: in, out: bufio.NewReaderSize(out, maxLine)})
	close(talked)
	if err != nil {
		kill()
	}
	in.Close()
	late := time.AfterFunc(endTime, kill)
	defer late.Stop()
	_ = cmd.Wait() // what it did was said before
	return p.explain(err, words.String())
}

// explain classifies what ended a conversation, with what the program said
// outside of it.
func (p Program) explain(err error, words string) error {
	var known *fault.Error
	if err == nil || errors.As(err, &known) || errors.Is(err, age.ErrIncorrectIdentity) {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, unix.EPIPE) {
		err = errors.New("it ended early")
	}
	if words != "" {
		err = fmt.Errorf("%w (%s)", err, words)
	}
	return &fault.Error{Kind: fault.Internal, Msg: "the plugin " + p.Name + " does not work", Err: err, Hint: "try it by itself: " + p.Path}
}

func (s session) say(kind string, body []byte, args ...string) error {
	_, err := s.in.Write(stanza{kind, args, body}.encode())
	return err
}

// tail keeps the end of what is written to it.
type tail struct{ data []byte }

const tailSize = 1 << 10

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	t.data = t.data[max(0, len(t.data)-tailSize):]
	return len(p), nil
}

// String returns it on one line.
func (t *tail) String() string { return strings.Join(strings.Fields(string(t.data)), " ") }
