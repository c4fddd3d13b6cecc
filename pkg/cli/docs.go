package cli

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// newDocsCmd returns the hidden command that writes docs/cli.
func newDocsCmd(root *cobra.Command) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:    "docs --dir DIR",
		Short:  "Write the reference of the commands as Markdown",
		Long:   "Writes one Markdown file for each command into a directory.",
		Hidden: true,
		Args:   grammar.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir == "" {
				return grammar.Usage(cmd, "--dir is missing")
			}
			return WriteDocs(root, dir)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "the `directory` to write to")
	return cmd
}

// WriteDocs writes one Markdown file for each command below and including root
// into dir, which it makes where it is missing.
func WriteDocs(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // documentation is public
		return fault.Newf(fault.Usage, "make the directory: %w", err)
	}
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	prepare(root)
	if err := doc.GenMarkdownTree(root, dir); err != nil {
		return fault.Newf(fault.Internal, "write the reference: %w", err)
	}
	return nil
}

// prepare keeps the date of writing out of the files and adds the JSON fields.
func prepare(cmd *cobra.Command) {
	cmd.DisableAutoGenTag = true
	if fields := cmd.Annotations[output.AnnotationFields]; fields != "" {
		cmd.Long += "\n\nJSON fields: " + strings.ReplaceAll(fields, ",", ", ") + "."
	}
	for _, c := range cmd.Commands() {
		prepare(c)
	}
}
