package keys

import (
	"context"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/seal"
)

// Access is what a person has to open the identity with. The zero value opens
// one without protection, or one whose keyring is open.
type Access struct {
	Passphrase []byte
	Opener     *seal.Opener // another key of theirs, which has a copy
	Ask        bool         // the keyring may ask the person
}

// Open opens the identity. The error is fault.NotFound where there is none,
// fault.Locked where more is needed, fault.Denied where what is given does not
// open it, and fault.Invalid where it is damaged.
func (s *Store) Open(ctx context.Context, with Access) (*seal.Identity, error) {
	id, err := s.open(ctx, with)
	if err != nil {
		return nil, err
	}
	s.publish(id)
	return id, nil
}

func (s *Store) open(ctx context.Context, with Access) (*seal.Identity, error) {
	if with.Opener != nil {
		return s.openWith(with.Opener)
	}
	p, err := s.Protection()
	switch {
	case err != nil:
		return nil, err
	case p == seal.ByKeys:
		return nil, fault.New(fault.Locked, "the key is locked: only keys that were added open it", "name the file of one: vexa unlock --identity FILE")
	case p == seal.ByKeyring, p == seal.ByPassphrase && len(with.Passphrase) == 0 && seal.PublicHalf(s.File()) == "":
		// Without its companion a key does not say whose passphrase it has.
		return s.openKept(ctx, with.Ask)
	default:
		return seal.ReadKeyFile(s.File(), with.Passphrase)
	}
}

// openKept opens the identity with the passphrase in the keyring.
func (s *Store) openKept(ctx context.Context, ask bool) (*seal.Identity, error) {
	err := noKeyring()
	var secret []byte
	if s.o.Keyring != nil {
		secret, err = s.o.Keyring.Get(ctx, s.o.Install, ask)
	}
	if err != nil {
		return nil, &fault.Error{
			Kind: fault.Locked, Msg: "the key is locked, and the desktop keyring does not give its passphrase", Err: err,
			Hint: "in the desktop session run: vexa unlock; or with a key that was added: vexa unlock --identity FILE",
		}
	}
	defer clear(secret)
	return seal.ReadKeyFile(s.File(), secret)
}

// openWith opens a copy of the identity. What the opener holds may also be the
// identity itself, as an export has it.
func (s *Store) openWith(opener *seal.Opener) (*seal.Identity, error) {
	known := seal.PublicHalf(s.File())
	if k, err := seal.LookAtKeyFile(s.File()); err == nil && k.Recipient != "" {
		known = k.Recipient
	}
	for _, id := range opener.Identities() {
		if id.Recipient() == known {
			return id, nil
		}
	}
	id, err := s.copies.Open(opener)
	if err != nil {
		return nil, err
	}
	if known != "" && id.Recipient() != known {
		return nil, fault.New(fault.Denied, "the copy that this key opens is of another identity, "+id.Recipient(), "see which keys there are: vexa key show")
	}
	return id, nil
}

// ReadOpener reads another key of the person's from a file, which may be one
// that a plugin keeps; see seal.ReadOpener.
func (s *Store) ReadOpener(ctx context.Context, path string, person seal.Prompter) (*seal.Opener, error) {
	return seal.ReadOpener(ctx, path, seal.OpenerOptions{Plugins: s.o.Plugins, Prompter: person})
}

// ParseRecipient reads a recipient, those of the plugins included.
func (s *Store) ParseRecipient(text string) (seal.Recipient, error) {
	return s.o.Plugins.ParseRecipient(text)
}

// Export returns every private key of the installation as an armoured age file
// that a passphrase opens, for Adopt on another machine. It is fault.Invalid
// where the passphrase is empty.
func (s *Store) Export(id *seal.Identity, passphrase []byte) ([]byte, error) {
	k, err := s.Keychain(id)
	if err != nil {
		return nil, err
	}
	return k.Export(seal.Lock{Passphrase: passphrase, Cost: s.o.Cost})
}
