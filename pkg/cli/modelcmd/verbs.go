package modelcmd

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// TestOptions is what the command line of vexa model test says.
type TestOptions struct {
	Factory *factory.Factory
	JSON    output.JSON
	Name    string
}

func newTest(f *factory.Factory) *cobra.Command {
	o := &TestOptions{Factory: f}
	cmd := &cobra.Command{
		Use:               "test NAME",
		Short:             "Send a provider one short request",
		Long:              "Sends one short request to the provider's first model and prints the answer. The exit\ncode is 1 where that fails.",
		Example:           "$ vexa model test local",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.ProviderNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = args[0]
			return runTest(cmd.Context(), o)
		},
	}
	output.AddFlags(cmd, &o.JSON, testFields().Names(), f.OutTTY)
	return cmd
}

func runTest(ctx context.Context, o *TestOptions) error {
	f := o.Factory
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	t, err := c.TestModel(ctx, o.Name)
	if err != nil {
		return err
	}
	if o.JSON.On() {
		if err := output.One(f.Out, &o.JSON, testFields(), t); err != nil {
			return err
		}
	}
	if !t.OK {
		return fault.New(fault.Internal, "the model did not answer: "+t.Error, "see its URL, model and key: vexa model list")
	}
	if o.JSON.On() {
		return nil
	}
	f.Notice("%s answered in %d ms", t.Model, t.ElapsedMS)
	return f.Printf("%s\n", strings.TrimSpace(plain.Text(t.Reply)))
}

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
