package translate

import (
	"errors"

	"github.com/vexa-ai/vexa/pkg/internal/wirejson"
)

// messagesReader decodes a streamed answer.
type messagesReader struct {
	events wirejson.Again[messagesEvent]
	usage  messagesUsage
	start  bool
	index  map[int]int // of their blocks: the indexes of ours
	input  map[int]bool
	stop   string
	seq    string
	done   bool
	out    []Event
}

func (messages) reader(string) reader {
	return &messagesReader{index: map[int]int{}, input: map[int]bool{}}
}

type messagesEvent struct {
	Type    string          `json:"type"`
	Message *messagesAnswer `json:"message"`
	Index   int             `json:"index"`
	Block   *messagesBlock  `json:"content_block"`
	Delta   struct {
		Type         string `json:"type"`
		Text         string `json:"text"`
		PartialJSON  string `json:"partial_json"`
		Thinking     string `json:"thinking"`
		Signature    string `json:"signature"`
		StopReason   string `json:"stop_reason"`
		StopSequence string `json:"stop_sequence"`
	} `json:"delta"`
	Usage *messagesUsage `json:"usage"`
	Error *struct {
		Message string `json:"message"`
	} `json:"error"`
}

func (m *messagesReader) read(data []byte) ([]Event, error) {
	e, err := m.events.Read(data)
	if err != nil {
		return nil, errors.New("an event of the stream is not of the form that anthropic-messages has")
	}
	switch e.Type {
	case "message_start":
		return m.begin(e), nil
	case "content_block_start":
		return m.block(e), nil
	case "content_block_delta":
		return m.delta(e), nil
	case "content_block_stop":
		i, ok := m.index[e.Index]
		if !ok {
			return nil, nil
		}
		delete(m.index, e.Index)
		return []Event{{Kind: End, Index: i}}, nil
	case "message_delta":
		m.usage.add(e.Usage)
		m.stop, m.seq = e.Delta.StopReason, e.Delta.StopSequence
	case "message_stop":
		return m.finish(), nil
	case "error":
		if e.Error != nil {
			return []Event{{Kind: Failure, Text: e.Error.Message}}, nil
		}
		return []Event{{Kind: Failure}}, nil
	}
	return nil, nil
}

func (m *messagesReader) begin(e *messagesEvent) []Event {
	out := Event{Kind: Start}
	if e.Message != nil {
		m.usage.add(e.Message.Usage)
		out.ID, out.Model = e.Message.ID, e.Message.Model
	}
	out.Usage = m.usage.usage()
	m.start = true
	return []Event{out}
}

func (m *messagesReader) block(e *messagesEvent) []Event {
	b := e.Block
	if _, open := m.index[e.Index]; open || b == nil {
		return nil
	}
	item := Item{Role: Assistant}
	text := ""
	switch b.Type {
	case "text":
		item.Kind, text = Text, deref(b.Text)
	case "thinking":
		item.Kind, text = Reasoning, deref(b.Thinking)
		item.Opaque = taken(deref(b.Signature), ownMessages)
	case "redacted_thinking":
		item.Kind = Reasoning
		item.Opaque = taken(b.Data, ownMessages)
		item.Opaque.Redacted = true
	case "tool_use":
		item.Kind = Call
		item.Call = ToolCall{ID: b.ID, Name: b.Name}
		if text = compact(b.Input); text == "{}" {
			text = "" // what comes in pieces begins so
		}
	default:
		return nil // a tool that ran at the provider
	}
	i := len(m.input)
	m.input[i] = true
	m.index[e.Index] = i
	out := []Event{{Kind: Begin, Index: i, Item: item}}
	if text != "" {
		out = append(out, Event{Kind: Delta, Index: i, Text: text})
	}
	return out
}

func (m *messagesReader) delta(e *messagesEvent) []Event {
	i, ok := m.index[e.Index]
	if !ok {
		return nil
	}
	switch d := &e.Delta; d.Type {
	case "text_delta", "thinking_delta", "input_json_delta":
		if text := d.Text + d.Thinking + d.PartialJSON; text != "" {
			m.out = append(m.out[:0], Event{Kind: Delta, Index: i, Text: text})
			return m.out
		}
	case "signature_delta":
		delete(m.index, e.Index) // it is the last that is said of a block
		return []Event{{Kind: End, Index: i, Item: Item{Opaque: taken(d.Signature, ownMessages)}}}
	}
	return nil
}

func (m *messagesReader) finish() []Event {
	if m.done {
		return nil
	}
	m.done = true
	return []Event{{Kind: Finish, Stop: stopOfMessages(m.stop), StopSequence: m.seq, Usage: m.usage.usage()}}
}

// end is the end of a stream. One without its last event is still whole where
// the reason to stop was said.
func (m *messagesReader) end() []Event {
	if m.stop == "" {
		return nil
	}
	return m.finish()
}

func (messages) decodeAnswer(body []byte, _ string) (*Answer, error) {
	var in messagesAnswer
	if err := wirejson.Unmarshal(body, &in); err != nil || in.Content == nil {
		return nil, errors.New("the answer is not of the form that anthropic-messages has")
	}
	a := &Answer{ID: in.ID, Model: in.Model, Stop: stopOfMessages(deref(in.StopReason)), StopSequence: deref(in.StopSequence)}
	if in.Usage != nil {
		a.Usage = in.Usage.usage()
	}
	for _, b := range in.Content {
		switch b.Type {
		case "text", "thinking", "redacted_thinking", "tool_use":
			var err error
			if a.Items, err = b.addTo(a.Items, Assistant, "content", Lost{}); err != nil {
				return nil, err
			}
		}
	}
	return a, nil
}
