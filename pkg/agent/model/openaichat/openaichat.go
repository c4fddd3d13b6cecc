// Package openaichat is the model adapter for the OpenAI Chat Completions API,
// streamed (POST /chat/completions): what local servers speak.
package openaichat

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/vexa-ai/vexa/pkg/agent/model"
	"github.com/vexa-ai/vexa/pkg/agent/model/sse"
)

// Client speaks to one provider. It may be used by several goroutines.
type Client struct {
	http  *http.Client
	base  string
	token string
	model string
}

var _ model.Model = (*Client)(nil)

// New returns a client for the model at base, which has the version in it:
// "http://127.0.0.1:11434/v1". The token goes into Authorization.
func New(c *http.Client, base, token, name string) *Client {
	return &Client{http: c, base: strings.TrimSuffix(base, "/"), token: token, model: name}
}

// The wire form of a request. It sets no limit on the answer: servers disagree
// on that member's name and refuse the other's.
type request struct {
	Model         string    `json:"model"`
	Messages      []message `json:"messages"`
	Tools         []tool    `json:"tools,omitempty"`
	Stream        bool      `json:"stream"`
	StreamOptions options   `json:"stream_options"`
}

type options struct {
	IncludeUsage bool `json:"include_usage"`
}

type message struct {
	Role       string     `json:"role"`
	Content    *string    `json:"content"` // null beside tool calls
	ToolCalls  []toolCall `json:"tool_calls,omitempty"`
	ToolCallID string     `json:"tool_call_id,omitempty"`
}

type toolCall struct {
	Index    *int     `json:"index,omitempty"` // in an answer; some servers leave it out
	ID       string   `json:"id,omitempty"`
	Type     string   `json:"type,omitempty"`
	Function function `json:"function"`
}

type function struct {
	Name        string          `json:"name,omitempty"`
	Arguments   string          `json:"arguments,omitempty"` // JSON as text
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters,omitempty"`
}

type tool struct {
	Type     string   `json:"type"`
	Function function `json:"function"`
}

// Stream implements model.Model.
func (c *Client) Stream(ctx context.Context, r model.Request, yield func(model.Delta)) (model.Response, error) {
	body := request{Model: c.model, Messages: messages(r), Stream: true, StreamOptions: options{IncludeUsage: true}}
	for _, t := range r.Tools {
		body.Tools = append(body.Tools, tool{Type: "function", Function: function{
			Name: t.Name, Description: t.Description, Parameters: t.Schema,
		}})
	}
	a := &answer{voice: model.Voice{Yield: yield}}
	err := sse.Post(ctx, c.http, sse.Call{
		URL:    c.base + "/chat/completions",
		Header: map[string]string{"Authorization": "Bearer " + c.token},
		Body:   body,
	}, a.event)
	if err == nil && a.finish == "" {
		err = &model.Error{Msg: "the answer broke off", Transient: true}
	}
	return a.response(), err
}

func messages(r model.Request) []message {
	var out []message
	if r.System != "" {
		out = append(out, message{Role: "system", Content: &r.System})
	}
	for _, m := range r.Messages {
		switch m.Role {
		case model.RoleUser:
			out = append(out, message{Role: "user", Content: &m.Text})
		case model.RoleAssistant:
			out = append(out, assistant(m))
		case model.RoleTool:
			for _, res := range m.Results {
				out = append(out, message{Role: "tool", Content: &res.Output, ToolCallID: res.ID})
			}
		}
	}
	return out
}

func assistant(m model.Message) message {
	out := message{Role: "assistant"}
	if m.Text != "" || len(m.Calls) == 0 {
		out.Content = &m.Text
	}
	for _, c := range m.Calls {
		out.ToolCalls = append(out.ToolCalls, toolCall{ID: c.ID, Type: "function", Function: function{
			Name: c.Name, Arguments: string(c.Arguments),
		}})
	}
	return out
}

// chunk is the wire form of one event of an answer.
type chunk struct {
	Choices []struct {
		Delta struct {
			Content          string     `json:"content"`
			ReasoningContent string     `json:"reasoning_content"`
			Reasoning        string     `json:"reasoning"`
			ToolCalls        []toolCall `json:"tool_calls"`
		} `json:"delta"`
		FinishReason string `json:"finish_reason"`
	} `json:"choices"`
	Usage *struct {
		PromptTokens     int64 `json:"prompt_tokens"`
		CompletionTokens int64 `json:"completion_tokens"`
	} `json:"usage"`
	Error json.RawMessage `json:"error"`
}

// answer collects a message from its chunks.
type answer struct {
	voice  model.Voice
	calls  []*call
	finish string
	usage  model.Usage
}

type call struct {
	index     int
	id, name  string
	arguments strings.Builder
}

func (a *answer) event(e sse.Event) (bool, error) {
	if string(e.Data) == "[DONE]" {
		return false, nil
	}
	var c chunk
	if err := json.Unmarshal(e.Data, &c); err != nil {
		return false, &model.Error{Msg: "an event of the answer is not JSON", Err: err}
	}
	if len(c.Error) > 0 && string(c.Error) != "null" {
		err := sse.Parse(e.Data)
		err.Transient = err.Code == "server_error" || err.Code == "rate_limit_exceeded" || err.Code == "overloaded"
		return false, err
	}
	if c.Usage != nil {
		a.usage = model.Usage{InputTokens: c.Usage.PromptTokens, OutputTokens: c.Usage.CompletionTokens}
	}
	if len(c.Choices) == 0 {
		return true, nil
	}
	choice := c.Choices[0]
	a.voice.Say(model.DeltaReasoning, choice.Delta.ReasoningContent+choice.Delta.Reasoning)
	a.voice.Say(model.DeltaText, choice.Delta.Content)
	for _, t := range choice.Delta.ToolCalls {
		a.call(t)
	}
	if choice.FinishReason != "" {
		a.finish = choice.FinishReason
	}
	return true, nil // usage may follow
}

// call adds a piece of a tool call to the one it belongs to.
func (a *answer) call(t toolCall) {
	var to *call
	switch {
	case t.Index != nil:
		for _, c := range a.calls {
			if c.index == *t.Index {
				to = c
			}
		}
	case len(a.calls) > 0 && (t.ID == "" || t.ID == a.calls[len(a.calls)-1].id):
		to = a.calls[len(a.calls)-1]
	}
	if to == nil {
		to = &call{index: len(a.calls)}
		if t.Index != nil {
			to.index = *t.Index
		}
		a.calls = append(a.calls, to)
	}
	if t.ID != "" {
		to.id = t.ID
	}
	if to.name == "" {
		to.name = t.Function.Name // some servers repeat it with every piece
	}
	to.arguments.WriteString(t.Function.Arguments)
}

func (a *answer) response() model.Response {
	m := model.Message{Role: model.RoleAssistant, Text: a.voice.Text()}
	for _, c := range a.calls {
		m.Calls = append(m.Calls, model.NewCall(c.id, c.name, c.arguments.String()))
	}
	return model.Response{Message: m, Stop: stop(a.finish), Usage: a.usage}
}

func stop(reason string) model.Stop {
	switch reason {
	case "stop":
		return model.StopEnd
	case "tool_calls", "function_call":
		return model.StopTools
	case "length":
		return model.StopLength
	default:
		return model.StopOther
	}
}
