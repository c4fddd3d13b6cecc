package fuzzy_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sahilm/fuzzy"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
	mine "github.com/vexa-ai/vexa/pkg/tui/fuzzy"
)

// TestRanking: what a person means is first.
func TestRanking(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern string
		texts   []string // the first is meant
	}{
		{"main", []string{"cmd/vexa/main.go", "src/domain/model.go", "docs/maintain.md"}},
		{"main", []string{"src/domain/main.go", "src/main/domain.go"}},
		{"readme", []string{"README.md", "docs/readme/index.md", "pkg/thread/meter.go"}},
		{"pth", []string{"pkg/tui/help.go", "pxxxxtxxxxxh"}},
		{"ws log", []string{"vexa workspace log", "vexa workspace lock-gone", "vexa show lines of gold"}},
		{"fb", []string{"foo_bar.go", "fabric.go", "fob.go"}},
		{"fb", []string{"FooBar.go", "fabric.go"}},
		{"FB", []string{"FooBar.go"}},
		{"render", []string{"pkg/tui/diff/render.go", "pkg/render/diff/other.go", "pkg/tui/renderer/x.go"}},
		{"go.mod", []string{"go.mod", "vendor/go.mod/x", "go/models.go"}},
		{"überm", []string{"docs/Übermut.md", "docs/uber.md"}},
		{"a", []string{"a", "ab", "b/a/c"}},
		{"2026", []string{"notes/2026-11-29.md", "notes/2x0x2x6.md"}},
	} {
		for _, shift := range []int{0, 1} { // wherever it is in the list
			texts := slices.Concat(c.texts[shift:], c.texts[:shift])
			found := mine.New(texts).Find(c.pattern, 10)
			if len(found) == 0 || texts[found[0].Index] != c.texts[0] {
				var got []string
				for _, m := range found {
					got = append(got, fmt.Sprintf("%s (%d)", texts[m.Index], m.Score))
				}
				t.Errorf("%q: %q", c.pattern, got)
			}
		}
	}
}

func TestSmartCase(t *testing.T) {
	t.Parallel()
	x := mine.New([]string{"readme", "README"})
	if got := x.Find("readme", 9); len(got) != 2 {
		t.Errorf("small letters match %v", got)
	}
	if got := x.Find("README", 9); len(got) != 1 || got[0].Index != 1 {
		t.Errorf("capitals match %v", got)
	}
}

func TestEdges(t *testing.T) {
	t.Parallel()
	x := mine.New([]string{"b", "a", ""})
	if got := x.Find("  ", 2); len(got) != 2 || got[0].Index != 0 || got[1].Index != 1 {
		t.Errorf("an empty pattern finds %v", got)
	}
	if got := x.Find("a", 0); got != nil {
		t.Errorf("no limit left finds %v", got)
	}
	if got := x.Find("zz", 5); len(got) != 0 {
		t.Errorf("nothing is %v", got)
	}
	if got := mine.New(nil).Find("a", 5); len(got) != 0 {
		t.Errorf("no texts are %v", got)
	}
	hostile := mine.New([]string{"a\x1b[2J\u202eb\nc"})
	if got := hostile.Text(0); got != "ab c" {
		t.Errorf("a text is %q", got)
	}
}

func TestRuns(t *testing.T) {
	t.Parallel()
	text := "pkg/tüi/x"
	m := mine.New([]string{text}).Find("ptüx", 1)
	got := mine.Runs(text, m[0].Positions)
	if want := [][2]int{{0, 1}, {4, 7}, {9, 10}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestFindsWhatTheLibraryFinds: which texts match is the same as with another
// implementation.
func TestFindsWhatTheLibraryFinds(t *testing.T) {
	t.Parallel()
	texts := paths(20_000)
	x := mine.New(texts)
	for _, pattern := range []string{"a", "pkgmain", "testgo", "zzq", "wsp/rn", "xyz"} {
		want := map[int]bool{}
		for _, m := range fuzzy.Find(pattern, texts) {
			want[m.Index] = true
		}
		got := map[int]bool{}
		for _, m := range x.Find(pattern, len(texts)) {
			got[m.Index] = true
		}
		if len(got) != len(want) {
			t.Errorf("%q: %d found, the library finds %d", pattern, len(got), len(want))
		}
		for i := range want {
			if !got[i] {
				t.Errorf("%q misses %q", pattern, texts[i])
				break
			}
		}
	}
}

// TestTheBestAreFound: looking for few finds the first of many.
func TestTheBestAreFound(t *testing.T) {
	t.Parallel()
	texts := append(paths(30_000), "exactly/this/one.go")
	got := mine.New(texts).Find("one", 3)
	if len(got) == 0 || texts[got[0].Index] != "exactly/this/one.go" {
		t.Errorf("%v", got)
	}
}

// FuzzFind: a match has the letters of the pattern, in order, at positions that
// are characters.
func FuzzFind(f *testing.F) {
	f.Add("main", "cmd/vexa/main.go", "docs/maintain.md")
	f.Add("Über x", "über/Über", "x")
	f.Add("aaaa", strings.Repeat("a", 300), "aaa")
	f.Add("İ", "i̇İ", "ſ K")
	f.Add(strings.Repeat("a", 100), strings.Repeat("a", 100), "\x1b[31ma")
	f.Fuzz(func(t *testing.T, pattern, a, b string) {
		x := mine.New([]string{a, b})
		found := x.Find(pattern, 2)
		for i, m := range found {
			if i > 0 && m.Score > found[i-1].Score {
				t.Fatal("the better one is second")
			}
			text := x.Text(m.Index)
			if plain.Line(text) != text {
				t.Fatalf("%q is not stripped", text)
			}
			var letters strings.Builder
			for j, p := range m.Positions {
				if !utf8.RuneStart(text[p]) || j > 0 && p <= m.Positions[j-1] {
					t.Fatalf("positions %v of %q", m.Positions, text)
				}
				r, _ := utf8.DecodeRuneInString(text[p:])
				letters.WriteRune(r)
			}
			if fields := strings.Fields(plain.Line(pattern)); len(fields) == 1 && utf8.RuneCountInString(fields[0]) <= 64 {
				if !strings.EqualFold(letters.String(), fields[0]) {
					t.Fatalf("%q matches %q by %q", pattern, text, letters.String())
				}
				if strings.IndexFunc(fields[0], unicode.IsUpper) >= 0 && strings.ToLower(fields[0]) != fields[0] && utf8.RuneCountInString(fields[0]) == len(fields[0]) && letters.String() != fields[0] {
					t.Fatalf("%q matches %q in another case", pattern, text)
				}
			}
			for _, run := range mine.Runs(text, m.Positions) {
				_ = text[run[0]:run[1]]
			}
		}
	})
}

// paths are names as a large workspace has them.
func paths(n int) []string {
	random := rand.New(rand.NewPCG(1, 2))
	parts := strings.Fields("pkg cmd internal src workspace runtime main render model view test zoo query handler server client stream journal docs notes parser image layout")
	out := make([]string, n)
	for i := range out {
		var b strings.Builder
		for range 2 + random.IntN(4) {
			b.WriteString(parts[random.IntN(len(parts))] + "/")
		}
		fmt.Fprintf(&b, "%s_%s%d.go", parts[random.IntN(len(parts))], parts[random.IntN(len(parts))], random.IntN(1000))
		out[i] = b.String()
	}
	return out
}

// BenchmarkFind searches 100,000 paths, against the library that Bubble Tea's
// own lists use.
func BenchmarkFind(b *testing.B) {
	texts := paths(100_000)
	x := mine.New(texts)
	for _, pattern := range []string{"a", "main", "pkgrendgo", "wsp run 42", "zzzz"} {
		b.Run(strings.ReplaceAll(pattern, " ", "+"), func(b *testing.B) {
			var floor, ours time.Duration
			for b.Loop() {
				begin := time.Now()
				fuzzy.Find(pattern, texts)
				theirs := time.Now()
				x.Find(pattern, 100)
				floor, ours = floor+theirs.Sub(begin), ours+time.Since(theirs)
			}
			b.ReportMetric(float64(ours)/float64(floor), "x-floor")
			b.ReportMetric(float64(ours.Microseconds())/float64(b.N)/1000, "ms/find")
			b.ReportMetric(float64(floor.Microseconds())/float64(b.N)/1000, "floor-ms")
		})
	}
}
