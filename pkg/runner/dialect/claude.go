package dialect

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// claudeEvent is what is used of a line of Claude Code's stream-json. Types and
// members grow with each of its versions; what is not known is counted.
type claudeEvent struct {
	Type    string `json:"type"`
	Subtype string `json:"subtype"`
	Session string `json:"session_id"`
	Parent  string `json:"parent_tool_use_id"` // of a subagent's event

	Message json.RawMessage `json:"message"` // of assistant and user; others have other things there

	Event struct { // of stream_event: one of the inference protocol's
		Delta struct {
			Type     string `json:"type"`
			Text     string `json:"text"`
			Thinking string `json:"thinking"`
		} `json:"delta"`
	} `json:"event"`

	// Of result.
	IsError bool     `json:"is_error"`
	Result  string   `json:"result"`
	Errors  []string `json:"errors"`

	// Of system/api_retry.
	Attempt    int             `json:"attempt"`
	MaxRetries int             `json:"max_retries"`
	Status     json.RawMessage `json:"error_status"`

	Error json.RawMessage `json:"error"` // of system/api_retry, and of Qwen Code's result
}

// claudeBlock is a block of a message's content.
type claudeBlock struct {
	Type     string          `json:"type"`
	Text     string          `json:"text"`
	Thinking string          `json:"thinking"`
	ID       string          `json:"id"`
	Name     string          `json:"name"`
	Input    json.RawMessage `json:"input"`
	CallID   string          `json:"tool_use_id"`
	Content  json.RawMessage `json:"content"`
	IsError  bool            `json:"is_error"`
}

// claudeParser reads claude-ndjson. A result's subtype says "success" for turns that
// failed, too, and is_error says false for some that ended early: either tells a failure.
type claudeParser struct {
	result Result
	deltas bool // pieces were printed, so that whole blocks repeat them
}

func (p *claudeParser) Line(line []byte) []wsv2.Body {
	var e claudeEvent
	if strange, ok := p.result.event(line, &e); !ok {
		return strange
	}
	if e.Session != "" {
		p.result.SessionRef, _ = cut(e.Session, maxName)
	}
	switch e.Type {
	case "stream_event":
		return p.piece(e, line)
	case "assistant", "user":
		return p.blocks(e, line)
	case "system":
		return p.system(e, line)
	case "rate_limit_event", "tool_progress", "tool_use_summary", "auth_status", "conversation_reset", "prompt_suggestion": // nothing of it is shown
		return nil
	case "result":
		p.ended(e)
		return nil
	default:
		return p.result.unknown(e.Type, line)
	}
}

func (p *claudeParser) End() Result { return p.result }

// ended takes the result. One without a text takes nothing back of what was said before.
func (p *claudeParser) ended(e claudeEvent) {
	p.result.Terminal = true
	p.result.Failed = e.IsError || strings.HasPrefix(e.Subtype, "error")
	switch {
	case p.result.Failed:
		p.result.Error, _ = cut(firstOf(e.Result, strings.Join(e.Errors, "\n"), said(e.Error), e.Subtype), maxError)
	case e.Result != "":
		p.result.Reply = message(e.Result)
	}
}

// piece is a piece of the answer or of the reasoning. What a subagent says is
// no part of the answer.
func (p *claudeParser) piece(e claudeEvent, line []byte) []wsv2.Body {
	p.deltas = true
	switch e.Event.Delta.Type {
	case "", "text_delta", "thinking_delta", "input_json_delta", "signature_delta", "citations_delta":
	default:
		return p.result.unknown(e.Type+"/"+e.Event.Delta.Type, line)
	}
	if e.Parent != "" {
		return nil
	}
	switch e.Event.Delta.Type {
	case "text_delta":
		return pieces(e.Event.Delta.Text, delta)
	case "thinking_delta":
		return pieces(e.Event.Delta.Thinking, reasoning)
	default:
		return nil
	}
}

// blocks are the parts of a message: text, reasoning, calls and their results.
func (p *claudeParser) blocks(e claudeEvent, line []byte) []wsv2.Body {
	var m struct {
		Content json.RawMessage `json:"content"`
	}
	if len(e.Message) > 0 && json.Unmarshal(e.Message, &m) != nil {
		return p.result.misshapen(e.Type+"/message", line)
	}
	var list []claudeBlock
	if json.Unmarshal(m.Content, &list) != nil {
		if e.Type == "assistant" || !isText(m.Content) { // a message of the person is text
			return p.result.misshapen(e.Type+"/content", line)
		}
		return nil
	}
	var out []wsv2.Body
	for _, b := range list {
		out = append(out, p.block(e, b, line)...)
	}
	return out
}

// block is a part of a message.
func (p *claudeParser) block(e claudeEvent, b claudeBlock, line []byte) []wsv2.Body {
	aside := e.Parent != "" || e.Type != "assistant" // what a subagent says, and what the agent is told
	switch b.Type {
	case "tool_use", "server_tool_use":
		return []wsv2.Body{toolCall(b.ID, b.Name, b.Input)}
	case "tool_result", "web_search_tool_result", "web_fetch_tool_result":
		return []wsv2.Body{toolResult(b.CallID, !b.IsError, blockText(b.Content))}
	case "text":
		if aside || b.Text == "" {
			return nil
		}
		p.result.Reply = message(b.Text)
		return []wsv2.Body{wsv2.Message{Text: p.result.Reply}}
	case "thinking":
		if aside || p.deltas {
			return nil
		}
		return pieces(b.Thinking, reasoning)
	case "redacted_thinking", "image", "document":
		return nil
	default:
		return p.result.unknown(e.Type+"/content/"+b.Type, line)
	}
}

// blockText is the text of a content that is a string or a list of blocks.
func blockText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var list []claudeBlock
	if json.Unmarshal(raw, &list) != nil {
		return ""
	}
	var parts []string
	for _, b := range list {
		if b.Type == "text" {
			parts = append(parts, b.Text)
		} else {
			parts = append(parts, "["+named(b.Type)+"]")
		}
	}
	return strings.Join(parts, "\n")
}

// system is what the program says of itself: shown is a request that is made again.
func (p *claudeParser) system(e claudeEvent, line []byte) []wsv2.Body {
	switch e.Subtype {
	case "api_retry":
	case "init", "session_start", "status", "compact_boundary", "hook_started", "hook_progress", "hook_response", "task_started", "task_progress",
		"task_notification", "task_updated", "files_persisted", "local_command_output", "session_state_changed":
		return nil
	default:
		return p.result.unknown(e.Type+"/"+e.Subtype, line)
	}
	text := fmt.Sprintf("the model did not answer (%s %s); try %d of %d", bare(e.Status), bare(e.Error), e.Attempt, e.MaxRetries)
	text, _ = cut(valid(text), maxError)
	return []wsv2.Body{wsv2.Error{Code: string(fault.Unreachable), Message: text}}
}

// said is the message of an error that is an object.
func said(raw json.RawMessage) string {
	var e struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(raw, &e) != nil {
		return ""
	}
	return e.Message
}

// isText reports whether a value is a string.
func isText(raw json.RawMessage) bool {
	var s string
	return json.Unmarshal(raw, &s) == nil
}

// bare is a JSON value as text, a string without its quotes.
func bare(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

func firstOf(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}
