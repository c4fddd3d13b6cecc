package main

import (
	"context"
	"os"
	"time"

	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/keys"
	"github.com/vexa-ai/vexa/pkg/keys/secretservice"
	"github.com/vexa-ai/vexa/pkg/seal"
)

// keyStore returns the store of an installation's keys.
func keyStore(h home.Home) (*keys.Store, error) {
	plugins, err := keys.LoadPlugins(h.Config)
	if err != nil {
		return nil, err
	}
	return keys.New(keys.Options{
		Dir: h.Keys(), Install: h.InstallID, Plugins: plugins, Keyring: secretservice.New(os.Getenv), Now: time.Now,
	}), nil
}

// openIdentity reads the secret that a client handed over, or with "" the one
// that rests without a passphrase, or whose keyring is open. It asks nobody.
func openIdentity(ctx context.Context, h home.Home, secret string) (*seal.Identity, error) {
	if secret != "" {
		return seal.ParseIdentity(secret)
	}
	s, err := keyStore(h)
	if err != nil {
		return nil, err
	}
	return s.Open(ctx, keys.Access{})
}
