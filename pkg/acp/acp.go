// Package acp makes a runner of any agent that speaks the Agent Client Protocol,
// version 1: JSON-RPC over its standard streams.
//
// The bridge runs in the container, in the agent's place. It starts the agent, says
// one message to it, as an editor would, and prints what it tells as lines of the
// dialect acp. It is trusted no more than the agent, and believes none of what it
// says: lines, answers and waits are bounded, and whatever it does not know it passes
// on as it came.
package acp

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/prompt"
	"github.com/vexa-ai/vexa/pkg/runner/dialect"
)

// ErrInterrupted reports that the context ended the turn.
var ErrInterrupted = errors.New("the turn was interrupted")

// Config is one turn.
type Config struct {
	Argv   []string // the agent's program and its arguments
	Env    []string // its whole environment
	Dir    string   // its working directory, absolute; the session's, too
	Resume string   // the session to go on with; "": a new one
	Auth   string   // the method by which the agent is to sign itself in; "": it is not told to
	Tools  Tools    // what the dispatch was granted

	MaxLine  int           // bytes of a message of the agent's; 0: dialect.DefaultMaxLine
	Patience time.Duration // for each answer before the turn begins; 0: two minutes
	Grace    time.Duration // for an agent that was told to cancel; 0: 2.5 seconds
	Ending   time.Duration // for an agent that is to end, before it is told to, and again before it is killed; 0: a second

	In  io.Reader // the message
	Out io.Writer // events of the dialect acp
	Err io.Writer // what the agent says on standard error
}

// Tools are an MCP server over HTTP.
type Tools struct {
	URL   string // "": there are none
	Token string
}

func (c Config) withDefaults() Config {
	if c.MaxLine <= 0 {
		c.MaxLine = dialect.DefaultMaxLine
	}
	for _, d := range []struct {
		member   *time.Duration
		fallback time.Duration
	}{{&c.Patience, 2 * time.Minute}, {&c.Grace, 2500 * time.Millisecond}, {&c.Ending, time.Second}} {
		if *d.member <= 0 {
			*d.member = d.fallback
		}
	}
	return c
}

// Run runs one turn. The events on Out tell the story, the last of them how it ended;
// the error says the same: nil, ErrInterrupted, or why it failed. When it returns the
// agent's process group is gone.
func Run(ctx context.Context, c Config) error {
	c = c.withDefaults()
	events := &emitter{w: c.Out}
	end, err := run(ctx, c, events)
	if err != nil && ctx.Err() != nil {
		err = ErrInterrupted
	}
	return errors.Join(err, events.result(end, err))
}

// ending is what the agent says at the end of a turn.
type ending struct {
	StopReason string          `json:"stopReason"`
	Usage      json.RawMessage `json:"usage"`
}

func run(ctx context.Context, c Config, events *emitter) (ending, error) {
	text, err := prompt.Read(c.In)
	if err != nil {
		return ending{}, err
	}
	a, err := start(c)
	if err != nil {
		return ending{}, err
	}
	p := newPeer(a.out, a.in, c.MaxLine, events)
	end, err := turn(ctx, c, p, text)
	code := a.end(ctx.Err() == nil)
	p.wait()
	switch {
	case errors.Is(err, errGone):
		err = a.died(code)
	case err == nil:
		err = events.failed()
	}
	return end, err
}

// turn says the message and waits for the end of what the agent does.
func turn(ctx context.Context, c Config, p *peer, text string) (ending, error) {
	s, err := open(ctx, c, p)
	if err != nil {
		return ending{}, err
	}
	p.begin(s)
	raw, err := p.call(ctx, "session/prompt", map[string]any{
		"sessionId": s, "prompt": []any{map[string]any{"type": "text", "text": text}},
	}, 0)
	if ctx.Err() != nil && !errors.Is(err, errGone) {
		raw, err = p.cancel(context.WithoutCancel(ctx), s, c.Grace, raw, err)
	}
	if err != nil {
		return ending{}, err
	}
	var end ending
	_ = json.Unmarshal(raw, &end) // what has another shape says nothing
	if p.cancelled.Load() {
		return end, ErrInterrupted
	}
	return end, p.judge(end.StopReason)
}

// judge says what a reason to stop means. One that the protocol will have one day is
// no failure.
func (p *peer) judge(reason string) error {
	switch reason {
	case "":
		return fault.New(fault.Invalid, "the agent ended the turn and does not say why (stopReason)", "")
	case "max_tokens":
		p.events.warn(fault.New(fault.Invalid, "the answer was cut at the model's limit of tokens", ""))
	case "max_turn_requests":
		return fault.New(fault.Failed, "the agent stopped after as many requests to the model as it makes in a turn", "send a message to let it go on")
	case "refusal":
		return fault.New(fault.Failed, "the agent refuses to go on", "")
	case "cancelled":
		return fault.New(fault.Failed, "the agent cancelled the turn, which nobody asked of it", "")
	}
	return nil
}
