package proposalcmd

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/cli/query"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// did makes cmd change one proposal, print it where JSON is asked for, and say what
// became of it else.
func did(f *factory.Factory, cmd *cobra.Command, do query.Ask[api.Proposal]) *cobra.Command {
	cmd.ValidArgsFunction = complete(f)
	name := ""
	ask := func(ctx context.Context, c *client.Client, args []string) (api.Proposal, error) {
		name = args[0]
		return do(ctx, c, args)
	}
	return query.One(f, cmd, fields(), ask, func(p api.Proposal) error {
		f.Say("%s %s: %s", p.ID, p.Title, statusText(p))
		if next := next(name, p); next != "" {
			f.Notice("%s", next)
		}
		return nil
	})
}

func newCreate(f *factory.Factory) *cobra.Command {
	var r api.CreateProposal
	cmd := &cobra.Command{
		Use:   "create NAME BRANCH",
		Short: "Propose to merge a branch",
		Long: "Proposes to merge a branch that was pushed: people look at it, resolve what conflicts,\n" +
			"approve and accept it. The frontmatter of pages is merged by key, as everywhere in Vexa.",
		Example: "$ vexa proposal create notes joe/prices\n" +
			"$ vexa proposal create notes joe/prices --title \"Prices of 2027\" --message \"As agreed on Monday.\"",
		Args: grammar.Args("NAME", "BRANCH"),
	}
	cmd.Flags().StringVar(&r.Target, "into", "", "merge it into this `branch` (default: main)")
	cmd.Flags().StringVar(&r.Title, "title", "", "call it by this `title` (default: the first line of its newest commit)")
	cmd.Flags().StringVarP(&r.Body, "message", "m", "", "say this `text` about it")
	return did(f, cmd, func(ctx context.Context, c *client.Client, args []string) (api.Proposal, error) {
		r.Branch = args[1]
		return c.CreateProposal(ctx, args[0], r)
	})
}

func newComment(f *factory.Factory) *cobra.Command {
	message := ""
	cmd := &cobra.Command{
		Use:   "comment NAME ID",
		Short: "Say something to a proposal",
		Long: "Adds a comment to a proposal, signed by you: --message, - for standard input, or what you\n" +
			"write in your editor.",
		Example: "$ vexa proposal comment notes 01JDX4 --message \"Why two prices?\"\n$ vexa proposal comment notes 01JDX4 -m - < review.md",
		Args:    grammar.Args("NAME", "ID"),
	}
	cmd.Flags().StringVarP(&message, "message", "m", "", "say this `text`; - for standard input (default: what you write in your editor)")
	return did(f, cmd, func(ctx context.Context, c *client.Client, args []string) (p api.Proposal, err error) {
		say := func(text string) error {
			p, err = c.CommentProposal(ctx, args[0], args[1], api.ProposalText{Text: text})
			return err
		}
		if message == "" {
			return p, f.Edit(ctx, "comment.md", nil, "say it with --message", func(text []byte) error { return say(string(text)) })
		}
		text, err := input(f, message)
		if err != nil {
			return p, err
		}
		return p, say(text)
	})
}

// maxInput is what fits into a request, in bytes.
const maxInput = 8 << 20

// input is text of the command line, or standard input for "-".
func input(f *factory.Factory, text string) (string, error) {
	if text != "-" {
		return text, nil
	}
	data, err := io.ReadAll(io.LimitReader(f.In, maxInput+1))
	if err != nil {
		return "", fault.Newf(fault.Usage, "read standard input: %w", err)
	}
	if len(data) > maxInput {
		return "", fault.Newf(fault.Usage, "standard input is longer than %d bytes", maxInput).WithHint("name a file with --file, or push a branch with it and propose that")
	}
	return string(data), nil
}

func newReject(f *factory.Factory) *cobra.Command {
	message := ""
	cmd := &cobra.Command{
		Use:   "reject NAME ID",
		Short: "Close a proposal without merging it",
		Long: "Closes a proposal. Nothing is removed: it can be read as before, and the branch stays. A\n" +
			"later turn of the dispatch that made it opens it again.",
		Example: "$ vexa proposal reject notes 01JDX4 --message \"We wait for the auditors.\"",
		Args:    grammar.Args("NAME", "ID"),
	}
	cmd.Flags().StringVarP(&message, "message", "m", "", "say this `text` as the reason; - for standard input")
	return did(f, cmd, func(ctx context.Context, c *client.Client, args []string) (api.Proposal, error) {
		text, err := input(f, message)
		if err != nil {
			return api.Proposal{}, err
		}
		return c.RejectProposal(ctx, args[0], args[1], api.ProposalText{Text: text})
	})
}

func newRefresh(f *factory.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "refresh NAME ID",
		Short: "Merge a proposal again with what its sides are now",
		Long: "Merges a proposal again after its target or its branch moved. What was resolved stays so\n" +
			"where the three versions of a file are the same; approvals were for another result, and\n" +
			"are void.",
		Example: "$ vexa proposal refresh notes 01JDX4",
		Args:    grammar.Args("NAME", "ID"),
	}
	return did(f, cmd, func(ctx context.Context, c *client.Client, args []string) (api.Proposal, error) {
		return c.RefreshProposal(ctx, args[0], args[1])
	})
}

func newApprove(f *factory.Factory) *cobra.Command {
	var r api.ProposalResult
	yes := false
	cmd := &cobra.Command{
		Use:   "approve NAME ID",
		Short: "Sign that a proposal may be merged",
		Long: "Signs the result of a proposal: its files with their digest, what it is merged into, and\n" +
			"the policy by which you may. Every pack of the workspace is verified first. Merged again,\n" +
			"or under another policy, it has to be approved again. On a terminal you are asked; a\n" +
			"script names with --result the tree that was looked at.",
		Example: "$ vexa proposal approve notes 01JDX4\n$ vexa proposal approve notes 01JDX4 --result 0c1d2e3f4051",
		Args:    grammar.Args("NAME", "ID"),
	}
	cmd.Flags().StringVar(&r.Result, "result", "", "approve this `tree` alone: what was looked at")
	cmd.Flags().BoolVar(&yes, "yes", false, "ask nothing, and approve whatever it is")
	return did(f, cmd, func(ctx context.Context, c *client.Client, args []string) (api.Proposal, error) {
		if r.Result == "" && !yes {
			if err := confirm(ctx, f, c, args, &r); err != nil {
				return api.Proposal{}, err
			}
		}
		return c.ApproveProposal(ctx, args[0], args[1], r)
	})
}

// confirm shows what would be signed and asks; r gets the result that was shown.
func confirm(ctx context.Context, f *factory.Factory, c *client.Client, args []string, r *api.ProposalResult) error {
	const instead = "name what you looked at: --result TREE, as vexa proposal show prints it"
	if !f.CanPrompt() {
		return fault.New(fault.Usage, "nobody is there to say what is approved", instead)
	}
	p, err := c.Proposal(ctx, args[0], args[1])
	if err != nil {
		return err
	}
	d, err := c.ProposalDiff(ctx, args[0], p.ID, "")
	if err != nil {
		return err
	}
	if d.From != p.From || d.To != p.Result {
		return fault.New(fault.Conflict, "the proposal "+p.ID+" changed while it was read", "try again")
	}
	// What is signed is shown in any case, --quiet or not.
	if _, err := io.WriteString(f.Err, plain.Patch(strings.TrimSuffix(d.Patch, "\n")+"\n"+p.ID+": "+p.Title+"\n")); err != nil {
		return err
	}
	ok, err := f.Confirm(ctx, "Sign that "+short(p.Target)+" may become this, "+sha(p.Result)+"? [y/N] ", instead, false)
	if err != nil {
		return err
	}
	if !ok {
		return fault.New(fault.Interrupted, "nothing was signed", "")
	}
	r.Result = p.Result
	return nil
}

func newAccept(f *factory.Factory) *cobra.Command {
	var r api.ProposalResult
	cmd := &cobra.Command{
		Use:   "accept NAME ID",
		Short: "Merge a proposal",
		Long: "Merges a proposal: its target gets the result, and the proposal says so, both or neither.\n" +
			"Where the policy asks for approvals, it has to have them; where it asks for none, a target\n" +
			"that moved is merged again first.",
		Example: "$ vexa proposal accept notes 01JDX4\n$ vexa proposal accept notes 01JDX4 --result 0c1d2e3f4051",
		Args:    grammar.Args("NAME", "ID"),
	}
	cmd.Flags().StringVar(&r.Result, "result", "", "merge this `tree` alone: what was looked at")
	return did(f, cmd, func(ctx context.Context, c *client.Client, args []string) (api.Proposal, error) {
		return c.AcceptProposal(ctx, args[0], args[1], r)
	})
}
