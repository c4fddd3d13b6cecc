package screentest_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/internal/require"
	"github.com/vexa-ai/vexa/pkg/screentest"
)

// within is when to call it a failure.
const within = 20 * time.Second

// actor is the variable that makes this test binary the program on the terminal.
const actor = "SCREENTEST_ACTOR"

func TestMain(m *testing.M) {
	switch os.Getenv(actor) {
	case "":
		os.Exit(m.Run())
	case "tea":
		os.Exit(runTea())
	case "write":
		_, _ = io.WriteString(os.Stdout, os.Getenv("SCREENTEST_TEXT"))
		_, _ = io.Copy(io.Discard, os.Stdin)
	}
}

// start starts a program on a terminal that ends with the test.
func start(t *testing.T, o screentest.Options) *screentest.Terminal {
	t.Helper()
	o.Env = append(o.Env, "PATH="+os.Getenv("PATH"), "LANG=C.UTF-8")
	term, err := screentest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := term.Close(); err != nil {
			t.Error(err)
		}
	})
	return term
}

// play starts this test binary as an actor.
func play(t *testing.T, as string, o screentest.Options) *screentest.Terminal {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o.Command = []string{exe}
	o.Env = append(o.Env, actor+"="+as)
	return start(t, o)
}

func waitFor(t *testing.T, term *screentest.Terminal, text string) screentest.Screen {
	t.Helper()
	s, err := term.Wait(within, func(s screentest.Screen) bool { return s.Contains(text) })
	if err != nil {
		t.Fatalf("%q: %v; the screen:\n%s\nbytes: %q", text, err, s.Text(), term.Raw())
	}
	return s
}

func send(t *testing.T, term *screentest.Terminal, what ...string) {
	t.Helper()
	if err := term.Send(what...); err != nil {
		t.Fatal(err)
	}
}

// model is a Bubble Tea program that says what it is told.
type model struct {
	told  []string
	cols  int
	rows  int
	dark  string
	view  int
	views []string
}

func (m model) Init() tea.Cmd {
	if m.views != nil {
		return nil // the answer for the first line reads as the key f3, too
	}
	return tea.Batch(tea.RequestBackgroundColor, tea.RequestCursorPosition)
}

func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.cols, m.rows = msg.Width, msg.Height
	case tea.BackgroundColorMsg:
		m.dark = fmt.Sprintf("dark %t", msg.IsDark())
	case tea.KeyPressMsg:
		switch {
		case msg.String() == "q":
			return m, tea.Quit
		case m.views != nil:
			m.view++
		case msg.String() == "y":
			return m, tea.SetClipboard("copied")
		default:
			m.told = append(m.told, "key "+msg.String())
		}
	case tea.PasteMsg:
		m.told = append(m.told, fmt.Sprintf("paste %q", msg.Content))
	case tea.MouseClickMsg:
		m.told = append(m.told, fmt.Sprintf("click %s %d %d", msg.Button, msg.X, msg.Y))
	case tea.MouseReleaseMsg:
		m.told = append(m.told, fmt.Sprintf("release %d %d", msg.X, msg.Y))
	case tea.MouseWheelMsg:
		m.told = append(m.told, fmt.Sprintf("wheel %s %d %d", msg.Button, msg.X, msg.Y))
	case tea.MouseMotionMsg:
		m.told = append(m.told, fmt.Sprintf("motion %s %d %d", msg.Button, msg.X, msg.Y))
	case tea.KeyboardEnhancementsMsg:
		m.told = append(m.told, fmt.Sprintf("apart %t", msg.SupportsKeyDisambiguation()))
	case tea.CursorPositionMsg:
		m.told = append(m.told, fmt.Sprintf("cursor %d %d", msg.X, msg.Y))
	}
	return m, nil
}

func (m model) View() tea.View {
	text := fmt.Sprintf("size %d×%d %s\n%s", m.cols, m.rows, m.dark, strings.Join(m.told, "\n"))
	if m.views != nil {
		text = m.views[m.view%len(m.views)]
	}
	v := tea.NewView(text)
	v.AltScreen, v.MouseMode, v.WindowTitle, v.ReportFocus = true, tea.MouseModeAllMotion, "a; title", true
	if m.views == nil {
		v.Cursor = tea.NewCursor(2, 1)
		v.Cursor.Shape = tea.CursorBar
	}
	return v
}

func runTea() int {
	m := model{}
	if text := os.Getenv("SCREENTEST_VIEWS"); text != "" {
		m.views = strings.Split(text, "\f")
	}
	if _, err := tea.NewProgram(m).Run(); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 3
	}
	return 0
}

// What Bubble Tea asks is answered, what it sets is seen, what a person does reaches
// it, and nothing of it stays.
func TestBubbleTea(t *testing.T) {
	t.Parallel()
	term := play(t, "tea", screentest.Options{Cols: 80, Rows: 24, Light: true})
	waitFor(t, term, "size 80×24 dark false")
	s := waitFor(t, term, "apart true")
	if !s.AltScreen || !s.Mouse || !s.Paste || s.Title != "a; title" {
		t.Errorf("%+v", s)
	}
	if want := (screentest.Cursor{X: 2, Y: 1, Visible: true, Shape: "bar", Blink: true}); s.Cursor != want {
		t.Errorf("cursor %+v", s.Cursor)
	}
	for _, c := range []struct{ key, want string }{
		{"a", "key a"},
		{"<ctrl+c>", "key ctrl+c"},
		{"<ctrl+i>", "key ctrl+i"},
		{"<tab>", "key tab"},
		{"<shift+tab>", "key shift+tab"},
		{"<enter>", "key enter"},
		{"<alt+enter>", "key alt+enter"},
		{"<shift+enter>", "key shift+enter"},
		{"<ctrl+up>", "key ctrl+up"},
		{"<esc>", "key esc"},
		{"<f1>", "key f1"},
		{"<f12>", "key f12"},
		{"<pgdown>", "key pgdown"},
		{"<space>", "key space"},
		{"<backspace>", "key backspace"},
		{"<ctrl+space>", "key ctrl+space"},
		{"<alt+x>", "key alt+x"},
		{"<A>", "key A"},
	} {
		send(t, term, c.key)
		waitFor(t, term, c.want)
	}
	if err := term.Resize(120, 40); err != nil {
		t.Fatal(err)
	}
	waitFor(t, term, "size 120×40")
	term.Paste("two\nlines\x1b[201~q")
	waitFor(t, term, `paste "two\nlinesq"`)
	for _, c := range []struct {
		action string
		x, y   int
		want   string
	}{
		{"click", 7, 3, "click left 7 3"},
		{"right-click", 100, 39, "click right 100 39"},
		{"wheel-down", 1, 1, "wheel wheeldown 1 1"},
		{"drag", 8, 4, "motion left 8 4"},
		{"move", 9, 5, "motion none 9 5"},
	} {
		if err := term.Mouse(c.action, c.x, c.y); err != nil {
			t.Fatal(err)
		}
		waitFor(t, term, c.want)
	}
	waitFor(t, term, "release 7 3")
	send(t, term, "y")
	if _, err := term.Wait(within, func(screentest.Screen) bool { return len(term.Seen().Clipboard) > 0 }); err != nil {
		t.Fatal(err)
	}
	send(t, term, "q")
	if code, err := term.Exit(within); code != 0 || err != nil {
		t.Fatalf("exit code %d, %v", code, err)
	}
	if got := term.Seen().Clipboard; !slices.Equal(got, []screentest.Clip{{Target: "c", Text: "copied"}}) {
		t.Errorf("clipboard %+v", got)
	}
	if left := term.Unrestored(); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
	if got := term.Unknown(); len(got) != 0 {
		t.Errorf("the model does not know %q", got)
	}
	if !strings.Contains(string(term.Raw()), "\x1b[?2026h") {
		t.Error("no frame came at once: the terminal did not say that it can")
	}
}

// The screen is what Bubble Tea was told to draw, whatever was on it before: wide and
// combining characters, colours, lines that scroll.
func TestScreenIsTheView(t *testing.T) {
	t.Parallel()
	for _, size := range [][3]int{{80, 24, 60}, {40, 12, 100}, {120, 40, 6}} {
		r := rand.New(rand.NewPCG(7, uint64(size[0])))
		views := []string{"before characters are measured"}
		for i := range size[2] {
			views = append(views, randomView(r, i, size[0], size[1]))
		}
		term := play(t, "tea", screentest.Options{
			Cols: size[0], Rows: size[1],
			Env: []string{"SCREENTEST_VIEWS=" + strings.Join(views, "\f")},
		})
		for i, view := range views {
			s, err := term.Wait(within, func(s screentest.Screen) bool { return s.Text() == trim(view) })
			if err != nil {
				t.Fatalf("%v, view %d: %v: -want +got\n%s", size, i, err, cmp.Diff(trim(view), s.Text()))
			}
			send(t, term, "n")
		}
	}
}

// trim cuts what a screen's text has not: the blanks at the ends.
func trim(view string) string {
	var lines []string
	for line := range strings.SplitSeq(view, "\n") {
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n") + "\n"
}

// randomView is a view that is as wide and as high as the screen.
func randomView(r *rand.Rand, n, cols, rows int) string {
	pieces := []struct {
		text  string
		width int
	}{{"a", 1}, {"b", 1}, {" ", 1}, {"é", 1}, {"e\u0301", 1}, {"漢", 2}, {"字", 2}, {"👍", 2}, {"👩‍🚀", 2}, {"│", 1}, {"─", 1}, {"─", 1}, {"─", 1}, {"─", 1}}
	lines := []string{fmt.Sprintf("view %d.", n)}
	shared := rand.New(rand.NewPCG(uint64(n/3), 1)) // views have lines in common, so that they are moved
	for y := 1; y < rows; y++ {
		from := r
		if y%3 != 0 {
			from = shared
		}
		var b strings.Builder
		for w := 0; w < cols; {
			p := pieces[from.IntN(len(pieces))]
			if w+p.width > cols {
				break
			}
			b.WriteString(p.text)
			w += p.width
			if from.IntN(12) == 0 {
				break
			}
		}
		lines = append(lines, b.String())
	}
	return strings.Join(lines, "\n")
}

// write starts a program that writes text, and then waits until it is hung up.
func write(t *testing.T, text string, o screentest.Options) *screentest.Terminal {
	t.Helper()
	o.Env = append(o.Env, "SCREENTEST_TEXT="+text)
	return play(t, "write", o)
}

// Lines wrap where those of a terminal do.
func TestWrap(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"narrow":              {"abcdefghij12", "abcdefghij\n12\n"},
		"wide that just fits": {"abcdefgh漢字1", "abcdefgh漢\n字1\n"},
		"wide that does not":  {"abcdefghi漢1", "abcdefghi\n漢1\n"},
		"coloured in between": {"abcdefgh漢\x1b[31m字1", "abcdefgh漢\n字1\n"},
		"a full line, wide":   {"abcdefghij漢1", "abcdefghij\n漢1\n"},
		"returned":            {"abcdefgh漢\rX", "Xbcdefgh漢\n"},
		"clusters":            {"abcdefghie\u0301e\u0301", "abcdefghie\u0301\ne\u0301\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			term := write(t, c.text+"\x1b]2;written\a", screentest.Options{Cols: 10, Rows: 5})
			s, err := term.Wait(within, func(s screentest.Screen) bool { return s.Title == "written" })
			if err != nil || s.Text() != c.want {
				t.Errorf("%v, %q, not %q", err, s.Text(), c.want)
			}
		})
	}
}

// A program that passes on what others wrote is told apart from one that does not.
func TestHostile(t *testing.T) {
	t.Parallel()
	const canary = "canary-5b1f"
	hostile := "\x1b]52;c;Y2FuYXJ5LTViMWY=\x07" + // the clipboard is written
		"\x1b]52;p;?\x1b\\" + // and read
		"\x1b]0;" + canary + ";0\x07\x1b]2;" + canary + ";2\x1b\\" +
		"\x1b]8;;http://" + canary + "/a;b\x1b\\here\x1b]8;;\x1b\\" +
		"\x1b]9;" + canary + "\x07\x1b]777;notify;" + canary + "\x07" +
		"\a\a\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[?1003h\x1b[>5u\x1b[3;5r\x1b[31m" +
		"\x1b]11;#ff0000\x07\x1b_" + canary + "\x1b\\\x1b[2J\x1b[Hover it all"
	term := write(t, hostile, screentest.Options{})
	s := waitFor(t, term, "over it all")
	if s.Title != canary+";2" || !s.AltScreen || s.Cursor.Visible || !s.Mouse || !s.Paste {
		t.Errorf("%q, %+v", s.Title, s.Cursor)
	}
	if c := s.Find("over it all")[0]; c.Fg != "red" {
		t.Errorf("%+v", c)
	}
	want := screentest.Seen{
		Titles:        []string{canary + ";0", canary + ";2"},
		Clipboard:     []screentest.Clip{{Target: "c", Text: canary}, {Target: "p", Read: true}},
		Notifications: []string{canary, "notify;" + canary},
		Links:         []string{"http://" + canary + "/a;b"},
		Bells:         2,
	}
	if diff := cmp.Diff(want, term.Seen()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	// The terminal translates no byte of it but line ends, of which there are none.
	if got := string(term.Raw()); got != hostile {
		t.Errorf("raw bytes %q", got)
	}
	wantLeft := []string{
		"a part of the screen scrolls", "keys are sent in the kitty form", "pastes are bracketed", "the alternate screen is shown",
		"the background colour is changed", "the cursor is hidden", "the mouse is reported (1003)", "what is printed has colours or attributes",
	}
	if diff := cmp.Diff(wantLeft, term.Unrestored()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}

	// One that cuts them out leaves nothing to see.
	clean := write(t, "here over it all", screentest.Options{})
	waitFor(t, clean, "over it all")
	if diff := cmp.Diff(screentest.Seen{}, clean.Seen()); diff != "" || len(clean.Unrestored()) != 0 {
		t.Errorf("%s%q", diff, clean.Unrestored())
	}
}

// What is typed, and how the kernel treats it, is seen after a program has ended.
func TestUnrestoredLines(t *testing.T) {
	t.Parallel()
	term := start(t, screentest.Options{Command: []string{"sh", "-c", "stty -echo -icanon; echo ready; read a; exit 7"}})
	waitFor(t, term, "ready")
	send(t, term, "secret", "<enter>")
	code, err := term.Exit(within)
	if code != 7 || err != nil || strings.Contains(string(term.Raw()), "secret") {
		t.Errorf("code %d, %v, %q", code, err, term.Raw())
	}
	if got := term.Unrestored(); !slices.Equal(got, []string{"echo is off", "line editing is off"}) {
		t.Errorf("%q", got)
	}
	if _, err := term.Wait(within, func(screentest.Screen) bool { return false }); err == nil || !strings.Contains(err.Error(), "ended with code 7") {
		t.Errorf("it waited for a program that had ended: %v", err)
	}
}

// Questions are answered as the terminal's kind does.
func TestAnswers(t *testing.T) {
	t.Parallel()
	const ask = `stty raw -echo; printf '\033[>q\033]11;?\033\\\033[?u\033[?2026$p\033[6n\033[c'; ` +
		`a=$(dd bs=1 count=%d 2>/dev/null | tr '\033' '^'); stty sane; printf 'answer %%s.\n' "$a"; exit 0`
	for name, c := range map[string]struct {
		speaks screentest.Speaks
		light  bool
		want   string
	}{
		"modern": {screentest.Modern, false, `^P>|screentest^\^]11;rgb:1212/1414/1818` + "\a" + `^[?0u^[?2026;2$y^[1;1R^[?62;1;6;22c`},
		"light":  {screentest.Modern, true, `^P>|screentest^\^]11;rgb:ffff/ffff/ffff` + "\a" + `^[?0u^[?2026;2$y^[1;1R^[?62;1;6;22c`},
		"legacy": {screentest.Legacy, false, `^[1;1R^[?62;1;6;22c`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			term := start(t, screentest.Options{Command: []string{"sh", "-c", fmt.Sprintf(ask, len(c.want))}, Cols: 120, Light: c.light, Speaks: c.speaks, Rows: 10})
			if code, err := term.Exit(within); code != 0 || err != nil {
				t.Fatalf("code %d, %v, %q", code, err, term.Raw())
			}
			if !strings.Contains(string(term.Raw()), "answer "+c.want+".") {
				t.Errorf("%q, not %q", term.Raw(), c.want)
			}
		})
	}
	// Nothing else is said where the terminal is silent: the next thing is typed.
	term := start(t, screentest.Options{Command: []string{"sh", "-c", fmt.Sprintf(ask, 1)}, Speaks: screentest.Silent})
	if _, err := term.Wait(within, func(screentest.Screen) bool { return strings.Contains(string(term.Raw()), "[c") }); err != nil {
		t.Fatal(err)
	}
	send(t, term, "Z")
	if _, err := term.Exit(within); err != nil || !strings.Contains(string(term.Raw()), "answer Z.") {
		t.Errorf("%v, %q", err, term.Raw())
	}
}

// A frame that is not complete is not shown.
func TestFrameAtOnce(t *testing.T) {
	t.Parallel()
	term := start(t, screentest.Options{Command: []string{"sh", "-c", `stty -echo; printf 'before\033[?2026h after\a'; read a; printf '.\033[?2026'; read a; printf 'l'; read a`}})
	seen := func(text string) {
		t.Helper()
		if _, err := term.Wait(within, func(screentest.Screen) bool { return strings.HasSuffix(string(term.Raw()), text) }); err != nil {
			t.Fatal(err)
		}
	}
	seen("after\a")
	if got := term.Screen().Text(); got != "before\n" {
		t.Errorf("%q", got)
	}
	if _, err := term.Wait(time.Millisecond, func(screentest.Screen) bool { return false }); err == nil || !strings.Contains(err.Error(), "a frame that never ended") {
		t.Errorf("%v", err)
	}
	if left := term.Unrestored(); !slices.Equal(left, []string{"a frame is held back"}) {
		t.Errorf("%q", left)
	}
	send(t, term, "<enter>")
	seen("[?2026")
	send(t, term, "<enter>")
	waitFor(t, term, "before after")
}

// A program is hung up on by Close, and one that does not care is killed. Its reading may end
// before it has the signal.
func TestHangUp(t *testing.T) {
	t.Parallel()
	marker := t.TempDir() + "/hung-up"
	term := start(t, screentest.Options{Command: []string{"sh", "-c", `trap 'echo yes >"$0"; exit 0' HUP; echo ready; while :; do read a || sleep .1; done`, marker}})
	waitFor(t, term, "ready")
	if err := term.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(marker); err != nil || string(got) != "yes\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// What nobody can type or do is an error, not silence.
func TestMistakes(t *testing.T) {
	t.Parallel()
	term := start(t, screentest.Options{Command: []string{"cat"}})
	for _, key := range []string{"<entr>", "<ctrl+é>", "<super+a>", "a\n", "<ctrl+>"} {
		if err := term.Send(key); err == nil {
			t.Errorf("it sent %q", key)
		}
	}
	for _, action := range []string{"click", "wink"} {
		if err := term.Mouse(action, 1, 1); err == nil {
			t.Errorf("it did a %s, of which the program is not told", action)
		}
	}
	if _, err := screentest.Start(screentest.Options{Command: []string{"/no/such/program"}}); err == nil {
		t.Error("it started no program")
	}
	send(t, term, "<", "<>", "a<b>", "<enter>")
	waitFor(t, term, "<<>a<b>")
	send(t, term, "<ctrl+d>")
	if code, err := term.Exit(within); code != 0 || err != nil {
		t.Errorf("%d, %v", code, err)
	}
}

// A full-screen program of another make: it scrolls, searches and leaves.
func TestVi(t *testing.T) {
	t.Parallel()
	busybox := require.Tool(t, "busybox")
	file := t.TempDir() + "/page"
	var text strings.Builder
	for i := range 100 {
		fmt.Fprintf(&text, "line %d\n", i)
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	term := start(t, screentest.Options{Command: []string{busybox, "vi", file}, Cols: 40, Rows: 12})
	waitFor(t, term, "line 0")
	send(t, term, "/line 50", "<enter>")
	if s, err := term.Wait(within, func(s screentest.Screen) bool {
		x, y := s.Where("line 50")
		return x == 0 && s.Cursor.X == x && s.Cursor.Y == y
	}); err != nil {
		t.Fatalf("%v: cursor %+v\n%s", err, s.Cursor, s.Text())
	}
	if err := term.Resize(60, 20); err != nil {
		t.Fatal(err)
	}
	if _, err := term.Wait(within, func(s screentest.Screen) bool { return strings.Contains(s.Line(19), file[len(file)-4:]) }); err != nil {
		t.Errorf("the status line is not the last: %v\n%s", err, term.Screen().Text())
	}
	send(t, term, "cw", "wort")
	waitFor(t, term, "wort 50")
	send(t, term, "<esc>") // together with the next key it would be alt and that key
	waitFor(t, term, "- "+file)
	send(t, term, ":wq", "<enter>")
	if code, err := term.Exit(within); code != 0 || err != nil {
		t.Fatalf("%d, %v\n%s", code, err, term.Screen().Text())
	}
	if left := term.Unrestored(); len(left) != 0 {
		t.Errorf("%q", left)
	}
	if got, err := os.ReadFile(file); err != nil || !strings.Contains(string(got), "\nwort 50\n") {
		t.Errorf("%v, %q", err, got)
	}
}
