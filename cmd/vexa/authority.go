package main

import (
	"crypto/ed25519"
	"path/filepath"

	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/identity"
	"github.com/vexa-ai/vexa/pkg/seal"
)

// issuer names the token authority of an installation.
func issuer(h home.Home) string { return "vexa:" + h.InstallID }

// publicKeyPath is where the runtime kernel, which holds no secret, finds the
// authority's public key.
func publicKeyPath(h home.Home) string { return filepath.Join(h.Keys(), "authority.pub") }

// authorityKey loads the signing key of the token authority, making it at
// first, and publishes its public half.
func (p *parts) authorityKey() (ed25519.PrivateKey, error) {
	seed, err := seal.LoadOrCreateSecret(filepath.Join(p.home.Keys(), "authority.age"), p.id, ed25519.SeedSize)
	if err != nil {
		return nil, err
	}
	key := ed25519.NewKeyFromSeed(seed)
	return key, identity.Publish(publicKeyPath(p.home), key)
}
