package translate

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

type chatAnswer struct {
	ID      string       `json:"id"`
	Model   string       `json:"model"`
	Choices []chatResult `json:"choices"`
	Usage   *chatUsage   `json:"usage"`
	Error   *chatError   `json:"error"`
}

type chatResult struct {
	Index   int         `json:"index"`
	Message chatMessage `json:"message"`
	Delta   struct {
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
type chatText struct{ said, thought string }

// UnmarshalJSON reads a string or a list.
func (t *chatText) UnmarshalJSON(raw []byte) error {
	switch raw[0] {
	case '"':
		return json.Unmarshal(raw, &t.said)
	case '[':
		var parts []chatPart
		if err := json.Unmarshal(raw, &parts); err != nil {
			return nil //nolint:nilerr // what is no list of parts is no text
		}
		for _, p := range parts {
			t.said += p.Text
			if p.Thinking != nil {
				t.thought += p.Thinking.text
				for _, q := range p.Thinking.all {
					t.thought += q.Text
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
	if json.Unmarshal(raw, &o) != nil {
		return json.Unmarshal(raw, (*texts)(&e.message))
	}
	e.message = string(o.Message)
	return nil
}

// chatReader decodes a streamed answer.
type chatReader struct {
	seed    string
	start   bool
	next    int // index of the next item
	open    int // of the text or reasoning that is open; -1: none
	kind    Kind
	calls   []*chatReading
	stop    string
	refused bool
	usage   Usage
	done    bool
}

// chatReading is a call that comes in pieces. It begins when its name is known.
type chatReading struct {
	index   int // theirs
	id      string
	name    string
	at      int // ours; -1: it has not begun
	pending string
}

func (chat) reader(seed string) reader { return &chatReader{seed: seed, open: -1} }

func (c *chatReader) read(data []byte) ([]Event, error) {
	if string(data) == "[DONE]" {
		return c.finish(), nil
	}
	var e chatAnswer
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, errors.New("an event of the stream is not of the form that openai-chat has")
	}
	if e.Error != nil {
		return []Event{{Kind: Failure, Text: e.Error.message}}, nil
	}
	var out []Event
	if !c.start {
		c.start = true
		out = append(out, Event{Kind: Start, ID: e.ID, Model: e.Model})
	}
	if e.Usage != nil {
		c.usage = e.Usage.usage()
	}
	for i := range e.Choices {
		if e.Choices[i].Index == 0 {
			out = c.choice(out, &e.Choices[i])
		}
	}
	return out, nil
}

func (c *chatReader) choice(out []Event, r *chatResult) []Event {
	d := &r.Delta
	thought := string(d.ReasoningContent)
	if thought == "" {
		thought = string(d.Reasoning)
	}
	out = c.text(out, Reasoning, thought+d.Content.thought)
	out = c.text(out, Text, d.Content.said)
	if d.Refusal != "" {
		c.refused = true
		out = c.text(out, Text, string(d.Refusal))
	}
	for i := range d.ToolCalls {
		out = c.call(out, &d.ToolCalls[i])
	}
	if r.FinishReason != "" {
		c.stop = r.FinishReason
	}
	return out
}

func (c *chatReader) text(out []Event, kind Kind, text string) []Event {
	if text == "" {
		return out
	}
	if c.open < 0 || c.kind != kind {
		out = c.close(out)
		item := Item{Role: Assistant, Kind: kind}
		if kind == Reasoning {
			item.Opaque.Origin = ownChat
		}
		out = append(out, Event{Kind: Begin, Index: c.next, Item: item})
		c.open, c.kind = c.next, kind
		c.next++
	}
	return append(out, Event{Kind: Delta, Index: c.open, Text: text})
}

func (c *chatReader) close(out []Event) []Event {
	if c.open >= 0 {
		out = append(out, Event{Kind: End, Index: c.open})
		c.open = -1
	}
	return out
}

func (c *chatReader) call(out []Event, piece *chatCall) []Event {
	r := c.find(piece)
	said := piece.call()
	if r.name == "" {
		r.name = said.Name
	}
	if r.id == "" {
		r.id = piece.ID
	}
	text := said.Arguments
	if r.at < 0 {
		if r.name == "" {
			r.pending += text
			return out
		}
		if r.id == "" {
			r.id = fmt.Sprintf("call_%s_%d", c.seed, len(c.calls))
		}
		out = c.close(out)
		r.at, text = c.next, r.pending+text
		c.next++
		out = append(out, Event{Kind: Begin, Index: r.at, Item: Item{Role: Assistant, Kind: Call, Call: ToolCall{ID: r.id, Name: r.name, Freeform: piece.Custom != nil}}})
	}
	if text != "" {
		out = append(out, Event{Kind: Delta, Index: r.at, Text: text})
	}
	return out
}

// find returns the call that a piece belongs to, a new one where there is none.
// Some servers leave the index out, or count every call as the first: then
// another id is another call.
func (c *chatReader) find(piece *chatCall) *chatReading {
	index := -1
	if piece.Index != nil {
		index = *piece.Index
	}
	for _, r := range slices.Backward(c.calls) {
		sameID := piece.ID == "" || r.id == "" || piece.ID == r.id
		if sameID && (index < 0 || index == r.index) {
			return r
		}
	}
	r := &chatReading{index: index, at: -1}
	c.calls = append(c.calls, r)
	return r
}

func (c *chatReader) finish() []Event {
	if c.done {
		return nil
	}
	c.done = true
	out := c.close(nil)
	called := false
	for _, r := range c.calls {
		if r.at >= 0 {
			called = true
			out = append(out, Event{Kind: End, Index: r.at})
		}
	}
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
	if err := json.Unmarshal(body, &in); err != nil || len(in.Choices) == 0 {
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
