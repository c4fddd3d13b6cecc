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
	return grammar.Group("session", "Conversations that can go on", newSessionList(f), newSessionRename(f))
}

func newSessionList(f *factory.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List conversations",
		Long: "Lists the conversations, latest first. Go on with one: vexa chat --session ID. The first\n" +
			"letters of an id do, where no other begins with them.",
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
		t := output.NewTable(f.Out, tty, "SESSION", "RUNNER", "LAST UNIT", "UPDATED", "TITLE").In(f.OutStyle())
		for _, s := range list {
			t.Row(s.ID, s.Runner, s.Unit, output.Time(s.UpdatedAt, f.Now(), tty), s.Title)
		}
		return t.Flush()
	})
}

func newSessionRename(f *factory.Factory) *cobra.Command {
	var asJSON output.JSON
	cmd := &cobra.Command{
		Use:   "rename SESSION TITLE",
		Short: "Give a conversation a title",
		Long: "Gives a conversation a title, in the place of what was asked first. SESSION is its id,\n" +
			"or the first letters of it.",
		Example:           "$ vexa session rename 5e551010 \"Field notes\"",
		Args:              grammar.Args("SESSION", "TITLE"),
		ValidArgsFunction: f.Complete(factory.SessionIDs),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.Connect(cmd.Context())
			if err != nil {
				return err
			}
			defer c.Close()
			s, err := c.RenameSession(cmd.Context(), args[0], api.RenameSession{Title: args[1]})
			if err != nil {
				return grammar.Argument(err)
			}
			if asJSON.On() {
				return output.One(f.Out, &asJSON, sessionFields(), s)
			}
			f.Notice("renamed session %s: %s", s.ID, s.Title)
			return nil
		},
	}
	output.AddFlags(cmd, &asJSON, sessionFields().Names(), f.OutTTY)
	return cmd
}
