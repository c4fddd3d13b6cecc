package workspacecmd

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// UndoOptions is what the command line of vexa workspace undo says.
type UndoOptions struct {
	Factory *factory.Factory
	JSON    output.JSON
	Name    string
	Request api.UndoRequest
}

func newUndo(f *factory.Factory) *cobra.Command {
	o := &UndoOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "undo NAME",
		Short: "Take back what an agent changed",
		Long: "Makes a commit that takes back the last turn that was not taken back yet, one commit, all\n" +
			"of a dispatch, or everything after a commit. Again, it takes back the turn before; the exit\n" +
			"code is 3 where none is left. Nothing is lost: --to the commit before it undoes an undo.\n" +
			"Where later commits changed the same lines, the undo becomes a merge proposal, and the exit\n" +
			"code is 5; where main takes approved proposals only it does, too, and the exit code is 8.",
		Example:           "$ vexa workspace undo personal\n$ vexa workspace undo personal --commit 3f2a91c\n$ vexa workspace undo personal --dispatch 01JDX4\n$ vexa workspace undo personal --to 3f2a91c",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.WorkspaceNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = args[0]
			if r := o.Request; r.To != "" && r.Dispatch+r.Commit != "" || r.Dispatch != "" && r.Commit != "" {
				return grammar.Usage(cmd, "--to, --commit and --dispatch exclude each other")
			}
			return runUndo(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.Request.To, "to", "", "go back to the files of this `commit`")
	cmd.Flags().StringVar(&o.Request.Commit, "commit", "", "take back this `commit` alone")
	cmd.Flags().StringVar(&o.Request.Dispatch, "dispatch", "", "take back all commits of this `unit`")
	output.AddFlags(cmd, &o.JSON, undoneFields().Names(), f.OutTTY)
	f.CompleteFlags(cmd, factory.Flagged{"dispatch": factory.UnitIDs})
	return cmd
}

func runUndo(ctx context.Context, o *UndoOptions) error {
	c, err := o.Factory.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return undo(ctx, o, c)
}

// Undo takes back the last turn in a workspace, as vexa workspace undo does without flags.
func Undo(ctx context.Context, f *factory.Factory, c *client.Client, name string) error {
	return undo(ctx, &UndoOptions{Factory: f, Name: name}, c)
}

func undo(ctx context.Context, o *UndoOptions, c *client.Client) error {
	f := o.Factory
	doing := f.Begin("taking commits of %s back", o.Name)
	u, err := c.Undo(ctx, o.Name, o.Request)
	doing.End()
	if err != nil {
		return grammar.Argument(err)
	}
	if o.JSON.On() {
		if err := output.One(f.Out, &o.JSON, undoneFields(), u); err != nil {
			return err
		}
	}
	switch {
	case len(u.Conflicts) > 0 && u.Proposal != "":
		return fault.New(fault.Conflict, "later commits changed the same lines of "+strings.Join(u.Conflicts, ", ")+": the undo waits in the proposal "+u.Proposal,
			"say what becomes of them: vexa proposal resolve "+o.Name+" "+u.Proposal)
	case len(u.Conflicts) > 0:
		return fault.New(fault.Conflict, "later commits changed the same lines of "+strings.Join(u.Conflicts, ", "),
			"take those back first, or use --to")
	case u.Proposal != "":
		return fault.New(fault.Timeout, "main of "+o.Name+" takes approved proposals only: the undo waits in the proposal "+u.Proposal, "vexa proposal approve "+o.Name+" "+u.Proposal)
	}
	if !o.JSON.On() {
		f.Notice("took back %s of %s as %s", output.Plural(len(u.Reverted), "commit"), o.Name, short(u.SHA, true))
	}
	return nil
}
