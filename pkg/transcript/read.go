package transcript

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"

	"github.com/vexa-ai/vexa/pkg/stream"
)

// page is how many records are read at once.
const page = 64

// span is where the records of one exchange are.
type span struct {
	before stream.Cursor // the first of them follows it
	last   stream.Cursor
	pieces int  // of the request
	whole  bool // the request is there, and all of it
}

// Read yields what was recorded of a unit, in the order of sending. One request
// at a time is held. A number that is missing is one that is not kept any more,
// or that was not sent since it could not be recorded. The last element may be
// an error.
func (l *Log) Read(ctx context.Context, unit string) iter.Seq2[Exchange, error] {
	return func(yield func(Exchange, error) bool) {
		spans, err := l.index(ctx, Topic(unit))
		if err != nil {
			yield(Exchange{}, err)
			return
		}
		for _, number := range slices.Sorted(maps.Keys(spans)) {
			if !spans[number].whole {
				continue
			}
			x, err := l.exchange(ctx, Topic(unit), number, spans[number])
			if errors.Is(err, stream.ErrTrimmed) {
				continue // it was too old meanwhile
			}
			if !yield(x, err) || err != nil {
				return
			}
		}
	}
}

// each calls fn with every record after a cursor, until it says that it is done.
func (l *Log) each(ctx context.Context, topic string, after stream.Cursor, fn func(before stream.Cursor, e stream.Entry, r record, squeezed []byte) (done bool, err error)) error {
	for {
		entries, err := l.o.Streams.Read(ctx, topic, after, page)
		if err != nil || len(entries) == 0 {
			return err
		}
		for _, e := range entries {
			r, squeezed, err := decode(e.Payload)
			if err != nil {
				return err
			}
			done, err := fn(after, e, r, squeezed)
			if done || err != nil {
				return err
			}
			after = e.Cursor
		}
	}
}

// index finds the records of each exchange.
func (l *Log) index(ctx context.Context, topic string) (map[int]*span, error) {
	spans := map[int]*span{}
	return spans, l.each(ctx, topic, "", func(before stream.Cursor, e stream.Entry, r record, _ []byte) (bool, error) {
		s := spans[r.Number]
		if s == nil {
			s = &span{before: before}
			spans[r.Number] = s
		}
		s.last = e.Cursor
		switch r.Kind {
		case kindBody:
			s.pieces++
		case kindSent:
			s.whole = s.pieces == r.Pieces
		default:
		}
		return false, nil
	})
}

// newest returns the greatest number of a topic, 0 where there is none.
func (l *Log) newest(ctx context.Context, topic string) (int, error) {
	spans, err := l.index(ctx, topic)
	number := 0
	for n := range spans {
		number = max(number, n)
	}
	return number, err
}

// exchange reads one exchange.
func (l *Log) exchange(ctx context.Context, topic string, number int, s *span) (Exchange, error) {
	x := Exchange{Number: number}
	err := l.each(ctx, topic, s.before, func(_ stream.Cursor, e stream.Entry, r record, squeezed []byte) (bool, error) {
		if r.Number != number {
			return false, nil
		}
		err := x.take(r, squeezed)
		return e.Cursor == s.last, err
	})
	if x.EndedAt.IsZero() {
		x.Answer.Bytes = int64(len(x.Answer.Data))
	}
	return x, err
}

// take adds what one record says.
func (x *Exchange) take(r record, squeezed []byte) (err error) {
	switch r.Kind {
	case kindBody:
		x.Request.Data, err = expand(x.Request.Data, squeezed)
	case kindSent:
		x.Turn, x.Provider, x.Model, x.Protocol, x.Client, x.URL, x.Headers = r.Turn, r.Provider, r.Model, r.Protocol, r.Client, r.URL, r.Headers
		x.Request.Bytes, x.Request.Redacted = r.Bytes, r.Redacted
		x.Attempts = append(x.Attempts, Attempt{At: r.At})
	case kindAgain:
		x.attempt(r)
		x.Attempts = append(x.Attempts, Attempt{At: r.At})
	case kindAnswer:
		x.Answer.Data, err = expand(x.Answer.Data, squeezed)
	case kindEnded:
		x.attempt(r)
		x.EndedAt = r.At
		x.Ended = Ended{Outcome: r.Outcome, Status: r.Status, Error: r.Error, InputTokens: r.Input, OutputTokens: r.Output, Estimated: r.Guessed}
		x.Answer.Bytes, x.Answer.Cut, x.Answer.Redacted = r.Bytes, r.Cut, r.Redacted
	}
	return err
}

// attempt says how the newest attempt ended.
func (x *Exchange) attempt(r record) {
	if n := len(x.Attempts); n > 0 {
		x.Attempts[n-1].Status, x.Attempts[n-1].Error = r.Status, r.Error
	}
}
