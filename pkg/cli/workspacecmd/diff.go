package workspacecmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/query"
	"github.com/vexa-ai/vexa/pkg/client"
)

func newDiff(f *factory.Factory) *cobra.Command {
	var q client.DiffQuery
	cmd := &cobra.Command{
		Use:   "diff NAME",
		Short: "Show what changed in a workspace",
		Long: "Shows what changed between two commits as a unified diff; by default what the newest\n" +
			"commit changed, with --unit what one dispatch did. On a terminal control sequences are\n" +
			"left out.",
		Example:           "$ vexa workspace diff personal\n$ vexa workspace diff personal --unit 01m8h --path notes\n$ vexa workspace diff personal --from 3f2a91c --to main | git apply",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.WorkspaceNames),
	}
	cmd.Flags().StringVar(&q.From, "from", "", "the older `commit` (default: the parent of --to)")
	cmd.Flags().StringVar(&q.To, "to", "", "the newer `commit` (default: the newest of main)")
	cmd.Flags().StringVar(&q.Unit, "unit", "", "what this `dispatch` changed, merged or not")
	cmd.Flags().StringVar(&q.Path, "path", "", "only what is at or below this `path`")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if q.Unit != "" && q.From+q.To != "" {
			return grammar.Usage(cmd, "--unit goes with neither --from nor --to")
		}
		return nil
	}
	ask := func(ctx context.Context, c *client.Client, args []string) (api.Diff, error) {
		return c.Diff(ctx, args[0], q)
	}
	f.CompleteFlags(cmd, factory.Flagged{"unit": factory.UnitIDs})
	return query.Diff(f, cmd, ask, "nothing changed")
}
