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

// statusFields are the JSON fields of vexa workspace status.
func statusFields() output.Fields[api.WorkspaceStatus] {
	type s = api.WorkspaceStatus
	return output.Fields[s]{
		{Name: "name", Value: func(x s) any { return x.Name }},
		{Name: "bucket", Value: func(x s) any { return x.Bucket }},
		{Name: "generation", Value: func(x s) any { return x.Generation }},
		{Name: "updatedAt", Value: func(x s) any { return x.UpdatedAt }},
		{Name: "open", Value: func(x s) any { return x.Open }},
		{Name: "behind", Value: func(x s) any { return x.Behind }},
		{Name: "ahead", Value: func(x s) any { return x.Ahead }},
		{Name: "unmerged", Value: func(x s) any { return output.OrEmpty(x.Unmerged) }},
		{Name: "proposals", Value: func(x s) any { return x.Proposals }},
		{Name: "inbox", Value: func(x s) any { return x.Inbox }},
		{Name: "members", Value: func(x s) any { return x.Members }},
		{Name: "policy", Value: func(x s) any { return x.Policy }},
		{Name: "epoch", Value: func(x s) any { return x.Epoch }},
		{Name: "packs", Value: func(x s) any { return x.Packs }},
		{Name: "unverified", Value: func(x s) any { return x.Unverified }},
		{Name: "backup", Value: func(x s) any { return x.Backup }},
	}
}

func newStatus(f *factory.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status NAME",
		Short: "Say how a workspace stands",
		Long: "Says how the open workspace and its bucket differ, which branches of dispatches wait for a\n" +
			"merge and how many proposals for people, how many packs were not verified here yet, and when the last backup was made.",
		Example:           "$ vexa workspace status notes\n$ vexa workspace status notes --json unverified,backup",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.WorkspaceNames),
	}
	ask := func(ctx context.Context, c *client.Client, args []string) (api.WorkspaceStatus, error) {
		return c.WorkspaceStatus(ctx, args[0])
	}
	return query.One(f, cmd, statusFields(), ask, func(s api.WorkspaceStatus) error {
		tty := factory.IsTTY(f.OutTTY)
		p := output.NewPairs(f.Out, tty)
		p.Add("name", s.Name)
		p.Add("bucket", s.Bucket)
		p.Add("generation", strconv.FormatInt(s.Generation, 10)+", of "+output.Time(s.UpdatedAt, f.Now(), tty))
		p.Add("members", strconv.Itoa(s.Members)+", policy "+strconv.Itoa(s.Policy)+", epoch "+strconv.Itoa(s.Epoch))
		if s.Open {
			p.Add("open", "yes; "+output.Plural(int(s.Behind), "generation")+" behind, "+output.Plural(s.Ahead, "commit")+" ahead")
		} else {
			p.Add("open", "no")
		}
		for _, branch := range s.Unmerged {
			p.Add("unmerged", branch)
		}
		if s.Proposals > 0 {
			p.Add("proposals", strconv.Itoa(s.Proposals)+" open: vexa proposal list "+s.Name)
		}
		if s.Inbox > 0 {
			p.Add("inbox", strconv.Itoa(s.Inbox)+" not taken up: vexa workspace inbox "+s.Name)
		}
		p.Add("packs", strconv.Itoa(s.Packs)+", "+strconv.Itoa(s.Unverified)+" not verified here yet")
		if s.Backup == nil {
			p.Add("backup", "none from here; make one with: vexa workspace backup "+s.Name)
		} else {
			p.Add("backup", output.Time(s.Backup.Time, f.Now(), tty)+", generation "+strconv.FormatInt(s.Backup.Generation, 10)+", at "+s.Backup.Bucket)
		}
		return p.Flush()
	})
}
