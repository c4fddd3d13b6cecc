package api

import "time"

// Refusal is one request that the runtime kernel refused, as its socket tells
// the daemon.
type Refusal struct {
	ID     string    `json:"id"` // says nothing but which one it is
	At     time.Time `json:"at"`
	Unit   string    `json:"unit,omitempty"` // that the request named
	Reason string    `json:"reason"`
}
