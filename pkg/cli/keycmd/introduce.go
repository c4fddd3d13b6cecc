package keycmd

import (
	"context"
	"encoding/json"
	"os/user"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/contract/invitationv1"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// IntroduceOptions is what the command line of vexa key introduce says.
type IntroduceOptions struct {
	Factory     *factory.Factory
	Name        string
	PostQuantum bool
	ReadOnly    bool

	opening opening
}

func newIntroduce(f *factory.Factory) *cobra.Command {
	o := &IntroduceOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "introduce",
		Short: "Print the public keys that somebody needs to invite you",
		Long: "Prints what somebody needs who lets you into a workspace of theirs: a name and the public\n" +
			"halves of your keys. It is not secret. Tell them the fingerprint, which is printed beside\n" +
			"it, on another way than the one the file goes.\n\n" +
			"For a workspace that is encrypted against quantum computers: --post-quantum, which opens\n" +
			"the key, and makes the post-quantum one where there is none yet.",
		Example: "$ vexa key introduce > jane.json\n$ vexa key introduce --name \"Jane at work\" --post-quantum > jane.json",
		Args:    grammar.Args(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runIntroduce(cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.Name, "name", "", "introduce yourself by this `name`; default: the user's")
	cmd.Flags().BoolVar(&o.PostQuantum, "post-quantum", false, "with a post-quantum key, too")
	cmd.Flags().BoolVar(&o.ReadOnly, "read-only", false, "without the signing key: you will only read")
	o.opening.addFlags(cmd)
	return cmd
}

func runIntroduce(ctx context.Context, o *IntroduceOptions) error {
	f := o.Factory
	_, s, err := f.OpenKeys()
	if err != nil {
		return err
	}
	if o.PostQuantum {
		_, id, err := o.opening.open(ctx, f)
		if err != nil {
			return err
		}
		chain, err := s.Keychain(id)
		if err == nil {
			_, err = chain.Recipients(true)
		}
		if err != nil {
			return err
		}
	}
	in, err := s.Show()
	if err != nil {
		return err
	}
	if in.Recipient == "" || !o.ReadOnly && in.Signing.String() == "" {
		return fault.New(fault.Locked, "the public halves of the key are not known yet: it was never open here", "vexa unlock, once")
	}
	who := invitationv1.Introduction{Kind: invitationv1.KindIntroduction, Name: o.Name, Recipients: []string{in.Recipient}}
	if o.PostQuantum {
		who.Recipients = append(who.Recipients, in.PostQuantum)
	}
	who.Recipients = append(who.Recipients, in.Added...)
	if who.Name == "" {
		u, err := user.Current()
		if err != nil {
			return fault.New(fault.Usage, "your name is not known: "+err.Error(), "say it with --name")
		}
		who.Name = u.Username
	}
	if !o.ReadOnly {
		who.Signer = in.Signing.String()
		f.Say("your signing key is %s", in.Signing.Fingerprint())
	}
	text, err := json.MarshalIndent(who, "", "  ")
	if err != nil {
		return err
	}
	return f.Printf("%s\n", text)
}
