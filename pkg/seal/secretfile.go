package seal

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// ReadKeychain reads the identities in the file at path: what Keychain.Export
// or Keychain.Text wrote, or an age key file of one's own, plain or with a
// passphrase, which the person is asked for. Errors are those of ReadOpener.
func ReadKeychain(ctx context.Context, path string, person Prompter) (*Keychain, error) {
	data, err := readSecretFile(path)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	if locked(data) {
		if data, err = askAndUnlock(ctx, path, data, person); err != nil {
			return nil, err
		}
		defer clear(data)
	}
	ids, err := parseIdentities(path, data)
	if err != nil {
		return nil, err
	}
	var classic, hybrid *Identity
	for _, id := range ids {
		slot := &classic
		if id.public.postQuantum {
			slot = &hybrid
		}
		if *slot != nil {
			return nil, fault.New(fault.Invalid, path+" holds more than one key of a kind", "give a file with one")
		}
		*slot = id
	}
	if classic == nil {
		return nil, fault.New(fault.Invalid, path+" does not hold an age identity (AGE-SECRET-KEY-1…)", "give what vexa key export or age-keygen wrote")
	}
	return NewKeychain(classic, hybrid)
}

// parseIdentities reads the text form: comments, blank lines and secret keys.
func parseIdentities(path string, data []byte) (ids []*Identity, err error) {
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		id, err := ParseIdentity(line)
		if err != nil {
			return nil, fault.New(fault.Invalid, path+" holds something else than age identities", "give what vexa key export or age-keygen wrote")
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// readSecretFile reads a small file of a person's.
func readSecretFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "there is no file "+path, "name one that exists")
	}
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "read a key", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "read the key "+path, err)
	}
	if len(data) > maxKeyFile {
		return nil, fault.New(fault.Invalid, path+" is too large for a key file", "give what vexa key export or age-keygen wrote")
	}
	return data, nil
}

// askAndUnlock opens an age file that has a passphrase.
func askAndUnlock(ctx context.Context, path string, data []byte, person Prompter) ([]byte, error) {
	passphrase, err := askPassphrase(ctx, path, person)
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	plain, err := unlock(data, passphrase, maxWorkFactor)
	switch {
	case fault.Is(err, fault.Denied):
		return nil, fault.New(fault.Denied, "the passphrase does not open "+path, "try again")
	case err != nil:
		return nil, fault.New(fault.Invalid, path+" is damaged: "+err.Error(), "use another copy of it")
	}
	return plain, nil
}

// askPassphrase asks for the passphrase of the file at path.
func askPassphrase(ctx context.Context, path string, person Prompter) ([]byte, error) {
	if person == nil {
		return nil, fault.New(fault.Locked, path+" needs its passphrase, and nobody can be asked", "run it on a terminal")
	}
	passphrase, err := person.Ask(ctx, "Passphrase of "+path+": ", true)
	if err != nil {
		return nil, err
	}
	if len(passphrase) == 0 {
		return nil, fault.New(fault.Denied, "an empty passphrase does not open "+path, "try again")
	}
	return passphrase, nil
}
