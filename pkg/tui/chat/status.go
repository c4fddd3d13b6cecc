package chat

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// part is a piece of the status line, and how much it matters: the least goes first where
// there is no room.
type part struct {
	text    string
	matters int
	short   string // stands for it before it goes; "": nothing does
}

// status says what the session works with: isolation is in plain sight.
func (m *Model) status() string {
	parts := m.parts()
	for {
		line := statusOf(parts)
		if line.Width() <= m.width || len(parts) == 1 {
			return line.Cut(m.width).Pad(m.width, theme.Of(theme.StatusLine)).Paint(m.theme)
		}
		parts = less(parts)
	}
}

// less leaves the part out that matters least, or has what is short stand for it.
func less(parts []part) []part {
	least := 0
	for i, p := range parts {
		if p.matters < parts[least].matters {
			least = i
		}
	}
	if parts[least].matters >= mostMatters {
		for i, p := range parts {
			if p.short != "" {
				parts[i].text, parts[i].short = p.short, ""
				return parts
			}
		}
	}
	return slices.Delete(parts, least, least+1)
}

// mostMatters is from where on a part is made short before it goes.
const mostMatters = 8

func statusOf(parts []part) flow.Line {
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = p.text
	}
	return flow.Plain(" "+strings.Join(texts, " · ")+" ", theme.StatusLine)
}

// parts are the pieces of the status line, in order.
func (m *Model) parts() []part {
	t := m.current()
	names := m.workspaces(t)
	parts := []part{{text: strings.Join(names, " "), matters: 9}, {text: m.isolation(t), matters: mostMatters}}
	if len(names) > 1 {
		parts[0].short = names[0] + " +" + itoa(len(names)-1)
	}
	if model := m.modelOf(t); model != "" {
		parts = append(parts, part{text: model, matters: 7})
	}
	parts = append(parts, part{text: m.runnerOf(t), matters: 4})
	if id := t.container; id != "" {
		parts = append(parts, part{text: "container " + plain.Line(short(id)), matters: 3})
	}
	u := t.conversation.Usage()
	if n := u.InputTokens + u.OutputTokens; n > 0 {
		parts = append(parts, part{text: tokens(n), matters: 5})
	}
	if u.CostUSD != nil {
		parts = append(parts, part{text: fmt.Sprintf("$%.2f", *u.CostUSD), matters: 6})
	}
	return append(parts, part{text: "? help", matters: 1})
}

// isolation says what holds the agent in.
func (m *Model) isolation(t *thread) string {
	switch known := m.link == linkUp && t.lost == nil; {
	case m.link == linkLocked:
		return "locked, nothing runs"
	case t.container != "" && known:
		return "isolated, no network"
	case t.container != "":
		return "isolated when last seen"
	case known || m.link == linkNew:
		return "no container now"
	}
	return "no daemon, no container known"
}

// workspaces are those that the agent is given, each with its mode.
func (m *Model) workspaces(t *thread) (names []string) {
	for _, g := range t.grants() {
		names = append(names, plain.Line(g.Workspace)+":"+string(cmp.Or(g.Mode, unitv1.ReadWrite)))
	}
	if len(names) == 0 {
		names = []string{"its own workspaces"}
	}
	return names
}

// modelOf is the model that the session's next message goes to, as people are shown it; ""
// where there is none, or it is not known yet.
func (m *Model) modelOf(t *thread) string {
	if m.unmodelled(m.runnerOf(t)) {
		return ""
	}
	return plain.Line(modelName(orDefault(t.choice.model, orDefault(t.conversation.Model(), orDefault(t.dispatch.Model, m.standard())))))
}

func (m *Model) runnerOf(t *thread) string {
	return plain.Line(orDefault(t.choice.runner, orDefault(t.conversation.Runner(), orDefault(t.dispatch.Runner, "vexa"))))
}

// tokens is a number of them in few columns.
func tokens(n int64) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d tokens", n)
	case n < 1_000_000:
		return fmt.Sprintf("%dk tokens", n/1000)
	default:
		return fmt.Sprintf("%.1fM tokens", float64(n)/1e6)
	}
}
