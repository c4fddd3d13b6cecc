package factory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/client"
)

// completeTime is how long a shell waits for names at most, where CompleteWithin is 0.
const completeTime = 300 * time.Millisecond

// Complete completes the first argument of a command with names that a running
// daemon knows. It starts no daemon and stays silent where anything fails.
func (f *Factory) Complete(names func(context.Context, *client.Client) ([]string, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		c, err := f.Dial(false)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer c.Close()
		ctx, cancel := context.WithTimeout(cmd.Context(), cmp.Or(f.CompleteWithin, completeTime))
		defer cancel()
		found, err := names(ctx, c)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		for i := range found {
			found[i] = plain.Line(found[i])
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

// Flagged are the names that the values of flags complete with, by flag.
type Flagged map[string]func(context.Context, *client.Client) ([]string, error)

// CompleteFlags completes the values of flags, whatever arguments stand before them.
func (f *Factory) CompleteFlags(cmd *cobra.Command, flags Flagged) {
	for name, names := range flags {
		complete := f.Complete(names)
		_ = cmd.RegisterFlagCompletionFunc(name, func(cmd *cobra.Command, _ []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return complete(cmd, nil, word)
		}) // fails only for a flag that does not exist
	}
}

// CompleteEach completes every argument of a command that takes several things of a
// kind, without those that are there already.
func (f *Factory) CompleteEach(names func(context.Context, *client.Client) ([]string, error)) cobra.CompletionFunc {
	complete := f.Complete(names)
	return func(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		found, directive := complete(cmd, nil, word)
		return slices.DeleteFunc(found, func(name string) bool { return slices.Contains(args, name) }), directive
	}
}

// CompleteInWorkspace completes a workspace and then something in it, whose names then
// returns; nil: a file.
func (f *Factory) CompleteInWorkspace(then func(ctx context.Context, c *client.Client, workspace string) ([]string, error)) cobra.CompletionFunc {
	workspaces := f.Complete(WorkspaceNames)
	return func(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		switch {
		case len(args) != 1:
			return workspaces(cmd, args, word)
		case then == nil:
			return nil, cobra.ShellCompDirectiveDefault
		}
		within := f.Complete(func(ctx context.Context, c *client.Client) ([]string, error) { return then(ctx, c, args[0]) })
		return within(cmd, nil, word)
	}
}

// MemberNames completes those who are members of a workspace.
func MemberNames(ctx context.Context, c *client.Client, workspace string) ([]string, error) {
	m, err := c.Members(ctx, workspace)
	var names []string
	for _, x := range m.Members {
		if x.Until == 0 {
			names = append(names, x.Name)
		}
	}
	return names, err
}

// ProposalIDs completes the proposals of a workspace, closed ones too.
func ProposalIDs(ctx context.Context, c *client.Client, workspace string) ([]string, error) {
	list, err := c.Proposals(ctx, workspace, true)
	ids := make([]string, 0, len(list))
	for _, p := range list {
		ids = append(ids, p.ID)
	}
	return ids, err
}

// FilePaths completes the files of a workspace.
func FilePaths(ctx context.Context, c *client.Client, workspace string) ([]string, error) {
	list, err := c.Files(ctx, workspace, "")
	paths := make([]string, 0, len(list))
	for _, e := range list {
		paths = append(paths, e.Path)
	}
	return paths, err
}

// ModelNames completes models, as chats are given them: the bare name, and where several
// providers have one of it PROVIDER/MODEL.
func ModelNames(ctx context.Context, c *client.Client) ([]string, error) {
	list, err := c.Models(ctx)
	count := map[string]int{}
	for _, p := range list {
		for _, m := range p.Models {
			count[m]++
		}
	}
	var names []string
	for _, p := range list {
		for _, m := range p.Models {
			if count[m] > 1 {
				m = p.Name + "/" + m
			}
			names = append(names, m)
		}
	}
	return names, err
}

// SessionIDs completes sessions, the newest first.
func SessionIDs(ctx context.Context, c *client.Client) ([]string, error) {
	list, err := c.Sessions(ctx)
	ids := make([]string, 0, len(list))
	for _, s := range list {
		ids = append(ids, s.ID)
	}
	return ids, err
}

// WorkspaceNames completes workspaces.
func WorkspaceNames(ctx context.Context, c *client.Client) ([]string, error) {
	list, err := c.Workspaces(ctx)
	names := make([]string, 0, len(list))
	for _, w := range list {
		names = append(names, w.Name)
	}
	return names, err
}

// UnitIDs completes dispatches, live ones first.
func UnitIDs(ctx context.Context, c *client.Client) ([]string, error) {
	list, err := c.Dispatches(ctx, true)
	ids := make([]string, 0, len(list))
	for _, d := range list {
		ids = append(ids, d.ID)
	}
	return ids, err
}

// RunnerNames completes runners.
func RunnerNames(ctx context.Context, c *client.Client) ([]string, error) {
	list, err := c.Runners(ctx)
	names := make([]string, 0, len(list))
	for _, r := range list {
		names = append(names, r.Name)
	}
	return names, err
}

// ToolNames completes tools.
func ToolNames(ctx context.Context, c *client.Client) ([]string, error) {
	list, err := c.Tools(ctx)
	names := make([]string, 0, len(list))
	for _, t := range list {
		names = append(names, t.Name)
	}
	return names, err
}

// ProviderNames completes providers.
func ProviderNames(ctx context.Context, c *client.Client) ([]string, error) {
	list, err := c.Models(ctx)
	names := make([]string, 0, len(list))
	for _, p := range list {
		names = append(names, p.Name)
	}
	return names, err
}
