// Package cardv1 holds the Go types of the contract proactive-card.v1: a
// proposed action that waits for a person.
package cardv1

import (
	"encoding/json"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
)

// Kind says how a card is presented.
type Kind string

// The kinds.
const (
	Suggestion Kind = "suggestion"
	Alert      Kind = "alert"
	Digest     Kind = "digest"
)

// State is where a card is in its life.
type State string

// The states. A card leaves Proposed once, and Approved once.
const (
	Proposed State = "proposed"
	Approved State = "approved"
	Rejected State = "rejected"
	Applied  State = "applied"
	Failed   State = "failed"
	Expired  State = "expired"
)

// Card is one proposal.
type Card struct {
	ID         string     `json:"id"`   // ULID
	Unit       string     `json:"unit"` // the dispatch that proposed it
	Owner      string     `json:"owner"`
	Kind       Kind       `json:"kind"`
	Title      string     `json:"title"`
	Body       string     `json:"body,omitempty"` // Markdown
	Proposal   Proposal   `json:"proposal"`
	State      State      `json:"state"`
	ExpiresAt  time.Time  `json:"expiresAt"` // UTC
	DedupeKey  string     `json:"dedupeKey"`
	Provenance Provenance `json:"provenance"`
	TS         time.Time  `json:"ts"` // UTC
}

// Proposal is what approving does: exactly one member is set.
type Proposal struct {
	Patch *Patch `json:"patch,omitempty"`
	Call  *Call  `json:"call,omitempty"`
}

// Patch changes a workspace.
type Patch struct {
	Workspace string `json:"workspace"` // id
	Base      string `json:"base"`      // the commit that Diff applies to
	Diff      string `json:"diff"`      // as git diff prints it
}

// Call calls a tool with exactly these arguments.
type Call struct {
	Tool            string          `json:"tool"`
	Arguments       json.RawMessage `json:"arguments"`       // a JSON object
	ArgumentsDigest string          `json:"argumentsDigest"` // ijson.Digest of Arguments
}

// Provenance says where a proposal comes from.
type Provenance struct {
	Launcher string         `json:"launcher"`
	Trigger  unitv1.Trigger `json:"trigger"`
	Turn     string         `json:"turn,omitempty"`
	CallID   string         `json:"callId,omitempty"` // the tool call that was gated
	Sources  []Source       `json:"sources,omitempty"`
}

// Source is something a proposal rests on.
type Source struct {
	URI   string `json:"uri"`
	Quote string `json:"quote,omitempty"`
}
