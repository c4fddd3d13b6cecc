package workspacecmd

import (
	"bytes"
	"context"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/cli/query"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/fault"
)

func newFiles(f *factory.Factory) *cobra.Command {
	var rev string
	cmd := &cobra.Command{
		Use:               "files NAME",
		Short:             "List the files of a workspace",
		Long:              "Lists the files of a workspace as they are committed, with their mode and size.",
		Example:           "$ vexa workspace files personal\n$ vexa workspace files personal --rev HEAD~1 --json path,sha",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.WorkspaceNames),
	}
	cmd.Flags().StringVar(&rev, "rev", "", "a `commit` (default: the newest of main)")
	ask := func(ctx context.Context, c *client.Client, args []string) ([]api.FileEntry, error) {
		return c.Files(ctx, args[0], rev)
	}
	return query.List(f, cmd, fileFields(), ask, func(list []api.FileEntry) error {
		t := output.NewTable(f.Out, factory.IsTTY(f.OutTTY), "MODE", "SIZE", "PATH").In(f.OutStyle())
		for _, e := range list {
			t.Row(e.Mode, strconv.FormatInt(e.Size, 10), e.Path)
		}
		return t.Flush()
	})
}

// CatOptions is what the command line of vexa workspace cat says.
type CatOptions struct {
	Factory *factory.Factory
	Name    string
	Path    string
	Rev     string
}

func newCat(f *factory.Factory) *cobra.Command {
	o := &CatOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "cat NAME PATH",
		Short: "Print a file of a workspace",
		Long: "Prints a file as it is committed: byte by byte where stdout is not a terminal. On a\n" +
			"terminal control sequences are left out, and a binary file is refused.",
		Example:           "$ vexa workspace cat personal notes/hello.md\n$ vexa workspace cat personal photo.jpg > photo.jpg",
		Args:              grammar.Args("NAME", "PATH"),
		ValidArgsFunction: f.CompleteInWorkspace(factory.FilePaths),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name, o.Path = args[0], args[1]
			return runCat(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.Rev, "rev", "", "a `commit` (default: the newest of main)")
	return cmd
}

func runCat(ctx context.Context, o *CatOptions) error {
	f := o.Factory
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	body, err := c.File(ctx, o.Name, o.Rev, o.Path)
	if err != nil {
		return grammar.Argument(err)
	}
	defer body.Close()
	if !factory.IsTTY(f.OutTTY) {
		return copied(io.Copy(f.Out, body))
	}
	const sniff = 8000 // bytes that git looks at, too
	head, err := io.ReadAll(io.LimitReader(body, sniff))
	if err != nil {
		return copied(0, err)
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return fault.New(fault.Usage, o.Path+" is a binary file", "write it to a file: vexa workspace cat NAME PATH > FILE")
	}
	w := plain.NewWriter(f.Out)
	if err := copied(io.Copy(w, io.MultiReader(bytes.NewReader(head), body))); err != nil {
		return err
	}
	return w.Close()
}

func copied(_ int64, err error) error {
	if err != nil {
		return fault.Newf(fault.Internal, "copy the file: %w", err)
	}
	return nil
}
