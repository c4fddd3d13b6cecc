package model

import (
	"context"
	"errors"
	"time"
)

// Backoff bounds the attempts of Retry.
type Backoff struct {
	Attempts int           // in all; at least 1
	First    time.Duration // before the second attempt, then doubling
	Max      time.Duration // of one wait, also where the provider asks for more
	// Wait waits; nil waits on the clock.
	Wait func(ctx context.Context, d time.Duration) error
}

// DefaultBackoff tries for about half a minute.
func DefaultBackoff() Backoff {
	return Backoff{Attempts: 6, First: time.Second, Max: 15 * time.Second}
}

// Retry returns a Model that repeats a request of m which failed with a
// transient error, as long as nothing of the answer was passed on: a reader
// must not see the same words twice. Everything else fails at once; a 400
// above all, with which the broker says that a limit is reached.
func Retry(m Model, b Backoff) *Retrying {
	if b.Wait == nil {
		b.Wait = wait
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
	pause := r.backoff.First
	for attempt := 1; ; attempt++ {
		said := false
		resp, err := r.model.Stream(ctx, req, func(d Delta) {
			said = true
			yield(d)
		})
		var e *Error
		if err == nil || said || attempt >= r.backoff.Attempts || !errors.As(err, &e) || !e.Transient {
			return resp, err
		}
		if waitErr := r.backoff.Wait(ctx, min(max(pause, e.RetryAfter), r.backoff.Max)); waitErr != nil {
			return resp, waitErr
		}
		pause *= 2
	}
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
