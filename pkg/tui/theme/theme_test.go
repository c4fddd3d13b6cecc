package theme_test

import (
	"image/color"
	"math"
	"regexp"
	"strings"
	"testing"

	"charm.land/lipgloss/v2"

	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// roles are all of them, whatever is added.
func roles() []theme.Role {
	var list []theme.Role
	for r := theme.Text; r <= theme.Selection; r++ {
		list = append(list, r)
	}
	return list
}

func TestNoneWritesNoSequence(t *testing.T) {
	t.Parallel()
	for _, th := range []theme.Theme{theme.None(), {}} {
		if !th.Plain() || th.Name() != "none" {
			t.Fatalf("%q is not the theme without colour", th.Name())
		}
		for _, r := range roles() {
			if got := th.Paint("text", theme.Of(r)); got != "text" {
				t.Errorf("role %d: %q", r, got)
			}
			if got := th.Style(r).Render("text"); got != "text" {
				t.Errorf("role %d: a style renders %q", r, got)
			}
		}
	}
}

// TestPaintIsWhatLipGlossRenders: the shortcut and the library agree. The library
// underlines letter by letter, so one letter it is.
func TestPaintIsWhatLipGlossRenders(t *testing.T) {
	t.Parallel()
	for _, th := range []theme.Theme{theme.Light(), theme.Dark()} {
		styled := 0
		for _, r := range roles() {
			got, want := th.Paint("t", theme.Of(r)), th.Style(r).Render("t")
			if got != want {
				t.Errorf("%s, role %d: %q, Lip Gloss has %q", th.Name(), r, got, want)
			}
			if got != "t" {
				styled++
			}
		}
		if styled < len(roles())-3 {
			t.Errorf("%s styles %d roles of %d", th.Name(), styled, len(roles()))
		}
	}
}

func TestLaterRolesDecide(t *testing.T) {
	t.Parallel()
	th := theme.Dark()
	got := th.Paint("x", theme.Of(theme.Selection, theme.Strong))
	bold, selected := strings.Index(got, "\x1b[1m"), strings.Index(got, ";48;")
	if bold < 0 || selected < bold {
		t.Errorf("%q: the selection is to be last, bold first", got)
	}
}

func TestPaintStrips(t *testing.T) {
	t.Parallel()
	sgr := regexp.MustCompile(`\x1b\[[0-9;]*m`)
	for _, th := range []theme.Theme{theme.Light(), theme.Dark(), theme.None()} {
		got := th.Paint("a\x1b]52;c;ZXZpbA==\a\x1b[2Jb\u202ec\r\nd", theme.Of(theme.Error))
		if text := sgr.ReplaceAllString(got, ""); text != "abc d" {
			t.Errorf("%s: %q", th.Name(), got)
		}
	}
}

// TestContrast: every foreground can be read (WCAG AA, 4.5 to 1) on the
// backgrounds that its theme is for, and on its own.
func TestContrast(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		th    theme.Theme
		backs []string
	}{
		{theme.Dark(), []string{"#000000", "#1e1e1e", "#282c34"}},
		{theme.Light(), []string{"#ffffff", "#fafafa", "#f5f5f5"}},
	} {
		lines := []color.Color{c.th.Style(theme.AddedLine).GetBackground(), c.th.Style(theme.RemovedLine).GetBackground()}
		syntax := theme.Of(theme.Keyword, theme.Type, theme.Function, theme.String, theme.Number, theme.Comment, theme.Added, theme.Removed)
		for _, r := range roles() {
			st := c.th.Style(r)
			fore := st.GetForeground()
			if fore == (lipgloss.NoColor{}) {
				continue
			}
			var backs []color.Color
			if own := st.GetBackground(); own != (lipgloss.NoColor{}) {
				backs = append(backs, own)
			} else {
				for _, hex := range c.backs {
					backs = append(backs, lipgloss.Color(hex))
				}
			}
			if syntax.Has(r) {
				backs = append(backs, lines...)
			}
			for _, back := range backs {
				least := 4.5
				if r == theme.Border {
					least = 3 // what is no text
				}
				if got := contrast(fore, back); got < least {
					t.Errorf("%s, role %d: %.2f to 1 on %v", c.th.Name(), r, got, back)
				}
			}
		}
	}
}

func contrast(a, b color.Color) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(c color.Color) float64 {
	linear := func(v uint32) float64 {
		f := float64(v) / 0xffff
		if f <= 0.03928 {
			return f / 12.92
		}
		return math.Pow((f+0.055)/1.055, 2.4)
	}
	r, g, b, _ := c.RGBA()
	return 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
}
