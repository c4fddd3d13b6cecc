package seal

import (
	"bytes"
	"errors"
	"io/fs"
	"os"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
)

// Work factors of scrypt, as powers of two: what is written (about a second and
// 256 MiB), and the most that is read, so that a planted file cannot take all
// the memory.
const (
	workFactor    = 18
	maxWorkFactor = 20
)

// maxKeyFile bounds how much of a key file is read.
const maxKeyFile = 1 << 16

// magic opens every age file; a file without it is a plain key file.
const magic = "age-encryption.org/"

// WriteKeyFile stores the identity at path, 0600, replacing what was there in
// one step. Locked it is an armoured age file (scrypt), else the text that
// age-keygen writes. A locked file gets a companion (path + ".pub") with the
// recipient, who has the passphrase, and the checksum by which a damaged file
// is told from a wrong passphrase.
func WriteKeyFile(path string, id *Identity, with Lock) error {
	data := id.text()
	if len(with.Passphrase) > 0 {
		var err error
		if data, err = lock(data, with.Passphrase, with.cost()); err != nil {
			return fault.Wrap(fault.Internal, "lock "+path, err)
		}
		if err := writeCompanion(path, id.Recipient(), data, with.by()); err != nil {
			return fault.Wrap(fault.Internal, "write "+companion(path), err)
		}
	}
	if err := atomicfile.WriteFile(path, data, 0o600); err != nil {
		return fault.Wrap(fault.Internal, "write "+path, err)
	}
	if len(with.Passphrase) == 0 {
		if err := os.Remove(companion(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fault.Wrap(fault.Internal, "remove "+companion(path), err)
		}
	}
	return nil
}

// ReadKeyFile loads the identity from path. passphrase is used only where the
// file has one. The error is fault.NotFound, fault.Locked (a passphrase is
// needed and none was given), fault.Denied (it is the wrong one) or
// fault.Invalid (the file is damaged).
func ReadKeyFile(path string, passphrase []byte) (*Identity, error) {
	data, err := readKeyFile(path)
	if err != nil {
		return nil, err
	}
	return openKeyFile(path, data, passphrase, maxWorkFactor)
}

// openKeyFile loads the identity from the contents of the key file at path.
func openKeyFile(path string, data, passphrase []byte, maxLogN int) (*Identity, error) {
	if !locked(data) {
		return parseKeyFile(path, data)
	}
	if len(passphrase) == 0 {
		return nil, fault.New(fault.Locked, "the key "+path+" is locked", "open it with: vexa unlock")
	}
	plain, err := unlock(data, passphrase, maxLogN)
	switch {
	case fault.Is(err, fault.Denied) && !intact(path, data):
		return nil, fault.New(fault.Invalid, "the key file "+path+" is damaged", "restore it from a backup")
	case fault.Is(err, fault.Denied):
		return nil, fault.New(fault.Denied, "the passphrase does not open "+path, "try again, or restore the key file from a backup")
	case err != nil:
		return nil, fault.New(fault.Invalid, "the key file "+path+" is damaged: "+err.Error(), "restore it from a backup")
	}
	return parseKeyFile(path, plain)
}

func readKeyFile(path string) ([]byte, error) {
	data, err := readSecretFile(path)
	if fault.Is(err, fault.NotFound) {
		return nil, fault.New(fault.NotFound, "there is no key at "+path, "make one with: vexa init")
	}
	return data, err
}

// parseKeyFile reads the text form: comments, blank lines and one secret key.
func parseKeyFile(path string, data []byte) (*Identity, error) {
	ids, err := parseIdentities(path, data)
	if err != nil || len(ids) != 1 {
		return nil, fault.New(fault.Invalid, path+" does not hold exactly one age identity", "restore it from a backup")
	}
	return ids[0], nil
}

// locked tells an age file, armoured or not, from the text form. What looks
// like neither is left to parseKeyFile to refuse.
func locked(data []byte) bool {
	data = bytes.TrimSpace(data)
	return bytes.HasPrefix(data, []byte(armor.Header)) || bytes.HasPrefix(data, []byte(magic))
}

func lock(plain, passphrase []byte, logN int) ([]byte, error) {
	recipient, err := age.NewScryptRecipient(string(passphrase))
	if err != nil {
		return nil, err
	}
	recipient.SetWorkFactor(logN)
	var buf bytes.Buffer
	armored := armor.NewWriter(&buf)
	w, err := age.Encrypt(armored, recipient)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(plain)
	if err = errors.Join(err, w.Close(), armored.Close()); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func unlock(data, passphrase []byte, maxLogN int) ([]byte, error) {
	key, err := age.NewScryptIdentity(string(passphrase))
	if err != nil {
		return nil, err
	}
	key.SetMaxWorkFactor(maxLogN)
	return openArmoured(data, key)
}
