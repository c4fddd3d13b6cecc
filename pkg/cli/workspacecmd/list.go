package workspacecmd

import (
	"context"

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
		t := output.NewTable(f.Out, tty, "NAME", "HEAD", "UPDATED", "BUCKET", "PROBLEM").In(f.OutStyle())
		for _, w := range list {
			if w.WriteOnly {
				t.Row(w.Name, "", "", w.Bucket, "written, not read: git push delivers to it")
				continue
			}
			t.Row(w.Name, short(w.Head, tty), output.Time(w.UpdatedAt, f.Now(), tty), w.Bucket, w.Problem)
		}
		return t.Flush()
	})
}

// short cuts a commit id for a terminal.
func short(sha string, tty bool) string {
	if tty && len(sha) > 12 {
		return sha[:12]
	}
	return sha
}
