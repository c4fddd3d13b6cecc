package web

import (
	"context"
	"net/http"
	"strconv"
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

// refuse records a sign-in that was refused. It is refused, recorded or not.
func (o Options) refuse(r *http.Request, why string) {
	if err := o.record(r.Context(), Event{Action: actSignIn, Refused: why, Detail: browser(r)}); err != nil {
		o.Log.ErrorContext(r.Context(), "record a refused sign-in", "error", err)
	}
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
func (o Options) closed(ctx context.Context, d *door.Door, why string) {
	sessions, _ := d.Count()
	if err := o.record(ctx, Event{Action: actClose, Detail: map[string]string{"why": why, "sessions": strconv.Itoa(sessions)}}); err != nil {
		o.Log.ErrorContext(ctx, "record that the pages were closed", "error", err)
	}
}

// browser is what a browser says of itself, which nobody has to believe.
func browser(r *http.Request) map[string]string {
	return map[string]string{"browser": r.UserAgent()}
}
