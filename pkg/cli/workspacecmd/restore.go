package workspacecmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
)

// RestoreOptions is what the command line of vexa workspace restore says.
type RestoreOptions struct {
	Factory     *factory.Factory
	JSON        output.JSON
	Name        string
	From        string
	AcceptOlder bool
}

func newRestore(f *factory.Factory) *cobra.Command {
	o := &RestoreOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "restore NAME --from BACKUP",
		Short: "Bring a workspace's bucket back from a backup",
		Long: "Brings back what is missing or damaged in the bucket of a workspace, or all of it where NAME\n" +
			"is not known here. Nothing that is whole is changed. A state that is older than what this\n" +
			"installation has seen is refused, since that is what a storage that cheats would offer;\n" +
			"--accept-older takes it on purpose, and alone it accepts what the bucket has now.",
		Example:           "$ vexa workspace restore notes --from /media/stick/vexa/01jdx4\n$ vexa workspace restore notes --accept-older",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.WorkspaceNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = args[0]
			if o.From == "" && !o.AcceptOlder {
				return grammar.Usage(cmd, "--from names the backup")
			}
			return runRestore(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.From, "from", "", "the `backup`: DIR/ID, s3://BUCKET/PREFIX/ID or a Git remote")
	cmd.Flags().BoolVar(&o.AcceptOlder, "accept-older", false, "take a state that is older than what was seen here, or another history")
	output.AddFlags(cmd, &o.JSON, copiedFields().Names(), f.OutTTY)
	return cmd
}

func runRestore(ctx context.Context, o *RestoreOptions) error {
	f := o.Factory
	from, err := factory.AbsoluteAddress(o.From)
	if err != nil {
		return err
	}
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	doing := f.Begin("bringing the bucket of %s back", o.Name)
	v, err := c.RestoreWorkspace(ctx, o.Name, api.RestoreRequest{From: from, AcceptOlder: o.AcceptOlder})
	doing.End()
	if err != nil {
		return grammar.Argument(err)
	}
	if o.JSON.On() {
		return output.One(f.Out, &o.JSON, copiedFields(), v)
	}
	f.Notice("workspace %s is at generation %d: %s brought back, %s replaced", o.Name, v.Generation,
		output.Plural(v.Objects, "object"), output.Plural(len(v.Replaced), "damaged file"))
	return nil
}
