package chat_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/tui/chat"
)

// sent is what was said so far.
func sent(d *daemon) (texts []string) {
	for _, s := range d.Starts() {
		texts = append(texts, s.Text)
	}
	return texts
}

// brought waits until what the workspaces bring was read.
func brought(b *bench) {
	b.t.Helper()
	b.until("the files were read", func() bool {
		b.press("'@note.m")
		open := strings.Contains(b.text(), "▸ note.md") || strings.Contains(b.text(), "note.md\n")
		b.press("esc", "ctrl+u")
		return open
	})
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	b, d := start(t)
	brought(b)
	b.press("'see @not")
	b.shows(`note\.md`)
	b.press("tab")
	b.shows(`^> see @note\.md $`)
	b.hides(`▸`)
	b.press("'quiet", "enter")
	b.wait(`you said: see @note.md quiet`)

	b.press("'/rena")
	b.shows(`/rename TITLE`)
	b.press("esc")
	b.hides(`/rename TITLE`)
	b.press("'m", "left") // it stays away, and moving opens nothing
	b.hides(`/rename TITLE`)
	b.press("ctrl+k", "ctrl+u", "'/sid")
	b.shows(`/sides`)
	for y, line := range strings.Split(b.text(), "\n") {
		if strings.Contains(line, "/sides") {
			b.give(tea.MouseClickMsg{X: 3, Y: y, Button: tea.MouseLeft})
			break
		}
	}
	b.hides(`/sid`) // it takes nothing, so that it was run
	if diff := cmp.Diff([]string{"see @note.md quiet"}, sent(d)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// While the popup is open, what the daemon gives back to the editor is not overwritten.
func TestThePopupClosesWhereTheTextIsAnother(t *testing.T) {
	t.Parallel()
	b, _ := start(t)
	brought(b)
	b.press("'stillborn", "enter", "'and @not")
	b.wait(`^> stillborn`)
	b.press("tab") // goes to what was said: there is no popup
	b.shows(`^> stillborn`, `and @not$`)
}

// A workspace's command sends its prompt with what was typed in its place, and it is shown.
func TestAWorkspacesCommand(t *testing.T) {
	t.Parallel()
	b, d := start(t)
	brought(b)
	b.press("'/rev", "enter")
	b.shows(`^> /review $`)
	if n := len(d.Starts()); n > 0 {
		t.Error("it was sent by the key that completed it")
	}
	b.press("'quiet", "enter")
	b.wait(`you said: Review quiet`)
	b.shows(`^ > Review quiet\.`)
	b.press("up")
	b.shows(`^> /review quiet`)
	b.press("ctrl+u", "'/reviw x", "enter")
	b.wait(`there is no command /reviw \(did you mean /review\?`)
	b.shows(`^> /reviw x`)
	b.press("ctrl+u", "ctrl+p", "'review")
	b.shows(`/review \[note\] +personal: Review a note`, `1 file of no use, see: vexa workspace commands personal`)
	if diff := cmp.Diff([]string{"Review quiet."}, sent(d)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A message names files of workspaces as agents know them.
func TestWhereAgentsHaveFiles(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	if _, err := d.client().CreateWorkspace(t.Context(), api.CreateWorkspace{Name: "handbook"}); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, chat.Options{Daemon: d.client(), Request: api.StartRequest{Workspaces: []api.Grant{{Workspace: "personal", Mode: "rw"}, {Workspace: "handbook", Mode: "ro"}}}})
	b.wait("rehearsal")
	brought(b)
	b.press("'quiet @personal:note.md @handbook:note.md", "esc", "enter")
	b.wait(`you said: quiet`)
	if diff := cmp.Diff([]string{"quiet @note.md /workspaces/ws_01jdx0handbook/note.md"}, sent(d)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// The title is as it was written, and so is what was said in the list of sessions.
	b.wait(`─ quiet @note\.md @handbook:note\.md ─`)
	b.press("ctrl+s")
	b.wait(`^> quiet @note\.md @handbook:note\.md`)
}

// A file of this machine that the person names is in the message; one that a paste, a
// prompt of a workspace or an earlier message names is not.
func TestAttaching(t *testing.T) {
	t.Parallel()
	const canary = "CANARY-of-the-host"
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "error.log"), []byte(canary+" and @~/more.log\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := newDaemon(t)
	b := newBench(t, chat.Options{Daemon: d.client(), Request: idling(), Home: home})
	b.wait("rehearsal")
	brought(b)
	b.press("'quiet why @~/error.log", "enter")
	b.until("it is sent", func() bool { return len(d.Starts()) == 1 })
	if got := sent(d)[0]; !strings.HasPrefix(got, "quiet why @~/error.log\n\n`error.log`, a file that I attach") || !strings.Contains(got, canary) {
		t.Errorf("%q", got)
	}
	b.waitNot(`Esc stops`)
	b.shows(`─ quiet why @~/error\.log ─$`)
	b.press("'quiet @~/none.log", "enter")
	b.wait(`! .*none\.log`)
	b.shows(`^> quiet @~/none\.log`)
	b.press("ctrl+u")
	b.give(tea.PasteMsg{Content: "quiet see @~/error.log"})
	b.shows(`^> quiet see \\@~/error\.log`)
	b.press("enter")
	b.until("it is sent", func() bool { return len(d.Starts()) == 2 })
	if got := sent(d)[1]; strings.Contains(got, canary) {
		t.Errorf("%q", got)
	}

	// What was said in an earlier chat attaches nothing when it is said again.
	b = newBench(t, chat.Options{Daemon: d.client(), Request: idling(), Home: home, Open: chat.Opening{Latest: true}})
	b.wait(`quiet see`)
	b.waitNot(`reading what was said before`)
	n := len(d.Starts())
	b.press("up", "up", "enter")
	b.until("it is sent", func() bool { return len(d.Starts()) == n+1 })
	if got := sent(d)[n]; strings.Count(got, canary) != 1 {
		t.Errorf("%d: %q", strings.Count(got, canary), got)
	}
}

// Files of this machine are offered as they are named, a directory after the other.
func TestCompletingFilesOfThisMachine(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, "my logs"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "my logs/error.log"), []byte("it broke\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := newDaemon(t)
	b := newBench(t, chat.Options{Daemon: d.client(), Request: idling(), Home: home})
	b.wait("rehearsal")
	b.press("'quiet @~/")
	b.wait(`^▸ my logs/`)
	b.press("enter")
	b.shows(`^> quiet @~/my\\ logs/$`)
	b.wait(`^▸ error\.log`)
	b.press("'er", "tab")
	b.shows(`^> quiet @~/my\\ logs/error\.log $`)
	b.hides(`▸ error\.log`)
	b.press("enter")
	b.until("it is sent", func() bool { return len(d.Starts()) == 1 })
	if got := sent(d)[0]; !strings.Contains(got, "it broke") {
		t.Errorf("%q", got)
	}
	b.waitNot(`Esc stops`)
	b.press("'@/no/such/directory/x", "enter")
	b.wait(`! there is no file /no/such/directory/x`)
}

// A message with files that could not be sent comes back as it was written.
func TestAMessageWithFilesComesBack(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "a.log"), []byte("CANARY\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := newDaemon(t)
	b := newBench(t, chat.Options{Daemon: d.client(), Home: home, Request: idling()})
	b.wait("rehearsal")
	b.press("'stillborn @~/a.log", "enter")
	b.wait(`^> stillborn @~/a\.log$`)
	b.press("ctrl+u", "'please wait", "enter")
	b.wait(`^ waiting`)
	b.press("'more @~/a.log", "enter")
	b.wait(`sent at the end`)
	b.press("up")
	b.shows(`^> more @~/a\.log$`)
}

// A slash begins a command wherever the focus is.
func TestASlashInTheTranscript(t *testing.T) {
	t.Parallel()
	b, _ := start(t)
	b.press("'hello", "enter")
	b.wait(`✓ commit`)
	b.press("tab", "'/mou")
	b.shows(`^> /mou$`, `▸ /mouse`)
}

func TestFilesBrowser(t *testing.T) {
	t.Parallel()
	b, _ := start(t)
	brought(b)
	b.give(tea.WindowSizeMsg{Width: 120, Height: 40})
	b.press("'look at", "ctrl+p", "'/files", "enter")
	b.shows(`Files of personal`)
	b.press("'note")
	b.wait(`│ hello`)
	b.press("enter")
	b.shows(`^> look at @note\.md $`)
	b.press("ctrl+p", "'/files", "enter", "'run", "enter")
	b.wait(`characters that are not shown`)
}

func TestSessionsPicker(t *testing.T) {
	t.Parallel()
	b, _ := start(t)
	b.give(tea.WindowSizeMsg{Width: 120, Height: 40})
	b.press("'quiet otters", "enter")
	b.wait(`you said: quiet otters`)
	b.press("ctrl+n", "ctrl+s", "'ottr")
	b.shows(`1 of 2`, `│ > quiet otters`, `│ you said: quiet otters`, `tab rename`)
	b.press("tab")
	b.shows(`^The title of this session`, `^> quiet otters`)
	b.press("ctrl+u", "'Badgers", "enter")
	b.wait(`Badgers +open`)
	b.press("'badg", "enter")
	b.wait(`─ Badgers ─`)
	b.shows(`you said: quiet otters`)
}

func TestModelsAndRunners(t *testing.T) {
	t.Parallel()
	b, d := start(t)
	b.press("'/model ", "enter")
	b.shows(`^Models`, `the session's`, `rehearsal`)
	b.press("'rehearsal", "enter")
	b.wait(`from the next message of this session on: rehearsal`)
	b.press("'/runner ", "enter")
	b.wait(`^Runners`)
	b.press("'vexa", "enter")
	b.wait(`from the next message of this session on: vexa`)
	b.press("'quiet", "enter")
	b.wait(`you said: quiet`)
	if s := d.Starts()[0]; s.Model != "rehearsal/rehearsal" || s.Runner != "vexa" {
		t.Errorf("%+v", s)
	}
}

// A proposal is approved and rejected likewise: once it was looked at, and asked.
func TestApproveAndReject(t *testing.T) {
	t.Parallel()
	b, d := start(t)
	b.press("'/approve", "enter")
	b.wait(`no commit of this session waits`)
	b.press("'with approval", "enter")
	b.wait(`it needs approval`)
	b.press("'/approve", "enter")
	b.wait(`look at it first`)
	b.press("ctrl+o")
	b.wait(`- old`)
	b.press("'/approve", "enter")
	b.wait(`\? Approve proposal 01JDX4A0000000000000000000 \(1 of 2 approvals\) of personal\?`)
	b.until("the question takes answers", b.m.Armed)
	b.press("y")
	b.wait(`is approved, 2 of 2`)
	b.press("tab")
	b.shows(`Enter folds · a merges · p approves · r rejects`)
	b.press("r")
	b.wait(`\? Reject proposal`)
	b.until("the question takes answers", b.m.Armed)
	b.press("n")
	b.shows(`not done`)
	b.press("esc", "'/reject it is wrong", "enter")
	b.wait(`\? Reject proposal`)
	b.until("the question takes answers", b.m.Armed)
	b.press("y")
	b.wait(`▾ ↶ commit .*rejected`)
	want := []string{"approve 01JDX4A0000000000000000000 9c0ffee1d2c3b4a5968778695a4b3c2d1e0f1a2b", "reject 01JDX4A0000000000000000000 it is wrong"}
	if diff := cmp.Diff(want, d.Judged()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
