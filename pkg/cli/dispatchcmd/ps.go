package dispatchcmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
)

// PSOptions is what the command line of vexa ps says.
type PSOptions struct {
	Factory *factory.Factory
	JSON    output.JSON
	All     bool
}

// NewPS returns the command vexa ps. runF, where it is not nil, runs instead of
// the command itself.
func NewPS(f *factory.Factory, runF func(context.Context, *PSOptions) error) *cobra.Command {
	o := &PSOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "ps",
		Short: "List dispatches",
		Long:  "Lists the dispatches whose container has not ended, newest first; with --all the ended ones too.",
		Example: "$ vexa ps\n" +
			"$ vexa ps -a --json id,state,stopReason --jq '.[] | select(.state==\"destroyed\").id'",
		Args: grammar.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return runPS(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVarP(&o.All, "all", "a", false, "include dispatches that have ended")
	output.AddFlags(cmd, &o.JSON, psFields().Names(), f.OutTTY)
	return cmd
}

func runPS(ctx context.Context, o *PSOptions) error {
	f := o.Factory
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	list, err := c.Dispatches(ctx, o.All)
	if err != nil {
		return err
	}
	if o.JSON.On() {
		return output.List(f.Out, &o.JSON, psFields(), list)
	}
	if len(list) == 0 {
		f.Notice("no dispatches; start one with: vexa chat")
		return nil
	}
	tty := factory.IsTTY(f.OutTTY)
	t := output.NewTable(f.Out, tty, "UNIT", "STATE", "RUNNER", "TRIGGER", "WORKSPACES", "STARTED", "REASON")
	for _, d := range list {
		t.Row(d.ID, string(d.State), d.Runner, string(d.Trigger), grants(d.Workspaces),
			output.Time(d.StartedAt, f.Now(), tty), string(d.StopReason))
	}
	return t.Flush()
}
