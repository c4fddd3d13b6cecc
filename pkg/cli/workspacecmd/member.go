package workspacecmd

import (
	"context"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/fault"
)

func newMember(f *factory.Factory) *cobra.Command {
	return grammar.Group("member", "Who reads, writes and administers a workspace", newMemberList(f), newMemberAdd(f), newMemberSet(f), newMemberRemove(f))
}

// memberFields are the JSON fields of a member. They only ever grow.
func memberFields() output.Fields[api.Member] {
	type m = api.Member
	return output.Fields[m]{
		{Name: "id", Value: func(x m) any { return x.ID }},
		{Name: "name", Value: func(x m) any { return x.Name }},
		{Name: "recipients", Value: func(x m) any { return output.OrEmpty(x.Recipients) }},
		{Name: "signers", Value: func(x m) any { return output.OrEmpty(x.Signers) }},
		{Name: "fingerprints", Value: func(x m) any { return output.OrEmpty(x.Fingerprints) }},
		{Name: "rights", Value: func(x m) any { return x.Rights }},
		{Name: "recovery", Value: func(x m) any { return x.Recovery }},
		{Name: "until", Value: func(x m) any { return x.Until }},
		{Name: "self", Value: func(x m) any { return x.Self }},
	}
}

// MemberListOptions is what the command line of vexa workspace member list says.
type MemberListOptions struct {
	Factory *factory.Factory
	JSON    output.JSON
	Name    string
	All     bool
	Allowed bool // print allowed_signers
}

func newMemberList(f *factory.Factory) *cobra.Command {
	o := &MemberListOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "list NAME",
		Short: "List the members of a workspace",
		Long: "Lists who reads a workspace, and which refs they may write, approve or administer. Compare\n" +
			"the fingerprint of a signing key with its owner on another way than the one it came by.",
		Example:           "$ vexa workspace member list notes\n$ vexa workspace member list notes --all --json name,until",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.WorkspaceNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = args[0]
			return runMemberList(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.All, "all", false, "those who were members, too")
	cmd.Flags().BoolVar(&o.Allowed, "allowed-signers", false, "print the keys as git and ssh-keygen -Y verify read them, of those who left, too")
	output.AddFlags(cmd, &o.JSON, memberFields().Names(), f.OutTTY)
	cmd.MarkFlagsMutuallyExclusive("allowed-signers", "json")
	return cmd
}

func runMemberList(ctx context.Context, o *MemberListOptions) error {
	f := o.Factory
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	all, err := c.Members(ctx, o.Name)
	if err != nil {
		return grammar.Argument(err)
	}
	if o.Allowed {
		return printSigners(o.Factory, all.Members)
	}
	var rows []api.Member
	for _, m := range all.Members {
		if m.Until == 0 || o.All {
			rows = append(rows, m)
		}
	}
	if o.JSON.On() {
		return output.List(f.Out, &o.JSON, memberFields(), rows)
	}
	t := output.NewTable(f.Out, factory.IsTTY(f.OutTTY), "NAME", "MAY", "FINGERPRINT", "ID").In(f.OutStyle())
	for _, m := range rows {
		t.Row(memberName(m), rightsText(m), strings.Join(m.Fingerprints, " "), m.ID)
	}
	return t.Flush()
}

// printSigners prints members in the format of ssh-keygen(1), ALLOWED SIGNERS.
func printSigners(f *factory.Factory, all []api.Member) error {
	var b strings.Builder
	for _, m := range all {
		for _, key := range m.Signers {
			b.WriteString(principal(m.Name) + ` namespaces="git,vexa-approval@v1,vexa-bucket-delivery@v1" ` + key + "\n")
		}
	}
	return f.Printf("%s", b.String())
}

// principal is a name without what separates principals or stands for others.
func principal(name string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || strings.ContainsRune(`,*?!"#`, r) || !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, name)
}

func memberName(m api.Member) string {
	switch {
	case m.Self:
		return m.Name + " (you)"
	case m.Until != 0:
		return m.Name + " (until generation " + strconv.FormatInt(m.Until, 10) + ")"
	default:
		return m.Name
	}
}

// rightsText says in words what a member may do.
func rightsText(m api.Member) string {
	var parts []string
	if len(m.Recipients) > 0 {
		parts = append(parts, "read")
	}
	for _, r := range m.Rights {
		what := strings.Join(r.Allow, ", ")
		if r.Refs != allRefs {
			what += " " + strings.TrimPrefix(r.Refs, "refs/heads/")
		}
		parts = append(parts, what)
	}
	return strings.Join(parts, ", ")
}

// rights is what the flags say of the rights of a member.
type rights struct {
	Write, Approve  []string
	Admin, ReadOnly bool
	WriteOnly       bool // of those who are let in alone
}

func (r *rights) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&r.Write, "write", nil, "let them write these `refs`: a branch, a name or a prefix that ends in /*; default: all")
	cmd.Flags().StringArrayVar(&r.Approve, "approve", nil, "have their approval of proposals for these `refs` count")
	cmd.Flags().BoolVar(&r.Admin, "admin", false, "let them change who the members are")
	cmd.Flags().BoolVar(&r.ReadOnly, "read-only", false, "let them write nothing")
}

// allRefs is the pattern that covers every ref.
const allRefs = "refs/*"

func (r *rights) list() ([]api.Right, error) {
	out := []api.Right{}
	if r.ReadOnly {
		if len(r.Write) > 0 || r.Admin {
			return nil, fault.New(fault.Usage, "--read-only goes with neither --write nor --admin", "leave one of them out")
		}
	} else if len(r.Write) == 0 {
		r.Write = []string{allRefs}
	}
	for _, of := range []struct {
		refs []string
		what string
	}{{r.Write, "write"}, {r.Approve, "approve"}} {
		for _, ref := range of.refs {
			if !strings.HasPrefix(ref, "refs/") {
				ref = "refs/heads/" + ref
			}
			out = append(out, api.Right{Refs: ref, Allow: []string{of.what}})
		}
	}
	if r.Admin {
		out = append(out, api.Right{Refs: allRefs, Allow: []string{"admin"}})
	}
	return out, nil
}

// addBlind adds the flag with which somebody is let in who does not read.
func (r *rights) addBlind(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&r.WriteOnly, "write-only", false, "let them read nothing: what they push is delivered, see vexa workspace inbox")
	cmd.MarkFlagsMutuallyExclusive("write-only", "read-only")
	cmd.MarkFlagsMutuallyExclusive("write-only", "admin")
	cmd.MarkFlagsMutuallyExclusive("write-only", "approve")
}

// MemberAddOptions is what the command lines of vexa workspace member add and
// vexa workspace invite say.
type MemberAddOptions struct {
	Factory *factory.Factory
	JSON    output.JSON
	Name    string
	File    string
	As      string
	rights  rights
}

func newMemberAdd(f *factory.Factory) *cobra.Command {
	o := &MemberAddOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "add NAME FILE",
		Short: "Let somebody in",
		Long: "Lets somebody read a workspace, its past included, and write the refs that --write names.\n" +
			"FILE is what they say of themselves with vexa key introduce; - is standard input. Compare\n" +
			"the fingerprint that is printed with them on another way than the one the file came by.\n\n" +
			"They need to know where the workspace is: vexa workspace invite does both.\n\n" +
			"With --write-only they read nothing, neither what is there nor what they wrote: what they\n" +
			"push is encrypted and left in the workspace's inbox, from which whoever may write takes it\n" +
			"up. That is for a build server, say, or for somebody outside who is to hand something in.",
		Example:           "$ vexa workspace member add notes joe.json\n$ vexa workspace member add notes joe.json --write 'joe/*' --approve main\n$ vexa workspace member add handbook audit.json --read-only\n$ vexa workspace member add notes ci.json --write-only --write 'ci/*'",
		Args:              grammar.Args("NAME", "FILE"),
		ValidArgsFunction: f.CompleteInWorkspace(nil),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name, o.File = args[0], args[1]
			return runMemberAdd(cmd.Context(), o)
		},
	}
	o.rights.addFlags(cmd)
	o.rights.addBlind(cmd)
	cmd.Flags().StringVar(&o.As, "as", "", "call them so, and not as they call themselves (`name`)")
	output.AddFlags(cmd, &o.JSON, memberFields().Names(), f.OutTTY)
	return cmd
}

func (o *MemberAddOptions) request() (api.AddMember, error) {
	text, err := o.Factory.ReadFile(o.File)
	if err != nil {
		return api.AddMember{}, err
	}
	list, err := o.rights.list()
	return api.AddMember{Introduction: string(text), Name: o.As, Rights: list, WriteOnly: o.rights.WriteOnly}, err
}

func runMemberAdd(ctx context.Context, o *MemberAddOptions) error {
	req, err := o.request()
	if err != nil {
		return err
	}
	c, err := o.Factory.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	doing := o.Factory.Begin("adding a member to %s", o.Name)
	m, err := c.AddMember(ctx, o.Name, req)
	doing.End()
	if err != nil {
		return grammar.Argument(err)
	}
	if o.JSON.On() {
		return output.One(o.Factory.Out, &o.JSON, memberFields(), m)
	}
	o.Factory.Say("added %s (%s): %s", m.Name, strings.Join(m.Fingerprints, " "), rightsText(m))
	return nil
}

// MemberRemoveOptions is what the command line of vexa workspace member remove
// says.
type MemberRemoveOptions struct {
	Factory   *factory.Factory
	JSON      output.JSON
	Name      string
	Member    string
	Reencrypt bool
}

func removedFields() output.Fields[api.RemovedMember] {
	type r = api.RemovedMember
	return output.Fields[r]{
		{Name: "name", Value: func(x r) any { return x.Member.Name }},
		{Name: "id", Value: func(x r) any { return x.Member.ID }},
		{Name: "until", Value: func(x r) any { return x.Until }},
		{Name: "generation", Value: func(x r) any { return x.Generation }},
		{Name: "epoch", Value: func(x r) any { return x.Epoch }},
		{Name: "bucket", Value: func(x r) any { return x.Bucket }},
		{Name: "short", Value: func(x r) any { return x.Short }},
	}
}

func newMemberRemove(f *factory.Factory) *cobra.Command {
	o := &MemberRemoveOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "remove NAME MEMBER",
		Short: "Shut somebody out",
		Long: "Shuts a member out, by name, id or the fingerprint of a signing key: a new epoch begins,\n" +
			"whose key they do not get, and what they sign from then on counts for nobody. What they\n" +
			"signed before stays valid.\n\n" +
			"What they could read until then they can read wherever they kept a copy, and in the bucket\n" +
			"while they can reach it: --reencrypt encrypts it again, and the storage's own credentials\n" +
			"are to be changed with the storage.",
		Example:           "$ vexa workspace member remove notes joe\n$ vexa workspace member remove notes joe --reencrypt",
		Args:              grammar.Args("NAME", "MEMBER"),
		ValidArgsFunction: f.CompleteInWorkspace(factory.MemberNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name, o.Member = args[0], args[1]
			return runMemberRemove(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.Reencrypt, "reencrypt", false, "encrypt everything again that their keys open")
	output.AddFlags(cmd, &o.JSON, removedFields().Names(), f.OutTTY)
	return cmd
}

func runMemberRemove(ctx context.Context, o *MemberRemoveOptions) error {
	f := o.Factory
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	doing := f.Begin("shutting %s out of %s", o.Member, o.Name)
	defer doing.End()
	out, err := c.RemoveMember(ctx, o.Name, api.RemoveMember{Member: o.Member})
	if err != nil {
		return grammar.Argument(err)
	}
	packs := 0
	if o.Reencrypt {
		doing.Step("encrypting %s to a new key", o.Name)
		again, err := c.Rotate(ctx, o.Name, api.Rotate{Reencrypt: true})
		if err != nil {
			return &fault.Error{
				Kind: fault.KindOf(err), Msg: out.Member.Name + " is shut out; what they could read before is not encrypted again yet", Err: err,
				Hint: "go on with: vexa workspace rotate " + o.Name + " --reencrypt-only",
			}
		}
		packs = again.Packs
	}
	doing.End()
	if o.JSON.On() {
		return output.One(f.Out, &o.JSON, removedFields(), out)
	}
	f.Say("%s is no member of %s any more: generation %d, epoch %d", out.Member.Name, o.Name, out.Generation, out.Epoch)
	if len(out.Member.Recipients) == 0 {
		f.Say("they read nothing; what they delivered and nobody took up is refused: vexa workspace inbox %s", o.Name)
	} else {
		f.Say("what they can still read: generations up to %d, wherever they kept a copy", out.Until)
	}
	switch {
	case len(out.Member.Recipients) == 0:
	case o.Reencrypt:
		f.Say("in the bucket their keys open nothing of %s once what was replaced is collected, a day from now", output.Plural(packs, "pack"))
	default:
		f.Say("and in the bucket, while they can reach it; to encrypt it again: vexa workspace rotate %s --reencrypt-only", o.Name)
	}
	if out.Short != "" {
		f.Say("%s: let somebody else approve, or ask for fewer: vexa workspace policy set %s", out.Short, o.Name)
	}
	if advice := credentials(out.Bucket); advice != "" {
		f.Say("%s", advice)
	}
	return nil
}

// credentials says what else lets somebody reach a bucket.
func credentials(bucket string) string {
	switch {
	case strings.HasPrefix(bucket, "s3://"):
		return "change the credentials of the S3 bucket, if they had them"
	case strings.HasSuffix(bucket, ".git"):
		return "take their access to " + bucket + " away, if they had it; what a Git remote has deleted may stay in its history"
	case strings.HasPrefix(bucket, "file://"):
		return ""
	default:
		return "take their access to " + bucket + " away, if they had it"
	}
}
