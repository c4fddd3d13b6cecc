package workspacecmd

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/fault"
)

func newInvite(f *factory.Factory) *cobra.Command {
	o := &MemberAddOptions{Factory: f}
	member := ""
	cmd := &cobra.Command{
		Use:   "invite NAME [FILE]",
		Short: "Let somebody in, and tell them where it is",
		Long: "Lets somebody into a workspace, as vexa workspace member add does, and prints an invitation\n" +
			"for them: where the workspace rests, who founded it, and its newest generation, signed by\n" +
			"you. They take it up with vexa workspace join, and need not believe the storage then. It\n" +
			"holds no secret. For somebody who is a member already: --member.",
		Example:           "$ vexa workspace invite notes joe.json > notes.invitation\n$ vexa workspace invite notes --member joe > notes.invitation",
		Args:              grammar.Args("NAME", "[FILE]"),
		ValidArgsFunction: f.CompleteInWorkspace(nil),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = args[0]
			if len(args) > 1 {
				o.File = args[1]
			}
			if (o.File == "") == (member == "") {
				return fault.New(fault.Usage, "nobody is invited", "name the file of their introduction, or a member with --member")
			}
			for _, flag := range []string{"write", "approve", "admin", "read-only", "write-only", "as"} {
				if member != "" && cmd.Flags().Changed(flag) {
					return fault.New(fault.Usage, "--"+flag+" is for somebody who becomes a member", "vexa workspace member set gives a member other rights")
				}
			}
			return runInvite(cmd.Context(), o, member)
		},
	}
	o.rights.addFlags(cmd)
	o.rights.addBlind(cmd)
	cmd.Flags().StringVar(&o.As, "as", "", "call them so, and not as they call themselves (`name`)")
	cmd.Flags().StringVar(&member, "member", "", "invite this `member` again")
	return cmd
}

func runInvite(ctx context.Context, o *MemberAddOptions, member string) error {
	f := o.Factory
	var req api.AddMember
	if member == "" {
		var err error
		if req, err = o.request(); err != nil {
			return err
		}
	}
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if member == "" {
		m, err := c.AddMember(ctx, o.Name, req)
		if err != nil {
			return grammar.Argument(err)
		}
		f.Say("added %s (%s): %s", m.Name, strings.Join(m.Fingerprints, " "), rightsText(m))
		member = m.ID
	}
	doing := f.Begin("writing an invitation to %s", o.Name)
	inv, err := c.Invite(ctx, o.Name, api.Invite{Member: member})
	doing.End()
	if err != nil {
		return grammar.Argument(err)
	}
	return f.Printf("%s", inv.Text)
}

// JoinOptions is what the command line of vexa workspace join says.
type JoinOptions struct {
	Factory *factory.Factory
	JSON    output.JSON
	File    string
	Name    string
	Bucket  string
	Anew    bool
}

func joinedFields() output.Fields[api.Joined] {
	type j = api.Joined
	return output.Fields[j]{
		{Name: "name", Value: func(x j) any { return x.Workspace.Name }},
		{Name: "id", Value: func(x j) any { return x.Workspace.ID }},
		{Name: "bucket", Value: func(x j) any { return x.Workspace.Bucket }},
		{Name: "generation", Value: func(x j) any { return x.Workspace.Generation }},
		{Name: "inviter", Value: func(x j) any { return x.Inviter }},
		{Name: "key", Value: func(x j) any { return x.Key }},
		{Name: "roots", Value: func(x j) any { return output.OrEmpty(x.Roots) }},
	}
}

func newJoin(f *factory.Factory) *cobra.Command {
	o := &JoinOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "join FILE",
		Short: "Take up an invitation to a workspace",
		Long: "Registers the workspace of an invitation; - is standard input. It is refused where the\n" +
			"storage has another bucket, one with other founders, or one that was set back behind what\n" +
			"the inviter saw. Compare the fingerprint of the inviter with them on another way than the\n" +
			"one that the invitation came by.\n\n" +
			"Who writes a workspace and does not read it takes up another invitation where administrators\n" +
			"changed, or a backup was restored. It is refused where nobody signed it whom this installation\n" +
			"believes; with --anew it goes by the invitation alone, and sends everything again that it\n" +
			"delivers.",
		Example: "$ vexa workspace join notes.invitation\n$ vexa workspace join notes.invitation --as team-notes --bucket /mnt/share/vexa/01jdx4",
		Args:    grammar.Args("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.File = args[0]
			return runJoin(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.Name, "as", "", "call it so here (`name`)")
	cmd.Flags().StringVar(&o.Bucket, "bucket", "", "reach it at this `address`, and not at the inviter's")
	cmd.Flags().BoolVar(&o.Anew, "anew", false, "where you write and do not read: forget whom you believed, and what you delivered")
	output.AddFlags(cmd, &o.JSON, joinedFields().Names(), f.OutTTY)
	return cmd
}

func runJoin(ctx context.Context, o *JoinOptions) error {
	f := o.Factory
	text, err := f.ReadFile(o.File)
	if err != nil {
		return err
	}
	at, err := factory.AbsoluteAddress(o.Bucket)
	if err != nil {
		return err
	}
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	doing := f.Begin("joining, and reading the bucket")
	j, err := c.Join(ctx, api.Join{Invitation: string(text), Name: o.Name, Bucket: at, Anew: o.Anew})
	doing.End()
	if err != nil {
		return grammar.Argument(err)
	}
	if o.JSON.On() {
		return output.One(f.Out, &o.JSON, joinedFields(), j)
	}
	if j.Workspace.WriteOnly {
		f.Say("joined %s at %s, which you write and do not read", j.Workspace.Name, j.Workspace.Bucket)
		f.Say("invited by the holder of the signing key %s", j.Key)
		f.Say("deliver to it from any repository: git push vexa::%s HEAD:BRANCH", j.Workspace.Name)
		return nil
	}
	f.Say("joined %s, generation %d of %s", j.Workspace.Name, j.Workspace.Generation, j.Workspace.Bucket)
	f.Say("invited by %s, whose signing key is %s", j.Inviter, j.Key)
	return nil
}
