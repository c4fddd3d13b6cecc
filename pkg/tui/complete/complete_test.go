package complete_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/internal/goldentest"
	"github.com/vexa-ai/vexa/pkg/tui/command"
	"github.com/vexa-ai/vexa/pkg/tui/complete"
	"github.com/vexa-ai/vexa/pkg/tui/flow/flowtest"
	"github.com/vexa-ai/vexa/pkg/tui/mention"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

var update = flag.Bool("update", false, "rewrite the golden popups")

// hostile is what a name would do to a screen.
const hostile = "\x1b[2J\x1b]0;owned\x07\x1b]52;c;Y2FuYXJ5\x07\u202egnihton"

func press(name string) tea.KeyPressMsg {
	codes := map[string]rune{"up": tea.KeyUp, "down": tea.KeyDown, "enter": tea.KeyEnter, "tab": tea.KeyTab, "esc": tea.KeyEscape, "left": tea.KeyLeft}
	if letter, ok := strings.CutPrefix(name, "ctrl+"); ok {
		return tea.KeyPressMsg{Code: rune(letter[0]), Mod: tea.ModCtrl}
	}
	return tea.KeyPressMsg{Code: codes[name]}
}

func registry(t *testing.T) *command.Registry {
	t.Helper()
	r, err := command.New(
		command.Command{Name: "help", Help: "Show keys and commands"},
		command.Command{Name: "rename", Arguments: "[title]", Help: "Give the session another name"},
		command.Command{Name: "quit", Aliases: []string{"exit"}, Help: "Leave; what runs goes on"},
	)
	if err != nil {
		t.Fatal(err)
	}
	return r.With(command.Found{Workspace: "notes", Commands: []command.Command{
		{Name: "review", Arguments: "[file] [what for]", Help: "Review a file, and say in as many words as it takes what is wrong with it and why", Workspace: "notes", Template: "x"},
		{Name: "help", Help: "Not the help", Workspace: "notes", Template: "x"},
		{Name: "tidy", Help: "Tidy up", Workspace: "notes", Template: "x"},
	}})
}

func paths() []string {
	return []string{"README.md", "notes/otters.md", "notes/my otters.md", "notes/" + hostile + "otters.md", "notes/line\nfeed.md", "src/main.go", "src/view/a-rather-long-name-of-a-file-that-goes-on-and-on-for-more-columns-than-there-are/otters_test.go", ""}
}

func popup(t *testing.T, th theme.Theme, workspaces ...string) *complete.Popup {
	t.Helper()
	p := complete.New(th)
	p.SetCommands(registry(t))
	var files []*complete.Files
	for _, w := range workspaces {
		files = append(files, complete.NewFiles(w, paths()))
	}
	p.SetFiles(files...)
	return p
}

// edited has somebody write up to |.
func edited(p *complete.Popup, text string) {
	before, after, _ := strings.Cut(text, "|")
	p.Edited(before+after, len(before))
}

func with(e *complete.Edit) string {
	if e == nil {
		return ""
	}
	text := e.Text[:e.Cursor] + "|" + e.Text[e.Cursor:]
	if e.Run {
		text += " and runs"
	}
	return text
}

func TestAccept(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ workspaces, text, keys, want string }{
		{"notes", "/he|", "enter", "/help | and runs"},
		{"notes", "/he|", "tab", "/help |"},
		{"notes", "/HE|", "tab", "/help |"},
		{"notes", "/|", "down enter", "/rename |"},
		{"notes", "/|", "up enter", "/tidy |"}, // a workspace's prompt waits for a second enter
		{"notes", "/ren|x old", "enter", "/rename |old"},
		{"notes", "/he| me", "enter", "/help |me"},
		{"notes", "/exi|", "enter", "/exit | and runs"},
		{"notes", "/notes:h|", "enter", "/notes:help |"},
		{"notes", "see @read|", "tab", "see @README.md |"},
		{"notes", "see @rea|d, or not", "enter", "see @README.md |or not"},
		{"notes", "see @read|\nnext", "enter", "see @README.md|\nnext"},
		{"notes", "@my|", "enter", `@notes/my\ otters.md |`},
		{"notes", `@my\ ot|`, "enter", `@notes/my\ otters.md |`},
		{"notes", "@otters|", "ctrl+n ctrl+p enter", "@notes/otters.md |"},
		{"notes handbook", "@main|", "down enter", "@handbook:src/main.go |"},
		{"notes handbook", "@handbook:main|", "enter", "@handbook:src/main.go |"},
		{"notes handbook", "@other:main|", "enter", ""},
		{"notes", "漢字 @main| 🦦", "enter", "漢字 @src/main.go |🦦"},
	} {
		p := popup(t, theme.None(), strings.Fields(c.workspaces)...)
		edited(p, c.text)
		var edit *complete.Edit
		for k := range strings.FieldsSeq(c.keys) {
			edit, _ = p.Key(press(k))
		}
		if got := with(edit); got != c.want {
			t.Errorf("%s then %s: %q, want %q", c.text, c.keys, got, c.want)
		}
		if p.Open() {
			t.Errorf("%s then %s: it is open still", c.text, c.keys)
		}
	}
}

// A directory of this machine is asked for once a message names it, offered from once it is
// known, and entered by what is accepted. What begins with a period is offered to who
// begins so.
func TestFilesOfThisMachine(t *testing.T) {
	t.Parallel()
	names := []string{".ssh/", "error.log", "my notes/", "trail.", hostile, ".profile"}
	for _, c := range []struct{ text, dir, keys, want string }{
		{"why @~/|", "~/", "enter", "why @~/error.log |"},
		{"why @~/err| now", "~/", "tab", "why @~/error.log |now"},
		{"why @/var/log/err|", "/var/log/", "enter", "why @/var/log/error.log |"},
		{"@~/no|", "~/", "enter", `@~/my\ notes/|`},
		{`@~/my\ notes/tr|`, "~/my notes/", "enter", `@~/my\ notes/trail\. |`},
		{"@~/ssh|", "~/", "enter", ""},
		{"@~/.s|", "~/", "enter", "@~/.ssh/|"},
		{"@~/.pro|", "~/", "enter", "@~/.profile |"},
		{"@~/nighton|", "~/", "enter", ""},
		{"@/|", "/", "up enter", `@/trail\. |`},
	} {
		p := popup(t, theme.None(), "notes")
		edited(p, c.text)
		if dir, ok := p.Lacks(); !ok || dir != c.dir || p.Open() {
			t.Errorf("%s: it asks for %q", c.text, dir)
		}
		p.SetDir(complete.NewDir(c.dir+"other/", names))
		if p.Open() {
			t.Errorf("%s: it offers what another directory holds", c.text)
		}
		p.SetDir(complete.NewDir(c.dir, names))
		if dir, ok := p.Lacks(); ok {
			t.Errorf("%s: it asks for %q again", c.text, dir)
		}
		var edit *complete.Edit
		for k := range strings.FieldsSeq(c.keys) {
			edit, _ = p.Key(press(k))
		}
		if got := with(edit); got != c.want {
			t.Errorf("%s then %s: %q, want %q", c.text, c.keys, got, c.want)
		}
		if edit == nil {
			continue
		}
		if goesOn := strings.HasSuffix(c.want, "/|"); edit.On != goesOn {
			t.Errorf("%s: goes on: %v", c.text, edit.On)
		}
		p.Edited(c.dir, 0)
		edited(p, c.text)
		if _, ok := p.Lacks(); !ok {
			t.Errorf("%s: what it holds is kept after it closed", c.text)
		}
	}
	p := popup(t, theme.None(), "notes")
	edited(p, "@~/|")
	p.SetDir(complete.NewDir("~/", names))
	p.Key(press("esc"))
	edited(p, "@~/my\\ notes/|")
	if dir, ok := p.Lacks(); ok || p.Open() {
		t.Errorf("it asks for %q though it is to leave it alone", dir)
	}
}

// Where there is no word to complete there is no popup, and it takes no key.
func TestNothingToComplete(t *testing.T) {
	t.Parallel()
	p := popup(t, theme.None(), "notes")
	for _, text := range []string{"|", "hello|", " /help|", "x /help|", "/help me|", "|/help", "/etc/hosts|", "a@main|", "@main |", "|@main", "@/etc/hosts|", "@~/x|", "@zzzz|", "/zzzz|"} {
		edited(p, text)
		if p.Open() || p.View(80, 24) != nil {
			t.Errorf("%q: it is open", text)
		}
		for _, k := range []string{"up", "down", "enter", "tab", "esc"} {
			if edit, taken := p.Key(press(k)); edit != nil || taken {
				t.Errorf("%q: it takes %s", text, k)
			}
		}
	}
	edited(p, "/he|")
	if _, taken := p.Key(press("left")); taken {
		t.Error("it takes a key that is the editor's")
	}
	p.Close()
	if p.Open() {
		t.Error("it does not close")
	}
}

func TestClick(t *testing.T) {
	t.Parallel()
	p := popup(t, theme.None(), "notes")
	edited(p, "/|")
	if p.Click(0) != nil {
		t.Error("a click chose what was not shown")
	}
	p.View(80, 3)
	p.Key(press("up")) // the last one
	lines := p.View(80, 3)
	if p.Click(-1) != nil || p.Click(3) != nil {
		t.Error("a click beside it chose")
	}
	edit := p.Click(1)
	if edit == nil || !strings.HasPrefix(strings.TrimSpace(lines[1]), strings.TrimSpace(edit.Text)) || p.Open() {
		t.Errorf("%+v of %q", edit, lines)
	}
	if p.Click(1) != nil {
		t.Error("a click chose where nothing is")
	}
}

// What is written in full needs no completion: enter is for the editor.
func TestEnterSendsWhatIsThere(t *testing.T) {
	t.Parallel()
	p := popup(t, theme.None(), "notes")
	for _, text := range []string{"/help|", "see @README.md|"} {
		edited(p, text)
		if !p.Open() {
			t.Errorf("%q: it is not open", text)
		}
		if edit, taken := p.Key(press("enter")); edit != nil || taken || p.Open() {
			t.Errorf("%q: it takes enter", text)
		}
	}
}

// Esc leaves a word alone, however it goes on; the next word is another one.
func TestDismissed(t *testing.T) {
	t.Parallel()
	p := popup(t, theme.None(), "notes")
	edited(p, "@ma|")
	if _, taken := p.Key(press("esc")); !taken || p.Open() {
		t.Fatal("esc does not close it")
	}
	p.SetFiles(complete.NewFiles("notes", paths()))
	edited(p, "@main|")
	if p.Open() {
		t.Error("it opens again")
	}
	edited(p, "@main @ma|")
	if !p.Open() {
		t.Error("it does not open for the next word")
	}
	p.Key(press("esc"))
	edited(p, "@main |")
	edited(p, "@main @ma|")
	if !p.Open() {
		t.Error("it does not open for a word that was begun anew")
	}
}

// Files may be known later than they are asked for.
func TestFilesCome(t *testing.T) {
	t.Parallel()
	p := popup(t, theme.None())
	edited(p, "@otters|")
	if p.Open() {
		t.Fatal("it is open without files")
	}
	p.SetFiles(complete.NewFiles("notes", paths()))
	p.Key(press("down"))
	chosen := func() string {
		for _, line := range p.View(80, 24) {
			if strings.HasPrefix(line, "▸ ") {
				return strings.TrimSpace(line)
			}
		}
		return ""
	}
	before := chosen()
	p.SetFiles(complete.NewFiles("notes", append(paths(), "otters", "otters.md")))
	if got := chosen(); got != before || got == "" {
		t.Errorf("%q is chosen, before it was %q", got, before)
	}
	p.SetFiles()
	if p.Open() {
		t.Error("it is open without files")
	}
}

// A path that nobody sees as it is is not offered.
func TestHiddenPathsAreNotOffered(t *testing.T) {
	t.Parallel()
	p := popup(t, theme.None(), "notes")
	for _, text := range []string{"@gnihton|", "@line|", "@|"} {
		edited(p, text)
		if view := strings.Join(p.View(120, 24), "\n"); strings.Contains(view, "gnihton") || strings.Contains(view, "feed") {
			t.Errorf("%q offers\n%s", text, view)
		}
	}
}

func scenes(t *testing.T, th theme.Theme) map[string]*complete.Popup {
	t.Helper()
	all := map[string]*complete.Popup{}
	for name, text := range map[string]string{"commands": "/|", "command": "/re|", "files": "see @otters|"} {
		all[name] = popup(t, th, "notes")
		edited(all[name], text)
		all[name].Key(press("down"))
	}
	all["several"] = popup(t, th, "notes", "handbook", "shared")
	edited(all["several"], "see @o|")
	for range 8 {
		all["several"].Key(press("down"))
	}
	return all
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, size := range [][2]int{{80, 24}, {120, 40}, {40, 12}} {
		for tn, th := range map[string]theme.Theme{"none": theme.None(), "dark": theme.Dark()} {
			for sn, p := range scenes(t, th) {
				name := fmt.Sprintf("%s-%dx%d-%s", sn, size[0], size[1], tn)
				got := strings.Join(p.View(size[0], size[1]), "\n") + "\n"
				if diff := cmp.Diff(goldentest.Want(t, name, got, *update), got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
		}
	}
}

func checkView(t *testing.T, p *complete.Popup, width, height int, th theme.Theme) {
	t.Helper()
	lines := p.View(width, height)
	if len(lines) > min(height, complete.Rows) || p.Open() && len(lines) == 0 && height > 0 {
		t.Fatalf("%d lines of %d", len(lines), height)
	}
	flowtest.Painted(t, lines, width, th, true)
}

func TestEverySize(t *testing.T) {
	t.Parallel()
	for _, th := range []theme.Theme{theme.None(), theme.Dark()} {
		for _, p := range scenes(t, th) {
			for width := 1; width < 140; width += 3 {
				for height := range 12 {
					checkView(t, p, width, height, th)
				}
			}
		}
	}
}

// FuzzEdited: whatever is written and whatever files there are, what is accepted replaces
// the word alone and is read as the path that was offered.
func FuzzEdited(f *testing.F) {
	f.Add("see @ot rest", 7, "notes/my otters.md", "Otters "+hostile)
	f.Add("/he", 3, "x", "y")
	f.Add(`@a\ b`, 5, "a b\\c.", "")
	f.Add("@\n@漢", 6, "漢字", "🦦")
	f.Add(`see @~/my\ notes/l end`, 18, "log.", "logs/")
	f.Fuzz(func(t *testing.T, text string, cursor int, one, two string) {
		for _, th := range []theme.Theme{theme.None(), theme.Dark()} {
			p := complete.New(th)
			p.SetCommands(registry(t))
			p.SetFiles(complete.NewFiles("notes", []string{one, two}))
			p.Edited(text, cursor)
			dir, local := p.Lacks()
			if local {
				p.SetDir(complete.NewDir(dir, []string{one, two}))
			}
			checkView(t, p, 40, 12, th)
			p.Key(press("down"))
			checkView(t, p, 40, 12, th)
			edit, _ := p.Key(press("tab"))
			if edit == nil {
				continue
			}
			if edit.Cursor < 0 || edit.Cursor > len(edit.Text) {
				t.Fatalf("%+v", edit)
			}
			if strings.HasPrefix(edit.Text, "/") {
				continue
			}
			at := min(max(cursor, 0), len(text))
			m, _ := mention.At(text, at)
			if !strings.HasPrefix(edit.Text, text[:m.From]) || !strings.HasSuffix(edit.Text, text[m.To:]) {
				t.Fatalf("%q became %q", text, edit.Text)
			}
			named := mention.All(edit.Text[m.From:])
			if len(named) == 0 || named[0].From != 0 || named[0].Name != dir+one && named[0].Name != dir+two {
				t.Fatalf("%q names %+v, of %q and %q", edit.Text, named, one, two)
			}
		}
	})
}

// BenchmarkKey is a letter that is typed behind @ where there are 100,000 files, until the
// popup is drawn, against a frame of a screen, 16 ms.
func BenchmarkKey(b *testing.B) {
	list := make([]string, 100_000)
	for i := range list {
		list[i] = fmt.Sprintf("pkg/%s/%s/file%d_test.go", strings.Fields("tui daemon workspace runtime")[i%4], strings.Fields("picker complete view handler")[i%3], i)
	}
	p := complete.New(theme.Dark())
	p.SetFiles(complete.NewFiles("notes", list))
	const frame = 16 * time.Millisecond
	for _, text := range []string{"@w", "see @wsp", "see @pkgviewfile42"} {
		b.Run(text[strings.IndexByte(text, '@')+1:], func(b *testing.B) {
			for b.Loop() {
				p.Edited(text, len(text))
				p.View(120, 40)
			}
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(frame), "x-floor")
		})
	}
}
