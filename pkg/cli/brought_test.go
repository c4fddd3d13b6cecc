package cli_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/api"
)

// texts are the messages that the daemon was sent so far.
func (b *bench) texts() []string {
	var list []string
	for _, s := range b.daemon.Starts() {
		list = append(list, s.Text)
	}
	return list
}

// with makes workspaces.
func (b *bench) with(names ...string) {
	b.t.Helper()
	for _, name := range names {
		if _, err := mustClient(b.t, b).CreateWorkspace(b.t.Context(), api.CreateWorkspace{Name: name}); err != nil {
			b.t.Fatal(err)
		}
	}
}

// A workspace's command sends its prompt, with what -p says in the places of it, and files
// of workspaces where the agent has them.
func TestChatSendsACommandOfAWorkspace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"chat", "--command", "review", "-p", "quiet.md"}, "Review quiet.md."},
		{[]string{"chat", "--command", "/Review", "-p", "'a quiet.md' b"}, "Review a quiet.md."},
		{[]string{"chat", "--command", "review"}, "Review ."},
		{[]string{"chat", "--command", "review", "-p", " "}, "Review ."},
		{[]string{"chat", "--command", "personal:review", "-p", "@personal:quiet.md"}, "Review @quiet.md."},
		{[]string{"chat", "--command", "review", "-p", "@handbook:quiet.md", "-w", "personal", "-w", "other:ro"}, ""},
		{[]string{"chat", "--command", "other:review", "-p", "@other:quiet.md", "-w", "personal", "-w", "other:ro"}, "Review /workspaces/ws_01jdx0other/quiet.md."},
		{[]string{"chat", "--command", "take", "-p", "me", "-w", "personal", "-w", "handbook"}, "Take @~/canary and @/proc/version, quiet; see /workspaces/ws_01jdx0handbook/house/rules.md for me"},
		{[]string{"chat", "--command", "help", "-p", "me", "-w", "handbook"}, "Help me, quiet."},
		{[]string{"run", "--command", "review", "quiet.md"}, "Review quiet.md."},
		{[]string{"run", "--command", "review", "--detach"}, "Review ."},
		{[]string{"chat", "-p", "/review quiet.md"}, "/review quiet.md"},
		{[]string{"run", "/review quiet.md"}, "/review quiet.md"},
	} {
		b := newBench(t)
		b.with("handbook", "other")
		code := b.run(c.args...)
		if c.want == "" {
			if code != 5 || !strings.Contains(b.err.String(), "/review is a command of 2 workspaces\nvexa: hint: write /personal:review or /other:review\n") || len(b.texts()) > 0 {
				t.Errorf("%q: exit code %d, %s", c.args, code, b.err.String())
			}
			continue
		}
		if diff := cmp.Diff([]string{c.want}, b.texts()); diff != "" || code != 0 {
			t.Errorf("%q: exit code %d, %s%s", c.args, code, diff, b.err.String())
		}
		if shown := strings.Contains(b.err.String(), " sends:\n"+c.want+"\n"); shown != slices.Contains(c.args, "--command") {
			t.Errorf("%q: shown %q", c.args, b.err.String())
		}
	}
}

// What is no command is said, with what was meant and where they are listed; nothing is sent.
func TestACommandThatIsNone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		code int
		said string
	}{
		{[]string{"chat", "--command", "reviw"}, 3, "there is no command reviw\nvexa: hint: did you mean review? list them with: vexa workspace commands personal\n"},
		{[]string{"run", "--command", "xyzzy", "-w", "personal", "-w", "handbook"}, 3, "there is no command xyzzy\nvexa: hint: list them with: vexa workspace commands personal; vexa workspace commands handbook\n"},
		{[]string{"chat", "--command", "handbook:take"}, 3, "hint: only workspaces that are granted bring commands: -w handbook\n"},
		{[]string{"chat", "--command", "review", "-w", "nothing"}, 3, "there is no workspace nothing"},
		{[]string{"chat", "--command", "bad"}, 3, "there is no command bad\n"},
		{[]string{"chat", "--command", "/"}, 2, "--command has no name"},
		{[]string{"chat", "--command", "review x"}, 2, `--command "review x" is not the name of a command`},
		{[]string{"chat", "--command", "../x"}, 2, "is not the name of a command"},
		{[]string{"chat", "--command", ""}, 2, "--command has no name"},
		{[]string{"chat", "--command", "review", "-p", `"open`}, 2, "a quote is not closed behind /review"},
		{[]string{"run", "--command", "review", "-"}, 2, "--command does not take -"},
		{[]string{"run", "--command", "review", "--plan", "x.md"}, 2, "exclude --plan"},
		{[]string{"chat", "--command", "review", "--continue"}, 3, "there is no session to continue\nvexa: hint: leave --continue out\n"},
		{[]string{"chat", "--command", "review", "--session", "5e551010-0000-4000-8000-000000000099"}, 3, "there is no session 5e551010-0000-4000-8000-000000000099\nvexa: hint: see: vexa session list\n"},
		{[]string{"chat", "--session", "5e551010-0000-4000-8000-000000000099", "-p", "quiet @personal:a"}, 3, "there is no session 5e551010-0000-4000-8000-000000000099\n"},
	} {
		b := newBench(t)
		b.with("handbook")
		if code := b.run(c.args...); code != c.code || !strings.Contains(b.err.String(), c.said) || len(b.texts()) > 0 {
			t.Errorf("%q: exit code %d, sent %q: %s", c.args, code, b.texts(), b.err.String())
		}
	}
}

// No text of a workspace puts a file of this machine into a message, nor what stands behind
// the command; --attach does, behind the prompt.
func TestAPromptAttachesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "canary")
	if err := os.WriteFile(path, []byte("CANARY"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"chat", "--command", "take", "-w", "handbook", "-p", "@~/canary and @" + path},
		{"run", "--command", "take", "-w", "handbook", "@" + path},
		{"chat", "--plain", "-w", "handbook"},
	} {
		b := newBench(t)
		b.setUp()
		b.with("handbook")
		env := b.f.Env
		b.f.Env = func(name string) string {
			if name == "HOME" {
				return dir
			}
			return env(name)
		}
		b.f.In = strings.NewReader("/take @" + path + "\n")
		if code := b.run(args...); code != 0 {
			t.Fatalf("%q: exit code %d: %s", args, code, b.err.String())
		}
		if got := b.texts(); len(got) != 1 || strings.Contains(got[0], "CANARY") || !strings.Contains(got[0], "@~/canary") || !strings.Contains(got[0], path) {
			t.Errorf("%q sent %q", args, got)
		}
	}
	b := newBench(t)
	if code := b.run("chat", "--command", "review", "-p", "quiet", "--attach", path); code != 0 {
		t.Fatal(b.err.String())
	}
	if got := b.texts()[0]; !strings.HasPrefix(got, "Review quiet.\n\n`canary`, a file that I attach") || !strings.Contains(got, "CANARY") {
		t.Errorf("sent %q", got)
	}
}

// What a person names of a granted workspace is where the agent has it; nothing else of a
// message changes, nor what a pipe says.
func TestFilesOfWorkspacesArePlaced(t *testing.T) {
	t.Parallel()
	const written = "quiet  @personal:a.md, @other:b\\ c.md @third:d me@other:e \\@other:f "
	for _, c := range []struct {
		args []string
		in   string
		want string
	}{
		{[]string{"chat", "-w", "personal", "-w", "other:ro", "-p", written}, "", "quiet  @a.md, \"/workspaces/ws_01jdx0other/b c.md\" @third:d me@other:e \\@other:f "},
		{[]string{"run", "-w", "other", "-w", "personal", written}, "", "quiet  /workspaces/ws_01jdx0personal/a.md, @b\\ c.md @third:d me@other:e \\@other:f "},
		{[]string{"run", "-w", "ws_01jdx0personal", "-w", "other", "quiet @personal:a @other:b"}, "", "quiet @a /workspaces/ws_01jdx0other/b"},
		{[]string{"chat", "-p", "quiet @other:b"}, "", "quiet @other:b"},
		{[]string{"chat", "-w", "personal", "-w", "other", "-p", "quiet @other:b"}, "@other:b", "quiet /workspaces/ws_01jdx0other/b\n\n@other:b"},
		{[]string{"chat", "--command", "review", "-p", "quiet"}, "@personal:b", "Review quiet.\n\n@personal:b"},
		{[]string{"chat", "-w", "personal", "-w", "other"}, "quiet @other:b", "quiet @other:b"},
		{[]string{"run", "-w", "personal", "-w", "other", "-"}, "quiet @other:b", "quiet @other:b"},
		{[]string{"chat", "--continue", "-p", "quiet @personal:a @other:b"}, "", "quiet @personal:a @other:b"}, // there is no session
	} {
		b := newBench(t)
		b.with("other", "third")
		if c.in != "" {
			b.f.InTTY, b.f.In = nil, strings.NewReader(c.in)
		}
		if code := b.run(c.args...); code != 0 {
			t.Fatalf("%q: exit code %d: %s", c.args, code, b.err.String())
		}
		want(t, strings.Join(b.texts(), "|"), c.want)
	}
}

// A session that is gone on with has its own workspaces, whatever a new one would be given,
// unless the line grants others.
func TestASessionHasItsOwnWorkspaces(t *testing.T) {
	t.Parallel()
	const placed, idle = "quiet @a /workspaces/ws_01jdx0handbook/b @personal:c", "10m"
	for _, live := range []string{"0", idle} {
		b := newBench(t)
		b.with("other", "handbook")
		ask := func(args ...string) string {
			t.Helper()
			if code := b.run(args...); code != 0 {
				t.Fatalf("%q: exit code %d: %s", args, code, b.err.String())
			}
			texts := b.texts()
			return texts[len(texts)-1]
		}
		ask("chat", "-p", "first quiet", "-w", "other", "-w", "handbook", "--idle", live)
		session := "5e551010-0000-4000-8000-000000000001"
		for _, args := range [][]string{{"--session", session}, {"--session", "5E55"}, {"--continue"}} {
			want(t, ask(append([]string{"chat", "--idle", live, "-p", "quiet @other:a @handbook:b @personal:c"}, args...)...), placed)
			starts := b.daemon.Starts()
			if last := starts[len(starts)-1]; last.Session != session || last.Continue || len(last.Workspaces) > 0 {
				t.Errorf("%q: %+v", args, last)
			}
			want(t, ask(append([]string{"run", "--command", "take", "me"}, args...)...), "Take @~/canary and @/proc/version, quiet; see /workspaces/ws_01jdx0handbook/house/rules.md for me")
		}
		want(t, ask("chat", "--continue", "-p", "quiet @personal:a @other:b", "-w", "personal"), "quiet @a @other:b")
	}
}

// A session has its workspaces while its first turn runs, too, when nothing of it is kept.
func TestASessionThatHasJustBegunHasItsWorkspaces(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.with("handbook")
	started, err := mustClient(t, b).Start(t.Context(), api.StartRequest{Text: "wait", Workspaces: []api.Grant{{Workspace: "personal"}, {Workspace: "handbook"}}})
	if err != nil {
		t.Fatal(err)
	}
	if code := b.run("run", "--detach", "--session", started.Session[:8], "quiet @handbook:b"); code != 0 { // it waits for that turn
		t.Fatal(b.err.String())
	}
	want(t, strings.Join(b.texts(), "|"), "wait|quiet /workspaces/ws_01jdx0handbook/b")
}

// Line by line a workspace's command is sent as on the screen, and shown; the conversation's
// own are not replaced, and a workspace's that is called the same has its full name.
func TestCommandsOfWorkspacesInAConversation(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.setUp()
	b.with("other", "handbook")
	b.f.In = strings.NewReader("/\n/other:review 'a quiet.md'\n/take me\n/handbook:help \\\n@other:x\n/review x\n/nothing:x y\nquiet @handbook:a @third:b\n /take quiet\n/take \"\n/review \"x\n/new\n/other:review quiet\n/help\n")
	if code := b.run("chat", "--plain", "-w", "other", "-w", "handbook:ro"); code != 0 {
		t.Fatalf("exit code %d: %s", code, b.err.String())
	}
	if diff := cmp.Diff([]string{
		"Review a quiet.md.",
		"Take @~/canary and @/proc/version, quiet; see /workspaces/ws_01jdx0handbook/house/rules.md for me",
		"Help @x, quiet.",
		"quiet /workspaces/ws_01jdx0handbook/a @third:b",
		"/take quiet",
		"Take @~/canary and @/proc/version, quiet; see /workspaces/ws_01jdx0handbook/house/rules.md for \"",
		"Review quiet.",
	}, b.texts()); diff != "" {
		t.Error(diff)
	}
	said := b.err.String()
	for _, text := range []string{
		"/handbook:help  handbook: Help $ARGUMENTS, quiet.\n", "/take  handbook: Take @~/canary", "/other:review [note]  other: Review a note", "/help  this list\n",
		"\n3 files of no use, see: vexa workspace commands other\n",
		"/review of other sends:\nReview a quiet.md.\n",
		"/review is a command of 2 workspaces (write /other:review or /handbook:review)", "there is no command /nothing:x (see all: /help",
	} {
		if !strings.Contains(said, text) {
			t.Errorf("never said %q: %s", text, said)
		}
	}
	if n := strings.Count(said, "/undo  take back"); n != 2 {
		t.Errorf("/ and /help list the commands %d times", n)
	}
	if starts := b.daemon.Starts(); starts[6].Session != "" || starts[1].Session == "" {
		t.Errorf("sessions of %+v", starts)
	}
}

// In a session of other workspaces, and in one whose container has ended and is not kept,
// commands, names and /undo are of the workspaces that the next message has.
func TestAConversationHasTheWorkspacesOfItsSession(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.setUp()
	b.with("other", "handbook")
	if code := b.run("chat", "-p", "first quiet", "-w", "handbook", "-w", "other"); code != 0 {
		t.Fatal(b.err.String())
	}
	b.f.In = strings.NewReader("/take me\nquiet @other:x\n/undo\n")
	if code := b.run("chat", "--plain", "--continue"); code != 0 {
		t.Fatal(b.err.String())
	}
	want(t, strings.Join(b.texts()[1:], "|"), "Take @~/canary and @/proc/version, quiet; see @house/rules.md for me|quiet /workspaces/ws_01jdx0other/x")
	if !strings.Contains(b.err.String(), "took back 1 commit of handbook as") {
		t.Errorf("said %s", b.err.String())
	}

	b = newBench(t)
	b.setUp()
	b.daemon.Forgetful = true
	b.f.In = strings.NewReader("quiet\nquiet @personal:x\n/review quiet\n")
	if code := b.run("chat", "--plain", "--idle", "0"); code != 0 {
		t.Fatal(b.err.String())
	}
	want(t, strings.Join(b.texts(), "|"), "quiet|quiet @x|Review quiet.")
}

// Of a session that is over and of which nothing is kept it is not known which workspaces it
// has.
func TestWorkspacesOfASessionThatIsNotKept(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.with("handbook")
	b.daemon.Forgetful = true
	if code := b.run("chat", "-p", "quiet", "--idle", "0"); code != 0 {
		t.Fatal(b.err.String())
	}
	if code := b.run("chat", "--command", "review", "--session", "5e551010"); code != 3 || !strings.Contains(b.err.String(), "it is not known which workspaces the session has") || len(b.texts()) != 1 {
		t.Errorf("exit code %d: %s", code, b.err.String())
	}
}
