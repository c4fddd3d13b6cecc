package modelcmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/query"
	"github.com/vexa-ai/vexa/pkg/client"
)

// recordingFields are the JSON fields of what is recorded.
func recordingFields() output.Fields[api.Recording] {
	return output.Fields[api.Recording]{{Name: "inference", Value: func(r api.Recording) any { return r.Inference }}}
}

const recordOn, recordOff = "on", "off"

func newRecord(f *factory.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "record [on|off]",
		Short: "Have what is sent to models recorded, or not",
		Long: "Switches the recording of what dispatches send to models and of what comes back; alone it\n" +
			"says whether that is on. It is off until you switch it on, and counts from the next\n" +
			"request on, in dispatches that run as well. Read what was recorded with\n" +
			"vexa logs --inference UNIT.\n\n" +
			"Each request is recorded before it leaves, whole, as it is sent, and encrypted. What cannot\n" +
			"be recorded, since the disk is full, say, is not sent: the agent is told so. Headers are\n" +
			"not recorded, and a provider's key never is. It is kept as long as its dispatch, 30 days by\n" +
			"default; inference in config/retention.json bounds it further: days, megabytes in all, of\n" +
			"one dispatch (dispatchMegabytes) and of one answer (answerMegabytes).\n\n" +
			"What is asked by vexa model test is not recorded. No agent can read or change this.",
		Example:           "$ vexa model record on\n$ vexa model record --json inference",
		Args:              grammar.Args("[on|off]"),
		ValidArgsFunction: cobra.FixedCompletions([]string{recordOn, recordOff}, cobra.ShellCompDirectiveNoFileComp),
	}
	ask := func(ctx context.Context, c *client.Client, args []string) (api.Recording, error) {
		if len(args) == 0 {
			return c.Recording(ctx)
		}
		return c.SetRecording(ctx, api.Recording{Inference: args[0] == recordOn})
	}
	query.One(f, cmd, recordingFields(), ask, func(r api.Recording) error {
		word := recordOff
		if r.Inference {
			word = recordOn
			f.Notice("what is sent to models is recorded; read it with: vexa logs --inference UNIT")
		}
		return f.Printf("%s\n", word)
	})
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 && args[0] != recordOn && args[0] != recordOff {
			return grammar.Usage(cmd, "%q is neither on nor off", args[0])
		}
		return run(cmd, args)
	}
	return cmd
}
