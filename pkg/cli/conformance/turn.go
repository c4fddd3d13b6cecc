package conformance

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

// turn is what was seen of one turn.
type turn struct {
	unit    string
	done    wsv2.TurnDone
	frames  []wsv2.Body
	first   time.Duration // from the request to the first word of the agent's
	tail    time.Duration // from the agent's last word to the end
	resumed bool
}

// frames of a type.
func of[T wsv2.Body](t turn) (out []T) {
	for _, b := range t.frames {
		if x, ok := b.(T); ok {
			out = append(out, x)
		}
	}
	return out
}

// began notes the first word.
func (t *turn) began(after time.Duration, onFirst func(unit string)) {
	if t.first != 0 {
		return
	}
	t.first = after
	if onFirst != nil {
		onFirst(t.unit)
	}
}

// text is what the deltas come to.
func (t *turn) text() string {
	var b strings.Builder
	for _, d := range of[wsv2.MessageDelta](*t) {
		b.WriteString(d.Text)
	}
	return b.String()
}

// says is the answer.
func (t *turn) says() string { return strings.TrimSpace(t.done.Reply) }

// errors are what the frames and the end say that went wrong.
func (t *turn) errors() string {
	var all []string
	for _, e := range of[wsv2.Error](*t) {
		all = append(all, e.Message)
	}
	if t.done.Error != "" {
		all = append(all, t.done.Error)
	}
	return strings.Join(all, "; ")
}

// errSilent: the turn did not end.
var errSilent = errors.New("the turn did not end")

// saying is something that is said to the runner.
type saying struct {
	text    string
	runner  string            // empty: the one that is tried
	session string            // that goes on; empty: a new one
	tools   []string          // that are granted
	onStart func(unit string) // called when it was accepted; nil: nobody waits for that
	onFirst func(unit string) // called once, at the first word; nil: nobody waits for that
}

// say says something to the runner and waits for the end of the turn.
func (r *run) say(ctx context.Context, what saying) (turn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.Deadline, errSilent)
	defer cancel()
	watch := r.watch(ctx)
	defer watch.stop(r)
	began := time.Now()
	s, err := r.Installation.Start(ctx, api.StartRequest{
		Text: what.text, Session: what.session, Runner: cmp.Or(what.runner, r.Manifest.Name), Tools: what.tools, Workspaces: []api.Grant{{Workspace: Workspace, Mode: "rw"}},
	})
	if err != nil {
		return turn{}, err
	}
	r.unit, r.session = s.Unit, s.Session
	watch.of(s.Unit)
	if what.onStart != nil {
		what.onStart(s.Unit)
	}
	t := turn{unit: s.Unit}
	last := began
	for e, err := range r.Installation.Frames(ctx, s.Unit, client.FrameQuery{From: s.From, Follow: true}) {
		if err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return t, err
		}
		if e.Frame.Turn != "" && e.Frame.Turn != s.Turn {
			continue
		}
		t.frames = append(t.frames, e.Frame.Body)
		if e.Frame.Source == wsv2.Agent {
			last = time.Now()
			t.began(last.Sub(began), what.onFirst)
		}
		switch b := e.Frame.Body.(type) {
		case wsv2.TurnAccepted:
			t.resumed = b.Resumed
		case wsv2.TurnDone:
			t.done, t.tail = b, time.Since(last)
			r.note(t)
			return t, nil
		}
	}
	return t, errSilent
}

// note keeps what a turn tells besides.
func (r *run) note(t turn) {
	r.turns = append(r.turns, t)
	for _, o := range of[wsv2.Opaque](t) {
		if r.unknown == nil {
			r.unknown = map[string]bool{}
		}
		name := o.Event
		if o.Known {
			name += " (of another shape)"
		}
		r.unknown[name] = true
	}
}

// fresh ends the container, so that the next turn has another one.
func (r *run) fresh(ctx context.Context) error {
	if r.unit == "" {
		return nil
	}
	unit := r.unit
	r.unit = ""
	if _, err := r.Installation.Stop(ctx, unit, false); err != nil {
		return err
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		d, err := r.Installation.Dispatch(ctx, unit)
		if err != nil || d.EndedAt != nil {
			return err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return errors.New("the container of dispatch " + unit + " does not end")
}

// end leaves no container.
func (r *run) end(ctx context.Context) { _ = r.fresh(ctx) } // the installation ends what is left
