package markdown_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"charm.land/lipgloss/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/internal/goldentest"
	"github.com/vexa-ai/vexa/pkg/tui/markdown"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

var update = flag.Bool("update", false, "rewrite the goldens")

var sgr = regexp.MustCompile(`\x1b\[[0-9;]*m`)

func zoo(tb testing.TB) string {
	tb.Helper()
	data, err := os.ReadFile("testdata/zoo.md")
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}

func themes() []theme.Theme { return []theme.Theme{theme.Light(), theme.Dark(), theme.None()} }

// whole renders a text that came at once.
func whole(th theme.Theme, width int, text string) []string {
	d := markdown.New(th)
	d.Append(text)
	d.Close()
	return d.Lines(width)
}

// What no model wrote is shown as it came, whatever Markdown would make of it, and
// in whatever pieces.
func TestPlain(t *testing.T) {
	t.Parallel()
	const text = "def f():\n    return *1*\n\n# no head\n\tx\n```\n- a\n<b>\x1b[31mred and quite a lot of words\nend"
	want := []string{
		"def f():", "    return *1*", "", "# no head", "    x", "```", "- a", "<b>red and quite a lot", " of words", "end",
	}
	for size := 1; size <= len(text); size++ {
		d := markdown.NewPlain(theme.Dark())
		for rest := text; rest != ""; {
			piece := rest[:min(size, len(rest))]
			rest = rest[len(piece):]
			d.Append(piece)
			d.Lines(22)
		}
		if diff := cmp.Diff(want, d.Lines(22)); diff != "" {
			t.Fatalf("in pieces of %d, before its end (-want +got):\n%s", size, diff)
		}
		d.Close()
		if diff := cmp.Diff(want, d.Lines(22)); diff != "" {
			t.Fatalf("in pieces of %d (-want +got):\n%s", size, diff)
		}
	}
}

func bare(lines []string) string {
	return sgr.ReplaceAllString(strings.Join(lines, "\n"), "")
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, th := range themes() {
		th := th.WithClusters(true)
		for _, width := range []int{40, 80, 120} {
			t.Run(fmt.Sprintf("%s-%d", th.Name(), width), func(t *testing.T) {
				t.Parallel()
				got := strings.Join(whole(th, width, zoo(t)), "\n") + "\n"
				name := fmt.Sprintf("zoo-%s-%d", th.Name(), width)
				if diff := cmp.Diff(goldentest.Want(t, name, got, *update), got); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// TestPieces: whatever the cuts, the end is the same, in every theme.
func TestPieces(t *testing.T) {
	t.Parallel()
	text := zoo(t)
	for _, th := range themes() {
		want := whole(th, 60, text)
		for _, size := range []int{1, 2, 3, 7, 64, 1000} {
			d := markdown.New(th)
			for rest := text; rest != ""; {
				n := min(size, len(rest))
				d.Append(rest[:n])
				rest = rest[n:]
				if size > 2 || len(rest)%16 == 0 {
					d.Lines(60)
				}
			}
			d.Close()
			if diff := cmp.Diff(want, d.Lines(60)); diff != "" {
				t.Errorf("%s in pieces of %d: %s", th.Name(), size, diff)
			}
		}
	}
}

// TestFixedLinesStay: what is said to be fixed is never another line later, and
// all but the last block is.
func TestFixedLinesStay(t *testing.T) {
	t.Parallel()
	text := zoo(t)
	d := markdown.New(theme.None())
	var fixed []string
	for i := range len(text) {
		d.Append(text[i : i+1])
		lines := d.Lines(50)
		if n := d.Fixed(); n < len(fixed) || n > len(lines) {
			t.Fatalf("%d lines are fixed, of %d, after %d", n, len(lines), len(fixed))
		}
		if !slices.Equal(lines[:len(fixed)], fixed) {
			t.Fatalf("a fixed line changed at byte %d", i)
		}
		fixed = slices.Clone(lines[:d.Fixed()])
		if open := len(lines) - d.Fixed(); open > 30 {
			t.Fatalf("%d lines are open at byte %d", open, i)
		}
	}
	if len(fixed) < 60 {
		t.Errorf("only %d lines were fixed", len(fixed))
	}
}

// TestWhileItComes: an unfinished text looks like what it becomes.
func TestWhileItComes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"a fence without its end":             {"```go\nfunc main() {", "```go\n  func main() {"},
		"a fence that is about to end":        {"```go\nx\n``", "```go\n  x"},
		"an empty fence":                      {"```go\n", "```go"},
		"a table's head":                      {"| a | b |", "a │ b\n──┼──"},
		"a table's head and half a delimiter": {"| a | b |\n|--", "a │ b\n──┼──"},
		"half a row":                          {"| a | b |\n|---|---|\n| 1 |", "a │ b\n──┼──\n1 │  "},
		"strong text without its end":         {"say **so", "say **so**"},
		"strong text of nothing":              {"say **", "say "},
		"code without its end":                {"say `so", "say `so`"},
		"a link without its end":              {"see [docs](http://x", "see docs (http://x)"},
		"no heading for a dash":               {"text\n-", "text"},
		"a heading":                           {"# He", "# He"},
		"a list":                              {"- a\n- b", "• a\n• b"},
	} {
		d := markdown.New(theme.None())
		d.Append(c.in)
		if got := bare(d.Lines(40)); strings.TrimRight(got, " ") != strings.TrimRight(c.want, " ") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestBlocks(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("word ", 20)
	for name, c := range map[string]struct{ in, want string }{
		"nothing":                       {"", ""},
		"blank lines":                   {"\n\n \n", ""},
		"definitions alone":             {"[a]: http://x\n", ""},
		"a reference":                   {"[a]: http://x\n\n[a]", "a (http://x)"},
		"a later definition":            {"[a]\n\n[a]: http://x\n", "[a]"},
		"a link to itself":              {"[http://x](http://x)", "http://x"},
		"a link that says another":      {"[http://good](http://evil)", "http://good (http://evil)"},
		"mail":                          {"<a@b.example>", "a@b.example"},
		"a list goes on after a blank":  {"- a\n\n- b\n\n  c\n", "• a\n\n• b\n\n  c"},
		"two lists":                     {"1. a\n2. b\n\ntext\n\n3. c\n", "1. a\n2. b\n\ntext\n\n3. c"},
		"a fence interrupts":            {"text\n```\ncode\n\nmore\n```\ntext", "text\n\n```\n  code\n  \n  more\n```\n\ntext"},
		"a fence in a list":             {"- a\n  ```\n  x\n\n  y\n  ```\n- b", "• a\n    x\n  \n    y\n• b"},
		"tildes":                        {"~~~\n```\n~~~", "~~~\n  ```\n~~~"},
		"a comment is text":             {"<!-- hidden -->", "<!-- hidden -->"},
		"a hard break":                  {"a  \nb\\\nc", "a\nb\nc"},
		"pipes without a delimiter row": {"a | b\nc | d", "a | b\nc | d"},
		"a table after text":            {"text\n| a |\n|---|\n| b |", "text\n\na\n─\nb"},
		"more cells than columns":       {"| a |\n|---|\n| b | c |", "a\n─\nb"},
		"a task that is a link":         {"[x]: http://y\n\n- [x] a", "• x (http://y) a"},
		"not a task":                    {"- [y] a", "• [y] a"},
		"code is not wrapped at spaces": {"```\n" + long + "\n```", "```\n  word word word word word word word wor\n↪ d word word word word word word word w\n↪ ord word word word word \n```"},
		"tabs":                          {"```\n\ta\tb\n```", "```\n      a   b\n```"},
	} {
		got := bare(whole(theme.None(), 40, c.in))
		trim := regexp.MustCompile(`(?m) +$`)
		if trim.ReplaceAllString(got, "") != trim.ReplaceAllString(c.want, "") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestHostile: nothing of what Markdown can spell reaches the screen as a
// control sequence, and nothing hides.
func TestHostile(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"OSC 52":               "a\x1b]52;c;ZXZpbA==\ab",
		"OSC 8":                "a\x1b]8;;http://evil\x1b\\b\x1b]8;;\x1b\\",
		"CSI by an entity":     "a&#27;[2J&#x1b;[31mb",
		"C1 by an entity":      "a&#155;2Jb&#x9d;0;t&#x9c;",
		"bidi by an entity":    "a&#x202e;b",
		"in code":              "`\x1b[31m` \n```\x1b[31m\n\x1b[2J\n```\n",
		"in a link":            "[a](<http://x/\x1b[31m&#27;[2J> \"\x1b\")",
		"in a table":           "| \x1b[31ma |\n|---|\n| &#27;[2J |",
		"in a definition":      "[a]: http://x&#27;[2J\n\n[a]",
		"in a language's name": "```&#27;[2J\nx\n```",
		"a line feed":          "a&#10;&#13;b",
		"tags":                 "a&#xe0041;b",
	} {
		for _, th := range themes() {
			for _, line := range whole(th, 40, in) {
				text := sgr.ReplaceAllString(line, "")
				if plain.Line(text) != text {
					t.Errorf("%s, %s: %q", name, th.Name(), line)
				}
				if th.Plain() && strings.Contains(line, "\x1b") {
					t.Errorf("%s: %q", name, line)
				}
			}
		}
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	d := markdown.New(theme.None())
	for range markdown.MaxText/(8<<10) + 2 {
		d.Append(strings.Repeat("0123456789abcdef", 8<<10/16-1) + "\n\n")
	}
	d.Append(strings.Repeat("x", 1<<20))
	d.Close()
	if d.Size() > markdown.MaxText {
		t.Errorf("%d bytes are kept", d.Size())
	}
	lines := d.Lines(80)
	if last := lines[len(lines)-1]; !strings.Contains(last, "goes on") {
		t.Errorf("the last line is %q", last)
	}
	d.Forget()
	if got := d.Lines(80); !slices.Equal(got, lines) {
		t.Error("what was forgotten came back as something else")
	}
}

func TestWidthsAndThemesChange(t *testing.T) {
	t.Parallel()
	text := zoo(t)
	d := markdown.New(theme.Dark())
	d.Append(text)
	d.Close()
	for _, width := range []int{80, 40, 1, 120, 80} {
		if got, want := d.Lines(width), whole(theme.Dark(), width, text); !slices.Equal(got, want) {
			t.Errorf("at %d it is not what it is at once", width)
		}
	}
	d.Restyle(theme.Light())
	if got, want := d.Lines(80), whole(theme.Light(), 80, text); !slices.Equal(got, want) {
		t.Error("in another theme it is not what it is at once")
	}
}

// FuzzPieces: the end depends on the text alone; every line fits, holds no
// sequence but the theme's, and is one line.
func FuzzPieces(f *testing.F) {
	for _, s := range []string{
		zoo(f), "", "- a\n\n  b\n- c", "```\na\n\n```\nb", "> a\nb\n\n> c", "| a |\n|---|\n| b", "a\n-", "1. a\n1) b", "\t- a\n\n\tb",
		"&#27;[31m", "\x1b]52;c;x\a**a", "- ```\n  x\n\n  y\n```\nz", "[a]: b\n[a]", strings.Repeat("> ", 50) + "a", strings.Repeat("- ", 30) + "a", "``` `\n~~~\n```\n",
		strings.Repeat("word ", 2000), strings.Repeat("- item\n", 2000), strings.Repeat("x", 9000), "|a|\n|-|\n" + strings.Repeat("|b|\n", 4100), "~~~go\n" + strings.Repeat("/* x\n", 1000),
	} {
		f.Add(s, uint64(1), uint8(40))
	}
	f.Fuzz(func(t *testing.T, s string, seed uint64, width uint8) {
		random := rand.New(rand.NewPCG(seed, 1))
		for _, th := range []theme.Theme{theme.Dark(), theme.None()} {
			want := whole(th, int(width), s)
			d := markdown.New(th)
			renders := 0
			for rest := s; rest != ""; {
				n := 1 + random.IntN(len(rest))
				if random.IntN(4) > 0 {
					n = min(n, 1+random.IntN(64))
				}
				d.Append(rest[:n])
				rest = rest[n:]
				if random.IntN(2) == 0 && renders < 64 {
					renders++
					check(t, th, int(width), d.Lines(int(width)))
				}
			}
			d.Close()
			got := d.Lines(int(width))
			if !slices.Equal(got, want) {
				t.Fatalf("%s, in pieces: %s", th.Name(), cmp.Diff(want, got))
			}
			check(t, th, int(width), got)
		}
	})
}

func check(t *testing.T, th theme.Theme, width int, lines []string) {
	t.Helper()
	for _, line := range lines {
		text := sgr.ReplaceAllString(line, "")
		if plain.Line(text) != text || th.Plain() && text != line {
			t.Fatalf("%s: a sequence that is not the theme's in %q", th.Name(), line)
		}
		if got := lipgloss.Width(line); got > max(width, 8) {
			t.Fatalf("%q is %d wide, not %d", text, got, width)
		}
	}
}
