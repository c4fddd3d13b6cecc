package identity

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/identityv1"
	"github.com/vexa-ai/vexa/pkg/contract/ijson"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// Leeway is how far the clock of the issuer may run ahead of the verifier's:
// it is added to "not before" only, never to "expires".
const Leeway = 30 * time.Second

// Reason says why a token was refused. It is safe to record and to show.
type Reason string

// The reasons, in the order of the checks. The claims of a token are looked at
// only after its signature holds.
const (
	Malformed     Reason = "malformed"     // no compact JWS, or claims that break identity.v1
	BadAlgorithm  Reason = "bad-algorithm" // any but EdDSA
	BadType       Reason = "bad-type"      // any but vexa-dispatch+jwt
	BadSignature  Reason = "bad-signature"
	WrongIssuer   Reason = "wrong-issuer"
	WrongAudience Reason = "wrong-audience"
	WrongUnit     Reason = "wrong-unit" // another dispatch's, or not bound to this one's socket
	Expired       Reason = "expired"
	NotYet        Reason = "not-yet"
)

// Refused is the error of a token that does not hold. It is always wrapped as
// fault.Denied, and carries no part of the token.
//
//nolint:errname // it says what happened; "RefusedError" would say less
type Refused struct {
	Reason Reason
	Detail string
}

// Error names the reason.
func (r *Refused) Error() string {
	if r.Detail == "" {
		return string(r.Reason)
	}
	return string(r.Reason) + ": " + r.Detail
}

// ReasonOf returns the reason in err's chain, and "" where there is none.
func ReasonOf(err error) Reason {
	if r, ok := errors.AsType[*Refused](err); ok {
		return r.Reason
	}
	return ""
}

func refuse(reason Reason, detail string) error {
	return fault.Wrap(fault.Denied, "dispatch token refused", &Refused{Reason: reason, Detail: detail})
}

// Verifier verifies the tokens of one issuer. It is safe for concurrent use.
type Verifier struct {
	issuer string
	pub    ed25519.PublicKey
	now    func() time.Time

	mu     sync.Mutex
	signed map[string]identityv1.DispatchToken // claims of tokens whose form and signature hold
}

// maxSigned is how many tokens are remembered: one for each of many dispatches. An
// agent makes no request without another, and each was verified before.
const maxSigned = 256

// NewVerifier returns a verifier for the issuer's public key.
func NewVerifier(issuer string, pub ed25519.PublicKey, now func() time.Time) *Verifier {
	return &Verifier{issuer: issuer, pub: slices.Clone(pub), now: now}
}

// Verify returns the claims of a token that holds for the audience and the
// unit. An empty unit skips the comparison with the unit alone, for a boundary
// that learns it from the claims and compares it itself. The error is a
// *Refused, wrapped as fault.Denied. What the claims hold is not to be changed.
//
// Form and signature of a token that comes again, byte for byte, are not verified
// again; what it is good for, and when, always is.
func (v *Verifier) Verify(token, audience, unit string) (identityv1.DispatchToken, error) {
	claims, err := v.claims(token)
	if err == nil {
		err = v.check(claims, audience, unit)
	}
	if err != nil {
		return identityv1.DispatchToken{}, err
	}
	return claims, nil
}

// claims are those of a token whose form and signature hold.
func (v *Verifier) claims(token string) (identityv1.DispatchToken, error) {
	v.mu.Lock()
	claims, known := v.signed[token]
	v.mu.Unlock()
	if known {
		return claims, nil
	}
	payload, err := v.open(token)
	if err != nil {
		return claims, err
	}
	if err := checkShape(payload); err != nil {
		return claims, refuse(Malformed, err.Error())
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return claims, refuse(Malformed, "the claims are not those of a dispatch token")
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.signed == nil || len(v.signed) >= maxSigned {
		v.signed = map[string]identityv1.DispatchToken{}
	}
	v.signed[strings.Clone(token)] = claims
	return claims, nil
}

// open checks form, header and signature, and returns the signed bytes.
func (v *Verifier) open(token string) ([]byte, error) {
	if len(token) > MaxToken {
		return nil, refuse(Malformed, "too long")
	}
	if err := checkHeader(token); err != nil {
		return nil, err
	}
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		return nil, refuse(Malformed, "not a compact JWS")
	}
	if len(v.pub) != ed25519.PublicKeySize {
		return nil, refuse(BadSignature, "the verifier has no key")
	}
	payload, err := parsed.Verify(v.pub)
	if err != nil {
		return nil, refuse(BadSignature, "")
	}
	return payload, nil
}

// checkHeader holds the protected header to alg and typ alone: a member beyond
// these (crit, b64, jwk, kid, …) is refused, so that nothing a sender writes
// there is ever interpreted.
func checkHeader(token string) error {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return refuse(Malformed, "not three parts")
	}
	var raw []byte
	for i, part := range parts {
		// The decoder skips line breaks and, unless strict, ignores trailing bits:
		// both would give one token several spellings.
		if strings.ContainsAny(part, "\r\n") {
			return refuse(Malformed, "not base64url")
		}
		data, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil {
			return refuse(Malformed, "not base64url")
		}
		if i == 0 {
			raw = data
		}
	}
	parsed, err := ijson.Parse(raw)
	if err != nil {
		return refuse(Malformed, "the header "+err.Error())
	}
	members, ok := parsed.(map[string]any)
	if !ok || len(members) != 2 {
		return refuse(Malformed, "the header is not alg and typ alone")
	}
	if members["alg"] != string(jose.EdDSA) {
		return refuse(BadAlgorithm, "")
	}
	if members["typ"] != identityv1.DispatchTokenType {
		return refuse(BadType, "")
	}
	return nil
}

func (v *Verifier) check(c identityv1.DispatchToken, audience, unit string) error {
	now := v.now()
	switch {
	case c.Issuer != v.issuer:
		return refuse(WrongIssuer, "")
	case audience == "" || !slices.Contains(c.Audience, audience):
		return refuse(WrongAudience, "not for "+audience)
	case unit != "" && c.Unit != unit:
		return refuse(WrongUnit, "")
	case c.Confirm == nil || c.Confirm.Socket != c.Unit:
		return refuse(WrongUnit, "not bound to its unit's socket")
	case c.Expires <= c.IssuedAt || c.Expires <= c.NotBefore:
		return refuse(Malformed, "expires before it begins")
	case now.Unix() >= c.Expires:
		return refuse(Expired, "")
	case now.Add(Leeway).Unix() < c.NotBefore || now.Add(Leeway).Unix() < c.IssuedAt:
		return refuse(NotYet, "")
	default:
		return nil
	}
}

// checkShape holds claims to identity.v1. Validate reads I-JSON: a member that
// stands twice is refused, so that two readers of a token read the same one.
func checkShape(payload []byte) error {
	return contract.Validate("identity.v1#DispatchToken", payload)
}
