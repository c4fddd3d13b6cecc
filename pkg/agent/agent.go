// Package agent is the built-in agent, runner "vexa": a small loop of model and
// tools that runs one turn of a conversation over the files of a workspace.
//
// It reads the message, prints the events of the dialect vexa-ndjson as things
// happen, and appends each message of the conversation to the session file
// before it goes on, so that the next process, in another container, continues
// where this one was, even if this one was killed.
package agent

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/vexa-ai/vexa/pkg/agent/model"
	"github.com/vexa-ai/vexa/pkg/agent/tool"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/prompt"
)

const (
	defaultSteps    = 100     // model requests of one turn
	answerTokens    = 8192    // of one model answer
	defaultContext  = 400_000 // bytes of conversation sent at once, about 100,000 tokens
	elideRounds     = 5       // attempts to make a conversation fit
	smallestContext = 4_000   // bytes; a conversation is not shortened below it
)

// ErrInterrupted reports that the context ended the turn.
var ErrInterrupted = errors.New("the turn was interrupted")

// Config is one turn.
type Config struct {
	Model   model.Model
	Name    string // of the model, for the record
	Tools   *tool.Box
	Granted Tools  // what the dispatch was granted besides
	System  string // the system prompt; see SystemPrompt
	State   string // the state directory; sessions lie in its folder "sessions"
	Session string // id of the conversation, which names its file
	Resume  bool   // the conversation exists; otherwise it must not
	Steps   int    // how many model requests the turn may take; 0: a hundred
	Context int    // bytes of conversation that are sent at most; 0: 400,000
	In      io.Reader
	Out     io.Writer
}

// Run runs one turn. The events on Out tell the story, the last of them how it
// ended; the error says the same: nil, ErrInterrupted, or why it failed.
func Run(ctx context.Context, c Config) error {
	events := &emitter{w: c.Out}
	reply, err := run(ctx, c, events)
	if err != nil && ctx.Err() != nil {
		err = ErrInterrupted
	}
	return errors.Join(err, events.result(reply, err))
}

func run(ctx context.Context, c Config, events *emitter) (reply string, err error) {
	text, err := prompt.Read(c.In)
	if err != nil {
		return "", err
	}
	s, err := openSession(c.State, c.Session, c.Resume)
	if err != nil {
		return "", err
	}
	defer s.close()
	end, err := c.Granted.connect(ctx, c.Tools)
	if err != nil {
		return "", err
	}
	defer func() { _ = end() }() // nothing is left to be said
	events.init(c.Session, c.Name)
	if err := s.append(model.Message{Role: model.RoleUser, Text: text}); err != nil {
		return "", err
	}
	t := &turn{config: c, session: s, events: events, budget: c.Context}
	if t.budget <= 0 {
		t.budget = defaultContext
	}
	if reply, err = t.steps(ctx); err != nil {
		return reply, err
	}
	return reply, events.err
}

// turn is the loop's state.
type turn struct {
	config  Config
	session *session
	events  *emitter
	budget  int // bytes of conversation that are sent at most
}

// steps asks the model and runs its calls until it has none. It returns the
// last answer, also with an error.
func (t *turn) steps(ctx context.Context) (reply string, err error) {
	limit := t.config.Steps
	if limit <= 0 {
		limit = defaultSteps
	}
	for range limit {
		resp, err := t.ask(ctx)
		answer := resp.Message
		if err != nil {
			answer.Calls = nil // an incomplete answer's calls are not run
		}
		t.session.name(answer.Calls)
		if answer.Text != "" || len(answer.Calls) > 0 {
			if saveErr := t.session.append(answer); saveErr != nil {
				return reply, errors.Join(err, saveErr)
			}
		}
		if answer.Text != "" {
			reply = answer.Text
			t.events.message(answer.Text)
		}
		if err != nil {
			return reply, err
		}
		if len(answer.Calls) == 0 {
			return reply, t.last(resp)
		}
		if err := t.call(ctx, answer.Calls); err != nil {
			return reply, err
		}
	}
	return reply, fault.Newf(fault.Invalid, "stopped after %d steps without an answer", limit).
		WithHint("send a message to let it go on")
}

// last judges an answer without calls.
func (t *turn) last(resp model.Response) error {
	switch {
	case resp.Stop == model.StopLength:
		t.events.warn(fault.Newf(fault.Invalid, "the answer was cut at %d tokens", answerTokens))
	case resp.Message.Text == "":
		return fault.New(fault.Invalid, "the model answered nothing", "")
	}
	return nil
}

// ask sends the conversation, shortened until it fits.
func (t *turn) ask(ctx context.Context) (model.Response, error) {
	for round := 1; ; round++ {
		messages, size := elide(t.session.messages, t.budget)
		resp, err := t.config.Model.Stream(ctx, model.Request{
			System: t.config.System, Messages: messages, Tools: t.config.Tools.Tools(), MaxTokens: answerTokens,
		}, t.events.delta)
		if err == nil || !model.TooLong(err) || round == elideRounds || size/2 < smallestContext {
			return resp, err
		}
		t.budget = size / 2
	}
}

// call runs the calls and keeps their results, together: an answer with calls
// is followed by all results or by none, also when the process is killed.
func (t *turn) call(ctx context.Context, calls []model.Call) error {
	results := make([]model.Result, 0, len(calls))
	for _, c := range calls {
		t.events.call(c)
		r := t.config.Tools.Run(ctx, c)
		t.events.toolResult(r)
		results = append(results, r)
	}
	if err := t.session.append(model.Message{Role: model.RoleTool, Results: results}); err != nil {
		return err
	}
	return ctx.Err()
}

// elide returns the conversation with the outputs of the oldest tool calls
// left out until at most budget bytes remain, or nothing more can be left out,
// and its size. It does not change messages.
func elide(messages []model.Message, budget int) ([]model.Message, int) {
	size := 0
	for _, m := range messages {
		size += weight(m)
	}
	out := append([]model.Message(nil), messages...)
	for i := 0; i < len(out) && size > budget; i++ {
		if out[i].Role != model.RoleTool {
			continue
		}
		results := append([]model.Result(nil), out[i].Results...)
		for j := range results {
			note := fmt.Sprintf("[%d bytes of output left out to make room; run the tool again if they matter]", len(results[j].Output))
			if saved := len(results[j].Output) - len(note); saved > 0 && size > budget {
				results[j].Output = note
				size -= saved
			}
		}
		out[i].Results = results
	}
	return out, size
}

// weight is about what a message adds to a request, in bytes.
func weight(m model.Message) int {
	n := len(m.Text) + 16
	for _, c := range m.Calls {
		n += len(c.Name) + len(c.Arguments) + 32
	}
	for _, r := range m.Results {
		n += len(r.Output) + 32
	}
	return n
}
