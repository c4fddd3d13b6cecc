package workspacecmd

import (
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

// policyFields are the JSON fields of vexa workspace policy.
func policyFields() output.Fields[api.Policy] {
	type p = api.Policy
	return output.Fields[p]{
		{Name: "version", Value: func(x p) any { return x.Version }},
		{Name: "approvals", Value: func(x p) any { return output.OrEmpty(x.Approvals) }},
	}
}

func newPolicy(f *factory.Factory) *cobra.Command {
	return grammar.Group("policy", "What a workspace asks for before its branches change", newPolicyShow(f), newPolicySet(f))
}

func newPolicyShow(f *factory.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show how many approvals the branches of a workspace need",
		Long: "Shows the branches that take approved proposals only, with how many members have to approve.\n" +
			"The version counts every change of it, and of who the members are and what they may.",
		Example:           "$ vexa workspace policy show notes",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.WorkspaceNames),
	}
	ask := func(ctx context.Context, c *client.Client, args []string) (api.Policy, error) {
		return c.Policy(ctx, args[0])
	}
	return query.One(f, cmd, policyFields(), ask, func(p api.Policy) error { return printPolicy(f, p) })
}

func newPolicySet(f *factory.Factory) *cobra.Command {
	n := 0
	cmd := &cobra.Command{
		Use:   "set NAME BRANCH",
		Short: "Say how many members have to approve a change of a branch",
		Long: "Has a branch, or all that begin with a prefix, change by merge proposals alone that so many\n" +
			"members have approved: no push, no dispatch and no undo gets there otherwise, by anybody.\n" +
			"Whoever has the right to approve counts once, who proposed it included. With 0 everybody\n" +
			"who may write the branch does so again. Approvals that were given before are void. A branch\n" +
			"that is not there yet is made by whoever may write it.",
		Example: "$ vexa workspace policy set notes main --approvals 2\n$ vexa workspace policy set notes 'release/*' --approvals 1",
		Args:    grammar.Args("NAME", "BRANCH"),
	}
	cmd.Flags().IntVar(&n, "approvals", 0, "have this `number` of members approve")
	ask := func(ctx context.Context, c *client.Client, args []string) (api.Policy, error) {
		refs := args[1]
		if !strings.HasPrefix(refs, "refs/") {
			refs = "refs/heads/" + refs
		}
		return c.SetApprovals(ctx, args[0], api.ApprovalsRule{Refs: refs, Threshold: n})
	}
	cmd.ValidArgsFunction = f.Complete(factory.WorkspaceNames)
	query.One(f, cmd, policyFields(), ask, func(p api.Policy) error { return printPolicy(f, p) })
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !cmd.Flags().Changed("approvals") {
			return grammar.Usage(cmd, "nothing says how many members have to approve: --approvals")
		}
		return run(cmd, args)
	}
	return cmd
}

func printPolicy(f *factory.Factory, p api.Policy) error {
	t := output.NewPairs(f.Out, factory.IsTTY(f.OutTTY))
	t.Add("version", strconv.Itoa(p.Version))
	for _, a := range p.Approvals {
		t.Add("approvals", strconv.Itoa(a.Threshold)+" for "+strings.TrimPrefix(a.Refs, "refs/heads/"))
	}
	if len(p.Approvals) == 0 {
		t.Add("approvals", "none: who may write a branch changes it")
	}
	return t.Flush()
}
