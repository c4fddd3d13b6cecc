package chat

import (
	"time"

	tea "charm.land/bubbletea/v2"
)

// quiet is how long no key may be pressed before a question takes an answer: whoever was
// typing when it came has not read it.
const quiet = 500 * time.Millisecond

// question asks once before something is done that changes more than the screen. Whatever
// is not y is no; that it takes an answer is seen.
type question struct {
	text  string
	id    int  // of the wait for quiet that is under way
	armed bool // it has been quiet
	yes   func() tea.Cmd
}

// armedMsg says that it has been quiet since the wait of that number began.
type armedMsg int

// ask puts a question to the person.
func (m *Model) ask(text string, yes func() tea.Cmd) tea.Cmd {
	m.question = &question{text: text, yes: yes}
	return m.waitQuiet()
}

// waitQuiet begins to wait anew.
func (m *Model) waitQuiet() tea.Cmd {
	m.waits++
	id := m.waits
	m.question.id = id
	return tea.Tick(quiet, func(time.Time) tea.Msg { return armedMsg(id) })
}

// arm has the question take answers, where no key came since its wait began.
func (m *Model) arm(id armedMsg) {
	if m.question != nil && m.question.id == int(id) {
		m.question.armed = true
	}
}

// answer takes a key while a question is open. Esc and Ctrl-C are no at any time.
func (m *Model) answer(key string) tea.Cmd {
	q := m.question
	switch {
	case key == "esc" || key == "ctrl+c":
		m.question = nil
		return nil
	case !q.armed:
		return m.waitQuiet()
	case key == "y" || key == "Y":
		m.question = nil
		return q.yes()
	default:
		m.question = nil
		return m.say("not done")
	}
}
