package dispatchcmd

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
)

// StopOptions is what the command line of vexa stop says.
type StopOptions struct {
	Factory   *factory.Factory
	Units     []string
	Interrupt bool
}

// NewStop returns the command vexa stop.
func NewStop(f *factory.Factory) *cobra.Command {
	o := &StopOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "stop UNIT...",
		Short: "Stop dispatches",
		Long: "Interrupts the agent, saves what it wrote as a commit and ends its container. With\n" +
			"--interrupt it ends only the running turn, and the container waits for the next message.",
		Example:           "$ vexa stop 01JDX4\n$ vexa stop 01JDX4 --interrupt",
		Args:              grammar.Args("UNIT..."),
		ValidArgsFunction: f.CompleteEach(factory.UnitIDs),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Units = args
			return runStop(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.Interrupt, "interrupt", false, "end only the running turn")
	return cmd
}

// runStop stops every unit it can and reports the first class of failure.
func runStop(ctx context.Context, o *StopOptions) error {
	c, err := o.Factory.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	var failed []error
	for _, id := range o.Units {
		doing := o.Factory.Begin("stopping unit %s and saving what it wrote", id)
		d, err := c.Stop(ctx, id, o.Interrupt)
		doing.End()
		switch {
		case err != nil:
			failed = append(failed, grammar.Argument(err))
		case o.Interrupt:
			o.Factory.Notice("interrupted unit %s", d.ID)
		default:
			o.Factory.Notice("stopped unit %s", d.ID)
		}
	}
	if len(failed) == 1 {
		return failed[0]
	}
	return errors.Join(failed...)
}
