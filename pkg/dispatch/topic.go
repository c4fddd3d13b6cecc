package dispatch

import (
	"context"
	"encoding/json"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/stream"
)

// frameContract is what every frame on a topic keeps to.
const frameContract = "ws.v2#Frame"

// OutTopic is the topic of the frames of a unit.
func OutTopic(unit string) string { return "unit:" + unit + ":out" }

// InTopic is the topic of what is asked of a unit's worker.
func InTopic(unit string) string { return "unit:" + unit + ":in" }

// publisher writes the frames of one unit. It numbers them; there is one for
// each unit, used by the goroutine that owns the unit.
type publisher struct {
	log      stream.Log
	now      func() time.Time
	unit     string
	seq      uint64
	agentSeq uint64 // newest of the worker's numbers on the topic
	cursor   stream.Cursor
	bytes    int64 // on the topic
	limit    int64 // bytes to keep there; 0: all
	told     told
	mute     bool // the topic cannot be continued: what would be published is dropped
}

// openPublisher continues the topic where it ends.
func openPublisher(ctx context.Context, log stream.Log, now func() time.Time, unit string) (*publisher, error) {
	p := &publisher{log: log, now: now, unit: unit}
	if err := p.catchUp(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// publisherOf continues the topic of a unit that had not ended. What its last
// owner knew of the topic is not read again.
func (m *Manager) publisherOf(ctx context.Context, id string, e *entry) (*publisher, error) {
	m.mu.Lock()
	p := e.out
	m.mu.Unlock()
	if p != nil && p.catchUp(ctx) == nil {
		return p, nil
	}
	return openPublisher(ctx, m.streams, m.now, id)
}

// catchUp reads what is on the topic after the newest frame that is known.
func (p *publisher) catchUp(ctx context.Context) error {
	const page = 1024
	for {
		entries, err := p.log.Read(ctx, OutTopic(p.unit), p.cursor, page)
		if err != nil || len(entries) == 0 {
			return err
		}
		for _, e := range entries {
			f, err := contract.Decode[wsv2.Frame](frameContract, e.Payload)
			if err != nil {
				return fault.Newf(fault.Internal, "the frame at %s breaks its contract: %w", e.Cursor, err)
			}
			p.seq, p.cursor = f.Seq, e.Cursor
			p.bytes += int64(len(e.Payload))
			p.agentSeq = max(p.agentSeq, f.AgentSeq)
			p.told.note(f)
		}
	}
}

// host publishes a frame that the host vouches for.
func (p *publisher) host(ctx context.Context, turn string, body wsv2.Body) error {
	return p.publish(ctx, wsv2.Frame{Source: wsv2.Host, Turn: turn, Body: body})
}

// agent publishes a frame that came out of the container.
func (p *publisher) agent(ctx context.Context, turn string, agentSeq uint64, body wsv2.Body) error {
	return p.publish(ctx, wsv2.Frame{Source: wsv2.Agent, Turn: turn, AgentSeq: agentSeq, Body: body})
}

func (p *publisher) publish(ctx context.Context, f wsv2.Frame) error {
	if p.mute {
		return nil
	}
	f.Seq, f.TS, f.Unit = p.seq+1, p.now().UTC(), p.unit
	data, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if f.Source == wsv2.Host { // what came from the container was validated where it came in
		if err := contract.Validate(frameContract, data); err != nil {
			return fault.Newf(fault.Internal, "a frame of the host breaks its contract: %w", err)
		}
	}
	cursor, err := p.log.Append(ctx, OutTopic(p.unit), data)
	if err != nil {
		return err
	}
	p.seq, p.cursor = f.Seq, cursor
	p.agentSeq = max(p.agentSeq, f.AgentSeq)
	p.told.note(f)
	p.bytes += int64(len(data))
	return p.trim(ctx, int64(len(data)))
}

// sync makes what was published durable.
func (p *publisher) sync(ctx context.Context) error {
	if p.mute {
		return nil
	}
	return p.log.Sync(ctx, OutTopic(p.unit))
}
