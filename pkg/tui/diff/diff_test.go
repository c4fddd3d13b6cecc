package diff_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/internal/goldentest"
	"github.com/vexa-ai/vexa/pkg/tui/diff"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

var update = flag.Bool("update", false, "rewrite the goldens")

var sgr = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// patch is one that git made; testdata/zoo.patch has every kind of file.
func patch(tb testing.TB, name string) string {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}

func themes() []theme.Theme { return []theme.Theme{theme.Light(), theme.Dark(), theme.None()} }

func text(lines []string) string { return sgr.ReplaceAllString(strings.Join(lines, "\n"), "") }

func TestGolden(t *testing.T) {
	t.Parallel()
	zoo := patch(t, "zoo.patch")
	for _, th := range themes() {
		th := th.WithClusters(true)
		for _, width := range []int{40, 80, 120} {
			for _, sides := range []bool{false, true} {
				name := fmt.Sprintf("zoo-%s-%d", th.Name(), width)
				if sides {
					name += "-sides"
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					lines, _ := diff.Render(diff.Parse(zoo), th, diff.View{Width: width, Sides: sides})
					golden(t, name, lines)
				})
			}
		}
	}
}

func golden(t *testing.T, name string, lines []string) {
	t.Helper()
	got := strings.Join(lines, "\n") + "\n"
	if d := cmp.Diff(goldentest.Want(t, name, got, *update), got); d != "" {
		t.Error(d)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	type summary struct {
		Old, New       string
		Status         diff.Status
		Binary         bool
		Hunks          int
		Added, Removed int
	}
	var got []summary
	for _, f := range diff.Parse(patch(t, "zoo.patch")) {
		got = append(got, summary{f.Old, f.New, f.Status, f.Binary, len(f.Hunks), f.Added, f.Removed})
	}
	evil := "ev\x1b[31mil\n+++ b"
	want := []summary{
		{"", "added-empty", diff.Added, false, 0, 0, 0},
		{"bin.dat", "bin.dat", diff.Modified, true, 0, 0, 0},
		{"docs/old-name.txt", "docs/new-name.txt", diff.Renamed, false, 1, 1, 1},
		{"dos.txt", "dos.txt", diff.Modified, false, 1, 1, 1},
		{"moved.txt", "elsewhere.txt", diff.Renamed, false, 0, 0, 0},
		{"", evil, diff.Added, false, 1, 2, 0},
		{"gone.txt", "", diff.Deleted, false, 1, 0, 1},
		{"nofeed.txt", "nofeed.txt", diff.Modified, false, 1, 1, 1},
		{"run.sh", "run.sh", diff.Modified, false, 0, 0, 0},
		{"src/main.go", "src/main.go", diff.Modified, false, 2, 4, 3},
		{"", "tricky.sql", diff.Added, false, 1, 2, 0},
		{"ümläut file.txt", "ümläut file.txt", diff.Modified, false, 1, 1, 1},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestALineIsNoHeader: what a file holds cannot pass for another file, and what
// a patch without git's header holds is read, too.
func TestALineIsNoHeader(t *testing.T) {
	t.Parallel()
	in := "--- a/x.sql\n+++ b/x.sql\n@@ -1,3 +1,3 @@\n a\n--- a/y\n-@@ -1 +1 @@\n+++ b/y\n+diff --git a/z b/z\n\\ No newline at end of file\n"
	files := diff.Parse(in)
	if len(files) != 1 || files[0].Path() != "x.sql" || files[0].Added != 2 || files[0].Removed != 2 {
		t.Fatalf("%+v", files)
	}
	if lines := files[0].Hunks[0].Lines; !lines[len(lines)-1].NoEOL || lines[1].Text != "-- a/y" {
		t.Errorf("%+v", lines)
	}
}

func TestHiddenCharactersAreSaid(t *testing.T) {
	t.Parallel()
	in := "--- a/x\n+++ b/x\n@@ -1 +1,3 @@\n-a\n+a\u202eb\n+c\u200b\n+plain\n"
	lines, _ := diff.Render(diff.Parse(in), theme.None(), diff.View{Width: 60})
	got := text(lines)
	if strings.Count(got, "[hidden characters]") != 2 || strings.ContainsAny(got, "\u202e\u200b") {
		t.Error(got)
	}
}

func TestFolding(t *testing.T) {
	t.Parallel()
	files := diff.Parse(patch(t, "context.patch"))
	render := func(v diff.View) string {
		v.Width = 160 // nothing wraps
		lines, _ := diff.Render(files, theme.None(), v)
		return text(lines)
	}
	all, folded, some := render(diff.View{}), render(diff.View{Context: 1}), render(diff.View{Most: 5})
	if strings.Contains(all, "⋯") || !strings.Contains(all, "five()") {
		t.Error(all)
	}
	if !strings.Contains(folded, "⋯ 10 unchanged lines") || strings.Contains(folded, "five()") || !strings.Contains(folded, "ten()") {
		t.Error(folded)
	}
	if n := strings.Count(all, "\n"); !strings.Contains(some, fmt.Sprintf("⋯ %d more lines", n-5)) {
		t.Errorf("%d lines: %s", n, some)
	}
}

func TestStarts(t *testing.T) {
	t.Parallel()
	files := diff.Parse(patch(t, "zoo.patch"))
	lines, starts := diff.Render(files, theme.None(), diff.View{Width: 80})
	if len(starts) != len(files) {
		t.Fatalf("%d starts of %d files", len(starts), len(files))
	}
	for i, at := range starts {
		if want := files[i].Title(80).Text(); lines[at] != want {
			t.Errorf("line %d is %q, not %q", at, lines[at], want)
		}
	}
}

// TestWords: what differs within a line is marked, and nothing else.
func TestWords(t *testing.T) {
	t.Parallel()
	th := theme.Dark()
	in := "--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n-the quick brown fox\n-nothing alike\n+the slow brown fox\n+???\n"
	lines, _ := diff.Render(diff.Parse(in), th, diff.View{Width: 60})
	got := strings.Join(lines, "\n")
	for _, want := range []string{
		th.Paint("quick", theme.Of(theme.RemovedLine, theme.RemovedWord)),
		th.Paint("slow", theme.Of(theme.AddedLine, theme.AddedWord)),
	} {
		if strings.Count(got, want) != 1 {
			t.Errorf("%q is not marked in %q", want, got)
		}
	}
	open, _, _ := strings.Cut(th.Paint("x", theme.Of(theme.RemovedWord)), "x")
	if n := strings.Count(got, open); n != 1 {
		t.Errorf("%d stretches are marked", n)
	}
}

// FuzzRender: whatever the patch, every line fits and holds no sequence but the
// theme's.
func FuzzRender(f *testing.F) {
	for _, s := range []string{
		patch(f, "zoo.patch"), patch(f, "context.patch"), "", "diff --git ", "diff --git \"a/\\", "--- \n+++ \n@@ -0,0 +1 @@\n+x", "@@ -1 +1 @@\n-a\n+b",
		"--- a\n+++ b\n@@ -1,9999999 +1,9999999 @@\n a\n\n-b\n+\x1b[31mc\n\\", "--- a\n+++ b\n@@ -1 +1 @@ \x1b]0;x\a\n-\u202e\n+漢字👩‍💻\t\n",
		"--- a\n+++ b\n@@ -1 +1 @@\n-10%\r20%\r\n+10%\r30%\n",
	} {
		f.Add(s, uint8(90), true, uint8(1))
		f.Add(s, uint8(40), false, uint8(0))
	}
	f.Fuzz(func(t *testing.T, s string, width uint8, sides bool, context uint8) {
		files := diff.Parse(s)
		for _, th := range []theme.Theme{theme.Dark(), theme.None()} {
			lines, starts := diff.Render(files, th, diff.View{Width: int(width), Sides: sides, Context: int(context % 4), Most: int(context)})
			if len(starts) != len(files) {
				t.Fatalf("%d starts of %d files", len(starts), len(files))
			}
			for _, line := range lines {
				bare := sgr.ReplaceAllString(line, "")
				if plain.Line(bare) != bare || th.Plain() && bare != line {
					t.Fatalf("%s: a sequence that is not the theme's in %q", th.Name(), line)
				}
				if got := lipgloss.Width(line); got > max(int(width), 24) {
					t.Fatalf("%q is %d wide, not %d", bare, got, width)
				}
			}
		}
		if c := context % 4; c == 0 && context == 0 && !sides {
			complete(t, files, int(width))
		}
	})
}

// complete: every line of every hunk is shown.
func complete(t *testing.T, files []diff.File, width int) {
	t.Helper()
	lines, _ := diff.Render(files, theme.None(), diff.View{Width: width})
	squeeze := func(s string) string {
		return strings.NewReplacer(" ", "", "\n", "", "↪", "", "\t", "", "␍", "").Replace(s)
	}
	all := squeeze(strings.Join(lines, "\n"))
	for _, f := range files {
		for _, h := range f.Hunks {
			for _, l := range h.Lines {
				if want := squeeze(plain.Line(strings.TrimSuffix(l.Text, "\r"))); !strings.Contains(all, want) {
					t.Fatalf("%q is not shown in %q", want, all)
				}
			}
		}
	}
}

// BenchmarkRender compares with copying the patch: what any picture of it has
// to do at least.
func BenchmarkRender(b *testing.B) {
	source := patch(b, "zoo.patch")
	source = strings.Repeat(source, 1<<20/len(source))
	for _, sides := range []bool{false, true} {
		b.Run(map[bool]string{false: "unified", true: "sides"}[sides], func(b *testing.B) {
			b.SetBytes(int64(len(source)))
			var floor, ours time.Duration
			for b.Loop() {
				begin := time.Now()
				lines := strings.Split(strings.Clone(source), "\n")
				copied := time.Now()
				diff.Render(diff.Parse(source), theme.Dark(), diff.View{Width: 120, Sides: sides, Context: 3})
				floor, ours = floor+copied.Sub(begin), ours+time.Since(copied)
				_ = lines
			}
			b.ReportMetric(float64(ours)/float64(floor), "x-floor")
		})
	}
}
