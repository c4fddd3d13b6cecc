package workspacecmd

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/query"
	"github.com/vexa-ai/vexa/pkg/client"
)

func newList(f *factory.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List workspaces",
		Long:    "Lists the workspaces of this installation, and where each rests, encrypted. It opens none.",
		Example: "$ vexa workspace list\n$ vexa workspace list --json name,head",
		Args:    grammar.Args(),
	}
	ask := func(ctx context.Context, c *client.Client, _ []string) ([]api.Workspace, error) {
		return c.Workspaces(ctx)
	}
	return query.List(f, cmd, workspaceFields(), ask, func(list []api.Workspace) error {
		if len(list) == 0 {
			f.Notice("no workspaces yet; make one with: vexa workspace create NAME")
			return nil
		}
		tty := factory.IsTTY(f.OutTTY)
		t := output.NewTable(f.Out, tty, "NAME", "HEAD", "UPDATED", "BUCKET", "PROBLEM")
		for _, w := range list {
			t.Row(w.Name, short(w.Head, tty), output.Time(w.UpdatedAt, f.Now(), tty), w.Bucket, w.Problem)
		}
		return t.Flush()
	})
}

func newShow(f *factory.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "show NAME",
		Short:             "Show one workspace",
		Long:              "Shows a workspace: its id, its newest commit and the branches that wait for a merge.",
		Example:           "$ vexa workspace show personal",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.WorkspaceNames),
	}
	ask := func(ctx context.Context, c *client.Client, args []string) (api.Workspace, error) {
		return c.Workspace(ctx, args[0])
	}
	return query.One(f, cmd, workspaceFields(), ask, func(w api.Workspace) error {
		p := output.NewPairs(f.Out, factory.IsTTY(f.OutTTY))
		p.Add("name", w.Name)
		p.Add("id", w.ID)
		p.Add("head", w.Head)
		p.Add("files", strconv.Itoa(w.Files))
		p.Add("created", w.CreatedAt.UTC().Format(time.RFC3339))
		if !w.UpdatedAt.IsZero() {
			p.Add("updated", w.UpdatedAt.UTC().Format(time.RFC3339))
		}
		p.Add("encrypted", strconv.FormatBool(w.Encrypted))
		p.Add("bucket", w.Bucket)
		p.Add("generation", strconv.FormatInt(w.Generation, 10))
		for _, branch := range w.Unmerged {
			p.Add("unmerged", branch)
		}
		return p.Flush()
	})
}

// short cuts a commit id for a terminal.
func short(sha string, tty bool) string {
	if tty && len(sha) > 12 {
		return sha[:12]
	}
	return sha
}
