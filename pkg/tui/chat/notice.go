package chat

import (
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// How long a line is shown that says what happened, and one that says what went wrong.
const (
	noticeFor  = 6 * time.Second
	problemFor = 20 * time.Second
)

// notice is a line above the editor, for a time.
type notice struct {
	text string
	role theme.Role
	id   int
	own  bool // it is about what the person did last, and goes with what they do next
}

// NoticeMsg is a line to show from outside the model, such as a warning.
type NoticeMsg string

// expiredMsg takes a notice away.
type expiredMsg int

// say shows a line for a time, or until the person goes on.
func (m *Model) say(text string) tea.Cmd {
	cmd := m.tell(text)
	m.notice.own = true
	return cmd
}

// tell shows a line for a time, whatever the person does: nothing that they did led to it.
func (m *Model) tell(text string) tea.Cmd { return m.show(text, theme.Muted, noticeFor) }

// fail shows what went wrong, and what to do about it. That Vexa is locked is said where all
// is that is amiss with the daemon, with what opens it here.
func (m *Model) fail(err error) tea.Cmd {
	if fault.Is(err, fault.Locked) {
		return m.check()
	}
	return m.failed(err)
}

func (m *Model) failed(err error) tea.Cmd {
	text := err.Error()
	if hint := fault.HintOf(err); hint != "" {
		text += " (" + hint + ")"
	}
	return m.show(text, theme.Error, problemFor)
}

// done takes away what was said of what the person did: they went on.
func (m *Model) done() {
	if m.notice != nil && m.notice.own {
		m.notice = nil
	}
}

func (m *Model) show(text string, role theme.Role, span time.Duration) tea.Cmd {
	m.notices++
	id := m.notices
	m.notice = &notice{text: plain.Line(text), role: role, id: id}
	return tea.Tick(span, func(time.Time) tea.Msg { return expiredMsg(id) })
}

// noticeLines draws it in as many lines as it takes, at most a fifth of the screen.
func (m *Model) noticeLines(width int) []string {
	if m.notice == nil {
		return nil
	}
	mark := "· "
	if m.notice.role == theme.Error {
		mark = "! "
	}
	lines := flow.Plain(m.notice.text, m.notice.role).Wrap(max(width-2, 1))
	lines = lines[:min(len(lines), max(m.height/5, 2))]
	var out []string
	for _, l := range flow.Indent(lines, flow.Plain(mark, m.notice.role), flow.Plain("  ")) {
		out = append(out, l.Paint(m.theme))
	}
	return out
}
