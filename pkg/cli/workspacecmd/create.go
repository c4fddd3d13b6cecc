package workspacecmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
)

// CreateOptions is what the command line of vexa workspace create says.
type CreateOptions struct {
	Factory *factory.Factory
	JSON    output.JSON
	Name    string
	From    string

	Bucket      string
	PostQuantum bool
}

func newCreate(f *factory.Factory) *cobra.Command {
	o := &CreateOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a workspace",
		Long: "Creates a workspace: a Git repository that agents can be given. With --from its first\ncommit holds a copy of a directory (the files only, not its history).\n\n" +
			"It rests encrypted, in a bucket: below this installation, or below what --bucket names, a\n" +
			"directory, s3://BUCKET/PREFIX, or a Git remote that holds this one workspace.",
		Example:           "$ vexa workspace create notes\n$ vexa workspace create handbook --from ~/handbook\n$ vexa workspace create team --bucket s3://acme/vexa",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = args[0]
			return runCreate(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.From, "from", "", "copy this `directory` as the first commit")
	cmd.Flags().StringVar(&o.Bucket, "bucket", "", "keep it below this `place`: a directory, s3://BUCKET/PREFIX or a Git remote")
	cmd.Flags().BoolVar(&o.PostQuantum, "post-quantum", false, "encrypt it so that a quantum computer does not open it either")
	output.AddFlags(cmd, &o.JSON, workspaceFields().Names(), f.OutTTY)
	return cmd
}

func runCreate(ctx context.Context, o *CreateOptions) error {
	from, err := factory.AbsolutePath(o.From)
	if err != nil {
		return err
	}
	at, err := factory.AbsoluteAddress(o.Bucket)
	if err != nil {
		return err
	}
	c, err := o.Factory.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	doing := o.Factory.Begin("creating workspace %s", o.Name)
	w, err := c.CreateWorkspace(ctx, api.CreateWorkspace{Name: o.Name, From: from, Bucket: at, PostQuantum: o.PostQuantum})
	doing.End()
	if err != nil {
		return grammar.Argument(err)
	}
	if o.JSON.On() {
		return output.One(o.Factory.Out, &o.JSON, workspaceFields(), w)
	}
	o.Factory.Notice("created workspace %s (%s)", w.Name, output.Plural(w.Files, "file"))
	return nil
}
