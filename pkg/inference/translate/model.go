package translate

import (
	"encoding/json"

	"github.com/vexa-ai/vexa/pkg/inference"
)

// Request is an inference request, whatever its protocol. A member's zero value
// means that the client did not say.
type Request struct {
	Model       string
	Stream      bool
	StreamUsage bool // an openai-chat client asks to be told the usage in its stream
	Items       []Item
	Tools       []Tool
	Choice      ToolChoice
	Parallel    *bool // several tool calls in one answer
	MaxTokens   int64 // of the answer
	Temperature *float64
	TopP        *float64
	Stop        []string // stop sequences
	Effort      string   // of reasoning: none, minimal, low, medium, high and what else a provider knows
	Summary     string   // of reasoning, in openai-responses
	Thinking    Thinking // in anthropic-messages
	Format      *Format
	Verbosity   string
	User        string // who the provider is told that it answers
	Metadata    map[string]string
	CacheKey    string // groups the requests that share a prefix
}

// Role says whose an item is.
type Role string

// The roles. What a tool returned is the user's.
const (
	System    Role = "system"
	User      Role = "user"
	Assistant Role = "assistant"
)

// Kind is what an item is.
type Kind string

// The kinds of items.
const (
	Text      Kind = "text"
	Image     Kind = "image"
	File      Kind = "file"
	Call      Kind = "call"
	Result    Kind = "result"
	Reasoning Kind = "reasoning"
)

// Item is a piece of a conversation. Messages are runs of items of one role:
// where one message ends and the next of the same role begins is not kept, for
// no model is told.
type Item struct {
	Role   Role
	Kind   Kind
	Text   string     // Text, Reasoning
	Media  Media      // Image, File
	Call   ToolCall   // Call
	Result ToolResult // Result
	Opaque Opaque     // Reasoning
}

// Media is an image or a file: its bytes or its URL.
type Media struct {
	URL  string // of something that the provider fetches; empty where Data is not
	Type string // media type such as image/png
	Data string // base64
	Name string // of a file
}

// ToolCall is a call that a model made.
type ToolCall struct {
	ID        string
	Namespace string // of the tool; openai-responses only
	Name      string
	Arguments string // JSON, or any text where Freeform
	Freeform  bool   // of a tool that takes text instead of JSON
}

// ToolResult is what a call returned: items of kind Text, Image and File.
type ToolResult struct {
	CallID   string
	Content  []Item
	Error    bool
	Freeform bool // of a call that is Freeform
}

// Opaque is what a provider says of its reasoning for its own use: a signature
// or encrypted content. Only its origin can read it.
type Opaque struct {
	Origin   inference.Protocol `json:"-"`
	ID       string             `json:"id,omitempty"`
	Data     string             `json:"data,omitempty"`
	Redacted bool               `json:"redacted,omitempty"` // there is no text beside it
	Closes   bool               `json:"closes,omitempty"`   // gemini's: of what is before it, and not after
}

// Tool is a tool that the client carries out.
type Tool struct {
	Namespace   string
	Name        string
	Description string
	Schema      json.RawMessage // of its arguments; nil for one that takes none, and where Freeform
	Strict      bool
	Freeform    bool
	Format      json.RawMessage // of Freeform text
}

// ToolChoice says which tools the model may call, or must.
type ToolChoice struct {
	Mode ChoiceMode
	Name string // ChooseTool
}

// ChoiceMode is a kind of ToolChoice.
type ChoiceMode string

// The choices. The zero value is not said, which means ChooseAuto.
const (
	ChooseAuto ChoiceMode = "auto"
	ChooseNone ChoiceMode = "none"
	ChooseAny  ChoiceMode = "any"
	ChooseTool ChoiceMode = "tool"
)

// Thinking is anthropic-messages' switch for reasoning.
type Thinking struct {
	Type   string // enabled, adaptive, disabled
	Budget int64  // tokens, where enabled
}

// on reports whether the client asked for reasoning.
func (t Thinking) on() bool { return t.Type == "enabled" || t.Type == "adaptive" }

// Format is the form that an answer has to have.
type Format struct {
	Type        string // json_object, json_schema
	Name        string
	Description string
	Schema      json.RawMessage
	Strict      bool
}

// Lost counts what could not be carried over, by the name of the member.
type Lost map[string]int

// add counts one.
func (l Lost) add(name string) { l[name]++ }
