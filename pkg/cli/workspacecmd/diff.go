package workspacecmd

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/cli/query"
	"github.com/vexa-ai/vexa/pkg/client"
)

func newDiff(f *factory.Factory) *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use:   "diff NAME",
		Short: "Show what changed in a workspace",
		Long: "Shows what changed between two commits as a unified diff; by default what the newest\n" +
			"commit changed. On a terminal control sequences are left out.",
		Example:           "$ vexa workspace diff personal\n$ vexa workspace diff personal --from 3f2a91c --to main | git apply",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.WorkspaceNames),
	}
	cmd.Flags().StringVar(&from, "from", "", "the older `commit` (default: the parent of --to)")
	cmd.Flags().StringVar(&to, "to", "", "the newer `commit` (default: the newest of main)")
	ask := func(ctx context.Context, c *client.Client, args []string) (api.Diff, error) {
		return c.Diff(ctx, args[0], from, to)
	}
	return query.One(f, cmd, diffFields(), ask, func(d api.Diff) error {
		if d.Patch == "" {
			f.Notice("nothing changed")
		}
		patch := d.Patch
		if factory.IsTTY(f.OutTTY) {
			patch = plain.Text(patch)
		}
		_, err := io.WriteString(f.Out, patch)
		return err
	})
}
