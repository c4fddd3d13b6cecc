package complete_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/screentest"
	"github.com/vexa-ai/vexa/pkg/tui/command"
	"github.com/vexa-ai/vexa/pkg/tui/complete"
	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/picker"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// within is when to call it a failure.
const within = 20 * time.Second

// actor is the variable that makes this test binary the program on the terminal.
const actor = "OVERLAYS_ACTOR"

func TestMain(m *testing.M) {
	if os.Getenv(actor) == "" {
		os.Exit(m.Run())
	}
	th := theme.None()
	r, err := command.New(command.Command{Name: "help", Help: "Show keys and commands"}, command.Command{Name: "files", Help: "Look for a file"})
	if err == nil {
		root := &root{theme: th, popup: complete.New(th)}
		root.popup.SetCommands(r)
		root.popup.SetFiles(complete.NewFiles("notes", paths()))
		_, err = tea.NewProgram(root).Run()
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

// root is the least program that has a popup over its editor and a list over all of it.
type root struct {
	theme         theme.Theme
	width, height int
	text          string
	said          string
	popup         *complete.Popup
	picker        *picker.Picker // nil: none
}

func (*root) Init() tea.Cmd { return nil }

func (m *root) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if size, ok := msg.(tea.WindowSizeMsg); ok {
		m.width, m.height = size.Width, size.Height
		return m, nil
	}
	if m.picker != nil {
		m.picker.Update(msg)
		if c, ok := m.picker.Done(); ok {
			m.said, m.picker = fmt.Sprintf("left by %d with %d", c.Action, c.Item), nil
		}
		return m, nil
	}
	key, ok := msg.(tea.KeyPressMsg)
	if !ok {
		return m, nil
	}
	if edit, taken := m.popup.Key(key); taken {
		if edit != nil {
			m.text = edit.Text
			if edit.Run {
				m.run()
			}
		}
		return m, nil
	}
	switch {
	case key.Keystroke() == "ctrl+c":
		return m, tea.Quit
	case key.Keystroke() == "enter":
		m.run()
	case key.Keystroke() == "backspace":
		m.text = flow.Trim(m.text)
		m.popup.Edited(m.text, len(m.text))
	case key.Text != "":
		m.text += key.Text
		m.popup.Edited(m.text, len(m.text))
	}
	return m, nil
}

func (m *root) run() {
	if call, ok := command.Parse(m.text); ok && call.Name == "files" {
		m.picker = picker.New(m.theme, picker.Options{Title: "Files", Paths: true, Tab: "insert"})
		var items []picker.Item
		for _, p := range paths() {
			items = append(items, picker.Item{Title: p, Detail: "notes"})
		}
		m.picker.Add(picker.Prepare(items))
	} else {
		m.said = "sent " + m.text
	}
	m.text = ""
	m.popup.Close()
}

func (m *root) View() tea.View {
	var lines []string
	var cursor *tea.Cursor
	if m.picker != nil && m.width > 0 {
		lines = m.picker.View(m.width, m.height)
		cursor = tea.NewCursor(m.picker.Cursor())
	} else {
		lines = append([]string{m.said}, m.popup.View(m.width, m.height-2)...)
		lines = append(lines, "> "+m.text)
	}
	v := tea.NewView(strings.Join(lines, "\n"))
	v.AltScreen, v.MouseMode, v.Cursor = true, tea.MouseModeCellMotion, cursor
	return v
}

// TestOnATerminal: keys and the mouse of a real terminal reach the popup and the list, at
// the least size, too.
func TestOnATerminal(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	term, err := screentest.Start(screentest.Options{Command: []string{exe}, Env: []string{actor + "=1", "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8"}, Cols: 80, Rows: 24})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = term.Close() })
	shows := func(text string) screentest.Screen {
		t.Helper()
		s, err := term.Wait(within, func(s screentest.Screen) bool { return s.Contains(text) })
		if err != nil {
			t.Fatalf("%q: %v; the screen:\n%s", text, err, s.Text())
		}
		return s
	}
	send := func(keys ...string) {
		t.Helper()
		if err := term.Send(keys...); err != nil {
			t.Fatal(err)
		}
	}
	shows(">")
	send("see @my")
	shows("▸ notes/my otters.md")
	send("<tab>")
	shows(`> see @notes/my\ otters.md`)
	send("or @", "<down>", "<ctrl+n>", "<ctrl+p>")
	shows("▸ src/main.go")
	send("<esc>", "x", "<enter>")
	shows(`sent see @notes/my\ otters.md or @x`)
	send("/fi")
	shows("▸ /files")
	send("<enter>")
	shows("▸ README.md")
	if err := term.Resize(40, 12); err != nil {
		t.Fatal(err)
	}
	send("main", "<backspace>")
	s, err := term.Wait(within, func(s screentest.Screen) bool {
		return s.Contains("▸ src/main.go") && s.Cursor.X == 5 && s.Cursor.Y == 1
	})
	if err != nil {
		t.Fatalf("the cursor is at %+v: %v", s.Cursor, err)
	}
	if !s.Contains("esc back") {
		t.Errorf("the keys are not said:\n%s", s.Text())
	}
	send("<ctrl+u>")
	shows("type to search")
	if err := term.Mouse("wheel-down", 3, 5); err != nil {
		t.Fatal(err)
	}
	shows("▸ notes/gnihtonotters.md")
	for range 2 {
		if err := term.Mouse("click", 3, 4); err != nil {
			t.Fatal(err)
		}
	}
	shows("left by 1 with 1")
	send("/files", "<enter>")
	shows("▸ README.md")
	send("<end>", "<pgup>", "<home>", "<down>", "<tab>")
	shows("left by 2 with 1")
	send("/files", "<enter>")
	shows("▸ README.md")
	send("<esc>")
	shows("left by 0 with -1")
	send("<ctrl+c>")
	if code, err := term.Exit(within); code != 0 || err != nil {
		t.Errorf("exit code %d, %v", code, err)
	}
	if got := term.Seen(); len(got.Titles)+len(got.Clipboard) > 0 {
		t.Errorf("a name reached the terminal: %+v", got)
	}
}
