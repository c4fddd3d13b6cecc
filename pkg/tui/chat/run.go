package chat

import (
	"context"
	"errors"
	"io"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// Terminal is the terminal that a chat is shown on.
type Terminal struct {
	In  io.Reader
	Out io.Writer
	Env []string
}

// Program is a chat that runs.
type Program struct {
	model *Model
	tea   *tea.Program
}

// NewProgram returns a chat on a terminal. It ends with ctx.
func NewProgram(ctx context.Context, o Options, t Terminal) *Program {
	m := New(ctx, o)
	opts := []tea.ProgramOption{tea.WithContext(ctx), tea.WithInput(t.In), tea.WithOutput(t.Out), tea.WithoutSignalHandler(), tea.WithFPS(fps)}
	if t.Env != nil {
		opts = append(opts, tea.WithEnvironment(t.Env))
	}
	return &Program{m, tea.NewProgram(m, opts...)}
}

// fps is how often the screen is written at most: a key is seen within 9 ms of being taken.
const fps = 120

// Notice shows a line, from any goroutine.
func (p *Program) Notice(text string) { p.tea.Send(NoticeMsg(text)) }

// Run shows the chat until the person leaves. It returns what there is to say after that.
func (p *Program) Run() (left string, err error) {
	_, err = p.tea.Run()
	for _, t := range p.model.threads {
		if t.follow != nil {
			t.follow.stop()
		}
	}
	switch {
	case errors.Is(err, tea.ErrInterrupted), errors.Is(err, context.Canceled):
		return p.model.Left(), fault.New(fault.Interrupted, "interrupted", "")
	case err != nil:
		return p.model.Left(), fault.Newf(fault.Internal, "the chat: %w", err)
	}
	return p.model.Left(), nil
}
