package rehearsal

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/internal/sleep"
)

// line is one step of a reply with its templates filled in.
type line struct {
	text  string
	call  *call
	delay time.Duration
	err   *Error
}

// call is a tool call as it is sent.
type call struct {
	ID        string
	Name      string
	Arguments json.RawMessage
}

// script is a reply made ready for one request.
type script struct {
	lines []line
	usage Usage
	tools bool // it calls a tool
}

// rehearse chooses the turn and fills it in.
func (c *Cassette) rehearse(conv *conversation) (*script, error) {
	turn, ok := c.find(conv)
	if !ok {
		return nil, c.unmatched(conv)
	}
	sc := newScene(turn.Match, conv)
	out := &script{}
	size := 0
	for i, step := range turn.Reply {
		l := line{delay: step.Delay}
		switch {
		case step.Text != "":
			l.text = sc.fill(step.Text)
		case step.Error != nil:
			l.err = &Error{Status: step.Error.Status, Message: sc.fill(step.Error.Message)}
		case step.Tool != nil:
			call, err := step.Tool.call(sc, conv, i)
			if err != nil {
				return nil, fmt.Errorf("rehearsal: the turn at line %d of cassette %s: %w", turn.Line, c.Name, err)
			}
			l.call = call
			out.tools = true
			size += len(call.Arguments)
		}
		size += len(l.text)
		out.lines = append(out.lines, l)
	}
	out.usage = Usage{Input: tokens(conv.Bytes), Output: tokens(size)}
	if turn.Usage != nil {
		out.usage = *turn.Usage
	}
	return out, nil
}

// call fills a tool call in. Arguments that the offered tool does not have are
// left out, so that one cassette can serve agents that name them differently.
func (t *Tool) call(sc scene, conv *conversation, i int) (*call, error) {
	tool, ok := conv.tool(t.Names)
	if !ok {
		return nil, fmt.Errorf("the request offers no tool %s", strings.Join(t.Names, " or "))
	}
	args := map[string]any{}
	for name, value := range t.Arguments {
		if _, has := tool.Properties[name]; has || len(tool.Properties) == 0 {
			args[name] = sc.fillAny(value)
		}
	}
	data, err := json.Marshal(args)
	if err != nil {
		return nil, fmt.Errorf("has arguments that are no JSON: %w", err)
	}
	return &call{ID: conv.id("", fmt.Sprint("call ", i)), Name: tool.Name, Arguments: data}, nil
}

// immediate returns the error that the reply begins with, if it does.
func (s *script) immediate() *Error {
	for _, l := range s.lines {
		if l.delay == 0 {
			return l.err
		}
	}
	return nil
}

func (s *script) delayBefore() (sum time.Duration) {
	for _, l := range s.lines {
		sum += l.delay
	}
	return sum
}

// wire writes a reply in one protocol, streaming or whole. Its methods return
// an error once the client has gone.
type wire interface {
	text(delta string) error
	tool(c call) error
	fail(e Error) error
	finish(u Usage, tools bool) error
}

// perform plays the script. It ends early when the client goes.
func perform(ctx context.Context, w wire, s *script) {
	for _, l := range s.lines {
		var err error
		switch {
		case l.delay > 0:
			err = sleep.For(ctx, l.delay)
		case l.call != nil:
			err = w.tool(*l.call)
		case l.err != nil:
			_ = w.fail(*l.err) // either way this is the end
			return
		default:
			for _, word := range words(l.text) {
				if err = w.text(word); err != nil {
					return
				}
			}
		}
		if err != nil {
			return
		}
	}
	_ = w.finish(s.usage, s.tools) // a client that has gone is not told
}

// words cuts a text after each space, as models stream it.
func words(s string) []string { return strings.SplitAfter(s, " ") }
