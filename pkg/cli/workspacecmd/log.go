package workspacecmd

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/cli/query"
	"github.com/vexa-ai/vexa/pkg/client"
)

func newLog(f *factory.Factory) *cobra.Command {
	var q client.LogQuery
	cmd := &cobra.Command{
		Use:   "log NAME",
		Short: "List the commits of a workspace",
		Long: "Lists the commits of a workspace's main branch, newest first, with the person on whose\n" +
			"behalf, what launched it and the dispatch that made it.",
		Example: "$ vexa workspace log personal\n" +
			"$ vexa workspace log personal --path notes/hello.md --json sha,unit,message",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.WorkspaceNames),
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			if q.Limit < 0 {
				return grammar.Usage(cmd, "--limit cannot be negative")
			}
			return nil
		},
	}
	cmd.Flags().IntVarP(&q.Limit, "limit", "n", 0, "list at most this `number` of commits")
	cmd.Flags().StringVar(&q.Unit, "unit", "", "only commits of this `dispatch`")
	cmd.Flags().StringVar(&q.Session, "session", "", "only commits of this `session`")
	cmd.Flags().StringVar(&q.Subject, "subject", "", "only commits on behalf of this `subject`")
	cmd.Flags().StringVar(&q.Launcher, "launcher", "", "only commits that this `launcher` started")
	cmd.Flags().StringVar(&q.Path, "path", "", "only commits that change this `path`")
	ask := func(ctx context.Context, c *client.Client, args []string) ([]api.Commit, error) {
		return c.Log(ctx, args[0], q)
	}
	f.CompleteFlags(cmd, factory.Flagged{"unit": factory.UnitIDs, "session": factory.SessionIDs})
	return query.List(f, cmd, commitFields(), ask, func(list []api.Commit) error { return printLog(f, list) })
}

func printLog(f *factory.Factory, list []api.Commit) error {
	if len(list) == 0 {
		f.Notice("no commit matches")
		return nil
	}
	tty := factory.IsTTY(f.OutTTY)
	t := output.NewTable(f.Out, tty, "COMMIT", "WHEN", "SUBJECT", "LAUNCHER", "UNIT", "MESSAGE").In(f.OutStyle())
	for _, x := range list {
		subject := x.Subject
		message, _, _ := strings.Cut(x.Message, "\n")
		if subject == "" {
			subject = x.Author
		}
		if tty {
			message = plain.Short(message, 60)
		}
		t.Row(short(x.SHA, tty), output.Time(x.Time, f.Now(), tty), subject, x.Launcher, x.Unit, message)
	}
	return t.Flush()
}
