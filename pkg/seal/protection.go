package seal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
)

// Protection says what opens a key file.
type Protection string

// The protections.
const (
	Unprotected  Protection = "none"       // whoever reads the file has the key
	ByPassphrase Protection = "passphrase" // a passphrase that a person knows
	ByKeyring    Protection = "keyring"    // a passphrase that the desktop's keyring keeps
	ByKeys       Protection = "keys"       // there is no key file; its copies for other keys are left
)

// Lock is what a key file is locked with. The zero value leaves it open.
type Lock struct {
	Passphrase []byte
	By         Protection // who has the passphrase; empty: a person
	Cost       int        // of scrypt, as a power of two; 0: about a second and 256 MiB
}

func (l Lock) by() Protection {
	if l.By == "" {
		return ByPassphrase
	}
	return l.By
}

func (l Lock) cost() int {
	if l.Cost == 0 {
		return workFactor
	}
	return l.Cost
}

// KeyFile is what can be seen of a key file without opening it.
type KeyFile struct {
	Protection Protection
	Recipient  string // age1…; empty where the companion of a locked file is lost
}

// RemoveKeyFile removes the key file of id at path, and leaves the companion
// that names its recipient. Copies of it must be there.
func RemoveKeyFile(path string, id *Identity) error {
	if err := writeCompanion(path, id.Recipient(), nil, ""); err != nil {
		return fault.Wrap(fault.Internal, "write "+companion(path), err)
	}
	err := os.Remove(path)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = atomicfile.SyncDir(filepath.Dir(path))
	}
	return fault.Wrap(fault.Internal, "remove "+path, err)
}

// LookAtKeyFile looks at the key file at path. The error is fault.NotFound, or
// fault.Invalid where it is no key file.
func LookAtKeyFile(path string) (KeyFile, error) {
	data, err := readKeyFile(path)
	if err != nil {
		return KeyFile{}, err
	}
	if !locked(data) {
		id, err := parseKeyFile(path, data)
		if err != nil {
			return KeyFile{}, err
		}
		return KeyFile{Protection: Unprotected, Recipient: id.Recipient()}, nil
	}
	n := readNotes(path)
	k := KeyFile{Protection: ByPassphrase, Recipient: n.recipient}
	if f, ok := n.of(data); ok && f.by != "" {
		k.Protection = f.by
	}
	return k, nil
}
