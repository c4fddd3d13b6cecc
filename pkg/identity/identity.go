// Package identity mints and verifies the dispatch token: the proof, carried
// to every boundary, of what one dispatch may do and for whom.
//
// A token is a compact JWS (RFC 7515) over the claims of identity.v1, signed
// with Ed25519 (RFC 8037) and typed vexa-dispatch+jwt (RFC 8725, section 3.11).
// Nothing about the token chooses how it is verified: one algorithm, one type,
// one key, one serialization. Authority comes from the verified claims alone,
// never from the request that carried them.
package identity

import (
	"crypto/ed25519"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/vexa-ai/vexa/pkg/contract/identityv1"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// MaxToken is the longest token in bytes that is minted or looked at. It is
// far below the size of a header that HTTP servers accept.
const MaxToken = 32 << 10

// Types of a granted thing in the claims' authorization_details.
const (
	DetailWorkspace = "workspace"
	DetailTool      = "tool"
	DetailModel     = "model"
)

// boundary is a place that a dispatch passes: who checks the token there, and
// what it is called in the scope claim.
type boundary struct{ audience, scope string }

// boundaries returns those named by their audience, or all of them.
func boundaries(audience []string) (aud []string, scope string) {
	var scopes []string
	for _, b := range []boundary{
		{identityv1.AudienceRuntime, "mount"}, {identityv1.AudienceBroker, "infer"}, {identityv1.AudienceStream, "stream"},
	} {
		if len(audience) == 0 || slices.Contains(audience, b.audience) {
			aud, scopes = append(aud, b.audience), append(scopes, b.scope)
		}
	}
	return aud, strings.Join(scopes, " ")
}

// Options configure an Authority.
type Options struct {
	Issuer string             // the installation: its tokens' iss
	Key    ed25519.PrivateKey // signs; its public half verifies
	Now    func() time.Time   // the clock
	NewID  func() string      // makes a jti; unique over the life of the key
	Epoch  int                // the tokens' epoch claim, which revocation will count
}

// Authority mints dispatch tokens. It is safe for concurrent use.
type Authority struct{ opts Options }

// NewAuthority returns an authority. A key that is not an Ed25519 private key
// shows at the first Mint.
func NewAuthority(opts Options) *Authority { return &Authority{opts: opts} }

// Mint returns a token for the unit, valid from now for ttl at the boundaries
// of these audiences, or at all of them where none is given. Its authority is the unit's workspaces with their modes, its tools and
// the models given; it works on the unit's own socket. It fails with
// fault.Invalid where unit or ttl cannot be put into a valid token.
func (a *Authority) Mint(unit unitv1.Unit, models []string, ttl time.Duration, audience ...string) (string, error) {
	if len(a.opts.Key) != ed25519.PrivateKeySize {
		return "", fault.New(fault.Internal, "the authority has no Ed25519 key", "")
	}
	if ttl < time.Second {
		return "", fault.Newf(fault.Invalid, "a token's life of %s is shorter than a second", ttl)
	}
	claims := a.claims(unit, models, ttl)
	claims.Audience, claims.Scope = boundaries(audience)
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fault.Wrap(fault.Internal, "encode the claims of unit "+unit.ID, err)
	}
	if err := checkShape(payload); err != nil {
		return "", fault.Wrap(fault.Invalid, "mint a token for unit "+unit.ID, err)
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.EdDSA, Key: a.opts.Key},
		(&jose.SignerOptions{}).WithType(identityv1.DispatchTokenType),
	)
	if err != nil {
		return "", fault.Wrap(fault.Internal, "make a signer", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fault.Wrap(fault.Internal, "sign a token", err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		return "", fault.Wrap(fault.Internal, "serialize a token", err)
	}
	if len(token) > MaxToken {
		return "", fault.Newf(fault.Invalid, "the token of unit %s would be %d bytes, over the limit of %d", unit.ID, len(token), MaxToken)
	}
	return token, nil
}

func (a *Authority) claims(unit unitv1.Unit, models []string, ttl time.Duration) identityv1.DispatchToken {
	now := a.opts.Now().Unix()
	return identityv1.DispatchToken{
		Issuer:  a.opts.Issuer,
		Subject: unit.Identity.Subject,
		Actor: identityv1.Actor{
			Subject: "agent:" + unit.Runner,
			Actor:   &identityv1.Actor{Subject: unit.Identity.Launcher},
		},
		Details:   details(unit, models),
		Unit:      unit.ID,
		Trigger:   string(unit.Trigger),
		IssuedAt:  now,
		NotBefore: now,
		Expires:   now + int64(ttl/time.Second),
		ID:        a.opts.NewID(),
		Confirm:   &identityv1.Confirm{Socket: unit.ID},
		Epoch:     a.opts.Epoch,
	}
}

func details(unit unitv1.Unit, models []string) []identityv1.Detail {
	out := make([]identityv1.Detail, 0, len(unit.Workspaces)+len(unit.Tools)+len(models))
	for _, w := range unit.Workspaces {
		out = append(out, identityv1.Detail{Type: DetailWorkspace, ID: w.ID, Mode: string(w.Mode)})
	}
	for _, t := range unit.Tools {
		out = append(out, identityv1.Detail{Type: DetailTool, ID: t})
	}
	for _, m := range models {
		out = append(out, identityv1.Detail{Type: DetailModel, ID: m})
	}
	return out
}

// AllowsMount reports whether the claims grant the workspace in at least the
// mode: a grant of rw allows ro too, never the other way round.
func AllowsMount(claims identityv1.DispatchToken, workspaceID string, mode unitv1.Mode) bool {
	if mode != unitv1.ReadOnly && mode != unitv1.ReadWrite {
		return false
	}
	return slices.ContainsFunc(claims.Details, func(d identityv1.Detail) bool {
		return d.Type == DetailWorkspace && d.ID == workspaceID && workspaceID != "" &&
			(d.Mode == string(mode) || d.Mode == string(unitv1.ReadWrite))
	})
}

// AllowsModel reports whether the claims grant the model of exactly this name.
func AllowsModel(claims identityv1.DispatchToken, model string) bool {
	return slices.Contains(Models(claims), model)
}

// Models returns the models the claims grant, in their order.
func Models(claims identityv1.DispatchToken) []string { return granted(claims, DetailModel) }

// Tools returns the tools the claims grant, in their order.
func Tools(claims identityv1.DispatchToken) []string { return granted(claims, DetailTool) }

func granted(claims identityv1.DispatchToken, kind string) []string {
	var out []string
	for _, d := range claims.Details {
		if d.Type == kind && d.ID != "" {
			out = append(out, d.ID)
		}
	}
	return out
}

// HasScope reports whether the claims' scope holds the word.
func HasScope(claims identityv1.DispatchToken, scope string) bool {
	return slices.Contains(strings.Fields(claims.Scope), scope)
}
