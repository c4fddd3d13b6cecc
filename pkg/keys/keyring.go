package keys

import (
	"context"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// Keyring keeps a passphrase for each installation in the session of the person:
// the Secret Service of their desktop. It is safe for concurrent use.
//
// Where no service answers, or it does not hold the passphrase, the error is
// fault.NotFound; where the person would have to unlock it first and does not,
// fault.Locked.
type Keyring interface {
	// Get returns the passphrase of an installation. It asks the person to
	// unlock the keyring only where ask says so.
	Get(ctx context.Context, install string, ask bool) ([]byte, error)
	// Put keeps a passphrase, in place of the one that it may have. It may ask.
	Put(ctx context.Context, install string, passphrase []byte) error
	// Delete forgets the passphrase, where it has one. It asks nobody.
	Delete(ctx context.Context, install string) error
}

func noKeyring() error {
	return fault.New(fault.NotFound, "there is no desktop keyring here", "run it in a desktop session with a Secret Service, or use a passphrase")
}
