package seal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
)

// Keychain holds all private keys of one owner, an installation above all: its
// identity (X25519), and a post-quantum one (hybrid with ML-KEM-768) as soon as
// that was asked for. It is safe for concurrent use.
//
// The post-quantum identity rests sealed to the other one. It protects what
// leaves this machine; whoever has this disk and a quantum computer opens it.
type Keychain struct {
	classic *Identity
	path    string // of the post-quantum identity at rest; empty: it rests nowhere

	mu     sync.Mutex
	hybrid *Identity // nil: there is none yet
}

// NewKeychain returns a keychain of identities in memory; hybrid may be nil. It
// is fault.Invalid where they are not of the two kinds.
func NewKeychain(classic, hybrid *Identity) (*Keychain, error) {
	if classic == nil || classic.public.postQuantum || hybrid != nil && !hybrid.public.postQuantum {
		return nil, fault.New(fault.Invalid, "a keychain needs an identity AGE-SECRET-KEY-1…, and may have one AGE-SECRET-KEY-PQ-1…", "")
	}
	return &Keychain{classic: classic, hybrid: hybrid}, nil
}

// OpenKeychain returns the keychain of an identity whose post-quantum companion
// rests at path, an age file for the identity, where there is one. The error is
// fault.Denied where that file is for another key, and fault.Invalid where it
// is damaged.
func OpenKeychain(classic *Identity, path string) (*Keychain, error) {
	k, err := NewKeychain(classic, nil)
	if err != nil {
		return nil, err
	}
	k.path = path
	if err := k.load(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return k, nil
}

// Classic returns the identity (X25519), from which the signing key is derived.
func (k *Keychain) Classic() *Identity { return k.classic }

// Identities returns the identities to decrypt with: the classic one, then the
// post-quantum one where there is one.
func (k *Keychain) Identities() []*Identity {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.hybrid == nil && k.path != "" {
		_ = k.load() // another process may have made it; what is wrong with it is said where it is asked for
	}
	if k.hybrid == nil {
		return []*Identity{k.classic}
	}
	return []*Identity{k.classic, k.hybrid}
}

// Recipients returns what to encrypt to for this owner: the classic recipient,
// or the post-quantum one, which is made on first demand. Of several processes
// at once one makes it and all return the same.
func (k *Keychain) Recipients(postQuantum bool) ([]Recipient, error) {
	if !postQuantum {
		return []Recipient{k.classic.public}, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.demand(); err != nil {
		return nil, err
	}
	return []Recipient{k.hybrid.public}, nil
}

// demand makes sure that there is a post-quantum identity.
func (k *Keychain) demand() error {
	if k.hybrid != nil {
		return nil
	}
	if k.path != "" {
		if err := k.load(); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	made, err := NewHybridIdentity()
	if err != nil {
		return err
	}
	if k.path == "" {
		k.hybrid = made
		return nil
	}
	if err := k.create(made); err != nil {
		return fault.Wrap(fault.Internal, "make the post-quantum key "+k.path, err)
	}
	return k.load() // another process may have been first
}

// load reads the post-quantum identity at rest.
func (k *Keychain) load() error {
	sealed, err := os.ReadFile(k.path)
	if err != nil {
		return fault.Wrap(fault.Internal, "read the post-quantum key "+k.path, err)
	}
	const hint = "restore it from a backup"
	text, err := k.classic.OpenBytes(sealed)
	if err != nil {
		return &fault.Error{Kind: fault.KindOf(err), Msg: "open the post-quantum key " + k.path, Err: err, Hint: hint}
	}
	id, err := parseKeyFile(k.path, text)
	if err != nil {
		return err
	}
	if !id.public.postQuantum {
		return fault.New(fault.Invalid, k.path+" holds no post-quantum key", hint)
	}
	if readNotes(k.path).recipient != id.Recipient() {
		_ = writeCompanion(k.path, id.Recipient(), sealed, "") // it only shows the public half while locked
	}
	k.hybrid = id
	return nil
}

// create writes the post-quantum identity where there is none.
func (k *Keychain) create(id *Identity) error {
	if err := os.MkdirAll(filepath.Dir(k.path), 0o700); err != nil {
		return err
	}
	sealed, err := k.classic.SealBytes(id.text())
	if err != nil {
		return err
	}
	err = atomicfile.Create(k.path, sealed, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// Text returns the secrets of every identity, in the form that the age tools
// read as an identity file.
func (k *Keychain) Text() []byte {
	var text []byte
	for _, id := range k.Identities() {
		text = append(text, id.text()...)
	}
	return text
}

// Export returns what Text does as an armoured age file that a passphrase
// opens. The stock age command reads it as an identity file.
func (k *Keychain) Export(with Lock) ([]byte, error) {
	if len(with.Passphrase) == 0 {
		return nil, fault.New(fault.Invalid, "the export needs a passphrase: it holds the private keys", "")
	}
	text := k.Text()
	defer clear(text)
	data, err := lock(text, with.Passphrase, with.cost())
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "lock the export", err)
	}
	return data, nil
}

// WriteHybrid puts a post-quantum identity at rest at path, for OpenKeychain to
// find, in place of what may be there.
func WriteHybrid(path string, classic, hybrid *Identity) error {
	if _, err := NewKeychain(classic, hybrid); err != nil {
		return err
	}
	sealed, err := classic.SealBytes(hybrid.text())
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(path, sealed, 0o600); err != nil {
		return fault.Wrap(fault.Internal, "write the post-quantum key "+path, err)
	}
	return writeCompanion(path, hybrid.Recipient(), sealed, "")
}
