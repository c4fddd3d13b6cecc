package chatcmd

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/tui/command"
)

// conversation is one that goes line by line: the same session all along, and the same
// container as long as it lives.
type conversation struct {
	f     *factory.Factory
	c     *client.Client
	req   api.StartRequest // of the next turn
	lines *lines

	commands *command.Registry // its own, and those that workspaces bring as far as they were read
}

// converse holds a conversation line by line.
func converse(ctx context.Context, o *ChatOptions, c *client.Client) error {
	v := &conversation{f: o.Factory, c: c, req: o.Request, lines: newLines(o.Factory.In), commands: builtIn()}
	v.f.Notice("Type a message; /help lists the commands, Ctrl-D ends the conversation.")
	for {
		text, err := v.ask(ctx)
		if errors.Is(err, io.EOF) || errors.Is(err, errCtrlC) {
			v.leave(ctx)
			return nil
		}
		if err != nil {
			return err
		}
		call, isCommand := v.parse(text)
		switch {
		case strings.TrimSpace(text) == "":
		case isCommand && call.Name == "quit":
			v.leave(ctx)
			return nil
		case isCommand:
			err = v.run(ctx, call)
		default:
			err = v.say(ctx, strings.TrimSpace(text))
		}
		if err != nil {
			return err
		}
	}
}

// leave says how to come back, where there is something to come back to.
func (v *conversation) leave(ctx context.Context) {
	v.f.Notice("")
	if v.req.Session != "" && v.kept(ctx) {
		v.f.Say("come back with: vexa chat --session %s", plain.Line(v.req.Session))
	}
}

// say sends what a person wrote, with the files of workspaces where the agent has them. The
// error ends the conversation.
func (v *conversation) say(ctx context.Context, text string) error {
	text, err := place(text, func() ([]api.Workspace, error) { return v.granted(ctx) })
	if err != nil {
		return v.told(ctx, err)
	}
	return v.send(ctx, text)
}

// granted are the workspaces of the next message. One that begins anew, since its session
// ended with the container, is given what any new one is.
func (v *conversation) granted(ctx context.Context) ([]api.Workspace, error) {
	list, err := granted(ctx, v.c, &v.req)
	if err == nil && len(list) == 0 && v.req.Session != "" && !v.kept(ctx) {
		anew := v.req
		anew.Session = ""
		list, err = granted(ctx, v.c, &anew)
	}
	return list, err
}

// send sends a message and shows the answer. The error ends the conversation.
func (v *conversation) send(ctx context.Context, text string) error {
	v.req.Text, v.req.Key = text, rand.Text()
	wait := &progress{f: v.f, plain: true, told: map[string]bool{agentWorks: true}}
	t := &turn{f: v.f, c: v.c, r: newTextRenderer(v.f, wait), wait: wait}
	v.f.Notice("The agent works; Ctrl-C stops it.")
	started, err := runTurn(ctx, t, v.req)
	if fault.Is(err, fault.NotFound) && started.Unit == "" && v.req.Session != "" && !v.kept(ctx) {
		v.f.Notice("Its container has ended, and the runner keeps no session: it begins anew.")
		v.req.Session, v.req.Key = "", rand.Text()
		started, err = runTurn(ctx, t, v.req)
	}
	if started.Session != "" {
		v.req.Session, v.req.Continue = started.Session, false
	}
	switch {
	case err == nil:
		v.f.Notice("The turn is done; it is yours to write.")
		return nil
	case ends(ctx, err) || t.wasLeft() || started.Unit == "":
		return err
	default:
		v.f.Warn("%s", err)
		return nil
	}
}

// kept reports whether there is something to go on with once the container has ended. Where
// that cannot be found out it is taken to be so.
func (v *conversation) kept(ctx context.Context) bool {
	list, err := v.c.Runners(ctx)
	name := cmp.Or(v.req.Runner, "vexa")
	return err != nil || !slices.ContainsFunc(list, func(r api.Runner) bool { return r.Name == name && !r.Resumes })
}

// ends reports whether a failed turn ends the conversation: the person left,
// or there is nobody to talk to.
func ends(ctx context.Context, err error) bool {
	return ctx.Err() != nil || fault.Is(err, fault.Unreachable) || fault.Is(err, fault.Locked)
}

// ask reads a message: one line, and those that a \ at the end of a line adds to it.
// Ctrl-C drops what was begun; where nothing was it is errCtrlC.
func (v *conversation) ask(ctx context.Context) (string, error) {
	text, prompt := "", "> "
	for {
		if _, err := fmt.Fprint(v.f.Err, prompt); err != nil {
			return "", err
		}
		line, err := v.lines.next(ctx, v.f)
		if errors.Is(err, errCtrlC) && text != "" {
			v.f.Notice("")
			text, prompt = "", "> "
			continue
		}
		if errors.Is(err, io.EOF) && text != "" {
			return text, nil
		}
		if err != nil {
			return "", err
		}
		more, goesOn := strings.CutSuffix(line, `\`)
		text += more
		if !goesOn {
			return text, nil
		}
		text, prompt = text+"\n", ". "
	}
}
