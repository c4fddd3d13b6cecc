package workspacecmd

import (
	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
)

func newClose(f *factory.Factory) *cobra.Command {
	return &cobra.Command{
		Use:   "close NAME...",
		Short: "Remove what is readable of a workspace from memory",
		Long: "Saves what is not saved yet and removes the readable repository that this installation\n" +
			"keeps in memory while a workspace is in use. It is opened again when it is next needed.\n" +
			"Workspaces that nobody uses are closed after half an hour, where their storage answers,\n" +
			"and all of them when the daemon stops.",
		Example:           "$ vexa workspace close notes",
		Args:              grammar.Args("NAME..."),
		ValidArgsFunction: f.CompleteEach(factory.WorkspaceNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.Connect(cmd.Context())
			if err != nil {
				return err
			}
			defer c.Close()
			for _, name := range args {
				doing := f.Begin("saving and closing workspace %s", name)
				err := c.CloseWorkspace(cmd.Context(), name)
				doing.End()
				if err != nil {
					return grammar.Argument(err)
				}
				f.Notice("closed workspace %s", name)
			}
			return nil
		},
	}
}
