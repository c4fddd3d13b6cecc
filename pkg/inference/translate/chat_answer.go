package translate

import (
	"errors"
	"fmt"
	"slices"

	"github.com/vexa-ai/vexa/pkg/internal/wirejson"
)

type chatAnswer struct {
	ID      string       `json:"id"`
	Model   string       `json:"model"`
	Choices []chatResult `json:"choices"`
	Usage   *chatUsage   `json:"usage"`
	Error   *chatError   `json:"error"`
}

type chatResult struct {
	Message      chatMessage `json:"message"`
	FinishReason string      `json:"finish_reason"`
}

// chatEvent is an event of a streamed answer.
type chatEvent struct {
	ID      string      `json:"id"`
	Model   string      `json:"model"`
	Choices []chatPiece `json:"choices"`
	Usage   *chatUsage  `json:"usage"`
	Error   *chatError  `json:"error"`
}

type chatPiece struct {
	Index int `json:"index"`
	Delta struct {
		Content          chatText   `json:"content"`
		Reasoning        texts      `json:"reasoning"`
		ReasoningContent texts      `json:"reasoning_content"`
		Refusal          texts      `json:"refusal"`
		ToolCalls        []chatCall `json:"tool_calls"`
	} `json:"delta"`
	FinishReason string `json:"finish_reason"`
}

// chatText is the text of a delta and what is thought in it: parts of a list of
// Mistral's can be either.
type chatText struct{ Said, Thought string }

// UnmarshalJSON reads a string or a list.
func (t *chatText) UnmarshalJSON(raw []byte) error {
	switch raw[0] {
	case '"':
		return wirejson.Unmarshal(raw, &t.Said)
	case '[':
		var parts []chatPart
		if err := wirejson.Unmarshal(raw, &parts); err != nil {
			return nil //nolint:nilerr // what is no list of parts is no text
		}
		for _, p := range parts {
			t.Said += p.Text
			if p.Thinking != nil {
				t.Thought += p.Thinking.text
				for _, q := range p.Thinking.all {
					t.Thought += q.Text
				}
			}
		}
	}
	return nil
}

// chatError is an error in any of its forms.
type chatError struct{ message string }

// UnmarshalJSON reads an object or a string.
func (e *chatError) UnmarshalJSON(raw []byte) error {
	var o struct {
		Message texts `json:"message"`
	}
	if wirejson.Unmarshal(raw, &o) != nil {
		return wirejson.Unmarshal(raw, (*texts)(&e.message))
	}
	e.message = string(o.Message)
	return nil
}

// chatReader decodes a streamed answer.
type chatReader struct {
	seed    string
	events  wirejson.Again[chatEvent]
	start   bool
	queue   chatQueue
	calls   []*chatReading
	size    int // of all that was said, in bytes
	stop    string
	refused bool
	usage   Usage
	done    bool
	out     []Event
}

func (chat) reader(seed string) reader { return &chatReader{seed: seed} }

func (c *chatReader) read(data []byte) ([]Event, error) {
	if string(data) == "[DONE]" {
		return c.finish(), nil
	}
	e, err := c.events.Read(data)
	if err != nil {
		return nil, errors.New("an event of the stream is not of the form that openai-chat has")
	}
	if e.Error != nil {
		return []Event{{Kind: Failure, Text: e.Error.message}}, nil
	}
	out := c.out[:0]
	defer func() { c.out = out }()
	if !c.start {
		c.start = true
		out = append(out, Event{Kind: Start, ID: e.ID, Model: e.Model})
	}
	if e.Usage != nil {
		c.usage = e.Usage.usage()
	}
	for i := range e.Choices {
		if e.Choices[i].Index != 0 {
			continue
		}
		if out, err = c.choice(out, &e.Choices[i]); err != nil {
			return out, err
		}
	}
	return out, nil
}

func (c *chatReader) choice(out []Event, r *chatPiece) ([]Event, error) {
	d := &r.Delta
	thought := string(d.ReasoningContent)
	if thought == "" {
		thought = string(d.Reasoning)
	}
	out = c.text(out, Reasoning, thought+d.Content.Thought)
	out = c.text(out, Text, d.Content.Said)
	if d.Refusal != "" {
		c.refused = true
		out = c.text(out, Text, string(d.Refusal))
	}
	for i := range d.ToolCalls {
		var err error
		if out, err = c.call(out, &d.ToolCalls[i]); err != nil {
			return out, err
		}
	}
	if r.FinishReason != "" {
		c.stop = r.FinishReason
	}
	if c.size > maxAnswer { // what waits for its turn counts, too
		return out, errTooLong
	}
	return out, nil
}

func (c *chatReader) text(out []Event, kind Kind, text string) []Event {
	if text == "" {
		return out
	}
	c.size += len(text)
	i := c.queue.last()
	if i == nil || i.item.Kind != kind {
		i = &chatItem{item: Item{Role: Assistant, Kind: kind}}
		if kind == Reasoning {
			i.item.Opaque.Origin = ownChat
		}
		out = c.queue.add(out, i)
	}
	return c.queue.say(out, i, text)
}

func (c *chatReader) finish() []Event {
	if c.done {
		return nil
	}
	c.done = true
	out := c.queue.drain(nil)
	called := slices.ContainsFunc(c.calls, func(r *chatReading) bool { return r.name != "" })
	stop := stopOfChat(c.stop, called)
	if c.refused {
		stop = StopRefusal
	}
	return append(out, Event{Kind: Finish, Stop: stop, Usage: c.usage})
}

// end is the end of a stream. One without its last event is still whole where
// the reason to stop was said.
func (c *chatReader) end() []Event {
	if c.stop == "" {
		return nil
	}
	return c.finish()
}

func (chat) decodeAnswer(body []byte, seed string) (*Answer, error) {
	var in chatAnswer
	if err := wirejson.Unmarshal(body, &in); err != nil || len(in.Choices) == 0 {
		if in.Error != nil {
			return nil, errors.New(in.Error.message)
		}
		return nil, errors.New("the answer is not of the form that openai-chat has")
	}
	m := in.Choices[0].Message
	m.Role = "assistant"
	for i := range m.ToolCalls {
		if m.ToolCalls[i].ID == "" {
			m.ToolCalls[i].ID = fmt.Sprintf("call_%s_%d", seed, i+1)
		}
	}
	items, err := m.items("message")
	if err != nil {
		return nil, err
	}
	a := &Answer{ID: in.ID, Model: in.Model, Items: items, Usage: in.Usage.usage()}
	a.Stop = stopOfChat(in.Choices[0].FinishReason, a.calls())
	if m.Refusal != "" {
		a.Stop = StopRefusal
	}
	return a, nil
}
