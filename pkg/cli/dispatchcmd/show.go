package dispatchcmd

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

// NewShow returns the command vexa show.
func NewShow(f *factory.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "show UNIT",
		Short:             "Show one dispatch",
		Long:              "Shows a dispatch: what it was asked to do, where it ran, what it used and what it committed.\nUNIT is an id or the beginning of one.",
		Example:           "$ vexa show 01JDX4\n$ vexa show 01JDX4 --json unit --jq .unit.limits",
		Args:              grammar.Args("UNIT"),
		ValidArgsFunction: f.Complete(factory.UnitIDs),
	}
	ask := func(ctx context.Context, c *client.Client, args []string) (api.Dispatch, error) {
		return c.Dispatch(ctx, args[0])
	}
	return query.One(f, cmd, showFields(), ask, func(d api.Dispatch) error { return printDispatch(f, d) })
}

func printDispatch(f *factory.Factory, d api.Dispatch) error {
	p := output.NewPairs(f.Out, factory.IsTTY(f.OutTTY))
	p.Add("unit", d.ID)
	p.Add("state", string(d.State))
	p.Add("reason", string(d.StopReason))
	p.Add("detail", d.Detail)
	p.Add("subject", d.Subject)
	p.Add("launcher", d.Launcher)
	p.Add("trigger", string(d.Trigger))
	p.Add("runner", d.Runner)
	p.Add("model", d.Model)
	p.Add("session", d.Session)
	p.Add("workspaces", grants(d.Workspaces))
	p.Add("container", d.Container)
	p.Add("started", stamp(d.StartedAt))
	if d.EndedAt != nil {
		p.Add("ended", stamp(*d.EndedAt))
	}
	p.Add("turns", strconv.Itoa(d.Turns))
	p.Add("requests", strconv.Itoa(d.Requests))
	p.Add("tokens", strconv.FormatInt(d.Tokens, 10))
	if d.Unit != nil && d.Unit.Start.Entrypoint != nil {
		p.Add("asked", d.Unit.Start.Entrypoint.Inline)
		p.Add("plan", d.Unit.Start.Entrypoint.Path)
	}
	for _, c := range d.Commits {
		p.Add("commit", strings.TrimSpace(c.SHA+" "+c.Workspace+" "+merged(c)))
	}
	return p.Flush()
}

func merged(c api.DispatchCommit) string {
	if c.Merged {
		return ""
	}
	return "(not merged)"
}
