package chat

import (
	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/picker"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// chooser is a list to choose from, as an overlay.
type chooser struct {
	*picker.Picker
	look func(item int) tea.Cmd // fetches what the preview of an item needs; nil: nothing is
	take func(msg tea.Msg)      // what that brought
}

// Update implements Overlay.
func (c *chooser) Update(msg tea.Msg) tea.Cmd {
	if !c.Picker.Update(msg) && c.take != nil {
		c.take(msg)
	}
	return c.looked()
}

// looked fetches what the preview of the item at hand needs.
func (c *chooser) looked() tea.Cmd {
	if item := c.Item(); c.look != nil && item >= 0 {
		return c.look(item)
	}
	return nil
}

// Done implements Overlay.
func (c *chooser) Done() bool {
	_, done := c.Picker.Done()
	return done
}

// choose opens a list; then is called with what was chosen, and not where nothing was.
func (m *Model) choose(o picker.Options, items []picker.Item, then func(picker.Choice) tea.Cmd) *chooser {
	c := &chooser{Picker: picker.New(m.theme, o)}
	c.Add(picker.Prepare(items))
	m.Open(c, func() tea.Cmd {
		choice, _ := c.Picker.Done()
		if choice.Action == picker.Dismissed {
			return nil
		}
		return then(choice)
	})
	return c
}

// cached are previews that are fetched as they are needed.
type cached struct {
	lines map[int][]flow.Line // of an item; one that is on its way has none
	fetch func(item int) tea.Cmd
}

// previewMsg is what was fetched.
type previewMsg struct {
	of    *cached
	item  int
	lines []flow.Line
}

// preview has a list show what is fetched of its items.
func (c *chooser) preview(p *cached) {
	p.lines = map[int][]flow.Line{}
	c.look = func(item int) tea.Cmd {
		if _, known := p.lines[item]; known {
			return nil
		}
		p.lines[item] = nil
		return p.fetch(item)
	}
	c.take = func(msg tea.Msg) {
		if got, ok := msg.(previewMsg); ok && got.of == p {
			p.lines[got.item] = got.lines
		}
	}
}

// show returns the lines of an item, laid out for a width.
func (p *cached) show(item, width int) []flow.Line {
	lines, known := p.lines[item]
	if known && lines == nil {
		return []flow.Line{flow.Plain("…", theme.Muted)}
	}
	var out []flow.Line
	for _, l := range lines {
		out = append(out, l.Wrap(max(width, 1))...)
	}
	return out
}

var _ Overlay = (*chooser)(nil)
