package web

import (
	"errors"
	"io/fs"
	"os"

	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
)

// Sealer encrypts what a File holds; seal.Identity is one.
type Sealer interface {
	SealBytes(data []byte) ([]byte, error)
	OpenBytes(sealed []byte) ([]byte, error)
}

// File is a Memory in one file, encrypted. It belongs beside the sockets, where a
// reboot removes it.
type File struct {
	Path   string
	Sealer Sealer
}

// Load implements Memory. What another key sealed, or what is damaged, is nothing.
func (f File) Load() ([]byte, error) {
	sealed, err := os.ReadFile(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	data, err := f.Sealer.OpenBytes(sealed)
	if err != nil {
		return nil, f.Remove()
	}
	return data, nil
}

// Store implements Memory.
func (f File) Store(data []byte) error {
	sealed, err := f.Sealer.SealBytes(data)
	if err != nil {
		return err
	}
	return atomicfile.Replace(f.Path, sealed, 0o600)
}

// Remove implements Memory.
func (f File) Remove() error {
	if err := os.Remove(f.Path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
