package workspacecmd

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/query"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// deliveryFields are the JSON fields of vexa workspace inbox.
func deliveryFields() output.Fields[api.Delivery] {
	type d = api.Delivery
	return output.Fields[d]{
		{Name: "id", Value: func(x d) any { return x.ID }},
		{Name: "time", Value: func(x d) any { return x.Time }},
		{Name: "size", Value: func(x d) any { return x.Size }},
		{Name: "member", Value: func(x d) any { return x.Member }},
		{Name: "refs", Value: func(x d) any { return output.OrEmpty(x.Refs) }},
		{Name: "state", Value: func(x d) any { return x.State }},
		{Name: "why", Value: func(x d) any { return x.Why }},
	}
}

func newInbox(f *factory.Factory) *cobra.Command {
	limit, drop := 0, ""
	cmd := &cobra.Command{
		Use:   "inbox NAME",
		Short: "List what members delivered who write and do not read",
		Long: "Lists what was delivered to a workspace by members who write it and do not read it, after\n" +
			"taking up what can be: a branch that is new, or goes forward, lands; one that others moved\n" +
			"is merged; where that conflicts, or takes approvals, it becomes a merge proposal. What was\n" +
			"refused stays until --drop removes it for good. Whatever was delivered is kept, signed as it\n" +
			"came, in the history of refs/vexa/deliveries/.",
		Example:           "$ vexa workspace inbox notes\n$ vexa workspace inbox notes --drop 01JDSW5M8QZ4T6V9X2B3C7D8EF",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.WorkspaceNames),
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "show at most this `number` of those that were taken up")
	cmd.Flags().StringVar(&drop, "drop", "", "remove the delivery with this `id`, which was not taken up")
	ask := func(ctx context.Context, c *client.Client, args []string) ([]api.Delivery, error) {
		if limit < 0 {
			return nil, fault.New(fault.Usage, "--limit cannot be negative", "as in --limit 20")
		}
		return c.Deliveries(ctx, args[0], limit)
	}
	query.List(f, cmd, deliveryFields(), ask, func(list []api.Delivery) error {
		if len(list) == 0 {
			f.Notice("nothing was delivered")
			return nil
		}
		tty := factory.IsTTY(f.OutTTY)
		t := output.NewTable(f.Out, tty, "ID", "FROM", "TIME", "STATE", "REFS").In(f.OutStyle())
		for _, d := range list {
			t.Row(d.ID, d.Member, output.Time(d.Time, f.Now(), tty), stateText(d), refsText(d))
		}
		return t.Flush()
	})
	list := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !cmd.Flags().Changed("drop") {
			return list(cmd, args)
		}
		c, err := f.Connect(cmd.Context())
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.DropDelivery(cmd.Context(), args[0], drop); err != nil {
			return grammar.Argument(err)
		}
		f.Say("dropped %s", drop)
		return nil
	}
	return cmd
}

func stateText(d api.Delivery) string {
	if d.Why == "" {
		return d.State
	}
	return d.State + ": " + d.Why
}

// refsText says in words what became of the refs.
func refsText(d api.Delivery) string {
	var parts []string
	for _, r := range d.Refs {
		parts = append(parts, strings.TrimSpace(strings.TrimPrefix(r.Ref, "refs/heads/")+" "+r.Outcome))
	}
	return strings.Join(parts, ", ")
}
