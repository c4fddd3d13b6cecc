package translate

import (
	"encoding/json"

	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/internal/wirejson"
)

// chat is the protocol openai-chat. Source: the Chat Completions API reference,
// https://platform.openai.com/docs/api-reference/chat, and for reasoning_content,
// which it lacks, what DeepSeek, vLLM and llama.cpp have in common.
type chat struct {
	openAI bool // the provider is OpenAI itself
}

const ownChat = inference.OpenAIChat

// chatFate says what becomes of a member of a request.
func chatFate(member string) fate {
	switch member {
	case "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "temperature", "top_p", "stop",
		"tools", "tool_choice", "parallel_tool_calls", "response_format", "reasoning_effort", "verbosity", "user",
		"safety_identifier", "metadata", "prompt_cache_key", "n", "modalities":
		return kept
	case "functions", "function_call", "logprobs", "top_logprobs", "logit_bias", "audio", "web_search_options":
		return refused
	default:
		return dropped
	}
}

type chatRequest struct {
	Model               string             `json:"model"`
	Messages            []chatMessage      `json:"messages"`
	Tools               []chatTool         `json:"tools,omitempty"`
	ToolChoice          *chatChoice        `json:"tool_choice,omitempty"`
	Parallel            *bool              `json:"parallel_tool_calls,omitempty"`
	Stream              bool               `json:"stream,omitempty"`
	StreamOptions       *chatStreamOptions `json:"stream_options,omitempty"`
	MaxTokens           int64              `json:"max_tokens,omitempty"`
	MaxCompletionTokens int64              `json:"max_completion_tokens,omitempty"`
	Temperature         *float64           `json:"temperature,omitempty"`
	TopP                *float64           `json:"top_p,omitempty"`
	Stop                *list[string]      `json:"stop,omitempty"`
	ResponseFormat      *chatFormat        `json:"response_format,omitempty"`
	ReasoningEffort     string             `json:"reasoning_effort,omitempty"`
	Verbosity           string             `json:"verbosity,omitempty"`
	User                string             `json:"user,omitempty"`
	SafetyIdentifier    string             `json:"safety_identifier,omitempty"`
	Metadata            map[string]string  `json:"metadata,omitempty"`
	CacheKey            string             `json:"prompt_cache_key,omitempty"`
	N                   *int               `json:"n,omitempty"`
	Modalities          []string           `json:"modalities,omitempty"`
}

type chatStreamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

type chatMessage struct {
	Role             string           `json:"role"`
	Content          *list[chatPart]  `json:"content"`
	Reasoning        texts            `json:"reasoning,omitempty"`
	ReasoningContent texts            `json:"reasoning_content,omitempty"`
	Refusal          texts            `json:"refusal,omitempty"`
	ToolCalls        []chatCall       `json:"tool_calls,omitempty"`
	ToolCallID       string           `json:"tool_call_id,omitempty"`
	FunctionCall     *json.RawMessage `json:"function_call,omitempty"`
}

type chatPart struct {
	Type     string          `json:"type"`
	Text     string          `json:"text,omitempty"`
	Refusal  string          `json:"refusal,omitempty"`
	ImageURL *chatURL        `json:"image_url,omitempty"`
	File     *chatFile       `json:"file,omitempty"`
	Thinking *list[textOnly] `json:"thinking,omitempty"`
}

type textOnly struct {
	Text string `json:"text"`
}

type chatURL struct {
	URL string `json:"url"`
}

// UnmarshalJSON reads an object, or the URL alone as some clients write it.
func (u *chatURL) UnmarshalJSON(raw []byte) error {
	if raw[0] == '"' {
		return wirejson.Unmarshal(raw, &u.URL)
	}
	var o struct {
		URL string `json:"url"`
	}
	err := json.Unmarshal(raw, &o)
	u.URL = o.URL
	return err
}

type chatFile struct {
	Filename string `json:"filename,omitempty"`
	FileData string `json:"file_data,omitempty"`
	FileID   string `json:"file_id,omitempty"`
}

type chatTool struct {
	Type     string        `json:"type"`
	Function *chatFunction `json:"function,omitempty"`
	Custom   *chatCustom   `json:"custom,omitempty"`
}

type chatFunction struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters,omitempty"`
	Strict      bool            `json:"strict,omitempty"`
}

type chatCustom struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Format      json.RawMessage `json:"format,omitempty"`
}

// chatChoice is a word, or the tool that is to be called.
type chatChoice struct {
	Mode     string
	Type     string
	Function struct {
		Name string `json:"name"`
	}
	Custom struct {
		Name string `json:"name"`
	}
}

// UnmarshalJSON reads either.
func (c *chatChoice) UnmarshalJSON(raw []byte) error {
	if raw[0] == '"' {
		return json.Unmarshal(raw, &c.Mode)
	}
	type plain chatChoice
	return json.Unmarshal(raw, (*plain)(c))
}

// MarshalJSON writes either.
func (c chatChoice) MarshalJSON() ([]byte, error) {
	if c.Mode != "" {
		return encode(c.Mode)
	}
	return encode(object{"type": "function", "function": c.Function})
}

type chatFormat struct {
	Type   string `json:"type"`
	Schema *struct {
		Name        string          `json:"name"`
		Description string          `json:"description,omitempty"`
		Schema      json.RawMessage `json:"schema,omitempty"`
		Strict      bool            `json:"strict,omitempty"`
	} `json:"json_schema,omitempty"`
}

// chatCall is a call of a tool: whole, or in a stream a piece of one.
type chatCall struct {
	Index    *int            `json:"index,omitempty"`
	ID       string          `json:"id,omitempty"`
	Type     string          `json:"type,omitempty"`
	Function *chatCallBody   `json:"function,omitempty"`
	Custom   *chatCustomCall `json:"custom,omitempty"`
}

type chatCallBody struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

type chatCustomCall struct {
	Name  string `json:"name,omitempty"`
	Input string `json:"input"`
}

type chatUsage struct {
	Prompt        *int64 `json:"prompt_tokens"`
	Completion    *int64 `json:"completion_tokens"`
	Total         int64  `json:"total_tokens"`
	PromptDetails *struct {
		Cached *int64 `json:"cached_tokens"`
	} `json:"prompt_tokens_details,omitempty"`
	CompletionDetails *struct {
		Reasoning *int64 `json:"reasoning_tokens"`
	} `json:"completion_tokens_details,omitempty"`
}

func (u *chatUsage) usage() Usage {
	if u == nil {
		return Usage{}
	}
	out := Usage{Input: count(u.Prompt), Output: count(u.Completion), Known: u.Prompt != nil && u.Completion != nil}
	if d := u.PromptDetails; d != nil {
		out.CacheRead = min(count(d.Cached), out.Input)
	}
	if d := u.CompletionDetails; d != nil {
		out.Reasoning = min(count(d.Reasoning), out.Output)
	}
	return out
}

func chatUsageOf(u Usage) object {
	return object{
		"prompt_tokens": u.Input, "completion_tokens": u.Output, "total_tokens": u.Input + u.Output,
		"prompt_tokens_details":     object{"cached_tokens": u.CacheRead},
		"completion_tokens_details": object{"reasoning_tokens": u.Reasoning},
	}
}

func chatStop(s StopReason) string {
	switch s {
	case StopLength:
		return "length"
	case StopTool:
		return "tool_calls"
	case StopRefusal:
		return "content_filter"
	case StopEnd, StopSequence:
	}
	return "stop"
}

func stopOfChat(s string, calls bool) StopReason {
	switch {
	case s == "length":
		return StopLength
	case s == "content_filter":
		return StopRefusal
	case calls: // some servers say stop
		return StopTool
	default:
		return StopEnd
	}
}
