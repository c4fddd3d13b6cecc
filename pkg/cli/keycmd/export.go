package keycmd

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
)

// ExportOptions is what the command line of vexa key export says.
type ExportOptions struct {
	Factory        *factory.Factory
	To             string
	PassphraseFile string

	opening opening
}

func newExport(f *factory.Factory) *cobra.Command {
	o := &ExportOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the private keys, for another machine or a safe",
		Long: "Writes all private keys of the installation as one age file that a passphrase opens: to\n" +
			"stdout, or to a new file that only you can read. The passphrase is asked for and cannot\n" +
			"be empty. vexa init --key-file takes the file over on another machine, and the stock age\n" +
			"command reads it as an identity file.\n\n" +
			"Whoever has the file and the passphrase is this installation.",
		Example: "$ vexa key export --to vexa-keys.age\n$ vexa key export --passphrase-file passphrase > vexa-keys.age",
		Args:    grammar.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := exclusive(cmd, o.PassphraseFile, o.opening.access.PassphraseFile); err != nil {
				return err
			}
			return runExport(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.To, "to", "", "write to this new `file` instead of stdout")
	cmd.Flags().StringVar(&o.PassphraseFile, "passphrase-file", "", "the export's passphrase is in this `file`, - for stdin")
	o.opening.addFlags(cmd)
	return cmd
}

func runExport(ctx context.Context, o *ExportOptions) error {
	f := o.Factory
	if err := isNew(o.To); err != nil {
		return err
	}
	s, id, err := o.opening.open(ctx, f)
	if err != nil {
		return err
	}
	var passphrase []byte
	if o.PassphraseFile != "" {
		passphrase, err = f.ReadSecret(o.PassphraseFile)
	} else {
		passphrase, err = newPassphrase(ctx, f, "Passphrase for the export: ", "use --passphrase-file FILE, - for stdin")
	}
	if err != nil {
		return err
	}
	defer clear(passphrase)
	data, err := s.Export(id, passphrase)
	if err != nil {
		return err
	}
	if o.To == "" {
		return f.Printf("%s", data)
	}
	if err := create(o.To, data); err != nil {
		return err
	}
	f.Notice("wrote %s; take it over with: vexa init --key-file %s", o.To, o.To)
	return nil
}

// isNew refuses a file that is there, before anything is asked.
func isNew(path string) error {
	if path == "" {
		return nil
	}
	if _, err := os.Lstat(path); err == nil {
		return taken(path)
	}
	return nil
}

// create writes a new file that only this user can read.
func create(path string, data []byte) error {
	err := atomicfile.Create(path, data, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return taken(path)
	}
	if err != nil {
		return fault.Newf(fault.Usage, "write %s: %w", path, err)
	}
	return nil
}
