package workspacecmd

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
)

// ListOptions is what the command line of vexa workspace list says.
type ListOptions struct {
	Factory *factory.Factory
	JSON    output.JSON
}

func newList(f *factory.Factory, runF func(context.Context, *ListOptions) error) *cobra.Command {
	o := &ListOptions{Factory: f}
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List workspaces",
		Long:    "Lists the workspaces of this installation.",
		Example: "$ vexa workspace list\n$ vexa workspace list --json name,head",
		Args:    grammar.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return runList(cmd.Context(), o)
		},
	}
	output.AddFlags(cmd, &o.JSON, workspaceFields().Names(), f.OutTTY)
	return cmd
}

func runList(ctx context.Context, o *ListOptions) error {
	f := o.Factory
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	list, err := c.Workspaces(ctx)
	if err != nil {
		return err
	}
	if o.JSON.On() {
		return output.List(f.Out, &o.JSON, workspaceFields(), list)
	}
	tty := factory.IsTTY(f.OutTTY)
	t := output.NewTable(f.Out, tty, "NAME", "HEAD", "FILES", "UPDATED", "UNMERGED")
	for _, w := range list {
		t.Row(w.Name, short(w.Head, tty), strconv.Itoa(w.Files), output.Time(w.UpdatedAt, f.Now(), tty), strings.Join(w.Unmerged, ","))
	}
	return t.Flush()
}

// ShowOptions is what the command line of vexa workspace show says.
type ShowOptions struct {
	Factory *factory.Factory
	JSON    output.JSON
	Name    string
}

func newShow(f *factory.Factory, runF func(context.Context, *ShowOptions) error) *cobra.Command {
	o := &ShowOptions{Factory: f}
	cmd := &cobra.Command{
		Use:               "show NAME",
		Short:             "Show one workspace",
		Long:              "Shows a workspace: its id, its newest commit and the branches that wait for a merge.",
		Example:           "$ vexa workspace show personal",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.WorkspaceNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = args[0]
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return runShow(cmd.Context(), o)
		},
	}
	output.AddFlags(cmd, &o.JSON, workspaceFields().Names(), f.OutTTY)
	return cmd
}

func runShow(ctx context.Context, o *ShowOptions) error {
	f := o.Factory
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	w, err := c.Workspace(ctx, o.Name)
	if err != nil {
		return err
	}
	if o.JSON.On() {
		return output.One(f.Out, &o.JSON, workspaceFields(), w)
	}
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
	for _, branch := range w.Unmerged {
		p.Add("unmerged", branch)
	}
	return p.Flush()
}

// short cuts a commit id for a terminal.
func short(sha string, tty bool) string {
	if tty && len(sha) > 12 {
		return sha[:12]
	}
	return sha
}
