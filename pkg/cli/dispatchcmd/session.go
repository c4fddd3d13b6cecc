package dispatchcmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
)

// SessionListOptions is what the command line of vexa session list says.
type SessionListOptions struct {
	Factory *factory.Factory
	JSON    output.JSON
}

// NewSession returns the command vexa session.
func NewSession(f *factory.Factory) *cobra.Command {
	return grammar.Group("session", "Conversations that can go on", newSessionList(f, nil))
}

func newSessionList(f *factory.Factory, runF func(context.Context, *SessionListOptions) error) *cobra.Command {
	o := &SessionListOptions{Factory: f}
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List conversations",
		Long:    "Lists the conversations, latest first. Go on with one: vexa chat --session ID.",
		Example: "$ vexa session list\n$ vexa session list --json id --jq '.[0].id'",
		Args:    grammar.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return runSessionList(cmd.Context(), o)
		},
	}
	output.AddFlags(cmd, &o.JSON, sessionFields().Names(), f.OutTTY)
	return cmd
}

func runSessionList(ctx context.Context, o *SessionListOptions) error {
	f := o.Factory
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	list, err := c.Sessions(ctx)
	if err != nil {
		return err
	}
	if o.JSON.On() {
		return output.List(f.Out, &o.JSON, sessionFields(), list)
	}
	tty := factory.IsTTY(f.OutTTY)
	t := output.NewTable(f.Out, tty, "SESSION", "RUNNER", "LAST UNIT", "UPDATED")
	for _, s := range list {
		t.Row(s.ID, s.Runner, s.Unit, output.Time(s.UpdatedAt, f.Now(), tty))
	}
	return t.Flush()
}
