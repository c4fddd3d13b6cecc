package inference

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// StatusError is the status of an HTTP answer that is not a success.
type StatusError int

// Error names the status.
func (e StatusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("HTTP %d %s", int(e), http.StatusText(int(e))))
}

// ListedModel is a model that a provider says it serves.
type ListedModel struct {
	ID      string
	Context int64 // the most tokens that it reads and writes together; 0: not said
}

// listing is the answer to GET /v1/models of every protocol: gemini's lists
// models, the others' data.
type listing struct {
	Object string       `json:"object"`
	Data   []listedItem `json:"data"`
	Models []listedItem `json:"models"`
}

// listedItem is a model of a listing. No standard says how long its context is,
// so that each server has a name of its own for it.
type listedItem struct {
	ID      string `json:"id"`
	Name    string `json:"name"` // gemini: models/ID
	OwnedBy string `json:"owned_by"`

	InputTokenLimit  number `json:"inputTokenLimit"`    // gemini
	MaxInputTokens   number `json:"max_input_tokens"`   // Anthropic, LiteLLM
	MaxModelLen      number `json:"max_model_len"`      // vLLM, SGLang
	ContextLength    number `json:"context_length"`     // OpenRouter, Together
	ContextWindow    number `json:"context_window"`     // Groq
	MaxContextLength number `json:"max_context_length"` // Mistral, LM Studio
	Meta             *struct {
		ContextTrain number `json:"n_ctx_train"`
	} `json:"meta"` // llama.cpp
}

// number is a count; what is none is 0 and makes no listing unreadable.
type number int64

// UnmarshalJSON reads it.
func (n *number) UnmarshalJSON(raw []byte) error {
	var f float64
	if json.Unmarshal(raw, &f) == nil && f >= 1 && f < 1<<40 {
		*n = number(f)
	}
	return nil
}

func (i *listedItem) model() ListedModel {
	m := ListedModel{ID: i.ID}
	if m.ID == "" {
		m.ID = strings.TrimPrefix(i.Name, "models/")
	}
	for _, n := range []number{i.InputTokenLimit, i.MaxInputTokens, i.MaxModelLen, i.ContextLength, i.ContextWindow, i.MaxContextLength} {
		if m.Context == 0 {
			m.Context = int64(n)
		}
	}
	if m.Context == 0 && i.Meta != nil {
		m.Context = int64(i.Meta.ContextTrain)
	}
	return m
}

// models returns those whose names can be used, each once, in the server's order.
func (l listing) models() []ListedModel {
	var out []ListedModel
	for _, item := range append(l.Data, l.Models...) {
		m := item.model()
		same := func(o ListedModel) bool { return o.ID == m.ID }
		if modelPattern.MatchString(m.ID) && !slices.ContainsFunc(out, same) {
			out = append(out, m)
		}
	}
	return out
}

// usable returns the models that can be talked to, in the server's order.
func (l listing) usable() []string {
	var out []string
	for _, m := range l.models() {
		if !strings.Contains(strings.ToLower(m.ID), "embed") {
			out = append(out, m.ID)
		}
	}
	return out
}

func readListing(resp *http.Response) (listing, error) {
	const most = 4 << 20
	var l listing
	if resp.StatusCode != http.StatusOK {
		return l, StatusError(resp.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err != nil {
		return l, err
	}
	return l, json.Unmarshal(data, &l)
}

// Models asks the provider which models it serves, in its own order. The error
// is a StatusError where it answers with one.
func (u *Upstream) Models(ctx context.Context, p Provider, key []byte) ([]ListedModel, error) {
	path := "models"
	switch p.Protocol {
	case AnthropicMessages: // else it lists the newest few
		path += "?limit=1000"
	case Gemini:
		path += "?pageSize=1000"
	case OpenAIResponses, OpenAIChat, Rehearsal:
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Endpoint(path), http.NoBody)
	if err != nil {
		return nil, err
	}
	p.Identify(req.Header, key)
	resp, err := u.Do(req, p)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	list, err := readListing(resp)
	return list.models(), err
}
