package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/nearest"
)

// unknownWord is the usage error for a word that is no command of parent. Below the root
// it knows topics, too, and what other programs call some commands.
func unknownWord(parent *cobra.Command, word string) error {
	hint := ""
	switch {
	case parent.HasParent():
	case word == "login":
		hint = "a model and its key are added with: vexa model add"
	case word == "resume":
		hint = "to go on with the latest session: vexa chat --continue"
	default:
		if name := topicNear(parent, word); name != "" {
			hint = name + " is a topic, read it with: vexa help " + name
		}
	}
	if hint == "" {
		return grammar.UnknownCommand(parent, word)
	}
	return fault.New(fault.Usage, fmt.Sprintf("unknown command %q for %q", word, parent.CommandPath()), hint)
}

// topicNear returns the topic that word begins, or is nearest to, "" where a command is
// nearer.
func topicNear(root *cobra.Command, word string) string {
	var all []string
	topics := map[string]bool{}
	for _, c := range root.Commands() {
		if c.Hidden {
			continue
		}
		all = append(all, c.Name())
		topics[c.Name()] = isTopic(c)
	}
	if near := nearest.To(word, all); topics[near] {
		return near
	}
	return ""
}
