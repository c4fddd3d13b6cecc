package broker

import (
	"bytes"
	"encoding/json"
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

// event is an event or a whole answer of either protocol, as far as it matters
// here.
type event struct {
	Message *struct {
		Usage *rawUsage `json:"usage"`
	} `json:"message"` // message_start
	Delta *struct {
		Text        string `json:"text"`
		PartialJSON string `json:"partial_json"`
		Thinking    string `json:"thinking"`
	} `json:"delta"`
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
	Usage *rawUsage `json:"usage"`
}

// rawUsage is the usage object of both protocols. An absent member is nil.
type rawUsage struct {
	Input      *int64 `json:"input_tokens"` // anthropic-messages: without what came from the cache
	Output     *int64 `json:"output_tokens"`
	CacheRead  *int64 `json:"cache_read_input_tokens"`
	CacheWrite *int64 `json:"cache_creation_input_tokens"`

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
	var e event
	if json.Unmarshal(data, &e) != nil {
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
	if json.Unmarshal(body, &e) == nil && e.Usage != nil {
		t.take(e.Usage, true)
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
