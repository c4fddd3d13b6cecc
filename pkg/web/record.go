package web

import (
	"context"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/web/door"
)

// Event is one thing that passed the door or was refused at it. It holds no secret: a
// session is called by a name that leads to no cookie.
type Event struct {
	Action  string            // one of those below
	Refused string            // why; empty: it was allowed
	Detail  map[string]string // camelCase keys
}

// Trail records events; the audit log is one. Record returns once the event is durable.
type Trail interface {
	Record(ctx context.Context, e Event) error
}

// Actions of events.
const (
	actLink    = "link"     // one was made
	actSignIn  = "sign-in"  // by a link
	actSignOut = "sign-out" // of one session
	actClose   = "close"    // of the port, which ends every session
)

func (o Options) record(ctx context.Context, e Event) error {
	return o.Trail.Record(context.WithoutCancel(ctx), e) // who leaves before the answer was here
}

// refuse records a sign-in that was refused, where few were in the last minute; the next
// record says how many were not. It is refused, recorded or not.
func (s *serving) refuse(r *http.Request, why string) {
	leftOut, ok := s.refusals.note(s.o.Now())
	if !ok {
		return
	}
	detail := browser(r)
	maps.Copy(detail, unrecorded(leftOut))
	if err := s.o.record(r.Context(), Event{Action: actSignIn, Refused: why, Detail: detail}); err != nil {
		s.refusals.back(leftOut + 1)
		s.o.Log.ErrorContext(r.Context(), "record a refused sign-in", "error", err)
	}
}

// unrecorded is the detail that says how many refusals have no record of their own.
func unrecorded(n int) map[string]string {
	if n == 0 {
		return nil
	}
	return map[string]string{"leftOut": strconv.Itoa(n)}
}

func (o Options) linked(ctx context.Context, until time.Time) error {
	return o.record(ctx, Event{Action: actLink, Detail: map[string]string{"until": until.UTC().Format(time.RFC3339)}})
}

func (o Options) cameIn(r *http.Request, cookie string) error {
	detail := browser(r)
	detail["session"] = door.Name(cookie)
	return o.record(r.Context(), Event{Action: actSignIn, Detail: detail})
}

func (o Options) left(r *http.Request, cookie string) {
	if err := o.record(r.Context(), Event{Action: actSignOut, Detail: map[string]string{"session": door.Name(cookie)}}); err != nil {
		o.Log.ErrorContext(r.Context(), "record a sign-out", "error", err)
	}
}

// closed records that whoever was signed in is not any more, and why.
func (s *serving) closed(ctx context.Context, why string) {
	sessions, _ := s.door.Count()
	detail := map[string]string{"why": why, "sessions": strconv.Itoa(sessions)}
	maps.Copy(detail, unrecorded(s.refusals.take()))
	if err := s.o.record(ctx, Event{Action: actClose, Detail: detail}); err != nil {
		s.o.Log.ErrorContext(ctx, "record that the pages were closed", "error", err)
	}
}

// maxBrowser bounds what is recorded of a browser's name, in bytes.
const maxBrowser = 200

// browser is what a browser says of itself, which nobody has to believe.
func browser(r *http.Request) map[string]string {
	name := r.UserAgent()
	// A character that is cut in two is as one that never was whole.
	name = strings.ToValidUTF8(name[:min(len(name), maxBrowser)], "")
	return map[string]string{"browser": name}
}
