package workspacecmd

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
)

// MemberSetOptions is what the command line of vexa workspace member set says.
type MemberSetOptions struct {
	Factory *factory.Factory
	JSON    output.JSON
	Name    string
	Member  string
	Keys    string
	rights  rights
}

func newMemberSet(f *factory.Factory) *cobra.Command {
	o := &MemberSetOptions{Factory: f}
	cmd := &cobra.Command{
		Use:               "set NAME MEMBER",
		Short:             "Give a member other rights, or more keys",
		Long:              "Gives a member the rights that the flags say, in place of those they have. What they signed\nbefore stays valid. With --introduction they may use the keys of an introduction, too: those of\nanother machine of theirs, or ones that they added since; their rights stay.",
		Example:           "$ vexa workspace member set notes joe --write main --approve main\n$ vexa workspace member set notes joe --read-only\n$ vexa workspace member set notes joe --introduction joe-laptop.json",
		Args:              grammar.Args("NAME", "MEMBER"),
		ValidArgsFunction: f.CompleteInWorkspace(factory.MemberNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name, o.Member = args[0], args[1]
			changed := slices.ContainsFunc([]string{"write", "approve", "admin", "read-only"}, cmd.Flags().Changed)
			switch {
			case o.Keys != "" && changed:
				return grammar.Usage(cmd, "--introduction goes with no rights: first the one, then the other")
			case o.Keys != "":
				return runMemberKeys(cmd.Context(), o)
			case !changed:
				return grammar.Usage(cmd, "nothing says what %s is to have: --write, --approve, --admin, --read-only or --introduction", o.Member)
			default:
				return runMemberSet(cmd.Context(), o)
			}
		},
	}
	o.rights.addFlags(cmd)
	cmd.Flags().StringVar(&o.Keys, "introduction", "", "let them use the keys in this `file` of theirs, too; - for stdin")
	output.AddFlags(cmd, &o.JSON, memberFields().Names(), f.OutTTY)
	return cmd
}

func runMemberSet(ctx context.Context, o *MemberSetOptions) error {
	list, err := o.rights.list()
	if err != nil {
		return err
	}
	c, err := o.Factory.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	m, err := c.SetRights(ctx, o.Name, api.SetRights{Member: o.Member, Rights: list})
	if err != nil {
		return grammar.Argument(err)
	}
	if o.JSON.On() {
		return output.One(o.Factory.Out, &o.JSON, memberFields(), m)
	}
	o.Factory.Say("%s may %s", m.Name, rightsText(m))
	return nil
}

func runMemberKeys(ctx context.Context, o *MemberSetOptions) error {
	text, err := o.Factory.ReadFile(o.Keys)
	if err != nil {
		return err
	}
	c, err := o.Factory.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	m, err := c.AddKeys(ctx, o.Name, api.AddKeys{Member: o.Member, Introduction: string(text)})
	if err != nil {
		return grammar.Argument(err)
	}
	if o.JSON.On() {
		return output.One(o.Factory.Out, &o.JSON, memberFields(), m)
	}
	o.Factory.Say("%s has %s: %s", m.Name, output.Plural(len(m.Fingerprints), "signing key"), strings.Join(m.Fingerprints, " "))
	return nil
}
