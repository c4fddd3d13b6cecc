package modelcmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
)

// RemoveOptions is what the command line of vexa model remove says.
type RemoveOptions struct {
	Factory *factory.Factory
	Name    string
}

func newRemove(f *factory.Factory) *cobra.Command {
	o := &RemoveOptions{Factory: f}
	cmd := &cobra.Command{
		Use:               "remove NAME",
		Aliases:           []string{"rm"},
		Short:             "Remove a provider and its key",
		Long:              "Removes a provider and the key that is stored for it.",
		Example:           "$ vexa model remove rehearsal",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.ProviderNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = args[0]
			return runRemove(cmd.Context(), o)
		},
	}
	return cmd
}

func runRemove(ctx context.Context, o *RemoveOptions) error {
	c, err := o.Factory.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.RemoveModel(ctx, o.Name); err != nil {
		return err
	}
	o.Factory.Notice("removed %s", o.Name)
	return nil
}
