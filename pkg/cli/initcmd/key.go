package initcmd

import (
	"context"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/keys"
	"github.com/vexa-ai/vexa/pkg/seal"
)

// withoutQuestion says how to make a key where nobody can be asked.
const withoutQuestion = "use --yes for a key without passphrase, or --passphrase-file FILE"

// key makes the identity, or takes one over, where there is none.
func (o *Options) key(ctx context.Context, h home.Home, s *keys.Store) error {
	p, err := s.Protection()
	if err != nil {
		return err
	}
	if p != keys.Missing {
		return o.alreadyThere(h)
	}
	var taken *seal.Keychain
	if o.KeyFile != "" { // read before anything else is asked
		if taken, err = seal.ReadKeychain(ctx, o.KeyFile, o.Factory.Person("--unlock-file", o.UnlockFile)); err != nil {
			return err
		}
	}
	with, err := o.protection(ctx)
	if err != nil {
		return err
	}
	defer clear(with.Passphrase)
	doing := o.Factory.Begin("making the key")
	made := "made"
	if taken != nil {
		made = "took over"
		err = s.Adopt(ctx, taken, with)
		o.identity = taken.Classic()
	} else {
		o.identity, err = s.Create(ctx, with)
	}
	doing.End()
	if fault.Is(err, fault.Conflict) {
		o.identity = nil // another process was first
		return o.alreadyThere(h)
	}
	if err != nil {
		return err
	}
	by := "without passphrase: it protects backups and remote copies, not a stolen disk"
	switch {
	case with.Keyring:
		by = "sealed by a passphrase in the desktop keyring"
	case len(with.Passphrase) > 0:
		by = "sealed by your passphrase"
	}
	return o.say("key: %s %s in %s, %s", made, o.identity.Recipient(), h.Keys(), by)
}

// alreadyThere says that no key is made. A key to take over would be lost sight
// of without a word.
func (o *Options) alreadyThere(h home.Home) error {
	if o.KeyFile != "" {
		return fault.New(fault.Conflict, "this installation has a key: "+h.Keys(), "vexa key show describes it; set VEXA_HOME for another installation")
	}
	return o.say("key: already there (%s)", h.Keys())
}

// protection says what is to protect the new key.
func (o *Options) protection(ctx context.Context) (with keys.With, err error) {
	f := o.Factory
	switch {
	case o.Keyring:
		with.Keyring = true
	case o.PassphraseFile != "":
		with.Passphrase, err = f.ReadSecret(o.PassphraseFile)
	case o.Yes:
	case !f.CanPrompt():
		err = fault.New(fault.Usage, "vexa init asks for a passphrase, and there is no terminal to ask on", withoutQuestion)
	default:
		with.Passphrase, err = f.NewPassphrase(ctx, "Passphrase for the key (empty for none): ", "run vexa init again", withoutQuestion)
	}
	return with, err
}

// unlock gives the daemon the key where it is locked.
func (o *Options) unlock(ctx context.Context, c *client.Client, s *keys.Store) error {
	st, err := c.Status(ctx)
	if err != nil || !st.Locked {
		return err
	}
	if o.identity == nil {
		if o.identity, err = o.open(ctx, s); err != nil {
			return err
		}
	}
	return c.Unlock(ctx, api.UnlockRequest{Identity: o.identity.String()})
}

// open opens the key that was there before.
func (o *Options) open(ctx context.Context, s *keys.Store) (*seal.Identity, error) {
	if o.interactive() || o.PassphraseFile != "" {
		return o.Factory.OpenKey(ctx, s, factory.KeyAccess{Flag: "--passphrase-file", PassphraseFile: o.PassphraseFile})
	}
	return s.Open(ctx, keys.Access{})
}
