package dialect

import (
	"encoding/json"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

// The types of the events of the dialect acp.
const (
	ACPSession    = "session"    // first: session, agent
	ACPUpdate     = "update"     // update: the params' update of a session/update, as the agent sent it
	ACPPermission = "permission" // update: the toolCall of a session/request_permission; option: what it was answered
	ACPNoise      = "noise"      // text: what the agent printed that is no message of the protocol
	ACPWarning    = "warning"    // error, code: something to be seen that does not end the turn
	ACPResult     = "result"     // last: ok, stopReason, usage, error
)

// ACPEvent is one line of the dialect acp: a JSON object whose type says which of
// the other members are set. Package acp writes it and the parser reads it.
type ACPEvent struct {
	Type       string          `json:"type"`
	Session    string          `json:"session,omitempty"`
	Agent      string          `json:"agent,omitempty"` // name and version, as it says
	Update     json.RawMessage `json:"update,omitempty"`
	Option     string          `json:"option,omitempty"` // the kind of the option that was chosen; empty: none
	Text       string          `json:"text,omitempty"`
	OK         bool            `json:"ok,omitempty"`
	StopReason string          `json:"stopReason,omitempty"`
	Usage      json.RawMessage `json:"usage,omitempty"`
	Error      string          `json:"error,omitempty"`
	Code       string          `json:"code,omitempty"` // of an error: a fault.Kind
}

// acpUpdate is what is used of an update of the protocol. A tool call and an update
// of one have the same members; those that are left out did not change.
type acpUpdate struct {
	Kind    string          `json:"sessionUpdate"`
	Message string          `json:"messageId"`
	Content json.RawMessage `json:"content"` // a block, or of a tool call a list

	ID        string          `json:"toolCallId"`
	Title     string          `json:"title"`
	Status    string          `json:"status"`
	Input     json.RawMessage `json:"rawInput"`
	Output    json.RawMessage `json:"rawOutput"`
	Locations json.RawMessage `json:"locations"`

	Entries json.RawMessage `json:"entries"` // of a plan
}

// acpParser reads acp. The protocol has no whole messages: the pieces between two
// tool calls are one, and where the agent names its messages those of one name.
type acpParser struct {
	result Result
	text   answer
	named  string // the message that text is of
	calls  acpCalls
}

func (p *acpParser) Line(line []byte) []wsv2.Body {
	var e ACPEvent
	if strange, ok := p.result.event(line, &e); !ok {
		return strange
	}
	switch e.Type {
	case ACPSession:
		p.result.SessionRef, _ = cut(e.Session, maxName)
		return nil
	case ACPUpdate:
		return p.update(e.Update, line)
	case ACPPermission:
		return p.permission(e.Update, line)
	case ACPNoise:
		p.result.Noise, _ = cut(e.Text, maxNoise)
		p.result.Unknown++
		return nil
	case ACPWarning:
		text, _ := cut(named(e.Error), maxError)
		return []wsv2.Body{wsv2.Error{Code: code(e.Code), Message: text}}
	case ACPResult:
		return p.ended(e, line)
	default:
		return p.result.unknown(e.Type, line)
	}
}

// End returns what the turn came to; of one that was cut off, what was said last.
func (p *acpParser) End() Result {
	p.whole()
	return p.result
}

func (p *acpParser) ended(e ACPEvent, line []byte) []wsv2.Body {
	p.result.Terminal = true
	p.result.Failed = !e.OK
	p.result.Error, _ = cut(e.Error, maxError)
	switch e.StopReason {
	case "", "end_turn", "max_tokens", "max_turn_requests", "refusal", "cancelled":
	default:
		return append(p.whole(), p.result.unknown("stopReason/"+e.StopReason, line)...)
	}
	return p.whole()
}

// whole ends the message that was coming.
func (p *acpParser) whole() []wsv2.Body {
	text := p.text.take()
	p.named = ""
	if text == "" {
		return nil
	}
	p.result.Reply = text
	return []wsv2.Body{wsv2.Message{Text: text}}
}

func (p *acpParser) update(raw json.RawMessage, line []byte) []wsv2.Body {
	var u acpUpdate
	if json.Unmarshal(raw, &u) != nil {
		return p.result.misshapen("update", line)
	}
	switch u.Kind {
	case "agent_message_chunk":
		return p.piece(u, line)
	case "agent_thought_chunk":
		text, strange := p.block(u, line)
		return append(strange, pieces(text, reasoning)...)
	case "tool_call", "tool_call_update":
		return p.call(u, false, line)
	case "plan":
		return p.plan(u, line)
	case "user_message_chunk", "available_commands_update", "current_mode_update", "config_option_update",
		"session_info_update", "usage_update":
		return nil
	default:
		return p.result.unknown(u.Kind, line)
	}
}

// block is the text of an update whose content is one block.
func (p *acpParser) block(u acpUpdate, line []byte) (string, []wsv2.Body) {
	var object struct{}
	if json.Unmarshal(u.Content, &object) != nil {
		return "", p.result.misshapen(u.Kind, line)
	}
	return acpText(u.Content), nil
}

// piece is a piece of the answer.
func (p *acpParser) piece(u acpUpdate, line []byte) []wsv2.Body {
	text, strange := p.block(u, line)
	if text == "" {
		return strange
	}
	var out []wsv2.Body
	name, _ := cut(u.Message, maxName)
	if p.named != "" && name != "" && name != p.named {
		out = p.whole()
	}
	if name != "" {
		p.named = strings.Clone(name)
	}
	p.text.add(text)
	return append(out, pieces(text, delta)...)
}

// permission shows a call that begins because it was allowed: some agents tell of it
// in no other way.
func (p *acpParser) permission(raw json.RawMessage, line []byte) []wsv2.Body {
	var u acpUpdate
	if json.Unmarshal(raw, &u) != nil {
		return p.result.misshapen("permission", line)
	}
	return p.call(u, true, line)
}

func (p *acpParser) call(u acpUpdate, allowed bool, line []byte) []wsv2.Body {
	var out []wsv2.Body
	switch u.Status {
	case "", "pending", "in_progress", "completed", "failed":
	default:
		out = p.result.unknown("tool_call/"+u.Status, line)
	}
	begin, end := p.calls.update(u, allowed)
	if begin != nil {
		out = append(append(out, p.whole()...), begin)
	}
	if end != nil {
		out = append(out, end)
	}
	return out
}

// acpText is the text of a block of content.
func acpText(raw json.RawMessage) string {
	var b struct {
		Type     string `json:"type"`
		Text     string `json:"text"`
		URI      string `json:"uri"`
		Resource struct {
			Text string `json:"text"`
			URI  string `json:"uri"`
		} `json:"resource"`
	}
	if json.Unmarshal(raw, &b) != nil {
		return ""
	}
	switch b.Type {
	case "text":
		return b.Text
	case "resource_link":
		return firstOf(b.URI, "[resource_link]")
	case "resource":
		return firstOf(b.Resource.Text, b.Resource.URI, "[resource]")
	default:
		return "[" + named(b.Type) + "]"
	}
}
