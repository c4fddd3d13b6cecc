package keycmd

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/keys"
)

// RecoveryOptions is what the command line of vexa key recovery says.
type RecoveryOptions struct {
	Factory *factory.Factory
	To      string
	Replace bool

	opening opening
}

func newRecovery(f *factory.Factory) *cobra.Command {
	o := &RecoveryOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "recovery",
		Short: "Make a recovery key, and show it once",
		Long: "Makes a key that opens everything this installation can open, for the day on which its\n" +
			"own key or passphrase is lost. The private key is shown on the terminal once, or written\n" +
			"to a new file; only its public half is kept here. Keep it on paper or on a stick, away\n" +
			"from this machine: whoever has it can read everything.\n\n" +
			"vexa unlock --identity FILE opens the installation with it. With --replace another one\n" +
			"takes its place; what was encrypted to the old one before, it opens still.",
		Example: "$ vexa key recovery\n$ vexa key recovery --to /media/stick/vexa-recovery.txt\n$ vexa key recovery --replace",
		Args:    grammar.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runRecovery(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.To, "to", "", "write the private key to this new `file` instead of the terminal")
	cmd.Flags().BoolVar(&o.Replace, "replace", false, "make another one in place of the one that there is")
	o.opening.addFlags(cmd)
	return cmd
}

func runRecovery(ctx context.Context, o *RecoveryOptions) error {
	f := o.Factory
	if err := isNew(o.To); err != nil {
		return err
	}
	h, s, err := f.OpenKeys()
	if err != nil {
		return err
	}
	if !o.Replace { // said before anything is asked
		before, err := s.Recovery()
		if err != nil {
			return err
		}
		if before != nil {
			return keys.HasRecovery(*before)
		}
	}
	s, id, err := o.opening.open(ctx, f)
	if err != nil {
		return err
	}
	k, err := keys.NewRecovery()
	if err != nil {
		return err
	}
	text := k.Text()
	defer clear(text)
	if err := handOver(ctx, o, text); err != nil { // before anything counts on it
		return err
	}
	r, err := s.SetRecovery(id, k, o.Replace)
	if err != nil {
		return err
	}
	f.Notice("the recovery key is %s", r.Recipient)
	tellWorkspaces(ctx, f, h)
	return nil
}

// handOver gives the private key to the person: as a file, or on the terminal,
// where they say that they have it.
func handOver(ctx context.Context, o *RecoveryOptions, text []byte) error {
	f := o.Factory
	made := f.Now().UTC().Format(time.DateOnly)
	if o.To != "" {
		head := "# Recovery key of a Vexa installation, made on " + made + ". Whoever has it can read everything.\n" +
			"# vexa unlock --identity FILE opens the installation with it; age -d -i FILE opens what is sealed\n" +
			"# (age 1.3 or later; for an older one leave the line out that begins with AGE-SECRET-KEY-PQ-).\n"
		return create(o.To, append([]byte(head), text...))
	}
	const instead = "use --to FILE"
	if !f.MayAsk() {
		return fault.New(fault.Usage, "the recovery key is shown on a terminal, and there is none to show it on", instead)
	}
	_, err := f.Ask(ctx, "\nThis is the recovery key of this installation, made on "+made+". It opens everything when your\n"+
		"key or passphrase is lost, and it is shown only now. Copy both lines that begin with\n"+
		"AGE-SECRET-KEY to paper or to a stick, and keep them away from this machine.\n\n"+
		secrets(text)+"\nPress Enter when you have them; Ctrl-C to have made none. ", instead)
	return err
}

// secrets are the lines to copy: the comments beside them fill a screen.
func secrets(text []byte) string {
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}
