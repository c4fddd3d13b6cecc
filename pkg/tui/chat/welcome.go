package chat

import (
	"strings"

	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// welcome is what an empty session shows: what a message does, and where to go on.
func (m *Model) welcome(width, height int) []string {
	t := m.current()
	type line struct {
		key, text string
		role      theme.Role
	}
	lines := []line{
		{"", "Vexa", theme.Heading},
		{"", "", theme.Text},
		{"", "The agent runs in a container of its own, without network and without keys. What it changes becomes a commit, which you can undo.", theme.Text},
		{"", "", theme.Text},
		{"workspaces", strings.Join(m.workspaces(t), " "), theme.Text},
		{"model", m.modelInWords(t), theme.Text},
		{"runner", m.runnerOf(t), theme.Text},
		{"", "", theme.Text},
		{"Enter", "sends", theme.Muted},
		{"Ctrl-S", "lists the sessions", theme.Muted},
		{"?", "lists the keys, and / the commands", theme.Muted},
	}
	var out []string
	for _, l := range lines {
		const column = 12
		indent := flow.Plain("  ")
		text := flow.Plain(l.text, l.role)
		if l.key != "" {
			indent = flow.Join(indent, flow.Plain(l.key, theme.Accent).Pad(column, theme.Of()))
		}
		for i, row := range text.Wrap(max(min(width, 76)-indent.Width(), 1)) {
			if i > 0 && l.key != "" {
				indent = flow.Plain("              ")
			}
			out = append(out, flow.Join(indent, row).Cut(width).Paint(m.theme))
		}
	}
	if len(out) < height { // some air above
		out = append(make([]string, min((height-len(out))/3, 4)), out...)
	}
	return out
}

func (m *Model) modelInWords(t *thread) string {
	if m.unmodelled(m.runnerOf(t)) {
		return "none: the runner uses no model"
	}
	return orDefault(unrehearsed(m.modelOf(t)), "…")
}

// unrehearsed says of the model that vexa init makes where it finds none that it is none.
func unrehearsed(model string) string {
	if name, _, _ := strings.Cut(model, "/"); name != "rehearsal" {
		return model
	}
	return "none: a rehearsal plays prepared answers; for a real one: vexa model add"
}
