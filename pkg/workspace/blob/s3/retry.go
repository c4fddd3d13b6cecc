package s3

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/vexa-ai/vexa/pkg/internal/sleep"
)

const (
	firstPause = 50 * time.Millisecond
	longPause  = 2 * time.Second
	// slowest is the rate, in bytes a second, below which an upload counts as
	// one that does not end.
	slowest = 16 << 10
)

// request is one thing that is asked of the server, as often as it takes.
type request struct {
	op   string // for messages: "create"
	name string // the blob, or ""
	size int64  // of what it sends or receives, in bytes; it has more time for more
	// unbounded says that its attempts may take any time as long as bytes move.
	unbounded bool
}

// try calls do until it succeeds, fails for good, or has failed for the budget:
// its own time counts up to the stall for each attempt, so that a large upload
// that breaks off late is tried again, too. What do returns is an error of the
// client's, or blob.ErrExist, or errAgain; what try returns is for callers, but
// for errTaken and errGone. Where ctx ended it has the error of ctx.
func (s *Store) try(ctx context.Context, r request, do func(context.Context) error) error {
	within := ctx
	if !r.unbounded {
		bounded, cancel := context.WithTimeout(ctx, s.budget+time.Duration(r.size/slowest)*time.Second)
		defer cancel()
		within = bounded
	}
	start, pause, last := time.Now(), firstPause, errStall.Error()
	var failed time.Duration
	renewed := false
	for {
		if err := s.usable(ctx, r); err != nil {
			return err
		}
		began := time.Now()
		err := do(within)
		switch {
		case err == nil:
			return nil
		case within.Err() != nil:
			return s.givenUp(ctx, r, last, time.Since(start))
		case !renewed && expired(err):
			renewed = true
			s.creds.Expire()
			continue
		}
		if final := s.judge(r.op, r.name, err); !errors.Is(final, errAgain) {
			return final
		}
		last = understand(err).text
		wait := pause/2 + rand.N(pause/2) //nolint:gosec // it spreads requests, it guards nothing
		failed += min(time.Since(began), s.stall) + wait
		if failed > s.budget || sleep.For(within, wait) != nil {
			return s.givenUp(ctx, r, last, time.Since(start))
		}
		pause = min(2*pause, longPause)
	}
}

// usable fails where ctx ended or the store was closed.
func (s *Store) usable(ctx context.Context, r request) error {
	if ctx.Err() != nil {
		return s.ended(ctx, r.op, r.name)
	}
	return s.isClosed()
}

// givenUp says why nothing is tried any more.
func (s *Store) givenUp(ctx context.Context, r request, last string, asked time.Duration) error {
	if ctx.Err() != nil {
		return s.ended(ctx, r.op, r.name)
	}
	return s.unavailable(r.op, r.name, last, asked)
}
