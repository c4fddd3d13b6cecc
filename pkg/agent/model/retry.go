package model

import (
	"context"
	"errors"
	"time"

	"github.com/vexa-ai/vexa/pkg/internal/sleep"
)

// Backoff bounds the attempts of Retry.
type Backoff struct {
	Attempts int           // in all, where the provider fails; at least 1
	First    time.Duration // before the second attempt, then doubling
	Max      time.Duration // of one wait, also where the provider asks for more

	// Where the way to the provider breaks, which is a broker that starts again:
	LostFirst time.Duration // before the next attempt, then doubling
	LostMax   time.Duration // of one wait
	Lost      time.Duration // of all waits together, counted anew once an answer begins
	Broken    int           // how many answers may break off after they began

	// Wait waits; nil waits on the clock.
	Wait func(ctx context.Context, d time.Duration) error
}

// DefaultBackoff gives a provider that fails about half a minute, and a broker
// that is gone as long as the worker gives it.
func DefaultBackoff() Backoff {
	return Backoff{
		Attempts: 6, First: time.Second, Max: 15 * time.Second,
		LostFirst: 100 * time.Millisecond, LostMax: 2 * time.Second, Lost: time.Minute, Broken: 5,
	}
}

// Retry returns a Model that repeats a request of m which failed with a
// transient error, as long as nothing of the answer was passed on, and one whose
// connection was lost in any case: no call of an answer is run before it is
// whole, so that asking again repeats nothing that was done, and a reader does
// not see the same words twice. Everything else fails at once; a 400 above all,
// with which the broker says that a limit is reached.
func Retry(m Model, b Backoff) *Retrying {
	if b.Wait == nil {
		b.Wait = sleep.For
	}
	return &Retrying{model: m, backoff: b}
}

// Retrying is a Model that repeats requests; see Retry.
type Retrying struct {
	model   Model
	backoff Backoff
}

// Stream implements Model.
func (r *Retrying) Stream(ctx context.Context, req Request, yield func(Delta)) (Response, error) {
	tell := newRetelling(yield)
	p := patience{Backoff: r.backoff, attempts: 1, pause: r.backoff.First, lostPause: r.backoff.LostFirst}
	var last Response // that has any words
	for {
		tell.begin()
		resp, err := r.model.Stream(ctx, req, tell.delta)
		if err == nil {
			tell.end()
			return resp, nil
		}
		if resp.Message.Text != "" {
			last = resp
		}
		var e *Error
		if !errors.As(err, &e) {
			return last, err
		}
		pause, again := p.next(e, tell.said)
		if !again {
			return last, err
		}
		if err := r.backoff.Wait(ctx, pause); err != nil {
			return last, err
		}
	}
}

// patience counts the failures of one request.
type patience struct {
	Backoff
	attempts  int
	pause     time.Duration
	lostPause time.Duration
	lost      time.Duration // waited
	broken    int
}

// next says how long to wait before the next attempt, if there is to be one.
func (p *patience) next(e *Error, said bool) (time.Duration, bool) {
	switch {
	case !e.Transient, said && !e.Lost:
		return 0, false
	case !e.Lost:
		p.attempts++
		pause := min(max(p.pause, e.RetryAfter), p.Max)
		p.pause *= 2
		return pause, p.attempts <= p.Attempts
	}
	if said {
		p.broken++
		p.lost, p.lostPause = 0, p.LostFirst
	}
	pause := p.lostPause
	p.lost += pause
	p.lostPause = min(2*p.lostPause, p.LostMax)
	return pause, p.broken <= p.Broken && p.lost <= p.Lost
}
