// Package grammar holds what makes all commands of the CLI read alike: groups
// of verbs, positional arguments, usage errors and suggestions.
package grammar

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/nearest"
)

// shown is how many verbs the examples of a group show.
const shown = 4

// Group returns a command that only holds others: vexa NOUN VERB. Its examples are
// those of its first verbs.
func Group(noun, short string, verbs ...*cobra.Command) *cobra.Command {
	var examples []string
	for _, verb := range verbs[:min(shown, len(verbs))] {
		if first, _, _ := strings.Cut(verb.Example, "\n"); first != "" {
			examples = append(examples, first)
		}
	}
	cmd := &cobra.Command{
		Use:     noun,
		Short:   short,
		Example: strings.Join(examples, "\n"),
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return UnknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(verbs...)
	return cmd
}

// UnknownCommand is the usage error for a word that is no command of parent. It
// names the one that was probably meant: by its spelling, else by its verb.
func UnknownCommand(parent *cobra.Command, word string) error {
	hint := "see: " + parent.CommandPath() + " --help"
	if verbs := verbsNamed(parent, word); len(verbs) > 0 {
		hint = "did you mean: " + strings.Join(verbs, ", ")
	} else if near := nearest.To(word, names(parent)); near != "" {
		hint = "did you mean: " + parent.CommandPath() + " " + near
	}
	return fault.New(fault.Usage, fmt.Sprintf("unknown command %q for %q", word, parent.CommandPath()), hint)
}

// verbsNamed lists the commands called verb in the groups below parent.
func verbsNamed(parent *cobra.Command, verb string) (paths []string) {
	for _, group := range parent.Commands() {
		for _, c := range group.Commands() {
			if !c.Hidden && !group.Hidden && c.Name() == verb {
				paths = append(paths, c.CommandPath())
			}
		}
	}
	return paths
}

func names(parent *cobra.Command) []string {
	var out []string
	for _, c := range parent.Commands() {
		if !c.Hidden {
			out = append(append(out, c.Name()), c.Aliases...)
		}
	}
	return out
}

// Usage is a usage error of cmd.
func Usage(cmd *cobra.Command, format string, args ...any) error {
	return fault.New(fault.Usage, fmt.Sprintf(format, args...), "see: "+cmd.CommandPath()+" --help")
}

// Argument returns the answer to a request that was made of the command line
// alone: what is malformed in it is a usage error.
func Argument(err error) error {
	if !fault.Is(err, fault.Invalid) {
		return err
	}
	return &fault.Error{Kind: fault.Usage, Err: err}
}

// Args accepts exactly the named positional arguments. A last name that ends
// in "..." may be given more than once; one in brackets may be left out.
func Args(want ...string) cobra.PositionalArgs {
	least, most := len(want), len(want)
	for _, name := range want {
		if strings.HasPrefix(name, "[") {
			least--
		}
		if strings.HasSuffix(strings.TrimSuffix(name, "]"), "...") {
			most = -1
		}
	}
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return Usage(cmd, "%s needs %s", cmd.CommandPath(), strings.TrimSuffix(want[len(args)], "..."))
		case most >= 0 && len(args) > most:
			return Usage(cmd, "%s does not take %q", cmd.CommandPath(), args[most])
		default:
			return nil
		}
	}
}
