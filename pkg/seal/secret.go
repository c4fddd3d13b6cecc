package seal

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
)

// maxSecret bounds the secrets kept by LoadOrCreateSecret, in bytes.
const maxSecret = 4096

// LoadOrCreateSecret returns the secret of size bytes kept at path as an age
// file for id (0600), and makes a random one where the file is missing. Of
// several processes at once one makes it and all return the same bytes. The
// error is fault.Denied where the file is sealed for another key, fault.Invalid
// where it is damaged or holds another number of bytes.
func LoadOrCreateSecret(path string, id *Identity, size int) ([]byte, error) {
	if size < 16 || size > maxSecret {
		return nil, fault.New(fault.Invalid, "a secret of "+strconv.Itoa(size)+" bytes: the size must be from 16 to "+strconv.Itoa(maxSecret), "")
	}
	secret, err := loadSecret(path, id, size)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	if err := createSecret(path, id, size); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fault.Wrap(fault.Internal, "make the secret "+path, err)
	}
	return loadSecret(path, id, size)
}

func loadSecret(path string, id *Identity, size int) ([]byte, error) {
	sealed, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "read the secret "+path, err)
	}
	secret, err := id.OpenBytes(sealed)
	if err != nil {
		return nil, &fault.Error{Kind: fault.KindOf(err), Msg: "open the secret " + path, Err: err, Hint: "restore it from a backup"}
	}
	if len(secret) != size {
		return nil, fault.New(fault.Invalid, "the secret "+path+" holds "+strconv.Itoa(len(secret))+" bytes, not "+strconv.Itoa(size), "restore it from a backup")
	}
	return secret, nil
}

func createSecret(path string, id *Identity, size int) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	secret := make([]byte, size)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	sealed, err := id.SealBytes(secret)
	if err != nil {
		return err
	}
	return atomicfile.Create(path, sealed, 0o600)
}
