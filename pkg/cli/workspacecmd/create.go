package workspacecmd

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// CreateOptions is what the command line of vexa workspace create says.
type CreateOptions struct {
	Factory *factory.Factory
	JSON    output.JSON
	Name    string
	From    string
}

func newCreate(f *factory.Factory) *cobra.Command {
	o := &CreateOptions{Factory: f}
	cmd := &cobra.Command{
		Use:     "create NAME",
		Short:   "Create a workspace",
		Long:    "Creates a workspace: a Git repository that agents can be given. With --from its first\ncommit holds a copy of a directory (the files only, not its history).",
		Example: "$ vexa workspace create notes\n$ vexa workspace create handbook --from ~/handbook",
		Args:    grammar.Args("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = args[0]
			return runCreate(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.From, "from", "", "copy this `directory` as the first commit")
	output.AddFlags(cmd, &o.JSON, workspaceFields().Names(), f.OutTTY)
	return cmd
}

func runCreate(ctx context.Context, o *CreateOptions) error {
	from := o.From
	if from != "" {
		abs, err := filepath.Abs(from) // the daemon has another working directory
		if err != nil {
			return fault.Newf(fault.Usage, "find %s: %w", from, err)
		}
		from = abs
	}
	c, err := o.Factory.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	w, err := c.CreateWorkspace(ctx, api.CreateWorkspace{Name: o.Name, From: from})
	if err != nil {
		return grammar.Argument(err)
	}
	if o.JSON.On() {
		return output.One(o.Factory.Out, &o.JSON, workspaceFields(), w)
	}
	o.Factory.Notice("created workspace %s (%s)", w.Name, output.Plural(w.Files, "file"))
	return nil
}
