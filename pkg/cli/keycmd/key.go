// Package keycmd holds the commands about the keys of the installation: what
// there is, what opens it, and the way back when something is lost.
package keycmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/keys"
	"github.com/vexa-ai/vexa/pkg/seal"
)

// New returns the command vexa key.
func New(f *factory.Factory) *cobra.Command {
	return grammar.Group("key", "The keys of this installation",
		newShow(f), newIntroduce(f), newAdd(f), newProtect(f), newExport(f), newRecovery(f))
}

// opening is what the flags say about opening the installation's key.
type opening struct{ access factory.KeyAccess }

func (o *opening) addFlags(cmd *cobra.Command) {
	o.access.Flag = "--unlock-file"
	cmd.Flags().StringVar(&o.access.PassphraseFile, "unlock-file", "", "open the key with the passphrase in this `file`, - for stdin")
	cmd.Flags().StringVar(&o.access.Identity, "identity", "", "open the key with the private key in this `file`")
}

// open opens the installation's key.
func (o *opening) open(ctx context.Context, f *factory.Factory) (*keys.Store, *seal.Identity, error) {
	_, s, err := f.OpenKeys()
	if err != nil {
		return nil, nil, err
	}
	id, err := f.OpenKey(ctx, s, o.access)
	return s, id, err
}

// exclusive refuses more than one of two flags that read stdin.
func exclusive(cmd *cobra.Command, a, b string) error {
	if a == "-" && b == "-" {
		return grammar.Usage(cmd, "one passphrase alone can be read from stdin")
	}
	return nil
}

// taken is the error for a file that is there and is not overwritten.
func taken(path string) error {
	return fault.New(fault.Conflict, "there is a file "+path+", and it is not overwritten", "choose another name, or remove it first")
}
