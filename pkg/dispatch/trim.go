package dispatch

import (
	"context"

	"github.com/vexa-ai/vexa/pkg/stream"
)

// trimSlack is the part of its limit by which a topic is trimmed late, so that
// it is not done for each frame.
const trimSlack = 8

// trim drops the oldest frames of a topic that has grown beyond its limit, and
// what was asked of the worker likewise. A reader that had not come so far is
// told, by stream.ErrTrimmed. The newest frame, of the given size, stays
// whatever the limit is: the next one is numbered after it.
func (p *publisher) trim(ctx context.Context, newest int64) error {
	if p.limit <= 0 || p.bytes <= p.limit+p.limit/trimSlack {
		return nil
	}
	keep := stream.Policy{MaxBytes: max(p.limit, newest)}
	for _, topic := range []string{OutTopic(p.unit), InTopic(p.unit)} {
		if err := p.log.Trim(ctx, topic, keep); err != nil {
			return err
		}
	}
	p.bytes = min(p.bytes, keep.MaxBytes)
	return nil
}
