// Package anthropic is the model adapter for the Anthropic Messages API,
// streamed (POST /v1/messages, version 2023-06-01), which other providers
// serve too.
package anthropic

import (
	"context"
	"encoding/json"
	"fmt"
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

// New returns a client for the model at base, which has no version in it:
// "https://api.anthropic.com". The token goes into x-api-key.
func New(c *http.Client, base, token, name string) *Client {
	return &Client{http: c, base: strings.TrimSuffix(base, "/"), token: token, model: name}
}

// The wire form of a request.
type request struct {
	Model     string    `json:"model"`
	MaxTokens int       `json:"max_tokens"`
	System    []block   `json:"system,omitempty"`
	Messages  []message `json:"messages"`
	Tools     []tool    `json:"tools,omitempty"`
	Stream    bool      `json:"stream"`
}

type message struct {
	Role    string  `json:"role"`
	Content []block `json:"content"`
}

type block struct {
	Type      string          `json:"type"`
	Text      string          `json:"text,omitempty"`
	ID        string          `json:"id,omitempty"`
	Name      string          `json:"name,omitempty"`
	Input     json.RawMessage `json:"input,omitempty"`
	ToolUseID string          `json:"tool_use_id,omitempty"`
	Content   string          `json:"content,omitempty"`
	Cache     *cache          `json:"cache_control,omitempty"`
	IsError   bool            `json:"is_error,omitempty"`
}

// cache marks the end of what the provider may keep for the next request. An
// agent sends the same beginning again and again; without the mark each step
// costs as much as all steps before it.
type cache struct {
	Type string `json:"type"`
}

func (b *block) mark() { b.Cache = &cache{Type: "ephemeral"} }

type tool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	InputSchema json.RawMessage `json:"input_schema"`
}

// Stream implements model.Model.
func (c *Client) Stream(ctx context.Context, r model.Request, yield func(model.Delta)) (model.Response, error) {
	body := request{Model: c.model, MaxTokens: r.MaxTokens, System: textBlocks(r.System), Messages: messages(r.Messages), Stream: true}
	for _, t := range r.Tools {
		body.Tools = append(body.Tools, tool{Name: t.Name, Description: t.Description, InputSchema: t.Schema})
	}
	if n := len(body.System); n > 0 {
		body.System[n-1].mark()
	}
	if n := len(body.Messages); n > 0 {
		content := body.Messages[n-1].Content
		content[len(content)-1].mark()
	}
	a := &answer{voice: model.Voice{Yield: yield}}
	err := sse.Post(ctx, c.http, sse.Call{
		URL:    c.base + "/v1/messages",
		Header: map[string]string{"X-Api-Key": c.token, "Anthropic-Version": "2023-06-01"},
		Body:   body,
	}, a.event)
	if err == nil && !a.stopped {
		err = &model.Error{Msg: "the answer broke off", Transient: true}
	}
	return a.response(), err
}

// messages maps a conversation; neighbours of one role become one message,
// since the API wants the roles to take turns.
func messages(in []model.Message) []message {
	var out []message
	for _, m := range in {
		role, blocks := "user", []block(nil)
		switch m.Role {
		case model.RoleAssistant:
			role, blocks = "assistant", assistantBlocks(m)
		case model.RoleTool:
			for _, r := range m.Results {
				blocks = append(blocks, block{Type: "tool_result", ToolUseID: r.ID, Content: r.Output, IsError: !r.OK})
			}
		case model.RoleUser:
			blocks = textBlocks(m.Text)
		}
		if len(blocks) == 0 {
			continue
		}
		if n := len(out); n > 0 && out[n-1].Role == role {
			out[n-1].Content = append(out[n-1].Content, blocks...)
			continue
		}
		out = append(out, message{Role: role, Content: blocks})
	}
	return out
}

func textBlocks(s string) []block {
	if strings.TrimSpace(s) == "" {
		return nil // the API refuses empty text
	}
	return []block{{Type: "text", Text: s}}
}

func assistantBlocks(m model.Message) []block {
	blocks := textBlocks(strings.TrimRight(m.Text, " \t\r\n")) // a final blank is refused too
	for _, c := range m.Calls {
		blocks = append(blocks, block{Type: "tool_use", ID: c.ID, Name: c.Name, Input: c.Arguments})
	}
	return blocks
}

// The wire form of an answer's events, all in one.
type event struct {
	Type    string `json:"type"`
	Index   int    `json:"index"`
	Message struct {
		Usage usage `json:"usage"`
	} `json:"message"`
	ContentBlock block `json:"content_block"`
	Delta        struct {
		Type        string `json:"type"`
		Text        string `json:"text"`
		Thinking    string `json:"thinking"`
		PartialJSON string `json:"partial_json"`
		StopReason  string `json:"stop_reason"`
	} `json:"delta"`
	Usage usage `json:"usage"`
}

type usage struct {
	InputTokens  int64 `json:"input_tokens"`
	OutputTokens int64 `json:"output_tokens"`
}

// answer collects a message from its events.
type answer struct {
	voice   model.Voice
	calls   []call
	stop    string
	stopped bool
	usage   model.Usage
}

type call struct {
	index int
	id    string
	name  string
	input json.RawMessage // given whole at the start by some servers
	json  strings.Builder
}

func (a *answer) event(e sse.Event) (bool, error) {
	var ev event
	if err := json.Unmarshal(e.Data, &ev); err != nil {
		return false, &model.Error{Msg: "an event of the answer is not JSON", Err: err}
	}
	switch ev.Type {
	case "message_start":
		a.usage.InputTokens = ev.Message.Usage.InputTokens
		a.usage.OutputTokens = ev.Message.Usage.OutputTokens
	case "content_block_start":
		a.start(ev)
	case "content_block_delta":
		return true, a.delta(ev)
	case "message_delta":
		if ev.Delta.StopReason != "" {
			a.stop = ev.Delta.StopReason
		}
		a.usage.OutputTokens = max(a.usage.OutputTokens, ev.Usage.OutputTokens)
		a.usage.InputTokens = max(a.usage.InputTokens, ev.Usage.InputTokens)
	case "message_stop":
		a.stopped = true
		return false, nil
	case "error":
		err := sse.Parse(e.Data)
		err.Transient = err.Code == "overloaded_error" || err.Code == "api_error" || err.Code == "rate_limit_error"
		return false, err
	}
	return true, nil // ping, content_block_stop, and what is not known yet
}

func (a *answer) start(ev event) {
	switch ev.ContentBlock.Type {
	case "text":
		a.voice.Say(model.DeltaText, ev.ContentBlock.Text)
	case "tool_use":
		a.calls = append(a.calls, call{index: ev.Index, id: ev.ContentBlock.ID, name: ev.ContentBlock.Name, input: ev.ContentBlock.Input})
	}
}

func (a *answer) delta(ev event) error {
	switch ev.Delta.Type {
	case "text_delta":
		a.voice.Say(model.DeltaText, ev.Delta.Text)
	case "thinking_delta":
		a.voice.Say(model.DeltaReasoning, ev.Delta.Thinking)
	case "input_json_delta":
		for i := range a.calls {
			if a.calls[i].index == ev.Index {
				a.calls[i].json.WriteString(ev.Delta.PartialJSON)
				return nil
			}
		}
		return &model.Error{Msg: fmt.Sprintf("arguments came for block %d, which is no tool call", ev.Index)}
	}
	return nil
}

func (a *answer) response() model.Response {
	m := model.Message{Role: model.RoleAssistant, Text: a.voice.Text()}
	for i := range a.calls {
		c := &a.calls[i]
		arguments := c.json.String()
		if arguments == "" {
			arguments = string(c.input)
		}
		m.Calls = append(m.Calls, model.NewCall(c.id, c.name, arguments))
	}
	return model.Response{Message: m, Stop: stop(a.stop), Usage: a.usage}
}

func stop(reason string) model.Stop {
	switch reason {
	case "end_turn", "stop_sequence":
		return model.StopEnd
	case "tool_use":
		return model.StopTools
	case "max_tokens", "model_context_window_exceeded":
		return model.StopLength
	default:
		return model.StopOther
	}
}
