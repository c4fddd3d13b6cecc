package chatcmd

import (
	"context"
	"fmt"
	"strings"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/cli/workspacecmd"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/tui/command"
)

// builtIn are the commands that a conversation line by line has itself, in the order of
// /help. A workspace's of the same name does not take their place.
func builtIn() *command.Registry {
	r, err := command.New(
		command.Command{Name: "help", Help: "this list"},
		command.Command{Name: "undo", Help: "take back what the agent changed last in the first workspace"},
		command.Command{Name: "new", Aliases: []string{"clear"}, Help: "begin another session"},
		command.Command{Name: "quit", Aliases: []string{"exit", "q"}, Help: "end the conversation, as Ctrl-D does"},
	)
	if err != nil {
		panic(err) // what is written above does not change while it runs
	}
	return r
}

// parse returns the command that a line is, if it is one: by its name, or by what other
// programs call it. A slash alone asks for the list.
func (v *conversation) parse(text string) (call command.Call, is bool) {
	if strings.TrimSpace(text) == "/" {
		return command.Call{Name: "help"}, true
	}
	if call, is = command.Parse(text); !is {
		return call, false
	}
	if c, err := v.commands.Resolve(call.Name); err == nil && c.BuiltIn() {
		call.Name = c.Name
	}
	return call, true
}

// run does what a command says. What fails is told, and the conversation goes on unless it
// is over.
func (v *conversation) run(ctx context.Context, call command.Call) error {
	var err error
	switch call.Name {
	case "help":
		err = v.help(ctx)
	case "new":
		v.req.Session, v.req.Continue = "", false
		v.f.Say("The next message begins another session.")
	case "undo":
		err = v.undo(ctx)
	default:
		return v.ofWorkspace(ctx, call)
	}
	return v.told(ctx, err)
}

// told says what failed, unless the conversation ends by it.
func (v *conversation) told(ctx context.Context, err error) error {
	if err == nil || ends(ctx, err) {
		return err
	}
	text := err.Error()
	if hint := fault.HintOf(err); hint != "" {
		text += " (" + hint + ")"
	}
	v.f.Warn("%s", text)
	return nil
}

func (v *conversation) undo(ctx context.Context) error {
	list, err := v.granted(ctx)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errUngranted(v.req)
	}
	return workspacecmd.Undo(ctx, v.f, v.c, list[0].Name)
}

// help lists the commands, those of the workspaces too.
func (v *conversation) help(ctx context.Context) error {
	_, err := v.bring(ctx)
	var lines []string
	for _, e := range v.commands.Entries() {
		if e.BuiltIn() {
			lines = append(lines, fmt.Sprintf("/%-4s  %s", e.Call, e.Help))
		} else {
			lines = append(lines, strings.TrimSpace("/"+e.Call+" "+e.Arguments)+"  "+e.Workspace+": "+e.Help)
		}
	}
	if p := v.commands.Problems(); len(p) > 0 {
		lines = append(lines, output.Plural(len(p), "file")+" of no use, see: vexa workspace commands "+p[0].Workspace)
	}
	v.f.Say("%s\nA \\ at the end of a line continues the message. A space before the / makes it a message.", strings.Join(lines, "\n"))
	return err
}

// bring reads what the workspaces bring: somebody may have pushed, or the agent written it.
func (v *conversation) bring(ctx context.Context) ([]api.Workspace, error) {
	list, err := v.granted(ctx)
	if err == nil {
		v.commands, err = bring(ctx, v.c, list, v.commands)
	}
	return list, err
}

// ofWorkspace sends the prompt of a workspace's command, and shows it: the person has not
// written it.
func (v *conversation) ofWorkspace(ctx context.Context, call command.Call) error {
	list, err := v.bring(ctx)
	if err != nil {
		return v.told(ctx, err)
	}
	c, err := v.commands.Resolve(call.Name)
	if err != nil {
		return v.told(ctx, err)
	}
	text, err := expand(c, call, list)
	if err != nil {
		return v.told(ctx, err)
	}
	v.f.Say("/%s of %s sends:\n%s", c.Name, plain.Line(c.Workspace), text)
	return v.send(ctx, text)
}
