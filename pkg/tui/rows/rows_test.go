package rows_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/rows"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

func texts(lines []flow.Line) []string {
	var out []string
	for _, l := range lines {
		out = append(out, l.Text())
	}
	return out
}

func TestLines(t *testing.T) {
	t.Parallel()
	list := []rows.Row{
		{Title: "pkg/one.go", Positions: []int{0, 4, 5}, Detail: "12 B"},
		{Title: "a/very/long/path/to/two.go", After: "[x]", Detail: "a detail that is long"},
		{Detail: "\x1b[2Jc"},
	}
	for _, c := range []struct {
		o    rows.Layout
		want []string
	}{
		{rows.Layout{Width: 60, Chosen: 1}, []string{
			"  pkg/one.go                           12 B",
			"▸ a/very/long/path/to/two.go [x]       a detail that is long",
			"  (without a name)                     c",
		}},
		{rows.Layout{Width: 60, Chosen: -1, Near: true}, []string{
			"  pkg/one.go                      12 B",
			"  a/very/long/path/to/two.go [x]  a detail that is long",
			"  (without a name)                c",
		}},
		{rows.Layout{Width: 30, Chosen: 0, Paths: true}, []string{
			"▸ pkg/one.go        12 B      ",
			"  …h/to/two.go [x]  a detail …",
			"  (without a name)  c",
		}},
		{rows.Layout{Width: 12, Chosen: -1}, []string{"  pkg/one.go", "  a/very/lo…", "  (without …"}},
	} {
		if diff := cmp.Diff(c.want, texts(rows.Lines(list, c.o))); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.o, diff)
		}
	}
	first := rows.Lines(list, rows.Layout{Width: 60, Chosen: -1})[0]
	if !slices.Contains(first, flow.Run{Text: "on", Style: theme.Of(theme.Match)}) {
		t.Errorf("what was found is not marked: %v", first)
	}
	for _, run := range rows.Lines(list, rows.Layout{Width: 60, Chosen: 0})[0] {
		if !run.Style.Has(theme.Selection) {
			t.Errorf("the chosen row is not marked: %v", run)
		}
	}
}
