package factory

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/client"
)

// completeTime is how long a shell waits for names at most.
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
		ctx, cancel := context.WithTimeout(cmd.Context(), completeTime)
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
