package cli

import (
	_ "embed"
	"strings"

	"github.com/spf13/cobra"
)

var (
	//go:embed topics/environment.txt
	topicEnvironment string
	//go:embed topics/json.txt
	topicJSON string
	//go:embed topics/files.txt
	topicFiles string
	//go:embed topics/security.txt
	topicSecurity string
)

// topics returns the help topics: commands that do nothing but explain.
func topics() []*cobra.Command {
	exits := "Exit codes. They do not change.\n\n" + exitTable() +
		"\nA turn of vexa chat or vexa run ends with 0 where the agent completed it, 1 where it\n" +
		"failed, 8 where a limit ended it and 130 where it was interrupted."
	return []*cobra.Command{
		topic("environment", "Environment variables", topicEnvironment),
		topic("exit-codes", "Exit codes", exits),
		topic("json", "JSON output", topicJSON),
		topic("files", "Where files are", topicFiles),
		topic("security", "What holds an agent in", topicSecurity),
	}
}

func topic(name, short, text string) *cobra.Command {
	return &cobra.Command{Use: name, Short: short, Long: strings.TrimRight(text, "\n")}
}

// isTopic reports whether cmd only explains.
func isTopic(cmd *cobra.Command) bool { return cmd.HasParent() && cmd.IsAdditionalHelpTopicCommand() }
