// Package keys keeps the own keys of an installation: its identity, what
// protects that, the copies of it for other keys of the person's, and what is
// known of the recovery key. What is encrypted how is the business of pkg/seal.
//
//	identity.key       the identity; plain, or locked by a passphrase
//	identity.key.pub   its public half, where it is locked
//	identity.d/*.age   copies of it, each for another key
//	pq.age             the post-quantum identity, for the identity
//	signing.pub        the public half of the signing key
//	recovery.json      the public halves of the recovery key
//
// The one who opens a key is the command line: the daemon asks nobody.
package keys

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/internal/filelock"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/signature"
)

// Missing says that there is no identity yet.
const Missing seal.Protection = "missing"

// Options say where the keys of an installation rest.
type Options struct {
	Dir     string       // of the keys; made, 0700, where it is missing
	Install string       // the install id, by which the keyring tells installations apart
	Plugins seal.Plugins // that keys may be added for
	Keyring Keyring      // the desktop's; nil: there is none
	Cost    int          // of a passphrase, as seal.Lock has it
	Now     func() time.Time
}

// Store keeps the keys of one installation. It holds none of them, and is safe
// for concurrent use; of several processes that change something at once, one
// is refused with fault.Conflict.
type Store struct {
	o      Options
	copies seal.Copies
}

// New returns the store. It touches nothing.
func New(o Options) *Store {
	return &Store{o: o, copies: seal.Copies{Dir: filepath.Join(o.Dir, "identity.d")}}
}

func (s *Store) path(name string) string { return filepath.Join(s.o.Dir, name) }

// File is where the identity rests.
func (s *Store) File() string { return s.path("identity.key") }

// HybridFile is where the post-quantum identity rests; see seal.OpenKeychain.
func (s *Store) HybridFile() string { return s.path("pq.age") }

// Protection says what opens the identity, without opening it. It is Missing
// where there is none, and seal.ByKeys where only copies are left.
func (s *Store) Protection() (seal.Protection, error) {
	k, err := seal.LookAtKeyFile(s.File())
	if !fault.Is(err, fault.NotFound) {
		return k.Protection, err
	}
	list, err := s.copies.List()
	if err != nil {
		return "", err
	}
	if len(list) > 0 {
		return seal.ByKeys, nil
	}
	return Missing, nil
}

// With says what is to protect the identity. The zero value is nothing.
type With struct {
	Passphrase []byte // one that a person knows
	Keyring    bool   // one that the desktop's keyring keeps
	Keys       bool   // the copies for other keys alone
}

// Create makes the identity. It is fault.Conflict where there is one.
func (s *Store) Create(ctx context.Context, with With) (*seal.Identity, error) {
	id, err := seal.NewIdentity()
	if err != nil {
		return nil, err
	}
	k, err := seal.NewKeychain(id, nil)
	if err != nil {
		return nil, err
	}
	return id, s.Adopt(ctx, k, with)
}

// Adopt takes over the keys of another installation, or an age key of the
// person's own. It is fault.Conflict where there is an identity.
func (s *Store) Adopt(ctx context.Context, k *seal.Keychain, with With) error {
	lock, err := s.hold()
	if err != nil {
		return err
	}
	defer lock.Release()
	if p, err := s.Protection(); err != nil || p != Missing {
		return errors.Join(err, fault.New(fault.Conflict, "this installation has a key: "+s.File(), "vexa key show describes it"))
	}
	if ids := k.Identities(); len(ids) > 1 {
		if err := seal.WriteHybrid(s.HybridFile(), ids[0], ids[1]); err != nil {
			return err
		}
	}
	if err := s.write(ctx, k.Classic(), with); err != nil { // the last: from then on there is a key
		return err
	}
	s.publish(k.Classic())
	return nil
}

// Protect changes what protects the identity. What rested before under weaker
// protection may still be read from the disk, or from a backup.
func (s *Store) Protect(ctx context.Context, id *seal.Identity, with With) error {
	lock, err := s.hold()
	if err != nil {
		return err
	}
	defer lock.Release()
	before, err := s.Protection()
	if err != nil {
		return err
	}
	if err := s.write(ctx, id, with); err != nil {
		return err
	}
	if before == seal.ByKeyring && !with.Keyring {
		_ = s.o.Keyring.Delete(ctx, s.o.Install) // it opens nothing any more
	}
	return nil
}

// write puts the identity at rest.
func (s *Store) write(ctx context.Context, id *seal.Identity, with With) error {
	lock := seal.Lock{Passphrase: with.Passphrase, Cost: s.o.Cost}
	switch {
	case with.Keys:
		list, err := s.copies.List()
		if err == nil && len(list) == 0 {
			err = fault.New(fault.Invalid, "no other key opens the identity", "add one first: vexa key add")
		}
		if err != nil {
			return err
		}
		return seal.RemoveKeyFile(s.File(), id)
	case with.Keyring:
		secret, err := s.kept(ctx)
		if err != nil {
			return err
		}
		lock.Passphrase, lock.By = secret, seal.ByKeyring
		defer clear(secret)
	}
	return seal.WriteKeyFile(s.File(), id, lock)
}

// kept returns the passphrase in the keyring, and has it keep a random one where
// it has none. One that is there is used again: the key file may have it.
func (s *Store) kept(ctx context.Context) ([]byte, error) {
	if s.o.Keyring == nil {
		return nil, noKeyring()
	}
	secret, err := s.o.Keyring.Get(ctx, s.o.Install, true)
	if !fault.Is(err, fault.NotFound) {
		return secret, err
	}
	secret = []byte(rand.Text())
	return secret, s.o.Keyring.Put(ctx, s.o.Install, secret)
}

// Add makes a copy of the identity for another key. It reports false where there
// is one.
func (s *Store) Add(id *seal.Identity, to seal.Recipient) (bool, error) {
	lock, err := s.hold()
	if err != nil {
		return false, err
	}
	defer lock.Release()
	switch {
	case to.String() == id.Recipient() || to.String() == seal.PublicHalf(s.HybridFile()):
		return false, fault.New(fault.Invalid, "that is the installation's own key", "give another key of yours")
	case s.copies.Has(to.String()):
		return false, nil
	}
	return true, s.copies.Add(id, to)
}

// Keychain returns every private key of the installation.
func (s *Store) Keychain(id *seal.Identity) (*seal.Keychain, error) {
	return seal.OpenKeychain(id, s.HybridFile())
}

// Signer returns the signing key that belongs to an identity.
func Signer(id *seal.Identity) (signature.Signer, error) { return signature.Derive(id.String()) }

// Identities returns everything that opens what is encrypted to an installation: its
// age keys, and last its signing key, to which members are written that do not read
// (package inbox).
func Identities(chain *seal.Keychain) ([]*seal.Identity, error) {
	signer, err := signature.Derive(chain.Classic().String())
	if err != nil {
		return nil, err
	}
	signing, err := seal.SSHIdentity(signer.Private())
	return append(chain.Identities(), signing), err
}

// publish writes the public half of the signing key down, so that it is known
// while the identity is locked. It can be made again.
func (s *Store) publish(id *seal.Identity) {
	signer, err := Signer(id)
	if err != nil {
		return
	}
	line := []byte(signer.Key().String() + "\n")
	if now, err := os.ReadFile(s.path("signing.pub")); err == nil && bytes.Equal(now, line) {
		return
	}
	_ = atomicfile.WriteFile(s.path("signing.pub"), line, 0o600)
}

// hold keeps other processes from changing the keys.
func (s *Store) hold() (*filelock.Lock, error) {
	if err := os.MkdirAll(s.o.Dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fault.Wrap(fault.Internal, "make the directory of the keys", err)
	}
	return filelock.Acquire(s.path("lock"), "the directory of the keys")
}
