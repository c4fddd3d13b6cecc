package seal

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

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
// one step. With a passphrase it is an armoured age file (scrypt), without one
// the text that age-keygen writes. A locked file gets a companion
// (path + ".pub") with the recipient and the checksum by which a damaged file
// is told from a wrong passphrase.
func WriteKeyFile(path string, id *Identity, passphrase []byte) error {
	return writeKeyFile(path, id, passphrase, workFactor)
}

func writeKeyFile(path string, id *Identity, passphrase []byte, logN int) error {
	data := []byte("# public key: " + id.Recipient() + "\n" + id.String() + "\n")
	if len(passphrase) > 0 {
		var err error
		if data, err = lock(data, passphrase, logN); err != nil {
			return fault.Wrap(fault.Internal, "lock "+path, err)
		}
		if err := writeCompanion(path, id.Recipient(), data); err != nil {
			return fault.Wrap(fault.Internal, "write "+companion(path), err)
		}
	}
	if err := atomicfile.WriteFile(path, data, 0o600); err != nil {
		return fault.Wrap(fault.Internal, "write "+path, err)
	}
	if len(passphrase) == 0 {
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
		return nil, fault.New(fault.Locked, "the key "+path+" is locked", "run 'vexa unlock'")
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

// KeyFileLocked reports whether the key file at path needs a passphrase.
func KeyFileLocked(path string) (bool, error) {
	data, err := readKeyFile(path)
	return err == nil && locked(data), err
}

func readKeyFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "there is no key at "+path, "run 'vexa init'")
	}
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "read the key", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "read the key "+path, err)
	}
	if len(data) > maxKeyFile {
		return nil, fault.New(fault.Invalid, path+" is too large for a key file", "")
	}
	return data, nil
}

// parseKeyFile reads the text form: comments, blank lines and one secret key.
func parseKeyFile(path string, data []byte) (*Identity, error) {
	var found *Identity
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		id, err := ParseIdentity(line)
		if err != nil || found != nil {
			return nil, fault.New(fault.Invalid, path+" does not hold exactly one age identity", "restore it from a backup")
		}
		found = id
	}
	if found == nil {
		return nil, fault.New(fault.Invalid, path+" does not hold an age identity", "restore it from a backup")
	}
	return found, nil
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
	var src io.Reader = bytes.NewReader(data)
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte(armor.Header)) {
		src = armor.NewReader(src)
	}
	plain, err := open(src, key)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(plain)
}
