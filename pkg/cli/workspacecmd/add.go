package workspacecmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
)

// AddOptions is what the command line of vexa workspace add says.
type AddOptions struct {
	Factory *factory.Factory
	JSON    output.JSON
	Name    string
	URL     string
}

func newAdd(f *factory.Factory) *cobra.Command {
	o := &AddOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "add NAME BUCKET",
		Short: "Use a bucket that is there as a workspace",
		Long: "Gives a bucket that another installation made, or this one before it was lost, a name\n" +
			"here: DIR/ID, s3://BUCKET/PREFIX/ID, https://HOST/REPO.git or file:///REPO.git. A key of\n" +
			"this installation has to open it: vexa key show.",
		Example: "$ vexa workspace add notes /media/stick/vexa/01jdx4\n$ vexa workspace add handbook s3://acme/vexa/01jdx5",
		Args:    grammar.Args("NAME", "BUCKET"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name, o.URL = args[0], args[1]
			return runAdd(cmd.Context(), o)
		},
	}
	output.AddFlags(cmd, &o.JSON, workspaceFields().Names(), f.OutTTY)
	return cmd
}

func runAdd(ctx context.Context, o *AddOptions) error {
	at, err := factory.AbsoluteAddress(o.URL)
	if err != nil {
		return err
	}
	c, err := o.Factory.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	doing := o.Factory.Begin("reading the bucket of %s", o.Name)
	w, err := c.AddWorkspace(ctx, api.AddWorkspace{Name: o.Name, URL: at})
	doing.End()
	if err != nil {
		return grammar.Argument(err)
	}
	if o.JSON.On() {
		return output.One(o.Factory.Out, &o.JSON, workspaceFields(), w)
	}
	o.Factory.Notice("added workspace %s, generation %d of %s", w.Name, w.Generation, w.Bucket)
	return nil
}
