package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/seal"
)

// keys keeps the identity in a key file.
type keys struct{}

func identityPath(h home.Home) string { return filepath.Join(h.Keys(), "identity.key") }

// State implements factory.Keys.
func (keys) State(h home.Home) (factory.KeyState, error) {
	key, err := seal.LookAtKeyFile(identityPath(h))
	switch {
	case errors.Is(err, fs.ErrNotExist) || fault.Is(err, fault.NotFound):
		return factory.KeyMissing, nil
	case err != nil:
		return "", err
	case key.Protection != seal.Unprotected:
		return factory.KeySealed, nil
	default:
		return factory.KeyPlain, nil
	}
}

// Create implements factory.Keys.
func (keys) Create(h home.Home, passphrase []byte) (string, error) {
	if err := os.MkdirAll(h.Keys(), 0o700); err != nil {
		return "", err
	}
	id, err := seal.NewIdentity()
	if err != nil {
		return "", err
	}
	if err := seal.WriteKeyFile(identityPath(h), id, seal.Lock{Passphrase: passphrase}); err != nil {
		return "", err
	}
	return id.Recipient(), nil
}

// Open implements factory.Keys.
func (keys) Open(h home.Home, passphrase []byte) (string, error) {
	id, err := seal.ReadKeyFile(identityPath(h), passphrase)
	if err != nil {
		return "", err
	}
	return id.String(), nil
}

// openIdentity reads the secret that a client handed over, or with "" the one
// that rests without a passphrase.
func openIdentity(h home.Home, secret string) (*seal.Identity, error) {
	if secret == "" {
		return seal.ReadKeyFile(identityPath(h), nil)
	}
	return seal.ParseIdentity(secret)
}
