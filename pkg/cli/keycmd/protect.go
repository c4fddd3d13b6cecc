package keycmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/keys"
)

// ProtectOptions is what the command line of vexa key protect says.
type ProtectOptions struct {
	Factory        *factory.Factory
	PassphraseFile string
	Keyring        bool
	Keys           bool
	None           bool

	opening opening
}

func newProtect(f *factory.Factory) *cobra.Command {
	o := &ProtectOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "protect",
		Short: "Change what opens the key",
		Long: "Gives the installation's key a new passphrase, which it asks for, or other protection:\n" +
			"a passphrase that the desktop's keyring keeps, the keys that were added alone, or none.\n" +
			"The keys that were added open it in any case.\n\n" +
			"What rested with weaker protection before can still be read from the disk by who looks\n" +
			"for it, and from backups.",
		Example: "$ vexa key protect\n$ vexa key protect --keyring\n$ vexa key protect --keys\n$ vexa key protect --passphrase-file new --unlock-file old",
		Args:    grammar.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			given := 0
			for _, is := range []bool{o.PassphraseFile != "", o.Keyring, o.Keys, o.None} {
				if is {
					given++
				}
			}
			if given > 1 {
				return grammar.Usage(cmd, "--passphrase-file, --keyring, --keys and --none exclude each other")
			}
			if err := exclusive(cmd, o.PassphraseFile, o.opening.access.PassphraseFile); err != nil {
				return err
			}
			return runProtect(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.PassphraseFile, "passphrase-file", "", "the new passphrase is in this `file`, - for stdin")
	flags.BoolVar(&o.Keyring, "keyring", false, "the desktop's keyring keeps a random passphrase")
	flags.BoolVar(&o.Keys, "keys", false, "only the keys that were added open it")
	flags.BoolVar(&o.None, "none", false, "no protection but the file's mode")
	o.opening.addFlags(cmd)
	return cmd
}

func runProtect(ctx context.Context, o *ProtectOptions) error {
	f := o.Factory
	s, id, err := o.opening.open(ctx, f)
	if err != nil {
		return err
	}
	with := keys.With{Keyring: o.Keyring, Keys: o.Keys}
	switch {
	case o.PassphraseFile != "":
		with.Passphrase, err = f.ReadSecret(o.PassphraseFile)
	case !o.Keyring && !o.Keys && !o.None:
		with.Passphrase, err = newPassphrase(ctx, f, "New passphrase: ", "use --passphrase-file FILE, --keyring, --keys or --none")
	}
	if err != nil {
		return err
	}
	defer clear(with.Passphrase)
	if err := s.Protect(ctx, id, with); err != nil {
		return err
	}
	now, err := s.Protection()
	if err != nil {
		return err
	}
	f.Notice("protected by: %s", protection(now))
	return nil
}

// newPassphrase asks for a passphrase that is not empty.
func newPassphrase(ctx context.Context, f *factory.Factory, question, instead string) ([]byte, error) {
	if !f.CanPrompt() {
		return nil, fault.New(fault.Usage, "a passphrase is needed, and there is no terminal to ask on", instead)
	}
	passphrase, err := f.NewPassphrase(ctx, question, "try again", instead)
	if err == nil && len(passphrase) == 0 {
		err = fault.New(fault.Usage, "the passphrase is empty", instead)
	}
	return passphrase, err
}
