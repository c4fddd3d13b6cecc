// Package rows lays out what can be chosen from, one thing a line: a mark, a title with
// the letters that a search found in it, and a second column. It is pure. Texts may be
// foreign; those with positions are to be stripped already.
package rows

import (
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/fuzzy"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// The marks before rows.
const (
	chosen = "▸ "
	other  = "  "
)

const (
	gap       = 2 // columns between the two columns
	narrowest = 8 // columns that are left to titles
)

// Row is one of what can be chosen.
type Row struct {
	Title     string // stripped
	Positions []int  // of letters in it that were found, in bytes
	After     string // what stands behind the title, of less weight
	Detail    string // the second column
}

// Layout says how rows are laid out.
type Layout struct {
	Width  int  // columns
	Chosen int  // which row a key would act upon; -1: none
	Paths  bool // of a title that is too long the end is shown
	Near   bool // the second column is right behind the titles, not at the edge
}

// Lines returns a line for each row, at most Width columns wide.
func Lines(list []Row, o Layout) []flow.Line {
	room := o.Width - flow.Width(chosen)
	titles, details, column, widest := make([]flow.Line, len(list)), make([]flow.Line, len(list)), 0, 0
	for i, r := range list {
		titles[i], details[i] = r.title(), flow.Plain(plain.Line(r.Detail), theme.Muted)
		column, widest = max(column, details[i].Width()), max(widest, titles[i].Width())
	}
	column = min(column, max(o.Width/3, room-gap-widest))
	if column > 0 && room-gap-column < narrowest {
		column = 0
	}
	if column > 0 {
		room -= gap + column
	}
	if o.Near {
		room = min(room, max(widest, 1))
	}
	lines := make([]flow.Line, len(list))
	for i := range list {
		title := titles[i]
		if o.Paths {
			title = title.CutStart(room)
		}
		line := flow.Join(flow.Plain(other), title.Cut(room))
		if i == o.Chosen {
			line[0] = flow.Run{Text: chosen, Style: theme.Of(theme.Prompt)}
		}
		if column > 0 && len(details[i]) > 0 {
			line = flow.Join(line.Pad(flow.Width(chosen)+room+gap, 0), details[i].Cut(column))
		}
		if i == o.Chosen {
			line = line.Pad(o.Width, 0).Over(theme.Of(theme.Selection))
		}
		lines[i] = line.Cut(max(o.Width, 0))
	}
	return lines
}

// title is the title with what was found, and what stands behind it.
func (r Row) title() flow.Line {
	if r.Title == "" {
		return flow.Plain("(without a name)", theme.Muted)
	}
	var line flow.Line
	from := 0
	for _, run := range fuzzy.Runs(r.Title, r.Positions) {
		line = append(line, flow.Run{Text: r.Title[from:run[0]]}, flow.Run{Text: r.Title[run[0]:run[1]], Style: theme.Of(theme.Match)})
		from = run[1]
	}
	line = append(line, flow.Run{Text: r.Title[from:]})
	if after := plain.Line(r.After); after != "" {
		line = append(line, flow.Run{Text: " " + after, Style: theme.Of(theme.Muted)})
	}
	return line
}
