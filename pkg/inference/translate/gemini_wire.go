package translate

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/vexa-ai/vexa/pkg/inference"
)

// gemini is the protocol of that name. Its path names the model and says whether the
// answer is streamed. Source: https://ai.google.dev/api/generate-content and "Thought
// signatures" of its guide.
type gemini struct{}

const ownGemini = inference.Gemini

// geminiFate says what becomes of a member of a request. The protocol's readers take
// names with underscores, too; its clients write none.
func geminiFate(member string) fate {
	switch member {
	case "contents", "systemInstruction", "tools", "toolConfig", "generationConfig":
		return kept
	case "cachedContent":
		return refused
	default:
		if strings.Contains(member, "_") {
			return refused
		}
		return dropped // safetySettings, labels
	}
}

// geminiConfigFate is the same for a member of generationConfig.
func geminiConfigFate(member string) fate {
	switch member {
	case "maxOutputTokens", "temperature", "topP", "stopSequences", "thinkingConfig", "candidateCount",
		"responseMimeType", "responseSchema", "responseJsonSchema", "_responseJsonSchema", "responseModalities":
		return kept
	case "responseLogprobs", "logprobs", "speechConfig", "imageConfig":
		return refused
	default:
		return dropped // but for names with underscores: see plainNames
	}
}

type geminiRequest struct {
	Contents   []geminiContent `json:"contents"`
	System     *geminiContent  `json:"systemInstruction,omitempty"`
	Tools      json.RawMessage `json:"tools,omitempty"`
	ToolConfig json.RawMessage `json:"toolConfig,omitempty"`
	Config     json.RawMessage `json:"generationConfig,omitempty"`
}

type geminiTool struct {
	Functions json.RawMessage `json:"functionDeclarations"`
}

type geminiFunction struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters,omitempty"` // an OpenAPI schema
	Schema      json.RawMessage `json:"parametersJsonSchema,omitempty"`
}

type geminiToolConfig struct {
	Calling struct {
		Mode    string   `json:"mode,omitempty"`
		Allowed []string `json:"allowedFunctionNames,omitempty"`
	} `json:"functionCallingConfig"`
}

type geminiConfig struct {
	MaxTokens   int64           `json:"maxOutputTokens,omitempty"`
	Temperature *float64        `json:"temperature,omitempty"`
	TopP        *float64        `json:"topP,omitempty"`
	Stop        []string        `json:"stopSequences,omitempty"`
	Thinking    *geminiThinking `json:"thinkingConfig,omitempty"`
	Candidates  int64           `json:"candidateCount,omitempty"`
	Type        string          `json:"responseMimeType,omitempty"`
	Schema      json.RawMessage `json:"responseJsonSchema,omitempty"`
	Former      json.RawMessage `json:"_responseJsonSchema,omitempty"` // its name while it was tried out
	OpenAPI     json.RawMessage `json:"responseSchema,omitempty"`
	Modalities  []string        `json:"responseModalities,omitempty"`
}

type geminiThinking struct {
	Level  string `json:"thinkingLevel,omitempty"`
	Budget *int64 `json:"thinkingBudget,omitempty"`
	Shown  bool   `json:"includeThoughts,omitempty"`
}

type geminiContent struct {
	Role  string       `json:"role,omitempty"`
	Parts []geminiPart `json:"parts"`
}

type geminiPart struct {
	Text      *string         `json:"text,omitempty"`
	Thought   bool            `json:"thought,omitempty"`
	Signature string          `json:"thoughtSignature,omitempty"`
	Inline    *geminiBlob     `json:"inlineData,omitempty"`
	Call      *geminiCall     `json:"functionCall,omitempty"`
	Response  *geminiResponse `json:"functionResponse,omitempty"`
}

type geminiBlob struct {
	Type string `json:"mimeType"`
	Data string `json:"data"`
}

type geminiCall struct {
	ID   string          `json:"id,omitempty"`
	Name string          `json:"name"`
	Args json.RawMessage `json:"args,omitempty"`
}

type geminiResponse struct {
	ID       string          `json:"id,omitempty"`
	Name     string          `json:"name"`
	Response json.RawMessage `json:"response"`
	Parts    []geminiPart    `json:"parts,omitempty"`
}

// geminiAnswer is an answer, or an event of a streamed one: each is of the same
// form.
type geminiAnswer struct {
	Candidates []geminiCandidate `json:"candidates,omitempty"`
	Usage      *geminiUsage      `json:"usageMetadata,omitempty"`
	Feedback   *struct {
		Blocked string `json:"blockReason"`
	} `json:"promptFeedback,omitempty"`
	Model string     `json:"modelVersion,omitempty"`
	ID    string     `json:"responseId,omitempty"`
	Error *chatError `json:"error,omitempty"`
}

type geminiCandidate struct {
	Content      geminiContent `json:"content"`
	FinishReason string        `json:"finishReason,omitempty"`
	Message      string        `json:"finishMessage,omitempty"`
	Index        int           `json:"index"`
}

type geminiUsage struct {
	Prompt     *int64 `json:"promptTokenCount,omitempty"`
	ToolUse    *int64 `json:"toolUsePromptTokenCount,omitempty"`
	Cached     *int64 `json:"cachedContentTokenCount,omitempty"`
	Candidates *int64 `json:"candidatesTokenCount,omitempty"`
	Thoughts   *int64 `json:"thoughtsTokenCount,omitempty"`
	Total      *int64 `json:"totalTokenCount,omitempty"`
}

func geminiUsageOf(u Usage) *geminiUsage {
	said := max(u.Output-u.Reasoning, 0)
	return &geminiUsage{Prompt: &u.Input, Cached: &u.CacheRead, Candidates: &said, Thoughts: &u.Reasoning, Total: new(u.Input + u.Output)}
}

func (u *geminiUsage) usage() Usage {
	thoughts := count(u.Thoughts)
	return Usage{
		Input: count(u.Prompt) + count(u.ToolUse), CacheRead: min(count(u.Cached), count(u.Prompt)),
		Output: count(u.Candidates) + thoughts, Reasoning: thoughts, Known: u.Prompt != nil && u.Candidates != nil,
	}
}

func geminiStop(s StopReason) string {
	switch s {
	case StopLength:
		return "MAX_TOKENS"
	case StopRefusal:
		return "SAFETY"
	case StopEnd, StopSequence, StopTool:
	}
	return "STOP"
}

func stopOfGemini(s string, called bool) StopReason {
	switch {
	case s == "MAX_TOKENS":
		return StopLength
	case geminiRefusal(s):
		return StopRefusal
	case called:
		return StopTool
	default:
		return StopEnd
	}
}

// geminiRefusal reports whether an answer ended because of what it says.
func geminiRefusal(s string) bool {
	switch s {
	case "SAFETY", "RECITATION", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "LANGUAGE":
		return true
	default:
		return strings.HasPrefix(s, "IMAGE_")
	}
}

// geminiFailed reports whether an answer is none: the model wrote a call that cannot be
// read, say.
func geminiFailed(s string) bool {
	switch s {
	case "STOP", "MAX_TOKENS", "FINISH_REASON_UNSPECIFIED":
		return false
	default:
		return !geminiRefusal(s)
	}
}

// unsigned is a signature that says that there is none: the newer models refuse the
// first call of a step without one, also where another model made it. Source: "Thought
// signatures" of the guide, on conversations that other models began.
const unsigned = "skip_thought_signature_validator"

// geminiFormer reports whether a model is one that neither asks for signatures nor knows
// levels of thinking.
func geminiFormer(model string) bool {
	for _, name := range []string{"gemini-1", "gemini-2", "gemma"} {
		if strings.Contains(model, name) {
			return true
		}
	}
	return false
}

// carriedBytes is how what geminiSignature wrote begins, where it stands for another
// protocol's: carried in base64, as far as it does not depend on what follows.
const carriedBytes = "dmV4YT"

// geminiSignature is what stands for opaque reasoning. Clients take it for bytes in
// base64.
func geminiSignature(o Opaque) string {
	s := o.carry(ownGemini)
	if strings.HasPrefix(s, carried) {
		return base64.StdEncoding.EncodeToString([]byte(s))
	}
	return s
}

// geminiTaken reads what geminiSignature wrote.
func geminiTaken(signature string) Opaque {
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(signature, "="))
	if err == nil && strings.HasPrefix(string(raw), carried) {
		return taken(string(raw), ownGemini)
	}
	return Opaque{Origin: ownGemini, Data: signature}
}
