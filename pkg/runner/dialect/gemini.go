package dialect

import (
	"encoding/json"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// geminiEvent is what is used of a line of Gemini CLI's stream-json.
type geminiEvent struct {
	Type       string          `json:"type"`
	Session    string          `json:"session_id"`
	Role       string          `json:"role"`
	Content    string          `json:"content"`
	Tool       string          `json:"tool_name"`
	Call       string          `json:"tool_id"`
	Parameters json.RawMessage `json:"parameters"`
	Status     string          `json:"status"`
	Output     string          `json:"output"`
	Message    string          `json:"message"` // of error
	Error      struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"error"`
}

// geminiParser reads gemini-ndjson, which prints an answer in pieces and nowhere
// whole.
type geminiParser struct {
	result Result
	said   answer
}

func (p *geminiParser) Line(line []byte) []wsv2.Body {
	var e geminiEvent
	if strange, ok := p.result.event(line, &e); !ok {
		return strange
	}
	switch e.Type {
	case "init":
		p.result.SessionRef, _ = cut(e.Session, maxName)
		return nil
	case "message":
		switch e.Role {
		case "assistant":
		case "user", "system":
			return nil
		default:
			return p.result.unknown(e.Type+"/"+e.Role, line)
		}
		p.said.add(e.Content)
		return pieces(e.Content, delta)
	case "tool_use":
		return append(p.whole(), toolCall(e.Call, e.Tool, e.Parameters))
	case "tool_result":
		return append(p.whole(), toolResult(e.Call, e.Status == "success", firstOf(e.Output, e.Error.Message)))
	case "error": // the turn goes on
		text, _ := cut(named(e.Message), maxError)
		return []wsv2.Body{wsv2.Error{Code: string(fault.Internal), Message: text}}
	case "result":
		p.result.Terminal = true
		if e.Status != "success" {
			p.result.Failed = true
			p.result.Error, _ = cut(firstOf(e.Error.Message, e.Error.Type, "the turn failed"), maxError)
		}
		return p.whole()
	default:
		return p.result.unknown(e.Type, line)
	}
}

// whole is what was said since the last call.
func (p *geminiParser) whole() []wsv2.Body {
	text := p.said.take()
	if text == "" {
		return nil
	}
	p.result.Reply = text
	return []wsv2.Body{wsv2.Message{Text: text}}
}

// End takes an answer whose end was not said for whole: its reader has it all.
func (p *geminiParser) End() Result {
	if text := p.said.take(); text != "" {
		p.result.Reply = text
	}
	return p.result
}
