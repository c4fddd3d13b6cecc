// Package flowtest holds lines that parts of a screen paint to what every such line has
// to be.
package flowtest

import (
	"regexp"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// Painted fails the test at once where a line holds a control sequence that is not one of
// the theme's colours, or one that reorders text, or is more than width columns wide;
// filled demands that it is just as wide.
func Painted(tb testing.TB, lines []string, width int, th theme.Theme, filled bool) {
	tb.Helper()
	colour := regexp.MustCompile("\x1b\\[[0-9;]*m")
	for i, line := range lines {
		bare := colour.ReplaceAllString(line, "")
		if strings.ContainsFunc(bare, func(c rune) bool { return c < ' ' || c == 0x7f || c == 0x9b || c == '\u202e' }) || th.Plain() && bare != line {
			tb.Fatalf("line %d at %d columns: %q", i, width, line)
		}
		if n := flow.Columns(bare, th); n > width || filled && n < width {
			tb.Fatalf("line %d has %d columns of %d: %q", i, n, width, bare)
		}
	}
}
