package broker

import (
	"bytes"
	"encoding/json"

	"github.com/vexa-ai/vexa/pkg/inference/translate"
	"github.com/vexa-ai/vexa/pkg/internal/wirejson"
)

// tally reads what a request used from the answer as it passes. What the
// provider does not say is estimated, for a client that hangs up before the
// last event must not get its tokens for nothing.
type tally struct {
	plain, read, write int64 // input: neither from nor into a cache, from it, into it
	out                int64
	input              bool  // the provider said the input
	output             bool  // and the whole output
	bytes              int64 // of text that was generated

	events wirejson.Again[event]
}

// bytesPerToken is the usual estimate for text and code.
const bytesPerToken = 4

// result returns what was used, with estimates where nothing was said.
func (t *tally) result(requestBytes int) spent {
	s := spent{Input: t.plain + t.read + t.write, Output: t.out, CacheRead: t.read, CacheWrite: t.write}
	if !t.input {
		s.Input, s.Estimated = int64(requestBytes)/bytesPerToken, true
	}
	if !t.output {
		s.Output, s.Estimated = max(s.Output, t.bytes/bytesPerToken), true
	}
	return s
}

// event is an event or a whole answer of any protocol, as far as it matters
// here.
type event struct {
	Message *struct {
		Usage *rawUsage `json:"usage"`
	} `json:"message"` // anthropic-messages: message_start
	Response *struct {
		Usage *rawUsage `json:"usage"`
	} `json:"response"` // openai-responses: response.completed
	Delta   *delta `json:"delta"`
	Choices []struct {
		Delta struct {
			Content   string `json:"content"`
			Reasoning string `json:"reasoning_content"`
			ToolCalls []struct {
				Function struct {
					Arguments string `json:"arguments"`
				} `json:"function"`
			} `json:"tool_calls"`
		} `json:"delta"`
	} `json:"choices"`
	Usage      *rawUsage    `json:"usage"`
	Candidates []candidate  `json:"candidates"`    // gemini
	Metadata   *geminiUsage `json:"usageMetadata"` // gemini
}

// delta is an object in anthropic-messages, and text in openai-responses.
type delta struct {
	Text        string `json:"text"`
	PartialJSON string `json:"partial_json"`
	Thinking    string `json:"thinking"`
}

type deltaObject delta

// UnmarshalJSON reads either.
func (d *delta) UnmarshalJSON(raw []byte) error {
	if raw[0] == '"' {
		return wirejson.Unmarshal(raw, &d.Text)
	}
	return wirejson.Unmarshal(raw, (*deltaObject)(d))
}

// candidate is an answer of gemini's, or a piece of one.
type candidate struct {
	Content struct {
		Parts []struct {
			Text string          `json:"text"`
			Call json.RawMessage `json:"functionCall"`
		} `json:"parts"`
	} `json:"content"`
	FinishReason string `json:"finishReason"`
}

// geminiUsage is its usage object; every event has one, and counts from the
// beginning.
type geminiUsage struct {
	Prompt     *int64 `json:"promptTokenCount"` // with what came from the cache
	ToolUse    *int64 `json:"toolUsePromptTokenCount"`
	Cached     *int64 `json:"cachedContentTokenCount"`
	Candidates *int64 `json:"candidatesTokenCount"`
	Thoughts   *int64 `json:"thoughtsTokenCount"`
}

// rawUsage is the usage object of the other protocols. An absent member is nil.
type rawUsage struct {
	Input      *int64 `json:"input_tokens"` // anthropic-messages: without what came from the cache
	Output     *int64 `json:"output_tokens"`
	CacheRead  *int64 `json:"cache_read_input_tokens"`
	CacheWrite *int64 `json:"cache_creation_input_tokens"`

	InputDetails *struct {
		Cached *int64 `json:"cached_tokens"`
	} `json:"input_tokens_details"` // openai-responses: input_tokens is with what came from the cache

	Prompt     *int64 `json:"prompt_tokens"` // openai-chat: with what came from the cache
	Completion *int64 `json:"completion_tokens"`
	Details    *struct {
		Cached *int64 `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
}

// count makes a number of tokens from what a provider wrote.
func count(n *int64) int64 {
	const most = 1 << 40
	if n == nil {
		return 0
	}
	return min(max(*n, 0), most)
}

// observe reads the data of one event of a stream. It reports whether the event
// says the usage and nothing else, as openai-chat sends it when asked to.
func (t *tally) observe(data []byte) (usageOnly bool) {
	data = bytes.TrimSpace(data)
	if len(data) == 0 || data[0] != '{' {
		return false
	}
	e, err := t.events.Read(data)
	if err != nil {
		t.bytes += int64(len(data))
		return false
	}
	if e.Message != nil && e.Message.Usage != nil {
		t.take(e.Message.Usage, false)
	}
	if e.Delta != nil {
		t.bytes += int64(len(e.Delta.Text) + len(e.Delta.PartialJSON) + len(e.Delta.Thinking))
	}
	for _, c := range e.Choices {
		t.bytes += int64(len(c.Delta.Content) + len(c.Delta.Reasoning))
		for _, call := range c.Delta.ToolCalls {
			t.bytes += int64(len(call.Function.Arguments))
		}
	}
	if e.Response != nil && e.Response.Usage != nil {
		t.take(e.Response.Usage, true)
	}
	t.gemini(e)
	if e.Usage == nil {
		return false
	}
	t.take(e.Usage, true)
	return len(e.Choices) == 0 && e.Usage.Prompt != nil
}

// whole reads an answer that is not streamed.
func (t *tally) whole(body []byte) {
	var e event
	t.bytes = int64(len(body))
	if wirejson.Unmarshal(body, &e) != nil {
		return
	}
	if e.Usage != nil {
		t.take(e.Usage, true)
	}
	t.gemini(&e)
}

// gemini reads what an event or an answer of that protocol says.
func (t *tally) gemini(e *event) {
	final := false
	for _, c := range e.Candidates {
		for _, p := range c.Content.Parts {
			t.bytes += int64(len(p.Text) + len(p.Call))
		}
		final = final || c.FinishReason != ""
	}
	u := e.Metadata
	if u == nil {
		return
	}
	if u.Prompt != nil {
		t.input = true
		all := count(u.Prompt) + count(u.ToolUse)
		t.read = min(count(u.Cached), all)
		t.plain = all - t.read
	}
	t.out = max(t.out, count(u.Candidates)+count(u.Thoughts))
	t.output = t.output || final && u.Candidates != nil
}

// event reads an event of an answer that is translated.
func (t *tally) event(e *translate.Event) {
	u := e.Usage
	switch e.Kind {
	case translate.Delta:
		t.bytes += int64(len(e.Text))
	case translate.Start, translate.Spent, translate.Finish:
		if u.Input > 0 || u.Known {
			t.input = true
			t.read, t.write = u.CacheRead, u.CacheWrite
			t.plain = max(u.Input-u.CacheRead-u.CacheWrite, 0)
		}
		t.out = max(t.out, u.Output)
		t.output = u.Known && e.Kind == translate.Finish
	case translate.Begin, translate.End, translate.Failure:
	}
}

// take reads a usage object. A later one replaces what an earlier one said, for
// they are cumulative; final says that the output is complete.
func (t *tally) take(u *rawUsage, final bool) {
	switch {
	case u.Prompt != nil:
		t.input = true
		t.read = 0
		if u.Details != nil {
			t.read = min(count(u.Details.Cached), count(u.Prompt))
		}
		t.plain = count(u.Prompt) - t.read
	case u.InputDetails != nil && u.Input != nil:
		t.input = true
		t.read = min(count(u.InputDetails.Cached), count(u.Input))
		t.plain = count(u.Input) - t.read
	case u.Input != nil && (count(u.Input) > 0 || !t.input):
		t.input = true
		t.plain = count(u.Input)
	}
	if u.CacheRead != nil {
		t.read = max(t.read, count(u.CacheRead))
	}
	if u.CacheWrite != nil {
		t.write = max(t.write, count(u.CacheWrite))
	}
	out := u.Output
	if u.Completion != nil {
		out = u.Completion
	}
	if out != nil {
		t.out = max(t.out, count(out))
		t.output = t.output || final
	}
}
