package inference

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// statusError is an HTTP status that is not a success.
type statusError int

// Error names the status.
func (e statusError) Error() string {
	return fmt.Sprintf("HTTP %d %s", int(e), http.StatusText(int(e)))
}

// ModelTest is the outcome of a test. Its fields are those of api.ModelTest.
type ModelTest struct {
	OK        bool
	Model     string
	Reply     string
	Error     string // never holds the key
	Streaming bool   // the answer came in more than one piece
	ElapsedMS int64
}

// testTimeout bounds a test; a local model may have to be loaded first.
const testTimeout = 2 * time.Minute

// Test sends the provider's first model one tiny streaming request. A failure
// is an outcome, not an error.
func (u *Upstream) Test(ctx context.Context, p Provider, key []byte) ModelTest {
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	out := ModelTest{Model: p.Models[0]}
	begin := time.Now()
	reply, pieces, err := u.say(ctx, p, key, "Say hello in one word.")
	out.ElapsedMS = time.Since(begin).Milliseconds()
	out.Reply, out.Streaming = reply, pieces > 1
	switch {
	case err != nil:
		out.Error = err.Error()
		if len(key) > 0 {
			out.Error = strings.ReplaceAll(out.Error, string(key), "[key]")
		}
	case reply == "":
		out.Error = "the model said nothing"
	default:
		out.OK = true
	}
	return out
}

// say returns the model's answer and in how many pieces it came.
func (u *Upstream) say(ctx context.Context, p Provider, key []byte, text string) (reply string, pieces int, err error) {
	protocol := p.Protocols()[0]
	path, request := smallRequest(protocol, p.Models[0], text)
	body, err := json.Marshal(request)
	if err != nil {
		return "", 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.Endpoint(path), bytes.NewReader(body))
	if err != nil {
		return "", 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "text/event-stream")
	if protocol == AnthropicMessages {
		req.Header.Set("Anthropic-Version", "2023-06-01")
	}
	p.Authorize(req.Header, key)
	resp, err := u.Do(req, p)
	if err != nil {
		return "", 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", 0, refusal(resp)
	}
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		return "", 0, errors.New("the answer is not a stream")
	}
	return readStream(resp.Body)
}

// smallRequest returns the path and the body of a request of a few words, to be
// streamed.
func smallRequest(protocol Protocol, model, text string) (path string, body map[string]any) {
	said := []any{map[string]string{"role": "user", "content": text}}
	switch protocol {
	case OpenAIResponses:
		return "responses", map[string]any{"model": model, "stream": true, "store": false, "input": said}
	case Gemini:
		parts := []any{map[string]string{"text": text}}
		return "models/" + model + ":streamGenerateContent?alt=sse", map[string]any{
			"contents": []any{map[string]any{"role": "user", "parts": parts}},
		}
	case AnthropicMessages: // max_tokens is required here; in the others its name differs between models
		return "messages", map[string]any{"model": model, "stream": true, "messages": said, "max_tokens": 64}
	default:
		return "chat/completions", map[string]any{"model": model, "stream": true, "messages": said}
	}
}

// deltaText is what a delta says: a text in openai-responses, else an object.
type deltaText struct {
	Text     string `json:"text"`
	Thinking string `json:"thinking"`
}

// UnmarshalJSON reads either.
func (d *deltaText) UnmarshalJSON(raw []byte) error {
	if raw[0] == '"' {
		return json.Unmarshal(raw, &d.Text)
	}
	type plain deltaText
	return json.Unmarshal(raw, (*plain)(d))
}

// delta is an event of any protocol, as far as it holds text or an error.
type delta struct {
	Delta      deltaText `json:"delta"`
	Candidates []struct {
		Content struct {
			Parts []struct {
				Text string `json:"text"`
			} `json:"parts"`
		} `json:"content"`
	} `json:"candidates"`
	Choices []struct {
		Delta struct {
			Content   string `json:"content"`
			Reasoning string `json:"reasoning_content"`
		} `json:"delta"`
	} `json:"choices"`
	Error *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// readStream collects the text of a stream of server-sent events. A model that
// only thought within the few tokens it was given has answered too.
func readStream(r io.Reader) (reply string, pieces int, err error) {
	const most = 1 << 20
	var said, thought strings.Builder
	lines := bufio.NewScanner(io.LimitReader(r, 4*most))
	lines.Buffer(nil, most)
	for lines.Scan() {
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data:"))
		var d delta
		if !ok || json.Unmarshal(data, &d) != nil {
			continue
		}
		if d.Error != nil {
			return "", pieces, errors.New(d.Error.Message)
		}
		before := said.Len() + thought.Len()
		said.WriteString(d.Delta.Text)
		thought.WriteString(d.Delta.Thinking)
		for _, c := range d.Choices {
			said.WriteString(c.Delta.Content)
			thought.WriteString(c.Delta.Reasoning)
		}
		for _, c := range d.Candidates {
			for _, part := range c.Content.Parts {
				said.WriteString(part.Text)
			}
		}
		if said.Len()+thought.Len() > before {
			pieces++
		}
	}
	if said.Len() == 0 {
		said.WriteString(thought.String())
	}
	return strings.TrimSpace(said.String()), pieces, lines.Err()
}

// refusal reads what a provider's error says.
func refusal(resp *http.Response) error {
	const most = 64 << 10
	var e delta
	data, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err == nil && json.Unmarshal(data, &e) == nil && e.Error != nil && e.Error.Message != "" {
		return fmt.Errorf("%w: %s", statusError(resp.StatusCode), e.Error.Message)
	}
	return statusError(resp.StatusCode)
}

// Models asks the provider which models it serves, in its own order.
func (u *Upstream) Models(ctx context.Context, p Provider, key []byte) ([]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Endpoint("models"), http.NoBody)
	if err != nil {
		return nil, err
	}
	if p.Protocol == AnthropicMessages {
		req.Header.Set("Anthropic-Version", "2023-06-01")
	}
	p.Authorize(req.Header, key)
	resp, err := u.Do(req, p)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	list, err := readListing(resp)
	if err != nil {
		return nil, fault.Wrap(fault.Unreachable, "ask provider "+p.Name+" for its models", err)
	}
	return list.usable(), nil
}
