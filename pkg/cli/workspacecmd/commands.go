package workspacecmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/query"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/tui/command"
)

// brought is a file below .vexa/commands: a command, or what keeps it from being one.
type brought struct {
	command.Command
	problem string
}

func newCommands(f *factory.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "commands NAME",
		Short: "List the slash commands that a workspace brings",
		Long: "Lists what vexa chat takes as a command where the workspace is granted: each file\n" +
			command.Dir + "/NAME.md is the prompt that /NAME sends. $ARGUMENTS in it is what\n" +
			"stands behind the name, and $1 to $9 are words of that. Before the prompt may stand\n" +
			"\"description:\" and \"argument-hint:\", between two lines ---. A command that the chat\n" +
			"has itself stays what it is, and the workspace's is then /WORKSPACE:NAME, as it is\n" +
			"where several workspaces have one of that name. A file that is no command is named\n" +
			"with why.",
		Example:           "$ vexa workspace commands personal\n$ vexa workspace commands personal --json name,template --jq '.[0].template'",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.WorkspaceNames),
	}
	type b = brought
	fields := output.Fields[b]{
		{Name: "name", Value: func(x b) any { return x.Name }},
		{Name: "arguments", Value: func(x b) any { return x.Arguments }},
		{Name: "help", Value: func(x b) any { return x.Help }},
		{Name: "path", Value: func(x b) any { return x.Path }},
		{Name: "template", Value: func(x b) any { return x.Template }},
		{Name: "problem", Value: func(x b) any { return x.problem }},
	}
	ask := func(ctx context.Context, c *client.Client, args []string) ([]b, error) {
		found, err := command.Read(ctx, c, args[0], command.Found{})
		list := make([]b, 0, len(found.Commands)+len(found.Problems))
		for _, c := range found.Commands {
			list = append(list, b{Command: c})
		}
		for _, p := range found.Problems {
			list = append(list, b{Command: command.Command{Path: p.Path}, problem: p.Why})
		}
		return list, err
	}
	return query.List(f, cmd, fields, ask, func(list []b) error {
		t := output.NewTable(f.Out, factory.IsTTY(f.OutTTY), "COMMAND", "ARGUMENTS", "WHAT IT DOES")
		n := 0
		for _, x := range list {
			if x.problem != "" {
				f.Warn("%s is no command: %s", x.Path, x.problem)
				continue
			}
			n++
			t.Row("/"+x.Name, x.Arguments, x.Help)
		}
		if n == 0 {
			f.Notice("there is no command: write a prompt into %s/NAME.md", command.Dir)
			return nil
		}
		return t.Flush()
	})
}
