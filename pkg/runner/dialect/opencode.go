package dialect

import (
	"encoding/json"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

// opencodeEvent is what is used of a line of opencode run --format json.
type opencodeEvent struct {
	Type    string `json:"type"`
	Session string `json:"sessionID"`
	Part    struct {
		Text  *string `json:"text"`
		Tool  string  `json:"tool"`
		Call  string  `json:"callID"`
		State struct {
			Status string          `json:"status"`
			Input  json.RawMessage `json:"input"`
			Output string          `json:"output"`
			Error  string          `json:"error"`
		} `json:"state"`
	} `json:"part"`
	Error struct {
		Name string `json:"name"`
		Data struct {
			Message string `json:"message"`
		} `json:"data"`
	} `json:"error"`
}

// opencodeParser reads opencode-ndjson. Calls are printed when they have ended,
// and no event ends a turn: the exit code does.
type opencodeParser struct{ result Result }

func (p *opencodeParser) Line(line []byte) []wsv2.Body {
	var e opencodeEvent
	if strange, ok := p.result.event(line, &e); !ok {
		return strange
	}
	if e.Session != "" {
		p.result.SessionRef, _ = cut(e.Session, maxName)
	}
	switch e.Type {
	case "step_start", "step_finish":
		return nil
	case "text":
		switch {
		case e.Part.Text == nil:
			return p.result.misshapen(e.Type, line)
		case *e.Part.Text == "":
			return nil
		}
		p.result.Reply = message(*e.Part.Text)
		return []wsv2.Body{wsv2.Message{Text: p.result.Reply}}
	case "reasoning":
		if e.Part.Text == nil {
			return p.result.misshapen(e.Type, line)
		}
		return pieces(*e.Part.Text, reasoning)
	case "tool_use":
		s := e.Part.State
		return []wsv2.Body{
			toolCall(e.Part.Call, e.Part.Tool, s.Input),
			toolResult(e.Part.Call, s.Status == "completed", firstOf(s.Output, s.Error)),
		}
	case "error":
		p.result.Failed = true
		p.result.Error, _ = cut(firstOf(e.Error.Data.Message, e.Error.Name, "the turn failed"), maxError)
		return nil
	default:
		return p.result.unknown(e.Type, line)
	}
}

func (p *opencodeParser) End() Result { return p.result }
