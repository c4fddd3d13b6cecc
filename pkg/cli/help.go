package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// newHelpCmd returns the command vexa help. A word that names nothing is a
// usage error.
func newHelpCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND | TOPIC]",
		Short:   "Explain a command or a topic",
		Long:    "Explains a command, as its flag --help does, or a topic.",
		Example: "$ vexa help workspace undo\n$ vexa help exit-codes",
		GroupID: groupSetup,
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			if err != nil {
				return fault.Newf(fault.Usage, "find the command: %w", err)
			}
			if len(rest) > 0 && found.HasSubCommands() {
				return unknownWord(found, rest[0])
			}
			found.InitDefaultHelpFlag() // as its flag --help has it
			return found.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			var words []cobra.Completion
			if parent, rest, err := cmd.Root().Find(args); err == nil && len(rest) == 0 {
				for _, c := range parent.Commands() {
					if c.IsAvailableCommand() || isTopic(c) {
						words = append(words, cobra.CompletionWithDesc(c.Name(), c.Short))
					}
				}
			}
			return words, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// help prints the help of a command: examples first, then usage, what it does,
// its commands, flags and JSON fields. It goes to stdout: it was asked for.
func help(cmd *cobra.Command, style factory.Style) {
	b := page{style: style}
	if isTopic(cmd) {
		b.WriteString(cmd.Long + "\n")
	} else {
		writeHelp(&b, cmd)
	}
	_, _ = io.WriteString(cmd.OutOrStdout(), b.String()) // a closed pipe is the reader's choice
}

// page is a page of help as it is written.
type page struct {
	strings.Builder
	style factory.Style
}

func writeHelp(b *page, cmd *cobra.Command) {
	fmt.Fprintf(b, "%s.\n", cmd.Short)
	if cmd.Example != "" {
		section(b, "Examples", indent(cmd.Example))
	}
	usage := cmd.UseLine()
	if cmd.HasAvailableSubCommands() {
		usage = cmd.CommandPath() + " <command> [flags]"
	}
	section(b, "Usage", indent(usage))
	if cmd.Long != "" {
		fmt.Fprintf(b, "\n%s\n", cmd.Long)
	}
	writeCommands(b, cmd)
	if cmd.HasAvailableLocalFlags() {
		section(b, "Flags", strings.TrimRight(cmd.LocalFlags().FlagUsages(), "\n"))
	}
	if fields := cmd.Annotations[output.AnnotationFields]; fields != "" {
		section(b, "JSON fields", indent(wrap(strings.ReplaceAll(fields, ",", ", "), 78)))
	}
	if cmd.HasAvailableInheritedFlags() {
		section(b, "Flags of every command", strings.TrimRight(cmd.InheritedFlags().FlagUsages(), "\n"))
	}
	if !cmd.HasParent() {
		writeTopics(b, cmd)
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(b, "\nMore about a command: %s <command> --help\n", cmd.CommandPath())
	}
}

// writeCommands lists the commands below cmd, by group where there are groups.
func writeCommands(b *page, cmd *cobra.Command) {
	if !cmd.HasAvailableSubCommands() {
		return
	}
	groups := append(slices.Clone(cmd.Groups()), &cobra.Group{ID: "", Title: "Commands:"})
	for _, g := range groups {
		var lines []string
		for _, c := range cmd.Commands() {
			if c.GroupID == g.ID && c.IsAvailableCommand() {
				lines = append(lines, fmt.Sprintf("  %-12s %s", c.Name(), c.Short))
			}
		}
		if len(lines) > 0 {
			section(b, strings.TrimSuffix(g.Title, ":"), strings.Join(lines, "\n"))
		}
	}
}

func writeTopics(b *page, root *cobra.Command) {
	var lines []string
	for _, c := range root.Commands() {
		if isTopic(c) {
			lines = append(lines, fmt.Sprintf("  %-12s %s", c.Name(), c.Short))
		}
	}
	section(b, "Topics, read with vexa help <topic>", strings.Join(lines, "\n"))
}

func section(b *page, title, body string) {
	fmt.Fprintf(b, "\n%s\n%s\n", b.style.Bold(title+":"), body)
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(s, "\n", "\n  ")
}

// wrap breaks s at spaces into lines of at most width bytes.
func wrap(s string, width int) string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return strings.Join(append(lines, line), "\n")
}
