// Package inboxv1 holds the Go types of the contract bucket-inbox.v1: what a member
// of an encrypted bucket that writes and does not read is told, and what it delivers.
package inboxv1

import "github.com/vexa-ai/vexa/pkg/contract/manifestv1"

// The values of Kind.
const (
	KindNotice   = "notice"
	KindDelivery = "delivery"
)

// Notice tells those who may write and not read what it takes to deliver.
type Notice struct {
	Kind           string      `json:"kind"`    // notice
	Bucket         string      `json:"bucket"`  // id
	Version        int         `json:"version"` // of the membership
	Epoch          int         `json:"epoch"`
	Recipient      string      `json:"recipient"` // of the epoch: age1… or age1pq1…
	ObjectFormat   string      `json:"objectFormat"`
	Administrators []string    `json:"administrators"` // SSH public keys that sign the next notice
	Depositors     []Depositor `json:"depositors"`
	Time           string      `json:"time"` // RFC 3339, by the writer's clock
}

// Depositor is one member that may write and not read.
type Depositor struct {
	Signer string             `json:"signer"` // fingerprint
	Rights []manifestv1.Right `json:"rights"`
}

// Delivery is what such a member signs: what refs are to become.
type Delivery struct {
	Kind         string   `json:"kind"`   // delivery
	Bucket       string   `json:"bucket"` // id
	ID           string   `json:"id"`     // ULID
	Epoch        int      `json:"epoch"`  // whose key it is encrypted to
	ObjectFormat string   `json:"objectFormat"`
	Updates      []Update `json:"updates"`
	Requires     []string `json:"requires,omitempty"` // commits that were delivered before
	Pack         *Pack    `json:"pack,omitempty"`     // nil: there are no new objects
	Time         string   `json:"time"`               // RFC 3339, by the writer's clock
}

// Update is what one ref is to become.
type Update struct {
	Ref string `json:"ref"`
	ID  string `json:"id"` // object id, hexadecimal
}

// Pack names the objects of a delivery.
type Pack struct {
	SHA256  string `json:"sha256"` // of the pack as it is stored
	Size    int64  `json:"size"`   // in bytes, as it is stored
	Objects int64  `json:"objects"`
}
