// Package audit records what passed a boundary and what was refused there.
//
// A record says who (unit, subject, launcher), where (boundary), what (action),
// how it went (effect, reason) and a few facts. It never holds contents: no
// prompt, no file, no token, no key. The log is append-only and ordered; it is
// as durable and as confidential as the journal it is kept in.
package audit

import (
	"context"
	"encoding/json"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
	"github.com/vexa-ai/vexa/pkg/journal"
)

// Effect is what a boundary decided.
type Effect string

// The effects.
const (
	Allow Effect = "allow"
	Deny  Effect = "deny"
)

// Boundary names the place that decided.
type Boundary string

// The boundaries.
const (
	Runtime   Boundary = "runtime"   // mounts of a workload
	Inference Boundary = "inference" // a request to a model
	Stream    Boundary = "stream"    // a worker's reports
	Tool      Boundary = "tool"      // a call of a tool
	Web       Boundary = "web"       // a sign-in to the pages of the browser
)

// Event is one entry. Unit, Subject and Launcher are empty where there is no
// unit yet.
type Event struct {
	Unit     string            `json:"unit,omitempty"`
	Subject  string            `json:"subject,omitempty"`
	Launcher string            `json:"launcher,omitempty"`
	Boundary Boundary          `json:"boundary"`
	Action   string            `json:"action"`           // kebab-case, for example "messages" or "link"
	Effect   Effect            `json:"effect"`           // what was decided
	Reason   string            `json:"reason,omitempty"` // why, for a denial
	Detail   map[string]string `json:"detail,omitempty"` // ids, names, counts; camelCase keys
}

// Limits of an event's free members. A longer text is cut, since a denial must
// be recorded whatever the other side wrote into it.
const (
	MaxText    = 256 // bytes of a reason or a detail
	MaxDetails = 16
)

// Entry is an event as it was recorded.
type Entry struct {
	Seq uint64    `json:"-"` // position in the log, from 1
	At  time.Time `json:"at"`
	Event
}

// Journal is where the log is kept; *journal.Journal is one. Append returns
// once the payload is durable.
type Journal interface {
	Append(ctx context.Context, payload []byte) (uint64, error)
	Read(from uint64, limit int) ([]journal.Record, error)
}

// Log is an append-only log of events. It is as safe for concurrent use as its
// journal.
type Log struct {
	journal Journal
	now     func() time.Time
}

// Open returns the log that the journal holds.
func Open(j Journal, now func() time.Time) *Log { return &Log{journal: j, now: now} }

var (
	namePattern   = textform.Name{First: textform.Lower, Rest: textform.Lower + textform.Digit + "-", Max: 64}
	detailPattern = textform.Name{First: textform.Lower, Rest: textform.Alnum, Max: 32}
)

// Record appends the event and returns once it is durable. The error is
// fault.Invalid where the event is none.
func (l *Log) Record(ctx context.Context, e Event) error {
	if err := check(e); err != nil {
		return err
	}
	e.Reason = clean(e.Reason)
	if len(e.Detail) > 0 {
		detail := make(map[string]string, len(e.Detail))
		for k, v := range e.Detail {
			detail[k] = clean(v)
		}
		e.Detail = detail
	}
	payload, err := json.Marshal(Entry{At: l.now().UTC(), Event: e})
	if err != nil {
		return fault.Wrap(fault.Internal, "encode an audit record", err)
	}
	if _, err := l.journal.Append(ctx, payload); err != nil {
		return fault.Wrap(fault.Internal, "append to the audit log", err)
	}
	return nil
}

func check(e Event) error {
	switch {
	case !namePattern.MatchString(string(e.Boundary)):
		return fault.Newf(fault.Invalid, "an audit record needs a boundary, not %q", e.Boundary)
	case !namePattern.MatchString(e.Action):
		return fault.Newf(fault.Invalid, "an audit record needs an action, not %q", e.Action)
	case e.Effect != Allow && e.Effect != Deny:
		return fault.Newf(fault.Invalid, "an audit record's effect is allow or deny, not %q", e.Effect)
	case e.Effect == Deny && e.Reason == "":
		return fault.New(fault.Invalid, "the audit record of a denial needs a reason", "")
	case len(e.Detail) > MaxDetails:
		return fault.Newf(fault.Invalid, "an audit record has at most %d details, not %d", MaxDetails, len(e.Detail))
	}
	for k := range e.Detail {
		if !detailPattern.MatchString(k) {
			return fault.Newf(fault.Invalid, "%q is no name of a detail of an audit record", k)
		}
	}
	return nil
}

// clean makes a text printable on one line and at most MaxText bytes long.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
	if len(s) <= MaxText {
		return s
	}
	cut := MaxText - len("…")
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// Read returns up to limit entries with a sequence number of at least from,
// oldest first. A record that does not decode is an error, never skipped.
func (l *Log) Read(from uint64, limit int) ([]Entry, error) {
	records, err := l.journal.Read(from, limit)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "read the audit log", err)
	}
	out := make([]Entry, 0, len(records))
	for _, r := range records {
		e := Entry{Seq: r.Seq}
		if err := json.Unmarshal(r.Payload, &e); err != nil {
			return nil, fault.Newf(fault.Internal, "audit record %d does not decode: %w", r.Seq, err)
		}
		out = append(out, e)
	}
	return out, nil
}
