package chatcmd

import (
	"context"
	"io"
	"strings"
	"sync"

	"github.com/vexa-ai/vexa/pkg/cli/daemoncmd"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/initcmd"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/keys"
	"github.com/vexa-ai/vexa/pkg/tui/chat"
)

// onScreen reports whether the conversation has the whole screen of a terminal.
func (o *ChatOptions) onScreen() bool {
	f := o.Factory
	return o.message.empty() && !o.Plain && !o.JSON.On() && factory.IsTTY(f.InTTY) && factory.IsTTY(f.OutTTY) &&
		f.Env("TERM") != "dumb" && f.Env("ACCESSIBLE") == ""
}

// runScreen is the conversation on the whole screen. Where nothing is set up yet, the
// person is asked for it first.
func runScreen(ctx context.Context, o *ChatOptions) error {
	f := o.Factory
	theme, err := o.theme()
	if err != nil {
		return err
	}
	if err := firstRun(ctx, f); err != nil {
		return err
	}
	c, err := f.Lazy(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	beside := takeErr(f)
	defer beside.giveBack()
	request := o.Request
	request.Session, request.Continue = "", false
	p := chat.NewProgram(ctx, chat.Options{
		Daemon: c, Request: request, Open: chat.Opening{Session: o.Request.Session, Latest: o.Request.Continue}, Theme: theme, Now: f.Now, Home: f.Env("HOME"),
		Setup:  beside.with(func(ctx context.Context) error { return initcmd.SetUp(ctx, f) }),
		Unlock: beside.with(func(ctx context.Context) error { return daemoncmd.Unlock(ctx, f) }),
		Edit: func(ctx context.Context, text string) (out string, err error) {
			err = beside.with(func(ctx context.Context) error {
				return f.Edit(ctx, "message.md", []byte(text), "write it in the chat", func(data []byte) error {
					out = string(data)
					return nil
				})
			})(ctx)
			return out, err
		},
	}, chat.Terminal{In: f.In, Out: f.Out})
	beside.to(p)
	left, err := p.Run()
	beside.giveBack()
	for line := range strings.Lines(left) {
		f.Say("%s", plain.Line(strings.TrimSuffix(line, "\n")))
	}
	return err
}

// firstRun asks for what an installation cannot do without, where it has no key yet.
func firstRun(ctx context.Context, f *factory.Factory) error {
	if f.Keys == nil {
		return nil
	}
	_, s, err := f.OpenKeys()
	if err != nil {
		return err
	}
	if p, err := s.Protection(); err != nil || p != keys.Missing {
		return err
	}
	f.Say("Nothing is set up here yet. What is needed is asked first, then the chat begins.")
	return initcmd.SetUp(ctx, f)
}

// aside has what the command line would write to stderr, and shows it in the chat, while
// that has the screen. It is safe for concurrent use.
type aside struct {
	f   *factory.Factory
	err io.Writer
	tty func() bool

	mu   sync.Mutex
	off  bool // the chat has left the screen for a while
	show func(string)
	part string // of a line
}

// takeErr has the factory write to an aside, until giveBack is called.
func takeErr(f *factory.Factory) *aside {
	a := &aside{f: f, err: f.Err, tty: f.ErrTTY}
	f.Err, f.ErrTTY = a, func() bool { return a.isOff() && factory.IsTTY(a.tty) }
	return a
}

func (a *aside) giveBack() { a.f.Err, a.f.ErrTTY = a.err, a.tty }

// with runs something with stderr as it was: the chat has left the screen to it.
func (a *aside) with(what func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		a.turn(true)
		defer a.turn(false)
		return what(ctx)
	}
}

func (a *aside) turn(off bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.off = off
}

func (a *aside) isOff() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.off
}

// to says where lines are shown.
func (a *aside) to(p *chat.Program) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.show = func(line string) { go p.Notice(line) } // it may come from what the chat waits for
}

// Write implements io.Writer.
func (a *aside) Write(data []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.off {
		return a.err.Write(data)
	}
	a.part += string(data)
	for {
		line, rest, whole := strings.Cut(a.part, "\n")
		if !whole {
			return len(data), nil
		}
		if a.part = rest; a.show != nil && strings.TrimSpace(line) != "" {
			a.show(line)
		}
	}
}
