package cli_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/client/clienttest"
	"github.com/vexa-ai/vexa/pkg/home"
)

// bench is a command line in this process, on terminals that are buffers.
type bench struct {
	t      *testing.T
	daemon *clienttest.Daemon
	f      *cli.Factory
	out    *buffer
	err    *buffer
	ctrlC  chan struct{}
	hold   func(*http.Request) // called before the daemon answers
}

// buffer is a terminal's screen.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// waitFor waits until the screen holds text.
func (b *buffer) waitFor(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(b.String(), text) {
		select {
		case <-deadline:
			t.Fatalf("never saw %q in %q", text, b.String())
		case <-tick.C:
		}
	}
}

// answers is a terminal that gives prepared answers.
type answers struct {
	given []string
	asked []string
}

func (a *answers) Ask(_ context.Context, question string) (string, error) {
	a.asked = append(a.asked, question)
	if len(a.given) == 0 {
		return "", io.EOF
	}
	answer := a.given[0]
	a.given = a.given[1:]
	return answer, nil
}

func (a *answers) Secret(ctx context.Context, question string) ([]byte, error) {
	s, err := a.Ask(ctx, question)
	return []byte(s), err
}

func (*answers) Close() error { return nil }

// newBench returns a command line on terminals, with an in-memory daemon.
func newBench(t *testing.T) *bench {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "vx")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, daemon: clienttest.New(socket, dir), out: &buffer{}, err: &buffer{}, ctrlC: make(chan struct{})}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b.hold != nil {
			b.hold(r)
		}
		b.daemon.ServeHTTP(w, r)
	})}
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(l) })
	t.Cleanup(func() {
		_ = srv.Close()
		wg.Wait()
	})
	yes := func() bool { return true }
	b.f = &cli.Factory{
		In: strings.NewReader(""), Out: b.out, Err: b.err, InTTY: yes, OutTTY: yes, ErrTTY: yes,
		Env: func(name string) string { return map[string]string{"NO_COLOR": "1"}[name] }, Now: func() time.Time { return clienttest.Epoch().Add(90 * time.Minute) },
		Version: factory.Version{Version: "test"}, SlowAfter: time.Hour,
		Home:       func() (home.Home, error) { return home.Home{Data: dir, Run: dir, Config: dir, State: dir}, nil },
		Client:     func(context.Context) (*client.Client, error) { return client.New(client.Options{Socket: socket}), nil },
		Interrupts: func() (<-chan struct{}, func()) { return b.ctrlC, func() {} },
		Keys:       testKeys, Contracts: fakeContracts{}, System: fakeSystem{}, UID: func() int { return 0 },
		Terminal: func() (factory.Terminal, error) { return &answers{}, nil },
	}
	return b
}

func (b *bench) run(args ...string) int {
	b.t.Helper()
	return cli.Execute(b.t.Context(), b.f, args)
}

// answer prepares what the person says when asked.
func (b *bench) answer(given ...string) *answers {
	a := &answers{given: given}
	b.f.Terminal = func() (factory.Terminal, error) { return a, nil }
	return a
}

func want(t *testing.T, got, want string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestChatOnATerminalShowsWhatTheAgentDoes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.f.Err = b.out // one screen
	if code := b.run("chat", "-p", "the tool, conflict and reject"); code != 0 {
		t.Errorf("exit code %d", code)
	}
	want(t, b.out.String(), `Let me write that down.
* write {"path":"note.md"}
! the tool failed: 7 bytes
you said: the tool, conflict and reject
! not saved: evil\x1b[2Jlink (a link out of the workspace)
! commit 9c0ffee1d2c3 is not in main of personal: it conflicts in note.md; see vexa proposal show personal 01JDX4A0000000000000000000
`)
}

// A file that is attached is in the message, as text; one that is none is refused before
// anything runs.
func TestAttachedFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log, photo := filepath.Join(dir, "build.log"), filepath.Join(dir, "photo.jpg")
	for name, data := range map[string]string{log: "line 7: @/etc/hostname\n", photo: "\xff\xd8\x00"} {
		if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := newBench(t)
	if code := b.run("chat", "-q", "-p", "quiet why", "--attach", log, "--attach", log); code != 0 {
		t.Errorf("exit code %d: %s", code, b.err)
	}
	block := "\n\n`build.log`, a file that I attach (23 bytes):\n\n```log\nline 7: @/etc/hostname\n```"
	want(t, b.daemon.Starts()[0].Text, "quiet why"+block+block)
	for _, c := range []struct {
		args []string
		code int
		err  string
	}{
		{[]string{"chat", "-p", "x", "--attach", photo}, 1, "photo.jpg is no text"},
		{[]string{"chat", "-p", "x", "--attach", filepath.Join(dir, "none")}, 3, "none"},
		{[]string{"chat", "--attach", log}, 2, "--attach needs -p"},
	} {
		b := newBench(t)
		if code := b.run(c.args...); code != c.code || !strings.Contains(b.err.String(), c.err) || len(b.daemon.Starts()) > 0 {
			t.Errorf("%q: exit code %d, %s", c.args, code, b.err)
		}
	}
}

// What is no session id is a usage error, on a terminal as in a pipe: no screen is drawn
// for it, and nothing is asked.
func TestWhatIsNoSessionIDOnATerminal(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if code := b.run("chat", "--session", "nope"); code != 2 {
		t.Errorf("exit code %d", code)
	}
	want(t, b.out.String(), "")
	want(t, b.err.String(), "vexa: error: \"nope\" is not a session id\nvexa: hint: see: vexa session list\n")
}

func TestQuietShowsOnlyTheReply(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if code := b.run("chat", "-q", "-p", "hello"); code != 0 {
		t.Errorf("exit code %d", code)
	}
	want(t, b.out.String(), "Let me write that down.\nyou said: hello\n")
	want(t, b.err.String(), "")
}

func mustClient(t *testing.T, b *bench) *client.Client {
	t.Helper()
	c, err := b.f.Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheSecondCtrlCLeavesAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.daemon.Deaf = true
	code := make(chan int, 1)
	go func() { code <- b.run("chat", "-p", "wait") }()
	b.out.waitFor(t, "waiting")
	b.ctrlC <- struct{}{}
	b.err.waitFor(t, "interrupting; waiting until what was written is saved (Ctrl-C again to leave)\n")
	select {
	case c := <-code:
		t.Fatalf("the first Ctrl-C ended the command with %d", c)
	default:
	}
	b.ctrlC <- struct{}{}
	if c := <-code; c != 130 {
		t.Errorf("exit code %d", c)
	}
	b.err.waitFor(t, "vexa: hint: see: vexa show 01JDX4A0000000000000000000\n")
	d, err := mustClient(t, b).Dispatch(t.Context(), "01")
	if err != nil || d.EndedAt != nil {
		t.Errorf("the dispatch ended with the command: %+v, %v", d, err)
	}
}

func TestCtrlCEndsACommandThatDoesNotHandleIt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if _, err := mustClient(t, b).Start(t.Context(), api.StartRequest{Text: "wait"}); err != nil {
		t.Fatal(err)
	}
	code := make(chan int, 1)
	go func() { code <- b.run("logs", "01", "--follow") }()
	b.out.waitFor(t, "turn-accepted")
	b.ctrlC <- struct{}{}
	if c := <-code; c != 130 {
		t.Errorf("exit code %d", c)
	}
}

func TestTheSecondCtrlCLeavesACommandThatIsStuck(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	called := make(chan struct{})
	b.f.Client = func(context.Context) (*client.Client, error) {
		close(called)
		select {} // it does not even look at its context
	}
	code := make(chan int, 1)
	go func() { code <- b.run("ps") }()
	<-called
	b.ctrlC <- struct{}{}
	b.ctrlC <- struct{}{}
	if c := <-code; c != 130 {
		t.Errorf("exit code %d", c)
	}
}

func TestTablesOnATerminal(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.run("chat", "-q", "-p", "hello")
	b.out.buf.Reset()
	b.run("ps", "-a")
	b.run("workspace", "log", "personal")
	b.run("workspace", "show", "personal")
	b.run("ps", "-a", "--json", "id,turns")
	want(t, b.out.String(), `UNIT                        STATE      RUNNER  TRIGGER  WORKSPACES   STARTED  REASON
01JDX4A0000000000000000000  destroyed  vexa    message  personal:rw  1h ago   completed
COMMIT        WHEN    SUBJECT  LAUNCHER     UNIT                        MESSAGE
9c0ffee1d2c3  1h ago  u_jane   user:u_jane  01JDX4A0000000000000000000  Write a note
3f2a91c0d4e5  1h ago  vexa                                              Create workspace personal
name:       personal
id:         ws_01jdx0personal
head:       3f2a91c0d4e5f60718293a4b5c6d7e8f90a1b2c3
files:      2
created:    2026-11-01T12:00:00Z
updated:    2026-11-01T12:00:00Z
encrypted:  false
generation: 0
[
  {
    "id": "01JDX4A0000000000000000000",
    "turns": 1
  }
]
`)
}

// A terminal never sees a control sequence that an agent wrote; a pipe gets
// every byte of a file.
func TestATerminalSeesNoControlSequences(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.run("chat", "-p", "hostile")
	for _, args := range [][]string{
		{"workspace", "cat", "personal", "note.md"},
		{"workspace", "diff", "personal"},
		{"workspace", "files", "personal"},
		{"workspace", "log", "personal"},
		{"workspace", "log", "personal", "--json", "message"},
		{"workspace", "log", "personal", "--json", "message", "--jq", ".[].message"},
		{"logs", "01"},
		{"logs", "01", "--json"},
		{"show", "01"},
		{"chat", "-p", "hostile", "--json"},
	} {
		if code := b.run(args...); code != 0 {
			t.Errorf("%q: exit code %d: %s", args, code, b.err.String())
		}
	}
	for name, screen := range map[string]string{"stdout": b.out.String(), "stderr": b.err.String()} {
		if i := strings.IndexAny(screen, "\x1b\a\u202e"); i >= 0 {
			t.Errorf("%s holds %q", name, screen[max(0, i-40):min(len(screen), i+20)])
		}
	}
	if code := b.run("workspace", "cat", "personal", "photo.jpg"); code != 2 {
		t.Errorf("a binary file on a terminal: exit code %d", code)
	}
}
