package broker

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/internal/wirejson"
)

func TestTally(t *testing.T) {
	t.Parallel()
	const start = `{"type":"message_start","message":{"usage":{"input_tokens":10,"cache_read_input_tokens":4,"cache_creation_input_tokens":6,"output_tokens":1}}}`
	for name, c := range map[string]struct {
		events []string
		want   spent
	}{
		"anthropic": {[]string{start, `{"type":"message_delta","usage":{"output_tokens":30}}`}, spent{20, 30, 4, 6, false}},
		"anthropic, repeated at the end": {
			[]string{start, `{"type":"message_delta","usage":{"input_tokens":10,"cache_read_input_tokens":4,"output_tokens":30}}`}, spent{20, 30, 4, 6, false},
		},
		"anthropic, input only at the end": {
			[]string{`{"message":{"usage":{"input_tokens":0,"output_tokens":0}}}`, `{"usage":{"input_tokens":9,"output_tokens":3}}`}, spent{9, 3, 0, 0, false},
		},
		"anthropic, cut short": {[]string{start, `{"delta":{"text":"` + strings.Repeat("x", 80) + `"}}`}, spent{20, 20, 4, 6, true}},
		"openai":               {[]string{`{"choices":[{"delta":{"content":"x"}}],"usage":null}`, `{"choices":[],"usage":{"prompt_tokens":20,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":5}}}`}, spent{20, 3, 5, 0, false}},
		"openai, usage in each chunk": {
			[]string{`{"choices":[{}],"usage":{"prompt_tokens":20,"completion_tokens":1}}`, `{"choices":[{}],"usage":{"prompt_tokens":20,"completion_tokens":9}}`}, spent{20, 9, 0, 0, false},
		},
		"openai, cut short": {
			[]string{`{"choices":[{"delta":{"content":"xxxx","reasoning_content":"xxxx","tool_calls":[{"function":{"arguments":"xxxx"}}]}}]}`}, spent{100, 3, 0, 0, true},
		},
		"responses": {
			[]string{`{"type":"response.created","response":{"usage":null}}`, `{"type":"response.output_text.delta","delta":"x"}`, `{"type":"response.completed","response":{"usage":{"input_tokens":20,"input_tokens_details":{"cached_tokens":5},"output_tokens":9}}}`},
			spent{20, 9, 5, 0, false},
		},
		"responses, cut short": {[]string{`{"type":"response.output_text.delta","delta":"xxxxxxxx"}`}, spent{100, 2, 0, 0, true}},
		"responses, more cached than there": {
			[]string{`{"response":{"usage":{"input_tokens":5,"input_tokens_details":{"cached_tokens":50},"output_tokens":1}}}`}, spent{5, 1, 5, 0, false},
		},
		"gemini": {
			[]string{
				`{"candidates":[{"content":{"parts":[{"text":"x"}]}}],"usageMetadata":{"promptTokenCount":20,"candidatesTokenCount":1}}`,
				`{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":20,"toolUsePromptTokenCount":2,"cachedContentTokenCount":5,"candidatesTokenCount":4,"thoughtsTokenCount":5}}`,
			}, spent{22, 9, 5, 0, false},
		},
		"gemini, cut short": {
			[]string{`{"candidates":[{"content":{"parts":[{"text":"` + strings.Repeat("x", 80) + `"}]}}],"usageMetadata":{"promptTokenCount":20,"candidatesTokenCount":1}}`}, spent{20, 20, 0, 0, true},
		},
		"nothing":                {nil, spent{100, 0, 0, 0, true}},
		"rubbish":                {[]string{"{x", "[DONE]", ""}, spent{100, 0, 0, 0, true}},
		"less than nothing":      {[]string{`{"choices":[],"usage":{"prompt_tokens":-5,"completion_tokens":-7}}`}, spent{0, 0, 0, 0, false}},
		"more cached than there": {[]string{`{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":50}}}`}, spent{5, 1, 5, 0, false}},
		"beyond all bounds":      {[]string{`{"usage":{"input_tokens":9223372036854775807,"output_tokens":1}}`}, spent{1 << 40, 1, 0, 0, false}},
	} {
		var tl tally
		for _, e := range c.events {
			tl.observe([]byte(e))
		}
		if got := tl.result(400); got != c.want {
			t.Errorf("%s: %+v; want %+v", name, got, c.want)
		}
	}
}

func TestCost(t *testing.T) {
	t.Parallel()
	s := spent{Input: 3_000_000, CacheRead: 1_000_000, CacheWrite: 1_000_000, Output: 1_000_000}
	if got := s.cost(inference.Price{Input: 1, Output: 10}); got != 13 {
		t.Errorf("cost %v", got)
	}
	if got := s.cost(inference.Price{Input: 1, Output: 10, CacheRead: 0.1, CacheWrite: 2}); got != 13.1 {
		t.Errorf("cost %v", got)
	}
}

// However a stream is cut into reads, the lines that pass are the same.
func TestLineFilter(t *testing.T) {
	t.Parallel()
	const (
		usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\n"
		text  = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n"
	)
	in := ": hello\n\n" + text + usage + text + "data: [DONE]\n\nrest"
	for hide, want := range map[bool]string{true: strings.Replace(in, usage, "", 1), false: in} {
		for size := 1; size < len(in); size++ {
			f := lineFilter{tally: new(tally), hide: hide}
			var out []byte
			for rest := []byte(in); len(rest) > 0; rest = rest[min(size, len(rest)):] {
				out = append(out, f.add(rest[:min(size, len(rest))])...)
			}
			if got := string(out) + string(f.rest); got != want {
				t.Fatalf("hide %t, size %d: %q; want %q", hide, size, got, want)
			}
		}
	}
}

// FuzzTally: an event that is like the one before says what it would say alone.
func FuzzTally(f *testing.F) {
	for _, c := range [][3]string{
		{`{"choices":[{"delta":{"content":"a"}}],"usage":null}`, `{"choices":[{"delta":{"content":"bc"}}],"usage":null}`, `{"choices":[],"usage":{"prompt_tokens":1}}`},
		{`{"delta":{"text":"a"}}`, `{"delta":{"text":"bc"}}`, `{"delta":"d"}`},
		{`{"delta":"a","n":1}`, `{"delta":"bc","n":20}`, `{"delta":"\n\u00e9","n":3}`},
		{`{"usage":{"output_tokens":1}}`, `{"usage":{"output_tokens":2}}`, `{"usage":{"output_tokens":3}}`},
		{`{"candidates":[{"content":{"parts":[{"text":"a","functionCall":{"a":"b"}}]}}]}`, `{"candidates":[{"content":{"parts":[{"text":"bc","functionCall":{"a":"d"}}]}}]}`, `{"candidates":[{"content":{"parts":[{"text":"","functionCall":{"a":"bcd"}}]}}]}`},
	} {
		f.Add([]byte(c[0]), []byte(c[1]), []byte(c[2]))
	}
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		var got, want tally
		for _, data := range [][]byte{a, b, a, b, c, b, c, a} {
			want.events = wirejson.Again[event]{}
			if only, wanted := got.observe(data), want.observe(data); only != wanted || got.result(4) != want.result(4) || got.bytes != want.bytes {
				t.Fatalf("%q, after %q and %q, comes to %+v and %d bytes, not to %+v and %d", data, a, b, got.result(4), got.bytes, want.result(4), want.bytes)
			}
		}
	})
}

func FuzzStream(f *testing.F) {
	f.Add([]byte("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\ndata: x\r\n\n"), 3)
	f.Add([]byte("event: a\ndata: {\"message\":{\"usage\":{\"input_tokens\":1e3}}}\n"), 1)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		if size < 1 {
			return
		}
		filter := lineFilter{tally: new(tally)}
		var out []byte
		for rest := data; len(rest) > 0; rest = rest[min(size, len(rest)):] {
			out = append(out, filter.add(rest[:min(size, len(rest))])...)
		}
		if !bytes.Equal(append(out, filter.rest...), data) {
			t.Fatal("a stream that hides nothing was changed")
		}
		if s := filter.tally.result(10); s.Input < 0 || s.Output < 0 {
			t.Fatalf("used %+v", s)
		}
	})
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"model":"a","stream":true,"stream_options":{"include_usage":false},"messages":[{"content":[{"image_url":"x"}]}]}`))
	f.Add([]byte(" { \"mo\\u0064el\" : \"a\\\\\" , \"x\":[{},\"}\",1.5e3 ] , \"y\" :null}\n"))
	f.Add([]byte(`{"model":"a","model":"b","tools":[{"type":"web_search"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parseRequest(data, "")
		if err != nil {
			return
		}
		var want, got map[string]json.RawMessage
		if json.Unmarshal(data, &want) != nil || json.Unmarshal(object(p.members), &got) != nil || len(want) != len(got) {
			t.Fatalf("%q was cut into %q", data, object(p.members))
		}
		for name, value := range want {
			if !bytes.Equal(bytes.TrimSpace(value), p.get(name)) || !bytes.Equal(bytes.TrimSpace(value), got[name]) {
				t.Fatalf("%q: %q became %q", data, name, p.get(name))
			}
		}
		_, _ = p.egress(""), p.egress(inference.Gemini)
		out, err := p.rewrite("the-model", true)
		if err != nil {
			return
		}
		again, err := parseRequest(out, "")
		if err != nil || again.model != "the-model" || again.stream != p.stream {
			t.Fatalf("%q became %q, %v", data, out, err)
		}
		if !json.Valid(out) || bytes.Count(out, []byte(`"the-model"`)) < 1 {
			t.Fatalf("%q became %q", data, out)
		}
	})
}
