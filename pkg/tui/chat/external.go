package chat

import (
	"context"
	"io"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// editedMsg is what came back from the person's own editor.
type editedMsg struct {
	text string
	err  error
}

// edit opens what is being written in the person's own editor.
func (m *Model) edit() tea.Cmd {
	if m.external == nil {
		return m.fail(fault.New(fault.NotFound, "there is no editor to open", "set VISUAL or EDITOR"))
	}
	text := m.editor.Text()
	var got string
	return m.outside(func(ctx context.Context) (err error) {
		got, err = m.external(ctx, text)
		return err
	}, func(err error) tea.Msg { return editedMsg{got, err} })
}

func (m *Model) edited(msg editedMsg) tea.Cmd {
	if msg.err != nil {
		return m.fail(msg.err)
	}
	m.editor.SetText(strings.TrimRight(msg.text, "\n"))
	return nil
}

// unlockedMsg says that the person was asked for what opens the key.
type unlockedMsg struct{ err error }

// askKey asks for what opens the key.
func (m *Model) askKey() tea.Cmd {
	if m.unlock == nil {
		return m.say("run in another terminal: vexa unlock")
	}
	return m.outside(m.unlock, func(err error) tea.Msg { return unlockedMsg{err} })
}

func (m *Model) unlocked(msg unlockedMsg) tea.Cmd {
	if msg.err != nil {
		return m.failed(msg.err)
	}
	m.notice = nil // that it was locked
	return m.check()
}

// outside runs something that asks the person on the terminal itself, and gives the screen
// back afterwards.
func (m *Model) outside(what func(context.Context) error, done func(error) tea.Msg) tea.Cmd {
	ctx, stop := m.scope()
	return m.exec(&asking{func() error { return what(ctx) }}, func(err error) tea.Msg {
		stop()
		return done(err)
	})
}

// asking is a tea.ExecCommand that opens the terminal by itself.
type asking struct{ run func() error }

func (a *asking) Run() error        { return a.run() }
func (*asking) SetStdin(io.Reader)  {}
func (*asking) SetStdout(io.Writer) {}
func (*asking) SetStderr(io.Writer) {}
