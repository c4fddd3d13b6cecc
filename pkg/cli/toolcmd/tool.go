// Package toolcmd holds the commands about tools: what agents can be given
// besides files, with chat's and run's --tool.
package toolcmd

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/query"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/contract/toolv1"
)

// New returns the command vexa tool.
func New(f *factory.Factory) *cobra.Command {
	return grammar.Group("tool", "Tools that agents can be given", newList(f), newShow(f))
}

// fields are the JSON fields of a tool: the members of tool.v1.
func fields() output.Fields[toolv1.Tool] {
	type t = toolv1.Tool
	return output.Fields[t]{
		{Name: "name", Value: func(x t) any { return x.Name }},
		{Name: "title", Value: func(x t) any { return x.Title }},
		{Name: "description", Value: func(x t) any { return x.Description }},
		{Name: "transport", Value: func(x t) any { return x.Transport }},
		{Name: "mcpServer", Value: func(x t) any { return x.MCPServer }},
		{Name: "inputSchema", Value: func(x t) any { return x.InputSchema }},
		{Name: "effect", Value: func(x t) any { return x.Effect }},
		{Name: "grant", Value: func(x t) any { return x.Grant }},
		{Name: "scope", Value: func(x t) any { return x.Scope }},
		{Name: "barriers", Value: func(x t) any { return output.OrEmpty(x.Barriers) }},
		{Name: "limits", Value: func(x t) any { return x.Limits }},
	}
}

func newList(f *factory.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List tools",
		Long: "Lists the tools that an agent can be given with --tool of vexa chat and vexa run. It has\n" +
			"those that it was given and no other. EFFECT is what a call does: read looks, write\n" +
			"changes something of yours, send reaches somebody else. GRANT is auto where a call\n" +
			"runs, and gate where it waits until you approve it.",
		Example: "$ vexa tool list\n$ vexa chat --tool vexa.echo -p \"Call the echo tool with the text hello\"",
		Args:    grammar.Args(),
	}
	ask := func(ctx context.Context, c *client.Client, _ []string) ([]toolv1.Tool, error) { return c.Tools(ctx) }
	return query.List(f, cmd, fields(), ask, func(list []toolv1.Tool) error {
		t := output.NewTable(f.Out, factory.IsTTY(f.OutTTY), "NAME", "EFFECT", "GRANT", "TRANSPORT", "TITLE").In(f.OutStyle())
		for _, x := range list {
			t.Row(x.Name, string(x.Effect), string(x.Grant), string(x.Transport), x.Title)
		}
		return t.Flush()
	})
}

func newShow(f *factory.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "show NAME",
		Short:             "Show one tool",
		Long:              "Shows a tool (contract tool.v1): what the model is told of it, what its arguments must be,\nwhat a call does and how much of it a dispatch may do.",
		Example:           "$ vexa tool show vexa.echo\n$ vexa tool show vexa.echo --json inputSchema",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.ToolNames),
	}
	ask := func(ctx context.Context, c *client.Client, args []string) (toolv1.Tool, error) {
		return c.Tool(ctx, args[0])
	}
	return query.One(f, cmd, fields(), ask, func(t toolv1.Tool) error { return show(f, t) })
}

func show(f *factory.Factory, t toolv1.Tool) error {
	p := output.NewPairs(f.Out, factory.IsTTY(f.OutTTY))
	p.Add("name", t.Name)
	p.Add("title", t.Title)
	p.Add("description", t.Description)
	p.Add("transport", strings.TrimSpace(string(t.Transport)+" "+t.MCPServer))
	p.Add("effect", string(t.Effect))
	p.Add("grant", string(t.Grant))
	p.Add("scope", t.Scope)
	p.Add("barriers", strings.Join(t.Barriers, " "))
	if l := t.Limits; l != nil {
		for _, limit := range []struct {
			n    int
			unit string
		}{{l.Calls, "calls"}, {l.TimeoutSec, "seconds a call"}, {l.OutputBytes, "bytes of output"}} {
			if limit.n > 0 {
				p.Add("limit", fmt.Sprintf("%d %s", limit.n, limit.unit))
			}
		}
	}
	p.Add("arguments", string(t.InputSchema))
	return p.Flush()
}
