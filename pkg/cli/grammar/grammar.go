// Package grammar holds what makes all commands of the CLI read alike: groups
// of verbs, positional arguments, usage errors and suggestions.
package grammar

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// Group returns a command that only holds others: vexa NOUN VERB.
func Group(noun, short string, verbs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   noun,
		Short: short,
		Args:  cobra.ArbitraryArgs,
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
	} else if near := Nearest(word, names(parent)); near != "" {
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

// Nearest returns the candidate that word was probably meant to be: one it
// begins, or one within two edits. It is empty where there is none.
func Nearest(word string, candidates []string) string {
	best, bestDistance := "", 3
	for _, c := range candidates {
		d := distance(word, c)
		if len(word) > 1 && strings.HasPrefix(c, word) {
			d = 1
		}
		if d < bestDistance && d < len(c) {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance counts the edits (insert, remove, replace, swap neighbours) from a
// to b: the optimal string alignment distance.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
