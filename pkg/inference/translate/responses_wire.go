package translate

import (
	"encoding/json"

	"github.com/vexa-ai/vexa/pkg/inference"
)

// responses is the protocol openai-responses. Source: the Responses API
// reference, https://platform.openai.com/docs/api-reference/responses, its
// streaming events, and for namespaces, custom tools and additional tools what
// Codex sends.
type responses struct{}

const ownResponses = inference.OpenAIResponses

// responsesFate says what becomes of a member of a request.
func responsesFate(member string) fate {
	switch member {
	case "model", "input", "instructions", "max_output_tokens", "stream", "temperature", "top_p", "tools", "tool_choice",
		"parallel_tool_calls", "reasoning", "text", "metadata", "user", "safety_identifier", "prompt_cache_key",
		"include", "store", "stream_options":
		return kept
	case "previous_response_id", "conversation", "prompt", "background", "top_logprobs", "max_tool_calls":
		return refused
	default:
		return dropped
	}
}

type responsesRequest struct {
	Model            string              `json:"model"`
	Instructions     string              `json:"instructions,omitempty"`
	Input            list[responsesItem] `json:"input"`
	Tools            []responsesTool     `json:"tools,omitempty"`
	ToolChoice       *responsesChoice    `json:"tool_choice,omitempty"`
	Parallel         *bool               `json:"parallel_tool_calls,omitempty"`
	Stream           bool                `json:"stream,omitempty"`
	Store            bool                `json:"store"`
	MaxOutputTokens  int64               `json:"max_output_tokens,omitempty"`
	Temperature      *float64            `json:"temperature,omitempty"`
	TopP             *float64            `json:"top_p,omitempty"`
	Reasoning        *responsesReasoning `json:"reasoning,omitempty"`
	Text             *responsesText      `json:"text,omitempty"`
	Include          []string            `json:"include,omitempty"`
	User             string              `json:"user,omitempty"`
	SafetyIdentifier string              `json:"safety_identifier,omitempty"`
	Metadata         map[string]string   `json:"metadata,omitempty"`
	CacheKey         string              `json:"prompt_cache_key,omitempty"`
}

type responsesReasoning struct {
	Effort  string `json:"effort,omitempty"`
	Summary string `json:"summary,omitempty"`
}

type responsesText struct {
	Format    *responsesFormat `json:"format,omitempty"`
	Verbosity string           `json:"verbosity,omitempty"`
}

type responsesFormat struct {
	Type        string          `json:"type"`
	Name        string          `json:"name,omitempty"`
	Description string          `json:"description,omitempty"`
	Schema      json.RawMessage `json:"schema,omitempty"`
	Strict      bool            `json:"strict,omitempty"`
}

type responsesTool struct {
	Type        string          `json:"type"`
	Name        string          `json:"name,omitempty"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters,omitempty"`
	Strict      *bool           `json:"strict,omitempty"`
	Format      json.RawMessage `json:"format,omitempty"` // custom
	Tools       []responsesTool `json:"tools,omitempty"`  // namespace
}

// responsesChoice is a word, or the tool that is to be called.
type responsesChoice struct {
	Mode string `json:"-"`
	Type string `json:"type"`
	Name string `json:"name"`
}

// UnmarshalJSON reads either.
func (c *responsesChoice) UnmarshalJSON(raw []byte) error {
	if raw[0] == '"' {
		return json.Unmarshal(raw, &c.Mode)
	}
	type plain responsesChoice
	return json.Unmarshal(raw, (*plain)(c))
}

// MarshalJSON writes either.
func (c responsesChoice) MarshalJSON() ([]byte, error) {
	if c.Mode != "" {
		return encode(c.Mode)
	}
	type plain responsesChoice
	return encode(plain(c))
}

// responsesItem is an item of any type, of a request or an answer.
type responsesItem struct {
	Type             string               `json:"type"`
	ID               string               `json:"id,omitempty"`
	Status           string               `json:"status,omitempty"`
	Role             string               `json:"role,omitempty"`
	Content          *list[responsesPart] `json:"content,omitempty"`
	CallID           string               `json:"call_id,omitempty"`
	Namespace        string               `json:"namespace,omitempty"`
	Name             string               `json:"name,omitempty"`
	Arguments        *texts               `json:"arguments,omitempty"`
	Input            *texts               `json:"input,omitempty"` // custom_tool_call
	Output           *list[responsesPart] `json:"output,omitempty"`
	Summary          *[]responsesPart     `json:"summary,omitempty"` // reasoning
	EncryptedContent string               `json:"encrypted_content,omitempty"`
	Tools            []responsesTool      `json:"tools,omitempty"` // additional_tools
}

type responsesPart struct {
	Type        string          `json:"type"`
	Text        *string         `json:"text,omitempty"`
	Refusal     string          `json:"refusal,omitempty"`
	ImageURL    string          `json:"image_url,omitempty"`
	FileURL     string          `json:"file_url,omitempty"`
	FileData    string          `json:"file_data,omitempty"`
	Filename    string          `json:"filename,omitempty"`
	Annotations json.RawMessage `json:"annotations,omitempty"`
}

type responsesUsage struct {
	Input        *int64 `json:"input_tokens"`
	InputDetails *struct {
		Cached *int64 `json:"cached_tokens"`
	} `json:"input_tokens_details"`
	Output        *int64 `json:"output_tokens"`
	OutputDetails *struct {
		Reasoning *int64 `json:"reasoning_tokens"`
	} `json:"output_tokens_details"`
}

func (u *responsesUsage) usage() Usage {
	if u == nil {
		return Usage{}
	}
	out := Usage{Input: count(u.Input), Output: count(u.Output), Known: u.Input != nil && u.Output != nil}
	if d := u.InputDetails; d != nil {
		out.CacheRead = min(count(d.Cached), out.Input)
	}
	if d := u.OutputDetails; d != nil {
		out.Reasoning = min(count(d.Reasoning), out.Output)
	}
	return out
}

func responsesUsageOf(u Usage) object {
	return object{
		"input_tokens": u.Input, "output_tokens": u.Output, "total_tokens": u.Input + u.Output,
		"input_tokens_details":  object{"cached_tokens": u.CacheRead},
		"output_tokens_details": object{"reasoning_tokens": u.Reasoning},
	}
}

// responsesAnswer is an answer as a whole.
type responsesAnswer struct {
	ID         string          `json:"id"`
	Model      string          `json:"model"`
	Status     string          `json:"status"`
	Output     []responsesItem `json:"output"`
	Usage      *responsesUsage `json:"usage"`
	Error      *chatError      `json:"error"`
	Incomplete *struct {
		Reason string `json:"reason"`
	} `json:"incomplete_details"`
}

func (a *responsesAnswer) stop(calls, refused bool) StopReason {
	switch {
	case a.Incomplete != nil && a.Incomplete.Reason == "content_filter", refused:
		return StopRefusal
	case a.Status == "incomplete":
		return StopLength
	case calls:
		return StopTool
	default:
		return StopEnd
	}
}
