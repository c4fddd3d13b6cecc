package translate

import (
	"encoding/json"

	"github.com/vexa-ai/vexa/pkg/inference"
)

// messages is the protocol anthropic-messages. Source: the Messages API
// reference, https://docs.claude.com/en/api/messages, and "Streaming messages".
type messages struct{}

const ownMessages = inference.AnthropicMessages

// messagesFate says what becomes of a member of a request.
func messagesFate(member string) fate {
	switch member {
	case "model", "messages", "system", "max_tokens", "stream", "temperature", "top_p", "stop_sequences",
		"tools", "tool_choice", "thinking", "metadata", "output_config", "output_format":
		return kept
	case "container", "mcp_servers":
		return refused
	default:
		return dropped
	}
}

type messagesRequest struct {
	Model         string            `json:"model"`
	MaxTokens     int64             `json:"max_tokens"`
	System        *messagesContent  `json:"system,omitempty"`
	Messages      []messagesMessage `json:"messages"`
	Tools         []messagesTool    `json:"tools,omitempty"`
	ToolChoice    *messagesChoice   `json:"tool_choice,omitempty"`
	Stream        bool              `json:"stream,omitempty"`
	Temperature   *float64          `json:"temperature,omitempty"`
	TopP          *float64          `json:"top_p,omitempty"`
	StopSequences []string          `json:"stop_sequences,omitempty"`
	Thinking      *messagesThinking `json:"thinking,omitempty"`
	Metadata      *messagesMetadata `json:"metadata,omitempty"`
	OutputConfig  *messagesOutput   `json:"output_config,omitempty"`
	OutputFormat  *messagesFormat   `json:"output_format,omitempty"` // the former name of output_config.format
}

type messagesMessage struct {
	Role    string          `json:"role"`
	Content messagesContent `json:"content"`
}

type messagesMetadata struct {
	UserID string `json:"user_id,omitempty"`
}

type messagesThinking struct {
	Type   string `json:"type"`
	Budget int64  `json:"budget_tokens,omitempty"`
}

type messagesOutput struct {
	Effort string          `json:"effort,omitempty"`
	Format *messagesFormat `json:"format,omitempty"`
}

type messagesFormat struct {
	Type   string          `json:"type"`
	Schema json.RawMessage `json:"schema,omitempty"`
}

type messagesTool struct {
	Type        string          `json:"type,omitempty"`
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	InputSchema json.RawMessage `json:"input_schema,omitempty"`
	Strict      bool            `json:"strict,omitempty"`
}

type messagesChoice struct {
	Type       string `json:"type"`
	Name       string `json:"name,omitempty"`
	NoParallel *bool  `json:"disable_parallel_tool_use,omitempty"`
}

// messagesBlock is a content block of any type.
type messagesBlock struct {
	Type         string           `json:"type"`
	Text         *string          `json:"text,omitempty"`
	Source       json.RawMessage  `json:"source,omitempty"` // image, document; of a search result its address
	Title        string           `json:"title,omitempty"`
	ID           string           `json:"id,omitempty"` // tool_use
	Name         string           `json:"name,omitempty"`
	Input        json.RawMessage  `json:"input,omitempty"`
	ToolUseID    string           `json:"tool_use_id,omitempty"` // tool_result
	Content      *messagesContent `json:"content,omitempty"`
	IsError      bool             `json:"is_error,omitempty"`
	Thinking     *string          `json:"thinking,omitempty"`
	Signature    *string          `json:"signature,omitempty"`
	Data         string           `json:"data,omitempty"`      // redacted_thinking
	ToolName     string           `json:"tool_name,omitempty"` // tool_reference
	CacheControl *cacheControl    `json:"cache_control,omitempty"`

	depth int // of the content that it was read from
}

type cacheControl struct {
	Type string `json:"type"`
}

// messagesSource is where an image or a document is.
type messagesSource struct {
	Type      string           `json:"type"`
	MediaType string           `json:"media_type,omitempty"`
	Data      string           `json:"data,omitempty"`
	URL       string           `json:"url,omitempty"`
	Content   *messagesContent `json:"content,omitempty"`
}

// messagesContent is text, or blocks.
type messagesContent struct{ list[messagesBlock] }

// blocks returns the content as blocks.
func (c *messagesContent) blocks() []messagesBlock {
	switch {
	case c == nil:
		return nil
	case c.isText:
		return []messagesBlock{{Type: "text", Text: &c.text}}
	default:
		return c.all
	}
}

func blocksOf(all []messagesBlock) *messagesContent {
	return &messagesContent{list[messagesBlock]{all: all}}
}

type messagesUsage struct {
	Input      *int64 `json:"input_tokens,omitempty"`
	CacheWrite *int64 `json:"cache_creation_input_tokens,omitempty"`
	CacheRead  *int64 `json:"cache_read_input_tokens,omitempty"`
	Output     *int64 `json:"output_tokens,omitempty"`
}

func messagesUsageOf(u Usage) *messagesUsage {
	plain := max(u.Input-u.CacheRead-u.CacheWrite, 0)
	return &messagesUsage{Input: &plain, CacheWrite: &u.CacheWrite, CacheRead: &u.CacheRead, Output: &u.Output}
}

// add takes what a later usage says; its numbers are cumulative, and those it
// does not say stand.
func (u *messagesUsage) add(later *messagesUsage) {
	if later == nil {
		return
	}
	for _, p := range []struct{ to, from **int64 }{
		{&u.Input, &later.Input}, {&u.CacheWrite, &later.CacheWrite}, {&u.CacheRead, &later.CacheRead}, {&u.Output, &later.Output},
	} {
		if *p.from != nil && (**p.from > 0 || *p.to == nil) {
			*p.to = *p.from
		}
	}
}

func (u *messagesUsage) usage() Usage {
	read, write := count(u.CacheRead), count(u.CacheWrite)
	return Usage{
		Input: count(u.Input) + read + write, CacheRead: read, CacheWrite: write,
		Output: count(u.Output), Known: u.Input != nil && u.Output != nil,
	}
}

// count makes a number of tokens from what a provider wrote.
func count(n *int64) int64 {
	const most = 1 << 40
	if n == nil {
		return 0
	}
	return min(max(*n, 0), most)
}

// messagesAnswer is an answer as a whole, and the beginning of a streamed one.
type messagesAnswer struct {
	ID           string          `json:"id"`
	Type         string          `json:"type"`
	Role         string          `json:"role"`
	Model        string          `json:"model"`
	Content      []messagesBlock `json:"content"`
	StopReason   *string         `json:"stop_reason"`
	StopSequence *string         `json:"stop_sequence"`
	Usage        *messagesUsage  `json:"usage"`
}

func messagesStop(s StopReason) string {
	switch s {
	case StopLength:
		return "max_tokens"
	case StopSequence:
		return "stop_sequence"
	case StopTool:
		return "tool_use"
	case StopRefusal:
		return "refusal"
	case StopEnd:
	}
	return "end_turn"
}

func stopOfMessages(s string) StopReason {
	switch s {
	case "max_tokens", "model_context_window_exceeded":
		return StopLength
	case "stop_sequence":
		return StopSequence
	case "tool_use":
		return StopTool
	case "refusal":
		return StopRefusal
	default:
		return StopEnd
	}
}
