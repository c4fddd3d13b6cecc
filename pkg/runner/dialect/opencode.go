package dialect

import (
	"encoding/json"

	"github.com/vexa-ai/vexa/pkg/contract/wsv1"
)

// opencodeEvent is what is used of a line of opencode run --format json.
type opencodeEvent struct {
	Type    string `json:"type"`
	Session string `json:"sessionID"`
	Part    struct {
		Text  string `json:"text"`
		Tool  string `json:"tool"`
		Call  string `json:"callID"`
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

func (p *opencodeParser) Line(line []byte) []wsv1.Body {
	var e opencodeEvent
	if !p.result.event(line, &e) {
		return nil
	}
	if e.Session != "" {
		p.result.SessionRef, _ = cut(e.Session, maxName)
	}
	switch e.Type {
	case "step_start", "step_finish":
		return nil
	case "text":
		if e.Part.Text == "" {
			return nil
		}
		p.result.Reply = message(e.Part.Text)
		return []wsv1.Body{wsv1.Message{Text: p.result.Reply}}
	case "reasoning":
		return pieces(e.Part.Text, reasoning)
	case "tool_use":
		s := e.Part.State
		return []wsv1.Body{
			toolCall(e.Part.Call, e.Part.Tool, s.Input),
			toolResult(e.Part.Call, s.Status == "completed", firstOf(s.Output, s.Error)),
		}
	case "error":
		p.result.Failed = true
		p.result.Error, _ = cut(firstOf(e.Error.Data.Message, e.Error.Name, "the turn failed"), maxError)
		return nil
	default:
		p.result.unknown(e.Type)
		return nil
	}
}

func (p *opencodeParser) End() Result { return p.result }
