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
)

// NewSession returns the command vexa session.
func NewSession(f *factory.Factory) *cobra.Command {
	return grammar.Group("session", "Conversations that can go on", newSessionList(f))
}

func newSessionList(f *factory.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List conversations",
		Long:    "Lists the conversations, latest first. Go on with one: vexa chat --session ID.",
		Example: "$ vexa session list\n$ vexa session list --json id --jq '.[0].id'",
		Args:    grammar.Args(),
	}
	ask := func(ctx context.Context, c *client.Client, _ []string) ([]api.Session, error) { return c.Sessions(ctx) }
	return query.List(f, cmd, sessionFields(), ask, func(list []api.Session) error {
		if len(list) == 0 {
			f.Notice("no conversations yet; start one with: vexa chat")
			return nil
		}
		tty := factory.IsTTY(f.OutTTY)
		t := output.NewTable(f.Out, tty, "SESSION", "RUNNER", "LAST UNIT", "UPDATED")
		for _, s := range list {
			t.Row(s.ID, s.Runner, s.Unit, output.Time(s.UpdatedAt, f.Now(), tty))
		}
		return t.Flush()
	})
}
