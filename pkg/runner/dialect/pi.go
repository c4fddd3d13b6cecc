package dialect

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// piEvent is what is used of a line of pi --mode json.
type piEvent struct {
	Type    string `json:"type"`
	ID      string `json:"id"` // of session
	Message struct {
		Role    string          `json:"role"`
		Content json.RawMessage `json:"content"`
		Stop    string          `json:"stopReason"`
		Error   string          `json:"errorMessage"`
	} `json:"message"`
	Update struct {
		Type  string `json:"type"`
		Delta string `json:"delta"`
	} `json:"assistantMessageEvent"`
	Call      string          `json:"toolCallId"`
	Tool      string          `json:"toolName"`
	Arguments json.RawMessage `json:"args"`
	Result    struct {
		Content json.RawMessage `json:"content"`
	} `json:"result"`
	IsError     bool   `json:"isError"`
	Attempt     int    `json:"attempt"`
	MaxAttempts int    `json:"maxAttempts"`
	Error       string `json:"errorMessage"` // of auto_retry_start
}

// piParser reads pi-jsonl. The exit code is 0 whatever happens: the last message
// of the model says whether the turn failed.
type piParser struct{ result Result }

func (p *piParser) Line(line []byte) []wsv2.Body {
	var e piEvent
	if strange, ok := p.result.event(line, &e); !ok {
		return strange
	}
	switch e.Type {
	case "session":
		p.result.SessionRef, _ = cut(e.ID, maxName)
	case "agent_settled":
		p.result.Terminal = true
	case "message_update":
		switch e.Update.Type {
		case "text_delta":
			return pieces(e.Update.Delta, delta)
		case "thinking_delta":
			return pieces(e.Update.Delta, reasoning)
		case "start", "text_start", "text_end", "thinking_start", "thinking_end", "toolcall_start", "toolcall_delta", "toolcall_end", "done", "error":
		default:
			return p.result.unknown(e.Type+"/"+e.Update.Type, line)
		}
	case "message_end":
		return p.message(e, line)
	case "tool_execution_start":
		return []wsv2.Body{toolCall(e.Call, e.Tool, e.Arguments)}
	case "tool_execution_end":
		return []wsv2.Body{toolResult(e.Call, !e.IsError, blockText(e.Result.Content))}
	case "auto_retry_start":
		text, _ := cut(fmt.Sprintf("the model did not answer (%s); try %d of %d", e.Error, e.Attempt, e.MaxAttempts), maxError)
		return []wsv2.Body{wsv2.Error{Code: string(fault.Unreachable), Message: text}}
	case "agent_start", "agent_end", "turn_start", "turn_end", "message_start", "tool_execution_update", "auto_retry_end", "entry_appended":
	default:
		return p.result.unknown(e.Type, line)
	}
	return nil
}

// message is a whole one of the model's.
func (p *piParser) message(e piEvent, line []byte) []wsv2.Body {
	if e.Message.Role != "assistant" {
		return nil
	}
	if p.result.Failed = e.Message.Stop == "error" || e.Message.Stop == "aborted"; p.result.Failed {
		p.result.Error, _ = cut(firstOf(e.Message.Error, "the turn was "+e.Message.Stop), maxError)
	} else {
		p.result.Error = ""
	}
	var blocks []claudeBlock
	if len(e.Message.Content) > 0 && json.Unmarshal(e.Message.Content, &blocks) != nil {
		return p.result.misshapen(e.Type+"/content", line)
	}
	var text strings.Builder
	for _, b := range blocks {
		if b.Type == "text" {
			text.WriteString(b.Text)
		}
	}
	if text.Len() == 0 {
		return nil
	}
	p.result.Reply = message(text.String())
	return []wsv2.Body{wsv2.Message{Text: p.result.Reply}}
}

func (p *piParser) End() Result { return p.result }
