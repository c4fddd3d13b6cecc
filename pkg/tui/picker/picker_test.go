package picker_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/internal/goldentest"
	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/flow/flowtest"
	"github.com/vexa-ai/vexa/pkg/tui/picker"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

var update = flag.Bool("update", false, "rewrite the golden lists")

// hostile is what a name would do to a screen.
const hostile = "\x1b[2J\x1b]0;owned\x07\x1b]52;c;Y2FuYXJ5\x07\u202egnihton\x1bP+q\x1b\\\r\x08\n"

// press is a key as a terminal sends it.
func press(name string) tea.KeyPressMsg {
	codes := map[string]rune{
		"up": tea.KeyUp, "down": tea.KeyDown, "pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown, "home": tea.KeyHome, "end": tea.KeyEnd,
		"enter": tea.KeyEnter, "tab": tea.KeyTab, "esc": tea.KeyEscape, "backspace": tea.KeyBackspace,
	}
	if code, ok := codes[name]; ok {
		return tea.KeyPressMsg{Code: code}
	}
	if letter, ok := strings.CutPrefix(name, "ctrl+"); ok {
		return tea.KeyPressMsg{Code: rune(letter[0]), Mod: tea.ModCtrl}
	}
	return tea.KeyPressMsg{Code: []rune(name)[0], Text: name}
}

func typed(p *picker.Picker, keys ...string) {
	for _, k := range keys {
		p.Update(press(k))
	}
}

func sessions() []picker.Item {
	return []picker.Item{
		{Title: "Write a note that says the otters are back", Detail: "just now"},
		{Title: "Why does the test of the kernel hang?", Detail: "5 minutes ago"},
		{Title: "Otters: what is known of them, and who says so, in as many words as it takes to fill this line and the next", Detail: "2 hours ago"},
		{Title: "evil" + hostile + " session", Detail: "yesterday" + hostile},
		{Title: "漢字 と 🦦 の話", Detail: "3 days ago"},
		{Title: "", Detail: "last week"},
	}
}

func files(n int) []picker.Item {
	items := make([]picker.Item, n)
	for i := range items {
		items[i] = picker.Item{Title: fmt.Sprintf("pkg/%s/%s/file%d_test.go", strings.Fields("tui daemon workspace runtime")[i%4], strings.Fields("picker complete view handler of-a-rather-long-name")[i%5], i), Detail: fmt.Sprintf("%d B", i*37)}
	}
	return items
}

func preview(item, _ int) []flow.Line {
	return []flow.Line{flow.Plain(fmt.Sprintf("preview of %d", item), theme.Heading), nil, flow.Plain("a\tb" + hostile + strings.Repeat("wide ", 60))}
}

// scenes are the lists as people see them.
func scenes(th theme.Theme) map[string]*picker.Picker {
	all := map[string]*picker.Picker{
		"sessions": picker.New(th, picker.Options{Title: "Sessions", Enter: "resume", Tab: "rename"}),
		"search":   picker.New(th, picker.Options{Title: "Sessions", Enter: "resume", Tab: "rename"}),
		"files":    picker.New(th, picker.Options{Title: "Files of personal", Enter: "insert", Paths: true, Preview: preview}),
		"empty":    picker.New(th, picker.Options{Title: "Sessions", Empty: "there is no session yet: what you write begins one"}),
		"nothing":  picker.New(th, picker.Options{Title: "Sessions"}),
		"loading":  picker.New(th, picker.Options{Title: "Files of personal", Paths: true}),
	}
	all["sessions"].Add(picker.Prepare(sessions()))
	all["search"].Add(picker.Prepare(sessions()))
	all["search"].Search("otters")
	typed(all["search"], "down")
	all["files"].Add(picker.Prepare(files(3000)))
	all["files"].Search("wsp view 42")
	typed(all["files"], "down", "down")
	all["nothing"].Add(picker.Prepare(sessions()))
	all["nothing"].Search("zzz")
	all["loading"].Loading(true)
	return all
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, size := range [][2]int{{80, 24}, {120, 40}, {40, 12}} {
		for tn, th := range map[string]theme.Theme{"none": theme.None(), "dark": theme.Dark()} {
			for sn, p := range scenes(th) {
				name := fmt.Sprintf("%s-%dx%d-%s", sn, size[0], size[1], tn)
				got := strings.Join(p.View(size[0], size[1]), "\n") + "\n"
				if diff := cmp.Diff(goldentest.Want(t, name, got, *update), got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
		}
	}
}

// checkView: whatever is in a list, it fills its room, and no control sequence but the
// theme's is in it.
func checkView(t *testing.T, p *picker.Picker, width, height int, th theme.Theme) {
	t.Helper()
	lines := p.View(width, height)
	if len(lines) != height {
		t.Fatalf("%d lines of %d", len(lines), height)
	}
	flowtest.Painted(t, lines, width, th, true)
	if x, y := p.Cursor(); x < 0 || x >= width || y < 0 || y >= height {
		t.Fatalf("%dx%d: the cursor is at %d, %d", width, height, x, y)
	}
}

func TestEverySize(t *testing.T) {
	t.Parallel()
	for _, th := range []theme.Theme{theme.None(), theme.Light(), theme.Dark()} {
		for _, p := range scenes(th) {
			for width := 1; width < 140; width += 7 {
				for height := 1; height < 45; height += 4 {
					checkView(t, p, width, height, th)
				}
			}
		}
	}
}

// is checks how a list was left.
func is(t *testing.T, p *picker.Picker, want picker.Choice) {
	t.Helper()
	if got, ok := p.Done(); !ok || got != want {
		t.Errorf("left with %+v, %t; want %+v", got, ok, want)
	}
	p.Again()
}

func TestKeys(t *testing.T) {
	t.Parallel()
	p := picker.New(theme.None(), picker.Options{Tab: "rename"})
	p.Add(picker.Prepare(files(100)))
	p.View(80, 14) // ten rows
	for _, c := range []struct {
		keys string
		want int
	}{
		{"enter", 0},
		{"down enter", 1},
		{"ctrl+n enter", 2},
		{"up enter", 1},
		{"ctrl+p enter", 0},
		{"up enter", 0},
		{"pgdown enter", 9},
		{"pgup enter", 0},
		{"end enter", 99},
		{"down enter", 99},
		{"home enter", 0},
		{"ctrl+u f i l e 4 2 enter", 42},
		{"ctrl+u down enter", 1},
		{"ctrl+u f i l e 4 3 backspace 2 enter", 42},
	} {
		typed(p, strings.Fields(c.keys)...)
		got, ok := p.Done()
		if !ok || got != (picker.Choice{Action: picker.Chosen, Item: c.want}) {
			t.Errorf("%s: %+v, %t", c.keys, got, ok)
		}
		p.Again()
	}
	typed(p, "ctrl+u", "tab")
	is(t, p, picker.Choice{Action: picker.Second, Item: 0})
	typed(p, "esc")
	if p.Update(press("x")) || p.Pattern() != "" {
		t.Error("a list that was left takes keys")
	}
	is(t, p, picker.Choice{Action: picker.Dismissed, Item: -1})
	p.Update(tea.PasteMsg{Content: "two words\x1b[2J\n"})
	if got := p.Pattern(); got != "two words " {
		t.Errorf("pasted: %q", got)
	}
	typed(p, "ctrl+w")
	if got := p.Pattern(); got != "two " {
		t.Errorf("a word less is %q", got)
	}
	p.Search("e\u0301👩‍💻")
	typed(p, "backspace")
	if got := p.Pattern(); got != "e\u0301" {
		t.Errorf("a character less is %q", got)
	}
	if p.Update(press("ctrl+c")) || p.Update(tea.KeyPressMsg{Code: tea.KeyF1}) || p.Update(tea.WindowSizeMsg{}) {
		t.Error("it takes what is not for it")
	}
}

// Where there is nothing to choose, and no second action, no key chooses.
func TestNothingToChoose(t *testing.T) {
	t.Parallel()
	p := picker.New(theme.None(), picker.Options{Tab: "rename"})
	typed(p, "down", "enter", "tab", "end")
	if _, ok := p.Done(); ok {
		t.Error("nothing was chosen")
	}
	p = picker.New(theme.None(), picker.Options{})
	p.Add(picker.Prepare(files(3)))
	typed(p, "tab")
	if _, ok := p.Done(); ok {
		t.Error("tab chose")
	}
}

func TestMouse(t *testing.T) {
	t.Parallel()
	p := picker.New(theme.None(), picker.Options{Title: "x", Preview: preview})
	p.Add(picker.Prepare(files(100)))
	p.View(120, 14) // a title, what is typed, a rule, ten rows, the keys
	click := func(x, y int) bool { return p.Update(tea.MouseClickMsg{X: x, Y: y, Button: tea.MouseLeft}) }
	for _, at := range [][2]int{{0, 0}, {0, 2}, {0, 13}, {100, 5}, {-1, 5}} {
		if click(at[0], at[1]) {
			t.Errorf("a click at %v did something", at)
		}
	}
	click(3, 5)
	if _, ok := p.Done(); ok {
		t.Fatal("one click chose")
	}
	click(3, 5)
	is(t, p, picker.Choice{Action: picker.Chosen, Item: 2})
	for range 4 {
		p.Update(tea.MouseWheelMsg{Button: tea.MouseWheelDown})
	}
	p.View(120, 14)
	click(3, 3) // the first row that is shown
	click(3, 3)
	is(t, p, picker.Choice{Action: picker.Chosen, Item: 5})
	p.Update(tea.MouseWheelMsg{Button: tea.MouseWheelUp})
	typed(p, "enter")
	is(t, p, picker.Choice{Action: picker.Chosen, Item: 2})
	if p.Update(tea.MouseClickMsg{X: 3, Y: 5, Button: tea.MouseRight}) || p.Update(tea.MouseWheelMsg{Button: tea.MouseWheelLeft}) {
		t.Error("it takes what is not for it")
	}
}

// Items may come while somebody searches: what they chose stays chosen, and what they
// have not chosen is the best of all that is there.
func TestItemsCome(t *testing.T) {
	t.Parallel()
	p := picker.New(theme.None(), picker.Options{})
	p.Search("otter")
	typed(p, "enter")
	if _, ok := p.Done(); ok {
		t.Fatal("nothing was chosen")
	}
	add := func(titles ...string) {
		var items []picker.Item
		for _, s := range titles {
			items = append(items, picker.Item{Title: s})
		}
		p.Add(picker.Prepare(items))
	}
	add("a river of otters", "no")
	add("xoxtxtxexr")
	add("otter")
	typed(p, "enter")
	is(t, p, picker.Choice{Action: picker.Chosen, Item: 3})
	typed(p, "down", "enter")
	is(t, p, picker.Choice{Action: picker.Chosen, Item: 0})
	add("otters")
	typed(p, "enter")
	is(t, p, picker.Choice{Action: picker.Chosen, Item: 0})
	p.Search("")
	for i := range 3000 {
		add(fmt.Sprint("more ", i))
	}
	typed(p, "end", "enter")
	is(t, p, picker.Choice{Action: picker.Chosen, Item: 3004})
	p.Search("more 2999")
	typed(p, "enter")
	is(t, p, picker.Choice{Action: picker.Chosen, Item: 3004})
}

// Whether items come at once or in pieces, the same is found.
func TestPiecesAreOne(t *testing.T) {
	t.Parallel()
	items := files(5000)
	whole, pieces := picker.New(theme.None(), picker.Options{Paths: true}), picker.New(theme.None(), picker.Options{Paths: true})
	whole.Add(picker.Prepare(items))
	for i := 0; i < len(items); i += 777 {
		pieces.Add(picker.Prepare(items[i:min(i+777, len(items))]))
	}
	for _, pattern := range []string{"", "view", "wsp 4", "file4999", "zz"} {
		whole.Search(pattern)
		pieces.Search(pattern)
		if diff := cmp.Diff(whole.View(80, 40), pieces.View(80, 40)); diff != "" {
			t.Errorf("%q (-whole +pieces):\n%s", pattern, diff)
		}
	}
}

// FuzzView: foreign titles and any pattern leave the screen whole.
func FuzzView(f *testing.F) {
	f.Add("otters", "Otters"+hostile, "now"+hostile, uint8(80), uint8(24))
	f.Add("", "\u0301a\tb", "漢字", uint8(3), uint8(2))
	f.Add("👩‍💻", strings.Repeat("👩‍💻", 50), "🇩🇪🇫🇷", uint8(40), uint8(12))
	f.Fuzz(func(t *testing.T, pattern, title, detail string, width, height uint8) {
		for _, th := range []theme.Theme{theme.None(), theme.Dark()} {
			p := picker.New(th, picker.Options{
				Title: title, Empty: detail, Enter: pattern, Tab: detail, Paths: width%2 == 0,
				Preview: func(int, int) []flow.Line { return []flow.Line{flow.Plain(detail), flow.Plain(title)} },
			})
			p.Add(picker.Prepare([]picker.Item{{title, detail}, {detail, title}}))
			w, h := max(int(width), 2), max(int(height), 1)
			checkView(t, p, w, h, th)
			p.Search(pattern)
			checkView(t, p, w, h, th)
			typed(p, "down")
			checkView(t, p, w, h, th)
		}
	})
}

// BenchmarkKey is a letter that is typed into a list of 100,000 paths, until the screen is
// drawn, against a frame of a screen, 16 ms.
func BenchmarkKey(b *testing.B) {
	p := picker.New(theme.Dark(), picker.Options{Title: "Files", Paths: true})
	p.Add(picker.Prepare(files(100_000)))
	const frame = 16 * time.Millisecond
	for _, pattern := range []string{"w", "wsp", "pkgviewfile42"} {
		b.Run(pattern, func(b *testing.B) {
			var took time.Duration
			for b.Loop() {
				p.Search(pattern[:len(pattern)-1])
				begin := time.Now()
				p.Update(press(pattern[len(pattern)-1:]))
				p.View(120, 40)
				took += time.Since(begin)
			}
			b.ReportMetric(float64(took)/float64(b.N)/float64(frame), "x-floor")
			b.ReportMetric(float64(took.Microseconds())/float64(b.N)/1000, "ms/key")
		})
	}
}
