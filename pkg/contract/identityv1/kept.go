package identityv1

import "time"

// The shapes below are kept from the public predecessor, with its names on the
// wire, so that its meeting services and Vexa understand each other.

// Scope is what a ScopedToken may be used for.
type Scope string

// The scopes.
const (
	ScopeBot     Scope = "bot"     // control meeting bots
	ScopeTx      Scope = "tx"      // read transcripts
	ScopeBrowser Scope = "browser" // use browser sessions
)

// ScopedToken is an API token of the meeting services, without its secret.
type ScopedToken struct {
	Subject   string     `json:"subject"`
	Scopes    []Scope    `json:"scopes"`
	ExpiresAt *time.Time `json:"expires_at"` // nil: never
	Email     string     `json:"email,omitempty"`
	IssuedAt  *time.Time `json:"issued_at,omitempty"`
}

// ResourceKind is a kind of thing that access is decided over.
type ResourceKind string

// The kinds of resource.
const (
	ResourceTranscript ResourceKind = "meeting_transcript"
	ResourceRecording  ResourceKind = "recording"
	ResourceSubscribe  ResourceKind = "ws_subscribe"
)

// Action is what is attempted on a resource.
type Action string

// The actions.
const (
	ActionRead  Action = "read"
	ActionWrite Action = "write"
	ActionAdmin Action = "admin"
)

// AccessDecision is what was decided about one access.
type AccessDecision struct {
	Allow        bool         `json:"allow"`
	Subject      string       `json:"subject"`
	ResourceKind ResourceKind `json:"resource_kind"`
	ResourceID   string       `json:"resource_id"`
	Action       Action       `json:"action"`
	Reason       string       `json:"reason"` // owner | not-owner | default-deny | missing-scope | token-expired
}

// WorkspaceGrant is a workspace and how it may be mounted.
type WorkspaceGrant struct {
	ID   string `json:"id"`
	Mode string `json:"mode"` // ro | rw
}

// DispatchClaims are the predecessor's claims of a dispatch. Vexa reads them;
// what it mints and verifies is a DispatchToken.
type DispatchClaims struct {
	Subject    string           `json:"sub"`
	Launcher   string           `json:"lch"`
	Workspaces []WorkspaceGrant `json:"ws"`
	Tools      []string         `json:"tools,omitzero"`
	IssuedAt   int64            `json:"iat"` // Unix seconds
	Expires    int64            `json:"exp"` // Unix seconds
}
