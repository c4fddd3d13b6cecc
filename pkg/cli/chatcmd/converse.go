package chatcmd

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/cli/workspacecmd"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/nearest"
)

// conversation is one that goes line by line: the same session all along, and the same
// container as long as it lives.
type conversation struct {
	f     *factory.Factory
	c     *client.Client
	req   api.StartRequest // of the next turn
	lines *lines
}

// converse holds a conversation line by line.
func converse(ctx context.Context, o *ChatOptions, c *client.Client) error {
	v := &conversation{f: o.Factory, c: c, req: o.Request, lines: newLines(o.Factory.In)}
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
		name, isCommand := command(text)
		switch {
		case strings.TrimSpace(text) == "":
		case isCommand && name == "quit":
			v.leave(ctx)
			return nil
		case isCommand:
			err = v.run(ctx, name)
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

// say sends a message and shows the answer. The error ends the conversation.
func (v *conversation) say(ctx context.Context, text string) error {
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

// commands are what a line may say in place of a message, in the order of /help.
func commands() []string { return []string{"help", "undo", "new", "quit"} }

const commandHelp = "/help  this list\n" +
	"/undo  take back what the agent changed last in the first workspace\n" +
	"/new   begin another session\n" +
	"/quit  end the conversation, as Ctrl-D does\n" +
	"A \\ at the end of a line continues the message. A space before the / makes it a message."

// command returns the name of the command that a line is. A path is none: it has more
// than one slash.
func command(text string) (name string, is bool) {
	m := regexp.MustCompile(`^/([\pL\d_-]+)(\s|$)`).FindStringSubmatch(text)
	if m == nil {
		return "", false
	}
	switch name := strings.ToLower(m[1]); name { // what other programs call them, as in the chat of a screen
	case "clear":
		return "new", true
	case "exit", "q":
		return "quit", true
	default:
		return name, true
	}
}

// run does what a command says. What fails is told, and the conversation goes on.
func (v *conversation) run(ctx context.Context, name string) error {
	switch name {
	case "help":
		v.f.Say(commandHelp)
	case "new":
		v.req.Session, v.req.Continue = "", false
		v.f.Say("The next message begins another session.")
	case "undo":
		workspace := "personal"
		if len(v.req.Workspaces) > 0 {
			workspace = v.req.Workspaces[0].Workspace
		}
		if err := workspacecmd.Undo(ctx, v.f, v.c, workspace); err != nil {
			if ends(ctx, err) {
				return err
			}
			v.warn(err)
		}
	default:
		hint := "see /help; with a space before it, it is a message"
		if near := nearest.To(name, commands()); near != "" {
			hint = "did you mean: /" + near
		}
		v.warn(fault.New(fault.Usage, "there is no command /"+name, hint))
	}
	return nil
}

func (v *conversation) warn(err error) {
	text := err.Error()
	if hint := fault.HintOf(err); hint != "" {
		text += " (" + hint + ")"
	}
	v.f.Warn("%s", text)
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
