// Package proposalcmd holds the commands about merge proposals.
package proposalcmd

import (
	"cmp"
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/query"
	"github.com/vexa-ai/vexa/pkg/client"
)

// New returns the command vexa proposal.
func New(f *factory.Factory) *cobra.Command {
	return grammar.Group("proposal", "Merges that wait for people",
		newList(f), newShow(f), newDiff(f), newCreate(f), newComment(f), newResolve(f), newApprove(f), newReject(f), newAccept(f), newRefresh(f))
}

// fields are the JSON fields of a proposal. They only ever grow.
func fields() output.Fields[api.Proposal] {
	type p = api.Proposal
	return output.Fields[p]{
		{Name: "id", Value: func(x p) any { return x.ID }},
		{Name: "title", Value: func(x p) any { return x.Title }},
		{Name: "status", Value: func(x p) any { return x.Status }},
		{Name: "target", Value: func(x p) any { return x.Target }},
		{Name: "branch", Value: func(x p) any { return x.Branch }},
		{Name: "from", Value: func(x p) any { return x.From }},
		{Name: "source", Value: func(x p) any { return x.Source }},
		{Name: "result", Value: func(x p) any { return x.Result }},
		{Name: "merge", Value: func(x p) any { return x.Merge }},
		{Name: "subject", Value: func(x p) any { return x.Subject }},
		{Name: "unit", Value: func(x p) any { return x.Unit }},
		{Name: "undoes", Value: func(x p) any { return output.OrEmpty(x.Undoes) }},
		{Name: "body", Value: func(x p) any { return x.Body }},
		{Name: "conflicts", Value: func(x p) any { return output.OrEmpty(x.Conflicts) }},
		{Name: "open", Value: func(x p) any { return x.Open }},
		{Name: "needed", Value: func(x p) any { return x.Needed }},
		{Name: "approved", Value: func(x p) any { return x.Approved }},
		{Name: "approvals", Value: func(x p) any { return output.OrEmpty(x.Approvals) }},
		{Name: "stale", Value: func(x p) any { return x.Stale }},
		{Name: "problem", Value: func(x p) any { return x.Problem }},
		{Name: "updatedAt", Value: func(x p) any { return x.UpdatedAt }},
		{Name: "by", Value: func(x p) any { return x.By }},
		{Name: "openedBy", Value: func(x p) any { return x.OpenedBy }},
		{Name: "events", Value: func(x p) any { return output.OrEmpty(x.Events) }},
	}
}

// complete completes a workspace, then a proposal of it.
func complete(f *factory.Factory) cobra.CompletionFunc {
	return f.CompleteInWorkspace(factory.ProposalIDs)
}

func newList(f *factory.Factory) *cobra.Command {
	all := false
	cmd := &cobra.Command{
		Use:   "list NAME",
		Short: "List the proposals of a workspace",
		Long: "Lists the merge proposals of a workspace that are open, the newest first: what a dispatch\n" +
			"left that conflicts with main, an undo of lines that changed since, branches that people\n" +
			"proposed, and, where a branch takes approved proposals only, whatever is to be merged.",
		Example:           "$ vexa proposal list notes\n$ vexa proposal list notes --all --json id,status,title",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.WorkspaceNames),
	}
	cmd.Flags().BoolVar(&all, "all", false, "those that are closed, too")
	ask := func(ctx context.Context, c *client.Client, args []string) ([]api.Proposal, error) {
		return c.Proposals(ctx, args[0], all)
	}
	return query.List(f, cmd, fields(), ask, func(list []api.Proposal) error {
		if len(list) == 0 {
			f.Notice("there is no open proposal")
			return nil
		}
		tty := factory.IsTTY(f.OutTTY)
		t := output.NewTable(f.Out, tty, "ID", "WHEN", "STATE", "TARGET", "TITLE").In(f.OutStyle())
		for _, p := range list {
			t.Row(p.ID, output.Time(p.UpdatedAt, f.Now(), tty), state(p), short(p.Target), p.Title)
		}
		return t.Flush()
	})
}

// state says in a word or two what a proposal waits for.
func state(p api.Proposal) string {
	switch {
	case p.Problem != "":
		return "not to be believed"
	case p.Status != "open":
		return p.Status
	case p.Open > 0:
		return output.Plural(p.Open, "conflict")
	case p.Stale:
		return "to be refreshed"
	case p.Needed > 0:
		return strconv.Itoa(p.Approved) + " of " + output.Plural(p.Needed, "approval")
	default:
		return "to be accepted"
	}
}

func short(ref string) string { return strings.TrimPrefix(ref, "refs/heads/") }

func newShow(f *factory.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show NAME ID",
		Short: "Show a proposal: what it merges, conflicts, approvals, and what was said",
		Long: "Shows one merge proposal of a workspace with its history. Who made an event is who signed\n" +
			"it; an event that nobody signed who is or was a member is said, and such a proposal is\n" +
			"neither approved nor accepted. The beginning of an id will do.",
		Example:           "$ vexa proposal show notes 01JDX4\n$ vexa proposal show notes 01JDX4 --json status,conflicts,approvals",
		Args:              grammar.Args("NAME", "ID"),
		ValidArgsFunction: complete(f),
	}
	name := ""
	ask := func(ctx context.Context, c *client.Client, args []string) (api.Proposal, error) {
		name = args[0]
		return c.Proposal(ctx, args[0], args[1])
	}
	return query.One(f, cmd, fields(), ask, func(p api.Proposal) error { return printProposal(f, name, p) })
}

func printProposal(f *factory.Factory, name string, p api.Proposal) error {
	tty := factory.IsTTY(f.OutTTY)
	t := output.NewPairs(f.Out, tty)
	t.Add("id", p.ID)
	t.Add("title", p.Title)
	t.Add("status", statusText(p))
	t.Add("problem", p.Problem)
	t.Add("merges", cmp.Or(short(p.Branch), sha(p.Source))+" into "+short(p.Target))
	t.Add("source", p.Source)
	t.Add("from", p.From)
	t.Add("result", p.Result)
	t.Add("merge", p.Merge)
	t.Add("opened by", who(p.OpenedBy))
	t.Add("on behalf of", p.Subject)
	t.Add("dispatch", p.Unit)
	t.Add("undoes", strings.Join(p.Undoes, " "))
	for _, c := range p.Conflicts {
		how := "open"
		if c.Resolution != "" {
			how = "resolved: " + c.Resolution
		}
		t.Add("conflict", c.Path+" ("+how+"): "+strings.Join(c.Why, "; "))
	}
	for _, a := range p.Approvals {
		counts := "counts"
		switch {
		case !a.Counts && p.Status == "open":
			counts = "does not count: " + a.Why
		case !a.Counts: // it did when that was decided
			counts = "would not count today: " + a.Why
		}
		t.Add("approval", who(a.By)+", "+counts)
	}
	for _, e := range p.Events {
		t.Add(e.Kind, who(e.By)+", "+output.Time(e.Time, f.Now(), tty)+said(e.Text))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if p.Body != "" {
		if err := f.Printf("\n%s\n", f.Plain(p.Body)); err != nil {
			return err
		}
	}
	if next := next(name, p); next != "" {
		f.Notice("%s", next)
	}
	return nil
}

func statusText(p api.Proposal) string {
	if p.Status == "open" && p.Problem == "" {
		return "open: " + state(p)
	}
	return p.Status
}

func said(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

func sha(id string) string { return id[:min(len(id), 12)] }

// who names a signer, and says what is odd of them.
func who(s api.Signer) string {
	switch {
	case s.Key == "" && s.Name == "":
		return "nobody: it is not signed"
	case s.Name == "":
		return "a stranger (" + s.Key + ")"
	case s.Until != 0:
		return s.Name + " (a member until generation " + strconv.FormatInt(s.Until, 10) + ")"
	default:
		return s.Name
	}
}

// next says what can be done with a proposal.
func next(name string, p api.Proposal) string {
	is := name + " " + p.ID
	switch {
	case p.Problem != "" || p.Status != "open":
		return ""
	case p.Open > 0:
		return "next: vexa proposal resolve " + is
	case p.Stale:
		return "next: vexa proposal refresh " + is
	case p.Needed > 0 && p.Approved >= p.Needed:
		return "next: vexa proposal accept " + is
	case p.Approved < p.Needed:
		return "next: vexa proposal diff " + is + ", and vexa proposal approve " + is
	default:
		return "next: vexa proposal diff " + is + ", and vexa proposal accept " + is
	}
}

func newDiff(f *factory.Factory) *cobra.Command {
	path := ""
	cmd := &cobra.Command{
		Use:   "diff NAME ID",
		Short: "Show what a proposal would change",
		Long: "Shows what the target of a proposal would become, as a unified diff against what it was\n" +
			"merged with. Where conflicts are open, it has their markers.",
		Example:           "$ vexa proposal diff notes 01JDX4\n$ vexa proposal diff notes 01JDX4 --path plan.md",
		Args:              grammar.Args("NAME", "ID"),
		ValidArgsFunction: complete(f),
	}
	cmd.Flags().StringVar(&path, "path", "", "only what is at or below this `path`")
	ask := func(ctx context.Context, c *client.Client, args []string) (api.Diff, error) {
		return c.ProposalDiff(ctx, args[0], args[1], path)
	}
	return query.Diff(f, cmd, ask, "it changes nothing")
}
