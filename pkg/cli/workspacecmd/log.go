package workspacecmd

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/client"
)

// LogOptions is what the command line of vexa workspace log says.
type LogOptions struct {
	Factory *factory.Factory
	JSON    output.JSON
	Name    string
	Query   client.LogQuery
}

func newLog(f *factory.Factory, runF func(context.Context, *LogOptions) error) *cobra.Command {
	o := &LogOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "log NAME",
		Short: "List the commits of a workspace",
		Long: "Lists the commits of a workspace's main branch, newest first, with the person on whose\n" +
			"behalf, what launched it and the dispatch that made it.",
		Example: "$ vexa workspace log personal\n" +
			"$ vexa workspace log personal --path notes/hello.md --json sha,unit,message",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.WorkspaceNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = args[0]
			if o.Query.Limit < 0 {
				return grammar.Usage(cmd, "--limit cannot be negative")
			}
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return runLog(cmd.Context(), o)
		},
	}
	cmd.Flags().IntVarP(&o.Query.Limit, "limit", "n", 0, "list at most this `number` of commits")
	cmd.Flags().StringVar(&o.Query.Unit, "unit", "", "only commits of this `dispatch`")
	cmd.Flags().StringVar(&o.Query.Session, "session", "", "only commits of this `session`")
	cmd.Flags().StringVar(&o.Query.Path, "path", "", "only commits that change this `path`")
	output.AddFlags(cmd, &o.JSON, commitFields().Names(), f.OutTTY)
	return cmd
}

func runLog(ctx context.Context, o *LogOptions) error {
	f := o.Factory
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	list, err := c.Log(ctx, o.Name, o.Query)
	if err != nil {
		return err
	}
	if o.JSON.On() {
		return output.List(f.Out, &o.JSON, commitFields(), list)
	}
	tty := factory.IsTTY(f.OutTTY)
	t := output.NewTable(f.Out, tty, "COMMIT", "WHEN", "SUBJECT", "LAUNCHER", "UNIT", "MESSAGE")
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
