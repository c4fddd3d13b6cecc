package identity

import (
	"crypto/ed25519"
	"encoding/base64"
	"os"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/identityv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
)

// Publish writes the public half of an authority's key to path (0600, base64),
// for verifiers in processes that hold no secret.
func Publish(path string, key ed25519.PrivateKey) error {
	pub := key.Public().(ed25519.PublicKey) //nolint:forcetypeassert // documented by crypto/ed25519
	line := base64.StdEncoding.EncodeToString(pub) + "\n"
	if have, err := os.ReadFile(path); err == nil && string(have) == line {
		return nil
	}
	return atomicfile.WriteFile(path, []byte(line), 0o600)
}

// Published verifies with the key that Publish left at a path, read anew for
// each token: its process may start before there is one.
type Published struct {
	issuer string
	path   string
	now    func() time.Time
}

// NewPublished returns a verifier of the issuer's tokens.
func NewPublished(issuer, path string, now func() time.Time) *Published {
	return &Published{issuer: issuer, path: path, now: now}
}

// Verify is Verifier.Verify; without a published key everything is refused.
func (p *Published) Verify(token, audience, unit string) (identityv1.DispatchToken, error) {
	line, err := os.ReadFile(p.path)
	if err != nil {
		return identityv1.DispatchToken{}, fault.Wrap(fault.Denied, "no token authority is known", err)
	}
	pub, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(line)))
	if err != nil || len(pub) != ed25519.PublicKeySize {
		return identityv1.DispatchToken{}, fault.New(fault.Denied, p.path+" holds no key", "remove it, then vexa daemon stop and start")
	}
	return NewVerifier(p.issuer, pub, p.now).Verify(token, audience, unit)
}
