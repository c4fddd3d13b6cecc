package chat

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"

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
	model  *Model
	tea    *tea.Program
	hangUp context.CancelCauseFunc
}

// NewProgram returns a chat on a terminal. It ends with ctx.
func NewProgram(ctx context.Context, o Options, t Terminal) *Program {
	ctx, hangUp := context.WithCancelCause(ctx)
	if f, ok := t.In.(*os.File); ok {
		t.In = terminalFile{f, func() { hangUp(errHungUp) }}
	}
	m := New(ctx, o)
	opts := []tea.ProgramOption{tea.WithContext(ctx), tea.WithInput(t.In), tea.WithOutput(t.Out), tea.WithoutSignalHandler(), tea.WithFPS(fps)}
	if t.Env != nil {
		opts = append(opts, tea.WithEnvironment(t.Env))
	}
	p := &Program{m, tea.NewProgram(m, opts...), hangUp}
	var heart pulse
	m.happens = func() {
		if heart.of == nil { // it has one as soon as it runs
			if t := tickerOf(p.tea); t != nil {
				heart.of = t
			}
		}
		heart.beat()
	}
	return p
}

// errHungUp ends a chat whose terminal was closed. A signal says so to the leader of a
// session alone.
var errHungUp = errors.New("the terminal was closed")

// terminalFile is a terminal that tells when it was closed.
type terminalFile struct {
	*os.File
	closed func()
}

// Read implements io.Reader.
func (f terminalFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	if n == 0 && (errors.Is(err, io.EOF) || errors.Is(err, syscall.EIO)) {
		f.closed()
	}
	return n, err
}

// Notice shows a line, from any goroutine.
func (p *Program) Notice(text string) { p.tea.Send(NoticeMsg(text)) }

// Run shows the chat until the person leaves. It returns what there is to say after that,
// and fault.NotFound where there is no session of the id to open.
func (p *Program) Run() (left string, err error) {
	defer p.hangUp(nil)
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
	return p.model.Left(), p.model.ended
}
