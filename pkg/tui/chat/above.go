package chat

import (
	"fmt"
	"strconv"
	"time"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/tui/conversation"
	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// above are the lines between the transcript and the editor: a question, what happened,
// what is going on.
func (m *Model) above() []string {
	if q := m.question; q != nil {
		text := q.text + " …"
		if q.armed {
			text = q.text + " y/N"
		}
		var out []string
		for _, l := range flow.Indent(flow.Plain(text, theme.Strong).Wrap(max(m.width-2, 1)), flow.Plain("? ", theme.Warning), flow.Plain("  ")) {
			out = append(out, l.Paint(m.theme))
		}
		return out
	}
	out := m.noticeLines(m.width)
	text, role := m.activity()
	if text == "" {
		return out
	}
	lines := flow.Plain(text, role).Wrap(max(m.width-2, 1))
	for _, l := range flow.Indent(lines[:min(len(lines), 2)], nil, flow.Plain("  ")) {
		out = append(out, l.Cut(m.width).Paint(m.theme))
	}
	return out
}

// activity says what is going on, the most pressing of it, and "" where nothing is.
func (m *Model) activity() (string, theme.Role) {
	t := m.current()
	if text := m.trouble(t); text != "" {
		return "! " + text, theme.Warning
	}
	switch {
	case t.past:
		return "… reading what was said before", theme.Muted
	case !t.busy():
		return "", theme.Muted
	case t.stopping:
		return "… stopping; what was written is saved", theme.Warning
	}
	took := m.now().Sub(t.began)
	text := "… " + m.doing(t) + ", " + span(took)
	if silent := m.now().Sub(t.heard); silent > hush && t.lost == nil {
		text += " (nothing came for " + span(silent) + "; the daemon is there)"
	}
	text += " · Esc stops"
	return text, theme.Accent
}

// trouble says why no frames come, "" where they do.
func (m *Model) trouble(t *thread) string {
	unsent := t.starting != nil && t.starting.tries > 0
	switch {
	case m.link == linkLocked:
		return "Vexa is locked · /unlock opens it"
	case m.link == linkStuck:
		return "the daemon is there and says nothing; waiting for it"
	case m.link == linkGone && unsent:
		return "the daemon is gone; the message is sent when it is back · Esc takes it back"
	case m.link == linkGone || t.lost != nil && m.link != linkUp:
		return "the daemon is gone; the chat goes on when it is back"
	case t.lost != nil:
		return "the stream broke; connecting again, nothing is lost"
	case unsent:
		return "the daemon did not take the message; sending it again · Esc takes it back"
	case m.link == linkFailed:
		return "there is no daemon · vexa daemon start"
	}
	return ""
}

// doing is what the agent is at.
func (m *Model) doing(t *thread) string {
	switch {
	case t.starting != nil:
		return "sending"
	case t.expected != "":
		return "starting a container"
	}
	item, _ := t.conversation.At(t.conversation.Len() - 1)
	if !item.Open {
		return "working"
	}
	switch item.Kind {
	case conversation.Reasoning:
		return "thinking"
	case conversation.Answer:
		return "answering"
	case conversation.Call:
		return plain.Short(item.Call.Tool, 24) + " runs"
	default:
		return "working"
	}
}

// span is a time as a person says it.
func span(d time.Duration) string {
	d = d.Round(time.Second)
	if d < time.Minute {
		return fmt.Sprintf("%d s", int(d/time.Second))
	}
	return fmt.Sprintf("%d min %02d s", int(d/time.Minute), int(d%time.Minute/time.Second))
}

func itoa(n int) string { return strconv.Itoa(n) }

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return itoa(n) + " " + what + "s"
}
