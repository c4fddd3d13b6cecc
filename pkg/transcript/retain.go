package transcript

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vexa-ai/vexa/pkg/stream"
)

// Remove drops the transcript of a unit.
func (l *Log) Remove(ctx context.Context, unit string) error {
	return l.o.Streams.Remove(ctx, Topic(unit))
}

// Trim drops what the limits do not keep: requests that are too old, and of the
// dispatches that have ended the oldest transcripts, where they are too large
// together. Live says which units have not ended; it is asked after the
// transcripts were listed. One that fails keeps no other from being trimmed.
func (l *Log) Trim(ctx context.Context, now time.Time, live func() map[string]bool) error {
	topics, err := l.o.Streams.Topics(ctx)
	if err != nil {
		return fmt.Errorf("list the transcripts: %w", err)
	}
	units := live()
	var failed error
	total := int64(0)
	for _, topic := range slices.Backward(topics) { // ids of units sort by time: the newest first
		unit, ok := unitOf(topic)
		if !ok {
			continue
		}
		size, err := l.age(ctx, topic, now)
		if err == nil && !units[unit] {
			total += size
			if most := l.o.Limits.Bytes; size == 0 || most > 0 && total > most {
				err = l.Remove(ctx, unit)
			}
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("trim the transcript of unit %s: %w", unit, err))
		}
	}
	return failed
}

// age drops the requests that are too old, and returns how many bytes are left.
// Topics go by the time of day; now is what is believed of it.
func (l *Log) age(ctx context.Context, topic string, now time.Time) (int64, error) {
	if most := l.o.Limits.Age; most > 0 {
		ahead := max(l.o.Now().Sub(now), 0)
		if err := l.o.Streams.Trim(ctx, topic, stream.Policy{MaxAge: most + ahead}); err != nil {
			return 0, err
		}
	}
	return l.o.Streams.Size(ctx, topic)
}
