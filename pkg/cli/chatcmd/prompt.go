package chatcmd

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/tui/command"
	"github.com/vexa-ai/vexa/pkg/tui/mention"
)

// bring adds to a registry the commands of workspaces. What of theirs it has already is not
// read again.
func bring(ctx context.Context, c *client.Client, list []api.Workspace, r *command.Registry) (*command.Registry, error) {
	found := make([]command.Found, 0, len(list))
	for _, w := range list {
		f, err := command.Read(ctx, c, w.Name, r.Found(w.Name))
		if err != nil {
			return r, err
		}
		found = append(found, f)
	}
	return r.With(found...), nil
}

// prompt returns what a command of the granted workspaces sends. The name is NAME or
// WORKSPACE:NAME.
//
// The text is the workspace's. It is not looked through for files of this machine: only
// --attach puts one into a message.
func prompt(ctx context.Context, c *client.Client, r *api.StartRequest, name, arguments string) (string, error) {
	call, ok := command.Parse("/" + name + " " + arguments)
	if !ok || call.Name != strings.ToLower(name) {
		return "", fault.New(fault.Usage, fmt.Sprintf("--command %q is not the name of a command", name), "name one as in review, or notes:review; its arguments are the text")
	}
	list, err := granted(ctx, c, r)
	if err != nil {
		return "", err
	}
	if len(list) == 0 {
		return "", errUngranted(*r)
	}
	commands, err := bring(ctx, c, list, new(command.Registry))
	if err != nil {
		return "", err
	}
	cmd, err := commands.Resolve(call.Name)
	switch {
	case fault.Is(err, fault.NotFound):
		return "", noCommand(commands, list, call.Name)
	case err != nil:
		return "", err
	}
	return expand(cmd, call, list)
}

// expand returns the prompt of a command with what stands behind it, as the agent is sent it.
func expand(cmd command.Command, call command.Call, list []api.Workspace) (string, error) {
	text, err := cmd.Expand(call)
	return mention.Place(text, dirs(list)), err
}

// noCommand says that the granted workspaces have no command of that name, and why where
// there is a file for it.
func noCommand(commands *command.Registry, list []api.Workspace, name string) error {
	msg := "there is no command " + name
	workspace, bare, qualified := strings.Cut(name, ":")
	if !qualified {
		workspace, bare = "", name
	}
	isFile := func(p command.Problem) bool {
		return p.Path == command.Dir+"/"+bare+".md" && (!qualified || p.Workspace == workspace)
	}
	if at := slices.IndexFunc(commands.Problems(), isFile); at >= 0 {
		msg += ": " + commands.Problems()[at].String()
	}
	if qualified && !slices.ContainsFunc(list, func(w api.Workspace) bool { return w.Name == workspace }) {
		return fault.New(fault.NotFound, msg, "only workspaces that are granted bring commands: -w "+workspace)
	}
	verbs := make([]string, len(list))
	for i, w := range list {
		verbs[i] = "vexa workspace commands " + plain.Line(w.Name)
	}
	hint := "list them with: " + strings.Join(verbs, "; ")
	if near := commands.Near(name); near != "" {
		hint = "did you mean " + near + "? " + hint
	}
	return fault.New(fault.NotFound, msg, hint)
}

// commandNames completes the commands of the workspaces that the line grants.
func (r *request) commandNames(ctx context.Context, c *client.Client) ([]string, error) {
	var grants []api.Grant
	for _, arg := range r.workspaces {
		name, _, _ := strings.Cut(arg, ":")
		g := api.Grant{Workspace: name}
		if !slices.Contains(grants, g) { // a line is read twice where it is completed
			grants = append(grants, g)
		}
	}
	list, err := granted(ctx, c, &api.StartRequest{Workspaces: grants, Session: r.session, Continue: r.resume})
	if err != nil {
		return nil, err
	}
	commands, err := bring(ctx, c, list, new(command.Registry))
	var names []string
	for _, e := range commands.Entries() {
		names = append(names, e.Call)
	}
	return names, err
}
