package dialect

import (
	"encoding/json"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

// The types of the events of vexa-ndjson.
const (
	EventInit           = "init"            // first: session, model
	EventTextDelta      = "text-delta"      // text: a piece of the answer
	EventReasoningDelta = "reasoning-delta" // text: a piece of the reasoning
	EventMessage        = "message"         // text: the deltas since the last message, whole
	EventToolCall       = "tool-call"       // id, name, arguments
	EventToolResult     = "tool-result"     // id, ok, output
	EventError          = "error"           // error: something to be seen that does not end the turn
	EventResult         = "result"          // last: ok, reply, error
)

// Event is one line of vexa-ndjson, the dialect of the built-in agent: a JSON
// object whose type says which of the other members are set. The agent writes
// it and the parser reads it.
type Event struct {
	Type      string          `json:"type"`
	Session   string          `json:"session,omitempty"`
	Model     string          `json:"model,omitempty"`
	Text      string          `json:"text,omitempty"`
	ID        string          `json:"id,omitempty"`
	Name      string          `json:"name,omitempty"`
	Arguments json.RawMessage `json:"arguments,omitempty"` // a JSON object
	OK        bool            `json:"ok,omitempty"`
	Output    string          `json:"output,omitempty"`
	Reply     string          `json:"reply,omitempty"`
	Error     string          `json:"error,omitempty"`
	Code      string          `json:"code,omitempty"` // of an error: a fault.Kind
}

type vexaParser struct {
	result Result
}

func (p *vexaParser) Line(line []byte) []wsv2.Body {
	var e Event
	if strange, ok := p.result.event(line, &e); !ok {
		return strange
	}
	switch e.Type {
	case EventInit:
		p.result.SessionRef, _ = cut(e.Session, maxName)
		return nil
	case EventTextDelta:
		return pieces(e.Text, delta)
	case EventReasoningDelta:
		return pieces(e.Text, reasoning)
	case EventMessage:
		if e.Text == "" {
			return nil
		}
		p.result.Reply = message(e.Text)
		return []wsv2.Body{wsv2.Message{Text: p.result.Reply}}
	case EventToolCall:
		return []wsv2.Body{toolCall(e.ID, e.Name, e.Arguments)}
	case EventToolResult:
		return []wsv2.Body{toolResult(e.ID, e.OK, e.Output)}
	case EventError:
		text, _ := cut(named(e.Error), maxError)
		return []wsv2.Body{wsv2.Error{Code: code(e.Code), Message: text}}
	case EventResult:
		p.result.Terminal = true
		p.result.Failed = !e.OK
		p.result.Reply = message(e.Reply)
		p.result.Error, _ = cut(e.Error, maxError)
		return nil
	default:
		return p.result.unknown(e.Type, line)
	}
}

func (p *vexaParser) End() Result { return p.result }

// code keeps a frame's error code to the vocabulary of pkg/fault.
func code(s string) string {
	for _, k := range kinds() {
		if s == string(k) {
			return s
		}
	}
	return string(kinds()[0])
}
