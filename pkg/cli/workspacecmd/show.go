package workspacecmd

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/query"
	"github.com/vexa-ai/vexa/pkg/client"
)

// shown is what vexa workspace show prints.
type shown struct {
	api.Workspace
	commits []patched
}

// patched is a commit with what it changed.
type patched struct {
	api.Commit
	Patch string `json:"patch"` // unified diff against its first parent
}

// shownFields are the JSON fields of vexa workspace show. They only ever grow.
func shownFields() output.Fields[shown] {
	var out output.Fields[shown]
	for _, f := range workspaceFields() {
		out = append(out, output.Field[shown]{Name: f.Name, Value: func(x shown) any { return f.Value(x.Workspace) }})
	}
	return append(out, output.Field[shown]{Name: "commits", Value: func(x shown) any { return output.OrEmpty(x.commits) }})
}

// maxShown is how many commits are shown unless --limit says otherwise.
const maxShown = 20

func newShow(f *factory.Factory) *cobra.Command {
	q := client.LogQuery{Limit: maxShown}
	cmd := &cobra.Command{
		Use:   "show NAME [COMMIT]",
		Short: "Show one workspace, or what commits of it changed",
		Long: "Shows a workspace: its id, its newest commit and the branches that wait for a merge. With a\n" +
			"commit, or what to look for, it shows each such commit, newest first, with its diff.",
		Example:           "$ vexa workspace show personal\n$ vexa workspace show personal 3f2a91c\n$ vexa workspace show personal --unit 01JDX4 --path notes",
		Args:              grammar.Args("NAME", "[COMMIT]"),
		ValidArgsFunction: f.Complete(factory.WorkspaceNames),
	}
	cmd.Flags().IntVarP(&q.Limit, "limit", "n", maxShown, "show at most this `number` of commits")
	cmd.Flags().StringVar(&q.Unit, "unit", "", "commits of this `dispatch`")
	cmd.Flags().StringVar(&q.Session, "session", "", "commits of this `session`")
	cmd.Flags().StringVar(&q.Subject, "subject", "", "commits on behalf of this `subject`")
	cmd.Flags().StringVar(&q.Launcher, "launcher", "", "commits that this `launcher` started")
	cmd.Flags().StringVar(&q.Path, "path", "", "commits that change this `path`, and of their diffs what is at or below it")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if q.Limit < 1 {
			return grammar.Usage(cmd, "--limit is 1 at least")
		}
		return nil
	}
	ask := func(ctx context.Context, c *client.Client, args []string) (shown, error) {
		if len(args) > 1 {
			if !cmd.Flags().Changed("limit") && q.Unit+q.Session+q.Subject+q.Launcher+q.Path == "" {
				q.Limit = 1
			}
			q.Rev = args[1]
		}
		w, err := c.Workspace(ctx, args[0])
		if err != nil || q.Rev+q.Unit+q.Session+q.Subject+q.Launcher+q.Path == "" {
			return shown{Workspace: w}, err
		}
		return showCommits(ctx, c, w, q)
	}
	f.CompleteFlags(cmd, factory.Flagged{"unit": factory.UnitIDs, "session": factory.SessionIDs})
	return query.One(f, cmd, shownFields(), ask, func(s shown) error {
		if q.Rev+q.Unit+q.Session+q.Subject+q.Launcher+q.Path != "" {
			return printCommits(f, s.commits)
		}
		return printWorkspace(f, s.Workspace)
	})
}

func showCommits(ctx context.Context, c *client.Client, w api.Workspace, q client.LogQuery) (shown, error) {
	out := shown{Workspace: w}
	list, err := c.Log(ctx, w.Name, q)
	if err != nil {
		return out, err
	}
	for _, x := range list {
		d, err := c.Diff(ctx, w.Name, client.DiffQuery{To: x.SHA, Path: q.Path})
		if err != nil {
			return out, err
		}
		out.commits = append(out.commits, patched{x, d.Patch})
	}
	return out, nil
}

func printCommits(f *factory.Factory, list []patched) error {
	if len(list) == 0 {
		f.Notice("no commit matches")
		return nil
	}
	tty := factory.IsTTY(f.OutTTY)
	for i, x := range list {
		if i > 0 {
			if err := f.Printf("\n"); err != nil {
				return err
			}
		}
		p := output.NewPairs(f.Out, tty)
		p.Add("commit", x.SHA)
		p.Add("author", x.Author)
		p.Add("subject", x.Subject)
		p.Add("launcher", x.Launcher)
		p.Add("dispatch", x.Unit)
		p.Add("session", x.Session)
		p.Add("runner", x.Runner)
		p.Add("time", output.Time(x.Time, f.Now(), tty))
		p.Add("message", x.Message)
		if err := p.Flush(); err != nil {
			return err
		}
		if err := f.Printf("\n%s", f.Patch(x.Patch)); err != nil {
			return err
		}
	}
	return nil
}

func printWorkspace(f *factory.Factory, w api.Workspace) error {
	p := output.NewPairs(f.Out, factory.IsTTY(f.OutTTY))
	p.Add("name", w.Name)
	p.Add("id", w.ID)
	p.Add("head", w.Head)
	p.Add("files", strconv.Itoa(w.Files))
	p.Add("created", w.CreatedAt.UTC().Format(time.RFC3339))
	if !w.UpdatedAt.IsZero() {
		p.Add("updated", w.UpdatedAt.UTC().Format(time.RFC3339))
	}
	p.Add("encrypted", strconv.FormatBool(w.Encrypted))
	p.Add("bucket", w.Bucket)
	p.Add("generation", strconv.FormatInt(w.Generation, 10))
	for _, branch := range w.Unmerged {
		p.Add("unmerged", branch)
	}
	return p.Flush()
}
