package workspacecmd

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
)

// DiffOptions is what the command line of vexa workspace diff says.
type DiffOptions struct {
	Factory  *factory.Factory
	JSON     output.JSON
	Name     string
	From, To string
}

func newDiff(f *factory.Factory, runF func(context.Context, *DiffOptions) error) *cobra.Command {
	o := &DiffOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "diff NAME",
		Short: "Show what changed in a workspace",
		Long: "Shows what changed between two commits as a unified diff; by default what the newest\n" +
			"commit changed. On a terminal control sequences are left out.",
		Example:           "$ vexa workspace diff personal\n$ vexa workspace diff personal --from 3f2a91c --to main | git apply",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.WorkspaceNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = args[0]
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return runDiff(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.From, "from", "", "the older `commit` (default: the parent of --to)")
	cmd.Flags().StringVar(&o.To, "to", "", "the newer `commit` (default: the newest of main)")
	output.AddFlags(cmd, &o.JSON, diffFields().Names(), f.OutTTY)
	return cmd
}

func runDiff(ctx context.Context, o *DiffOptions) error {
	f := o.Factory
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	d, err := c.Diff(ctx, o.Name, o.From, o.To)
	if err != nil {
		return err
	}
	if o.JSON.On() {
		return output.One(f.Out, &o.JSON, diffFields(), d)
	}
	patch := d.Patch
	if factory.IsTTY(f.OutTTY) {
		patch = plain.Text(patch)
	}
	_, err = io.WriteString(f.Out, patch)
	return err
}
