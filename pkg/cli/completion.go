package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/grammar"
)

// shell is one whose completions can be written.
type shell struct {
	name, title, example, where string
	write                       func(root *cobra.Command, w io.Writer, descriptions bool) error
}

func shells() []shell {
	return []shell{
		{
			"bash", "Bash",
			"$ vexa completion bash >~/.local/share/bash-completion/completions/vexa\n$ source <(vexa completion bash)",
			"They need the package bash-completion.",
			func(root *cobra.Command, w io.Writer, d bool) error { return root.GenBashCompletionV2(w, d) },
		},
		{
			"zsh", "Zsh",
			"$ vexa completion zsh >\"${fpath[1]}/_vexa\"\n$ source <(vexa completion zsh)",
			"They need compinit: autoload -U compinit; compinit.",
			func(root *cobra.Command, w io.Writer, d bool) error {
				if !d {
					return root.GenZshCompletionNoDesc(w)
				}
				return root.GenZshCompletion(w)
			},
		},
		{
			"fish", "fish",
			"$ vexa completion fish >~/.config/fish/completions/vexa.fish\n$ vexa completion fish | source",
			"New shells have them.",
			func(root *cobra.Command, w io.Writer, d bool) error { return root.GenFishCompletion(w, d) },
		},
		{
			"powershell", "PowerShell",
			"$ vexa completion powershell | Out-String | Invoke-Expression\n$ vexa completion powershell >>$PROFILE",
			"What is in the profile every new shell has.",
			func(root *cobra.Command, w io.Writer, d bool) error {
				if !d {
					return root.GenPowerShellCompletion(w)
				}
				return root.GenPowerShellCompletionWithDesc(w)
			},
		},
	}
}

// newCompletionCmd returns the command vexa completion.
func newCompletionCmd() *cobra.Command {
	var verbs []*cobra.Command
	for _, s := range shells() {
		bare := false
		verb := &cobra.Command{
			Use:   s.name,
			Short: "Print the completions for " + s.title,
			Long: "Prints the completions for " + s.title + ": commands, flags, and the names that a running daemon knows.\n" +
				"Where none runs, or it does not answer in a moment, names are left out. " + s.where,
			Example: s.example,
			Args:    grammar.Args(),
			RunE: func(cmd *cobra.Command, _ []string) error {
				return s.write(cmd.Root(), cmd.OutOrStdout(), !bare)
			},
		}
		verb.Flags().BoolVar(&bare, "no-descriptions", false, "leave out what each word means")
		verbs = append(verbs, verb)
	}
	return grammar.Group("completion", "What your shell completes after Tab", verbs...)
}
