package dispatchcmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/query"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
)

// NewPS returns the command vexa ps.
func NewPS(f *factory.Factory) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "ps",
		Short: "List dispatches",
		Long: "Lists the dispatches whose container has not ended, newest first; with --all the ended ones too.\n" +
			"One that only waits for its next turn is idle; in JSON its state is running, and busy false.",
		Example: "$ vexa ps\n" +
			"$ vexa ps -a --json id,state,stopReason --jq '.[] | select(.state==\"destroyed\").id'",
		Args: grammar.Args(),
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "include dispatches that have ended")
	ask := func(ctx context.Context, c *client.Client, _ []string) ([]api.Dispatch, error) {
		return c.Dispatches(ctx, all)
	}
	return query.List(f, cmd, psFields(), ask, func(list []api.Dispatch) error {
		if len(list) == 0 {
			f.Notice("no dispatches; start one with: vexa chat")
			return nil
		}
		tty := factory.IsTTY(f.OutTTY)
		t := output.NewTable(f.Out, tty, "UNIT", "STATE", "RUNNER", "TRIGGER", "WORKSPACES", "STARTED", "REASON").In(f.OutStyle())
		for _, d := range list {
			t.Row(d.ID, state(d), d.Runner, string(d.Trigger), grants(d.Workspaces),
				output.Time(d.StartedAt, f.Now(), tty), reason(d))
		}
		return t.Flush()
	})
}

// state is what a dispatch does: one that only waits for its next turn is idle.
func state(d api.Dispatch) string {
	if d.State == runtimev1.Running && !d.Busy {
		return "idle"
	}
	return string(d.State)
}

// reason says why a dispatch ended, or what one that has not begun waits for.
func reason(d api.Dispatch) string {
	if d.State == runtimev1.Starting {
		return d.Detail
	}
	return string(d.StopReason)
}
