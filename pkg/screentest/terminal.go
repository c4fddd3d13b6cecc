package screentest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Options are how a terminal begins.
type Options struct {
	Command    []string // the program and its arguments
	Dir        string   // where it runs; empty for here
	Env        []string // its environment; TERM and COLORTERM are a modern terminal's unless it says otherwise
	Cols, Rows int      // 80 × 24 where they are 0
	Light      bool     // a light background
	Speaks     Speaks   // which questions it answers
}

// hangUpWithin is how long a program may take to leave after its terminal is gone.
const hangUpWithin = 10 * time.Second

// Terminal is a terminal with a program on it. Its methods are safe for use by
// several goroutines at once.
type Terminal struct {
	cmd    *exec.Cmd
	master *os.File
	keys   *queue
	before unix.Termios
	closed func() error

	mu      sync.Mutex
	model   *model
	raw     []byte
	changed chan struct{} // closed, and another made, whenever something has changed
	drained bool          // nothing more comes
	exited  bool
	code    int
	after   unix.Termios
}

// Start starts the program on a terminal. Close ends both.
func Start(o Options) (*Terminal, error) {
	if o.Cols == 0 || o.Rows == 0 {
		o.Cols, o.Rows = 80, 24
	}
	if len(o.Command) == 0 {
		return nil, errors.New("no program to start")
	}
	master, slave, err := openPTY(o.Cols, o.Rows)
	if err != nil {
		return nil, fmt.Errorf("a pseudo-terminal: %w", err)
	}
	t := &Terminal{master: master, keys: newQueue(), changed: make(chan struct{})}
	t.model = newModel(o, t.keys.put)
	t.closed = sync.OnceValue(t.close)
	t.cmd = exec.Command(o.Command[0], o.Command[1:]...)
	t.cmd.Dir, t.cmd.Stdin, t.cmd.Stdout, t.cmd.Stderr = o.Dir, slave, slave, slave
	t.cmd.Env = append([]string{"TERM=xterm-256color", "COLORTERM=truecolor"}, o.Env...)
	t.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if t.before, err = lineMode(slave); err == nil {
		err = startHangable(t.cmd)
	}
	if err != nil {
		slave.Close()
		master.Close()
		t.model.close()
		return nil, err
	}
	go t.keys.write(master)
	go t.read()
	go t.reap(slave)
	return t, nil
}

// startHangable starts a program that ends when its terminal is closed, also where this
// process was started with hang-ups ignored (nohup), which programs inherit.
func startHangable(cmd *exec.Cmd) error {
	handled := make(chan os.Signal, 1)
	signal.Notify(handled, syscall.SIGHUP) // what has a handler is given to a program as its default
	defer signal.Stop(handled)
	return cmd.Start()
}

// read feeds the model until the last process that holds the terminal has let go.
func (t *Terminal) read() {
	for {
		data, err := readAll(t.master, 1<<20)
		t.mu.Lock()
		t.raw = append(t.raw, data...)
		t.model.feed(data)
		if err != nil {
			t.model.flush()
			t.drained = true
		}
		t.wake()
		t.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// reap waits for the program. It holds the program's end until then, as a shell does,
// so that what the program did to it can be seen.
func (t *Terminal) reap(slave *os.File) {
	err := t.cmd.Wait()
	after, terr := lineMode(slave)
	slave.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.exited, t.code, t.after = true, t.cmd.ProcessState.ExitCode(), after
	if terr != nil {
		t.after = t.before
	}
	if status, ok := t.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		t.code = 128 + int(status.Signal()) // as shells say it
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.code = -1
	}
	t.wake()
}

// wake tells who waits. The caller holds mu.
func (t *Terminal) wake() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// Screen is what is shown now.
func (t *Terminal) Screen() Screen {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.model.screen()
}

// Raw is every byte that came from the program.
func (t *Terminal) Raw() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.raw)
}

// Seen is what the program did beyond writing on the screen.
func (t *Terminal) Seen() Seen {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.model.seen
	s.Titles, s.Clipboard = slices.Clone(s.Titles), slices.Clone(s.Clipboard)
	s.Notifications, s.Links = slices.Clone(s.Notifications), slices.Clone(s.Links)
	return s
}

// Unknown are the sequences that the model does not know: where there are any, what
// it shows may not be what a terminal would.
func (t *Terminal) Unknown() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.model.unknown)
}

// Unrestored lists what a program has changed of the terminal and not put back. It is
// asked after [Terminal.Exit].
func (t *Terminal) Unrestored() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	left := t.model.left()
	if t.exited {
		left = append(left, differ(t.before, t.after)...)
	}
	return left
}

// Wait waits until the screen is as is says, and returns it. It fails where that has
// not come within a time, and at once where the program has ended without it.
func (t *Terminal) Wait(within time.Duration, is func(Screen) bool) (Screen, error) {
	var last Screen
	err := t.until(within, func() (bool, error) {
		t.mu.Lock()
		last = t.model.screen()
		gone, code := t.exited && t.drained, t.code
		t.mu.Unlock()
		switch {
		case is(last): // which may ask the terminal for more
			return true, nil
		case gone:
			return false, fmt.Errorf("the program ended with code %d before", code)
		default:
			return false, nil
		}
	})
	return last, err
}

// Exit waits until the program has ended and all that it wrote is shown. It returns
// the program's exit code, 128 and the signal's number where a signal ended it.
func (t *Terminal) Exit(within time.Duration) (code int, err error) {
	err = t.until(within, t.isGone)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil && t.exited {
		err = fmt.Errorf("the program ended with code %d, and another process holds its terminal", t.code)
	}
	return t.code, err
}

// until waits until done says so, which is asked again whenever something changed.
func (t *Terminal) until(within time.Duration, done func() (bool, error)) error {
	late := time.NewTimer(within)
	defer late.Stop()
	for {
		t.mu.Lock()
		changed, held := t.changed, len(t.model.held) // before it is asked, lest a change be missed
		t.mu.Unlock()
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-late.C:
			if held > 0 {
				return fmt.Errorf("not within %s, and %d bytes are of a frame that never ended", within, held)
			}
			return fmt.Errorf("not within %s", within)
		}
	}
}

// Resize gives the terminal another size, as a person who drags its corner.
func (t *Terminal) Resize(cols, rows int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.model.resize(cols, rows)
	t.wake()
	return setSize(t.master, cols, rows)
}

// Send types text and presses keys, in order: an argument in angle brackets is a key
// ("<enter>", "<ctrl+c>", "<shift+tab>"), any other is typed as it is.
func (t *Terminal) Send(what ...string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []byte
	for _, w := range what {
		keys, err := t.model.encode(w)
		if err != nil {
			return err
		}
		out = append(out, keys...)
	}
	t.keys.put(out)
	return nil
}

// Type sends bytes as they are.
func (t *Terminal) Type(raw []byte) { t.keys.put(bytes.Clone(raw)) }

// Paste pastes text, told apart from what is typed where the program asked for that.
func (t *Terminal) Paste(text string) {
	t.mu.Lock()
	bracketed := t.model.modes[2004]
	t.mu.Unlock()
	if !bracketed {
		t.keys.put([]byte(strings.ReplaceAll(text, "\n", "\r")))
		return
	}
	text = strings.ReplaceAll(text, "\x1b[201~", "") // no terminal lets a paste end itself
	t.keys.put([]byte("\x1b[200~" + text + "\x1b[201~"))
}

// Close hangs up, as a window that is closed does, and waits until the program is gone.
// One that stays is killed, and is an error.
func (t *Terminal) Close() error { return t.closed() }

func (t *Terminal) close() error {
	t.keys.close()
	t.master.Close() // the kernel tells the program's session, and read ends
	err := t.until(hangUpWithin, t.isGone)
	if err != nil {
		_ = syscall.Kill(-t.cmd.Process.Pid, syscall.SIGKILL)
		err = errors.Join(errors.New("the program stayed when its terminal was closed"), t.until(hangUpWithin, t.isGone))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.model.close()
	return err
}

func (t *Terminal) isGone() (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.exited && t.drained, nil
}

var _ io.Closer = (*Terminal)(nil)
