package workspacecmd

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/query"
	"github.com/vexa-ai/vexa/pkg/client"
)

// blameFields are the JSON fields of vexa workspace blame.
func blameFields() output.Fields[api.BlameLine] {
	type l = api.BlameLine
	return output.Fields[l]{
		{Name: "line", Value: func(x l) any { return x.Line }},
		{Name: "text", Value: func(x l) any { return x.Text }},
		{Name: "sha", Value: func(x l) any { return x.Commit.SHA }},
		{Name: "subject", Value: func(x l) any { return x.Commit.Subject }},
		{Name: "launcher", Value: func(x l) any { return x.Commit.Launcher }},
		{Name: "unit", Value: func(x l) any { return x.Commit.Unit }},
		{Name: "session", Value: func(x l) any { return x.Commit.Session }},
		{Name: "author", Value: func(x l) any { return x.Commit.Author }},
		{Name: "time", Value: func(x l) any { return x.Commit.Time }},
		{Name: "message", Value: func(x l) any { return x.Commit.Message }},
	}
}

func newBlame(f *factory.Factory) *cobra.Command {
	rev := ""
	cmd := &cobra.Command{
		Use:   "blame NAME PATH",
		Short: "Say where each line of a file is from",
		Long: "Prints a file with the commit that last changed each line, on whose behalf, and the dispatch\n" +
			"that did it; where a person committed with their own git, the author.",
		Example:           "$ vexa workspace blame personal notes/hello.md\n$ vexa workspace blame personal notes/hello.md --json line,unit,text",
		Args:              grammar.Args("NAME", "PATH"),
		ValidArgsFunction: f.CompleteInWorkspace(factory.FilePaths),
	}
	cmd.Flags().StringVar(&rev, "rev", "", "as of this `commit` (default: the newest of main)")
	ask := func(ctx context.Context, c *client.Client, args []string) ([]api.BlameLine, error) {
		return c.Blame(ctx, args[0], rev, args[1])
	}
	return query.List(f, cmd, blameFields(), ask, func(list []api.BlameLine) error {
		tty := factory.IsTTY(f.OutTTY)
		t := output.NewTable(f.Out, tty, "COMMIT", "WHEN", "SUBJECT", "UNIT", "LINE", "TEXT").In(f.OutStyle())
		for _, l := range list {
			who := l.Commit.Subject
			if who == "" {
				who = l.Commit.Author
			}
			t.Row(short(l.Commit.SHA, tty), output.Time(l.Commit.Time, f.Now(), tty), who, l.Commit.Unit, strconv.Itoa(l.Line), l.Text)
		}
		return t.Flush()
	})
}
