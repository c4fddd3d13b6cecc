package api

import "time"

// Delivery is one row of GET /v1/workspaces/{name}/inbox?limit=: something that a
// member delivered who writes and does not read.
type Delivery struct {
	ID     string         `json:"id"`
	Time   time.Time      `json:"time"`   // when it was stored, or taken up; the zero time: not known
	Size   int64          `json:"size"`   // bytes, as stored; 0 once it was taken up
	Member string         `json:"member"` // name; empty: nobody is known to have signed it
	Refs   []DeliveredRef `json:"refs"`
	State  string         `json:"state"` // waiting | refused | taken
	Why    string         `json:"why"`   // it waits or is refused; empty: it was taken up
}

// DeliveredRef is one ref of a delivery.
type DeliveredRef struct {
	Ref     string `json:"ref"`
	Outcome string `json:"outcome"` // what became of it, in words; empty: nothing yet
}

// DropDelivery is the body of POST /v1/workspaces/{name}/inbox/drop.
type DropDelivery struct {
	ID string `json:"id"`
}
