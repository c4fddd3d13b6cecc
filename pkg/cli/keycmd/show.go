package keycmd

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/keys"
	"github.com/vexa-ai/vexa/pkg/seal"
)

// showFields are the JSON fields of vexa key show. They only ever grow, and
// never hold a private key.
func showFields() output.Fields[keys.Info] {
	type i = keys.Info
	return output.Fields[i]{
		{Name: "recipient", Value: func(x i) any { return x.Recipient }},
		{Name: "postQuantum", Value: func(x i) any { return x.PostQuantum }},
		{Name: "signingKey", Value: func(x i) any { return x.Signing.String() }},
		{Name: "fingerprint", Value: func(x i) any { return x.Signing.Fingerprint() }},
		{Name: "protection", Value: func(x i) any { return x.Protection }},
		{Name: "file", Value: func(x i) any { return x.File }},
		{Name: "added", Value: func(x i) any { return output.OrEmpty(x.Added) }},
		{Name: "recovery", Value: func(x i) any { return x.Recovery }},
	}
}

// ShowOptions is what the command line of vexa key show says.
type ShowOptions struct {
	Factory *factory.Factory
	JSON    output.JSON
}

func newShow(f *factory.Factory) *cobra.Command {
	o := &ShowOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show the public halves of the keys, and what protects them",
		Long: "Shows what others encrypt to, the key that signs, where the private key rests and what\n" +
			"opens it: the passphrase, the desktop's keyring, the keys that were added, the recovery\n" +
			"key. It opens nothing: what is not known while the key is locked is left out until it\n" +
			"was open once.",
		Example: "$ vexa key show\n$ vexa key show --json recipient,signingKey\n$ vexa key show --json signingKey --jq .signingKey > allowed_signer",
		Args:    grammar.Args(),
		RunE: func(*cobra.Command, []string) error {
			return runShow(o)
		},
	}
	output.AddFlags(cmd, &o.JSON, showFields().Names(), f.OutTTY)
	return cmd
}

func runShow(o *ShowOptions) error {
	f := o.Factory
	_, s, err := f.OpenKeys()
	if err != nil {
		return err
	}
	in, err := s.Show()
	if err != nil {
		return err
	}
	if o.JSON.On() {
		return output.One(f.Out, &o.JSON, showFields(), in)
	}
	p := output.NewPairs(f.Out, factory.IsTTY(f.OutTTY))
	p.Add("recipient", in.Recipient)
	p.Add("post-quantum", short(in.PostQuantum))
	p.Add("signing key", in.Signing.String())
	p.Add("fingerprint", in.Signing.Fingerprint())
	p.Add("protection", protection(in.Protection))
	p.Add("file", in.File)
	for _, key := range in.Added {
		p.Add("added", short(key))
	}
	if len(in.Added) > 0 {
		p.Add("copies", in.Copies)
	}
	p.Add("recovery", recovery(in.Recovery))
	return p.Flush()
}

func protection(p seal.Protection) string {
	switch p {
	case seal.Unprotected:
		return "none: whoever has the file has the key"
	case seal.ByPassphrase:
		return "a passphrase"
	case seal.ByKeyring:
		return "a passphrase that the desktop keyring keeps"
	case seal.ByKeys:
		return "the keys that were added, and nothing else"
	default:
		return string(p)
	}
}

func recovery(r *keys.Recovery) string {
	if r == nil {
		return "none; make one with: vexa key recovery"
	}
	return r.Recipient + " of " + r.CreatedAt.UTC().Format(time.DateOnly)
}

// short shortens a key that fills a screen; --json has all of it.
func short(key string) string {
	const most, begin = 200, 40
	if len(key) <= most {
		return key
	}
	return key[:begin] + "... (" + strconv.Itoa(len(key)) + " characters)"
}
