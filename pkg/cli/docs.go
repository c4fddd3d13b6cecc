package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// newDocsCmd returns the hidden command that writes what is made of the commands: the
// reference, the manual and the completions.
func newDocsCmd(root *cobra.Command) *cobra.Command {
	var dir, man, completions, date string
	cmd := &cobra.Command{
		Use:    "docs",
		Short:  "Write the reference, the manual pages and the completions",
		Long:   "Writes what is made of the commands: a Markdown file for each, a manual page for each\ncommand and topic, and the completions of four shells. The same program writes the same bytes.",
		Hidden: true,
		Args:   grammar.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir == "" && man == "" && completions == "" {
				return grammar.Usage(cmd, "--dir, --man or --completions is missing")
			}
			when, err := time.Parse(time.RFC3339, date)
			if err != nil {
				return grammar.Usage(cmd, "--date is no time of RFC 3339: %q", date)
			}
			if completions != "" {
				if err := WriteCompletions(root, completions); err != nil {
					return err
				}
			}
			if man != "" {
				if err := WriteMan(root, man, when); err != nil {
					return err
				}
			}
			if dir != "" {
				return WriteDocs(root, dir)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "write the reference to this `directory`")
	cmd.Flags().StringVar(&man, "man", "", "write the manual pages to this `directory`")
	cmd.Flags().StringVar(&completions, "completions", "", "write the completions to this `directory`")
	cmd.Flags().StringVar(&date, "date", time.Unix(0, 0).UTC().Format(time.RFC3339), "the `time` that manual pages are dated by")
	return cmd
}

// WriteDocs writes one Markdown file for each command below and including root
// into dir, which it makes where it is missing.
func WriteDocs(root *cobra.Command, dir string) error {
	if err := makeDir(dir); err != nil {
		return err
	}
	root.InitDefaultHelpCmd()
	prepare(root)
	if err := doc.GenMarkdownTree(root, dir); err != nil {
		return fault.Newf(fault.Internal, "write the reference: %w", err)
	}
	return nil
}

// WriteCompletions writes the completions of each shell into dir, which it makes where
// it is missing: vexa.bash, vexa.zsh, vexa.fish and vexa.powershell.
func WriteCompletions(root *cobra.Command, dir string) error {
	if err := makeDir(dir); err != nil {
		return err
	}
	for _, s := range shells() {
		var b bytes.Buffer
		if err := s.write(root, &b, true); err != nil {
			return fault.Newf(fault.Internal, "write the completions of %s: %w", s.name, err)
		}
		if err := writeFile(filepath.Join(dir, root.Name()+"."+s.name), b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // documentation is public
		return fault.Newf(fault.Usage, "make the directory: %w", err)
	}
	return nil
}

func writeFile(path string, data []byte) error {
	if err := os.WriteFile(path, data, 0o644); err != nil { //nolint:gosec // documentation is public
		return fault.Newf(fault.Usage, "write %s: %w", path, err)
	}
	return nil
}

// prepare keeps the date of writing out of the files and adds the JSON fields.
func prepare(cmd *cobra.Command) {
	cmd.DisableAutoGenTag = true
	const title = "\n\nJSON fields: "
	if fields := cmd.Annotations[output.AnnotationFields]; fields != "" && !strings.Contains(cmd.Long, title) {
		cmd.Long += title + strings.ReplaceAll(fields, ",", ", ") + "."
	}
	for _, c := range cmd.Commands() {
		prepare(c)
	}
}
