package cli_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/keys"
)

// setUp gives the installation a key.
func (b *bench) setUp() {
	b.t.Helper()
	_, s, err := b.f.OpenKeys()
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := s.Create(b.t.Context(), keys.With{Passphrase: []byte("horse")}); err != nil {
		b.t.Fatal(err)
	}
}

func TestConversationKeepsItsSessionAndContainer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.setUp()
	b.f.In = strings.NewReader("first quiet\n\nfail\nsecond quiet\n")
	if code := b.run("chat", "--plain", "-w", "personal:ro", "--model", "m"); code != 0 {
		t.Errorf("exit code %d", code)
	}
	want(t, b.out.String(), "you said: first quiet\nyou said: second quiet\n")
	if got := b.err.String(); !strings.Contains(got, "> > The agent works; Ctrl-C stops it.\nvexa: warning: the turn failed: the agent exited with code 3\n> The agent works; Ctrl-C stops it.\nThe turn is done; it is yours to write.\n> ") {
		t.Errorf("stderr %q", got)
	}
	if got := b.err.String(); !strings.HasSuffix(got, "> \ncome back with: vexa chat --session "+b.daemon.Starts()[1].Session+"\n") {
		t.Errorf("stderr %q", got)
	}
	starts := b.daemon.Starts()
	if len(starts) != 3 {
		t.Fatalf("%d turns", len(starts))
	}
	keys := map[string]bool{}
	for i, s := range starts {
		keys[s.Key] = true
		if (s.Session != "") != (i > 0) || s.Limits == nil || *s.Limits.IdleSec != 300 || s.Model != "m" || s.Workspaces[0].Mode != "ro" {
			t.Errorf("turn %d: %+v", i, s)
		}
	}
	if len(keys) != 3 {
		t.Errorf("keys %v", keys)
	}
	list, err := mustClient(t, b).Dispatches(t.Context(), true)
	if err != nil || len(list) != 1 || list[0].Turns != 3 {
		t.Errorf("dispatches %+v, %v", list, err)
	}
}

// A runner that keeps no session has its next message in another, and nothing to come back to.
func TestConversationWithARunnerThatKeepsNoSession(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.setUp()
	b.daemon.Forgetful = true
	b.f.In = strings.NewReader("first quiet\nsecond quiet\n")
	if code := b.run("chat", "--plain"); code != 0 {
		t.Errorf("exit code %d: %s", code, b.err.String())
	}
	want(t, b.out.String(), "you said: first quiet\nyou said: second quiet\n")
	said := b.err.String()
	if !strings.Contains(said, "keeps no session: it begins anew.\n") || strings.Contains(said, "come back with") {
		t.Errorf("stderr %q", said)
	}
	if starts := b.daemon.Starts(); len(starts) != 2 || starts[1].Session != "" || starts[0].Key == starts[1].Key {
		t.Errorf("%+v", starts)
	}
}

// Where nothing is set up, a conversation asks what vexa init asks, and begins.
func TestAConversationSetsUpFirst(t *testing.T) {
	t.Parallel()
	b := newUnset(t)
	b.f.In = strings.NewReader("quiet\n")
	a := b.answer("horse", "horse", "2")
	if code := b.run("chat", "--plain"); code != 0 {
		t.Fatalf("exit code %d: %s", code, b.err.String())
	}
	if len(a.asked) != 3 || !strings.Contains(b.err.String(), "Nothing is set up here yet.") || !strings.HasSuffix(b.out.String(), "you said: quiet\n") {
		t.Errorf("asked %q, said %q %q", a.asked, b.err.String(), b.out.String())
	}
}

func TestCommandsOfAConversation(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.setUp()
	b.f.In = strings.NewReader("/help\n/udno\n/frobnicate now\none quiet\n/undo\n/new\n/etc/hosts quiet\n /x quiet\na \\\nb quiet\n/quit\nnever\n")
	if code := b.run("chat", "--plain"); code != 0 {
		t.Errorf("exit code %d", code)
	}
	said := b.err.String()
	for _, text := range []string{
		"\n/undo  take back", "there is no command /udno (did you mean /undo? see all: /help", "there is no command /frobnicate (see all: /help",
		"\n/review [note]  personal: Review a note", "\n1 file of no use, see: vexa workspace commands personal\n",
		"took back 1 commit of personal", "The next message begins another session.",
	} {
		if !strings.Contains(said, text) {
			t.Errorf("never said %q: %q", text, said)
		}
	}
	starts := b.daemon.Starts()
	var texts []string
	for _, s := range starts {
		texts = append(texts, s.Text)
	}
	want(t, strings.Join(texts, "|"), "one quiet|/etc/hosts quiet|/x quiet|a \nb quiet")
	if starts[1].Session != "" || starts[2].Session == "" || starts[3].Session != starts[2].Session {
		t.Errorf("sessions of %+v", starts)
	}
	if !strings.HasSuffix(said, "come back with: vexa chat --session "+starts[2].Session+"\n") {
		t.Errorf("ended with %q", said)
	}
}

// Ctrl-C drops a message that was begun; at the empty prompt it ends the conversation.
func TestCtrlCEndsAConversationAtItsPrompt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.setUp()
	r, w := io.Pipe()
	b.f.In = r
	code := make(chan int, 1)
	go func() { code <- b.run("chat", "--plain") }()
	if _, err := io.WriteString(w, "one quiet\nnever \\\n"); err != nil {
		t.Fatal(err)
	}
	b.err.waitFor(t, "> . ")
	b.ctrlC <- struct{}{}
	b.err.waitFor(t, "> . \n> ")
	if _, err := io.WriteString(w, "two quiet\n"); err != nil {
		t.Fatal(err)
	}
	b.out.waitFor(t, "you said: two quiet\n")
	b.err.waitFor(t, "yours to write.\n> . \n> The agent works; Ctrl-C stops it.\nThe turn is done; it is yours to write.\n> ")
	b.ctrlC <- struct{}{}
	if c := <-code; c != 0 {
		t.Errorf("exit code %d", c)
	}
	if said := b.err.String(); !strings.HasSuffix(said, "\ncome back with: vexa chat --session "+b.daemon.Starts()[1].Session+"\n") {
		t.Errorf("ended with %q", said)
	}
}

// Only a pipe or a file adds to the text of -p, and what is too long is refused.
func TestStdinBehindAPrompt(t *testing.T) {
	t.Parallel()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	closed, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = w.Close(), null.Close() })
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("a line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	for _, c := range []struct {
		in   io.Reader
		code int
		text string
	}{
		{null, 0, "quiet"},
		{closed, 0, "quiet"},
		{log, 0, "quiet\n\na line"},
		{strings.NewReader(" \n"), 0, "quiet"},
		{strings.NewReader(strings.Repeat("x", 1<<20+1)), 2, ""},
	} {
		for _, args := range [][]string{{"chat", "-p", "quiet"}, {"run", "quiet"}} {
			b := newBench(t)
			b.f.InTTY, b.f.In = nil, c.in
			if seek, ok := c.in.(io.Seeker); ok {
				_, _ = seek.Seek(0, io.SeekStart) // the others cannot
			}
			if code := b.run(args...); code != c.code {
				t.Fatalf("%q: exit code %d: %s", args, code, b.err.String())
			}
			if c.code != 0 {
				if !strings.Contains(b.err.String(), "longer than 1 MiB") {
					t.Errorf("stderr %q", b.err.String())
				}
				continue
			}
			want(t, b.daemon.Starts()[0].Text, c.text)
		}
	}
}

// What other programs call a command is understood, too.
func TestOtherNamesOfCommandsOfAConversation(t *testing.T) {
	t.Parallel()
	for _, leave := range []string{"/exit", "/Q"} {
		b := newBench(t)
		b.setUp()
		b.f.In = strings.NewReader("one quiet\n/clear\ntwo quiet\n" + leave + "\nnever\n")
		if code := b.run("chat", "--plain"); code != 0 {
			t.Errorf("exit code %d", code)
		}
		if starts := b.daemon.Starts(); len(starts) != 2 || starts[1].Session != "" {
			t.Errorf("%s: %+v", leave, starts)
		}
	}
}
