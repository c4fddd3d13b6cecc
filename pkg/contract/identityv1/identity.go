// Package identityv1 holds the Go types of the contract identity.v1: the
// shapes kept from the public predecessor and the dispatch token's claims.
package identityv1

// DispatchTokenType is the JOSE typ header of a dispatch token.
const DispatchTokenType = "vexa-dispatch+jwt"

// The audiences of a dispatch token; each boundary checks its own.
const (
	AudienceRuntime = "vexa:runtime"
	AudienceBroker  = "vexa:broker"
	AudienceStream  = "vexa:stream"
)

// DispatchToken is the claim set of a dispatch token: a JWS (RFC 7515) over a
// JWT (RFC 7519), EdDSA with Ed25519 only (RFC 8037), with an actor chain as in
// RFC 8693 and authorization_details as in RFC 9396. Times are Unix seconds.
type DispatchToken struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"` // the person; never changes along the chain
	Actor     Actor    `json:"act"` // the agent, then its launcher
	Audience  []string `json:"aud"`
	Scope     string   `json:"scope"` // space separated
	Details   []Detail `json:"authorization_details"`
	Grant     string   `json:"grant,omitempty"`
	Unit      string   `json:"unit"`
	Trigger   string   `json:"trig"`
	IssuedAt  int64    `json:"iat"`
	NotBefore int64    `json:"nbf"`
	Expires   int64    `json:"exp"`
	ID        string   `json:"jti"`
	Confirm   *Confirm `json:"cnf,omitempty"`
	Epoch     int      `json:"epoch"`
}

// Actor is one link of the delegation chain.
type Actor struct {
	Subject string `json:"sub"`
	Actor   *Actor `json:"act,omitempty"`
}

// Detail is one granted thing. Type is "workspace", "tool" or "model".
type Detail struct {
	Type      string `json:"type"`
	ID        string `json:"id"`             // workspace id, tool name or model name
	Mode      string `json:"mode,omitempty"` // ro | rw, for a workspace
	Arguments any    `json:"arguments,omitempty"`
}

// Confirm binds the token to its channel (RFC 7800).
type Confirm struct {
	Socket string `json:"socket"` // the unit whose broker socket the token works on
}
