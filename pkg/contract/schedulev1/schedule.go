// Package schedulev1 holds the Go types of the contract schedule.v1, which is
// kept from the public predecessor: an HTTP request to be made later. Its names
// on the wire are in snake_case, as they were there.
package schedulev1

import (
	"encoding/json"
	"errors"
	"math"
	"time"
)

// ScheduleJob is one job: exactly one of ExecuteAt and Cron is set.
type ScheduleJob struct {
	ExecuteAt      *Instant                   `json:"execute_at,omitempty"`
	Cron           string                     `json:"cron,omitempty"` // five fields
	Request        Request                    `json:"request"`
	Retry          *Retry                     `json:"retry,omitempty"`
	IdempotencyKey string                     `json:"idempotency_key,omitempty"` // a second job with the same key is the first one
	Metadata       map[string]json.RawMessage `json:"metadata,omitzero"`         // tags of the caller's, opaque
}

// Request is what is requested when the job is due.
type Request struct {
	Method  string            `json:"method,omitempty"` // default POST
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers,omitzero"`
	Body    json.RawMessage   `json:"body,omitempty"`    // an object is sent as JSON, a string as it is
	Timeout int               `json:"timeout,omitempty"` // seconds; default 30
}

// Retry says what happens when the request fails.
type Retry struct {
	MaxAttempts int       `json:"max_attempts,omitempty"` // default 3
	Backoff     []float64 `json:"backoff,omitzero"`       // seconds before each further attempt; the last one is used again
	Attempt     *int      `json:"attempt,omitempty"`      // attempts so far; default 0
}

// Instant is a point in time as it was written: Unix seconds, or text.
type Instant struct {
	Unix float64
	Text string // ISO 8601; empty where the time was given as Unix seconds
}

// Time returns the instant in UTC. Text must be as in RFC 3339.
func (i Instant) Time() (time.Time, error) {
	if i.Text != "" {
		t, err := time.Parse(time.RFC3339, i.Text)
		return t.UTC(), err
	}
	sec, frac := math.Modf(i.Unix)
	return time.Unix(int64(sec), int64(frac*1e9)).UTC(), nil
}

// MarshalJSON writes the instant as it was read.
func (i Instant) MarshalJSON() ([]byte, error) {
	if i.Text != "" {
		return json.Marshal(i.Text)
	}
	return json.Marshal(i.Unix)
}

// UnmarshalJSON reads a number or a string that is not empty.
func (i *Instant) UnmarshalJSON(data []byte) error {
	*i = Instant{}
	if len(data) == 0 || data[0] != '"' {
		return json.Unmarshal(data, &i.Unix)
	}
	if err := json.Unmarshal(data, &i.Text); err != nil {
		return err
	}
	if i.Text == "" {
		return errors.New("a time is empty")
	}
	return nil
}
