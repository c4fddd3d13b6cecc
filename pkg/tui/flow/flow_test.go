package flow_test

import (
	"slices"
	"strings"
	"testing"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

func texts(lines []flow.Line) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = l.Text()
	}
	return out
}

func TestWrap(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in    string
		width int
		want  []string
	}{
		"fits":                       {"one two", 7, []string{"one two"}},
		"at a space, which goes":     {"one two", 5, []string{"one", "two"}},
		"a long word begins a line":  {"a verylongword b", 6, []string{"a", "verylo", "ngword", "b"}},
		"line feeds break":           {"a\n\nb", 9, []string{"a", "", "b"}},
		"nothing is one line":        {"", 9, []string{""}},
		"wide characters":            {"漢字漢字", 5, []string{"漢字", "漢字"}},
		"an emoji of several is one": {"ab👩‍💻👩‍💻", 6, []string{"ab👩‍💻", "👩‍💻"}},
		"a combining mark stays":     {"ae\u0301e\u0301", 2, []string{"ae\u0301", "e\u0301"}},
		"right to left in order":     {"שלום עולם", 5, []string{"שלום", "עולם"}},
		"leading spaces stay":        {"  a", 9, []string{"  a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := texts(flow.Plain(c.in).Wrap(c.width)); !slices.Equal(got, c.want) {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestWrapKeepsStylesWithinAWord(t *testing.T) {
	t.Parallel()
	in := flow.Line{{"see fo", 0}, {"o", theme.Of(theme.Strong)}, {"bar", 0}}
	got := in.Wrap(6)
	if want := []string{"see", "foobar"}; !slices.Equal(texts(got), want) {
		t.Fatalf("%q", texts(got))
	}
	if l := got[1]; len(l) != 3 || l[1].Style != theme.Of(theme.Strong) || l[1].Text != "o" {
		t.Errorf("%v", l)
	}
}

func TestBreakKeepsSpaces(t *testing.T) {
	t.Parallel()
	got := texts(flow.Plain("ab  cd  e").Break(4))
	if want := []string{"ab  ", "cd  ", "e"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestCutPadTabs(t *testing.T) {
	t.Parallel()
	for width, want := range map[int]string{9: "a漢字b", 6: "a漢字b", 5: "a漢…", 3: "a…", 1: "…", 0: ""} {
		if got := flow.Plain("a漢字b").Cut(width).Text(); got != want {
			t.Errorf("Cut(%d) = %q", width, got)
		}
	}
	for width, want := range map[int]string{9: "a漢字b", 6: "a漢字b", 5: "…字b", 4: "…字b", 3: "…b", 1: "…", 0: ""} {
		if got := flow.Plain("a漢字b").CutStart(width).Text(); got != want {
			t.Errorf("CutStart(%d) = %q", width, got)
		}
	}
	styled := flow.Line{{"abc", theme.Of(theme.Muted)}, {"def", theme.Of(theme.Strong)}}.CutStart(3)
	if want := (flow.Line{{"…", theme.Of(theme.Strong)}, {"ef", theme.Of(theme.Strong)}}); !slices.Equal(styled, want) {
		t.Errorf("CutStart keeps %v", styled)
	}
	if got := flow.Plain("漢").Pad(4, 0).Text(); got != "漢  " {
		t.Errorf("Pad = %q", got)
	}
	if got := flow.Tabs("a\t漢\tb", 0); got != "a   漢  b" {
		t.Errorf("Tabs = %q", got)
	}
}

// FuzzWrap: no line is wider than asked for but where one character is, and
// nothing is lost but spaces and breaks.
func FuzzWrap(f *testing.F) {
	for _, s := range []string{"", "one two", "a\nb", "漢字 👩‍💻 e\u0301", "שלום  עולם", strings.Repeat("x", 50), "\u0301a", "🇩🇪🇫🇷", "x👩‍💻"} {
		f.Add(s, uint8(5), uint8(2))
	}
	f.Fuzz(func(t *testing.T, s string, width, cut uint8) {
		s = plain.Text(s)
		s = flow.Tabs(s, 0)
		at := min(int(cut), len(s))
		in := flow.Line{{plain.Text(s[:at]), 0}, {plain.Text(s[at:]), theme.Of(theme.Strong)}}
		limit := max(int(width), 2)
		squeeze := func(s string) string { return strings.NewReplacer(" ", "", "\n", "").Replace(s) }
		for kind, lines := range map[string][]flow.Line{"Wrap": in.Wrap(int(width)), "Break": in.Break(int(width))} {
			var all strings.Builder
			for _, l := range lines {
				if got := l.Width(); got > limit && flow.Trim(l.Text()) != "" {
					t.Fatalf("%s: %q is %d wide, not %d", kind, l.Text(), got, limit)
				}
				all.WriteString(l.Text())
			}
			if got, want := squeeze(all.String()), squeeze(in.Text()); got != want {
				t.Fatalf("%s: %q became %q", kind, want, got)
			}
		}
		for line := range strings.Lines(s) { // as the screen counts
			line = strings.TrimSuffix(line, "\n")
			for clusters, want := range map[bool]int{true: lipgloss.Width(line), false: ansi.StringWidthWc(line)} {
				if got := flow.Columns(line, theme.None().WithClusters(clusters)); got != want || flow.Width(line) < want {
					t.Fatalf("Columns(%q) = %d of %d, the screen has %d (clusters: %t)", line, got, flow.Width(line), want, clusters)
				}
			}
		}
		if got := in.Cut(limit).Width(); !strings.Contains(s, "\n") && got > limit {
			t.Fatalf("Cut is %d wide, not %d", got, limit)
		}
		if got := in.CutStart(limit).Width(); !strings.Contains(s, "\n") && got > limit {
			t.Fatalf("CutStart is %d wide, not %d", got, limit)
		}
	})
}
