package inference_test

import (
	"fmt"
	"testing"

	"github.com/vexa-ai/vexa/pkg/inference"
)

// A refusal is read for the member that it names, in the words of each server,
// and what it says of a value is no refusal of the member.
func TestLearn(t *testing.T) {
	t.Parallel()
	const chat, responses = inference.OpenAIChat, inference.OpenAIResponses
	for name, c := range map[string]struct {
		protocol inference.Protocol
		request  string
		status   int
		refusal  string
		want     string // the request after it; empty: nothing is learned
	}{
		"OpenAI's name": {
			chat, `{"model":"m","max_tokens":9,"messages":[]}`, 400,
			`{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}`,
			`{"model":"m","max_completion_tokens":9,"messages":[]}`,
		},
		"the former name": {
			chat, `{"max_completion_tokens":9}`, 422,
			`{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","max_completion_tokens"],"msg":"Extra inputs are not permitted","input":9}]}}`, `{"max_tokens":9}`,
		},
		"an unknown name":   {chat, `{"max_completion_tokens":9}`, 400, `{"error":{"message":"Unrecognized request argument supplied: max_completion_tokens"}}`, `{"max_tokens":9}`},
		"both of them":      {chat, `{"max_tokens":9,"max_completion_tokens":8}`, 400, `{"error":{"message":"max_tokens is not supported"}}`, `{"max_completion_tokens":8}`},
		"a temperature":     {chat, `{"temperature":0.2,"top_p":1}`, 400, `{"error":{"message":"Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported.","param":"temperature","code":"unsupported_value"}}`, `{"top_p":1}`},
		"of responses":      {responses, `{"temperature":0.2}`, 400, `{"error":{"message":"Unsupported parameter: 'temperature' is not supported with this model.","param":"temperature","code":null}}`, `{}`},
		"top_p":             {chat, `{"top_p":0.5}`, 400, `{"error":"top_p is deprecated for this model"}`, `{}`},
		"in LiteLLM's way":  {chat, `{"temperature":1}`, 400, `{"error":{"message":"litellm.UnsupportedParamsError: openai does not support parameters: ['temperature'], for model=o1.","param":null,"code":"400"}}`, `{}`},
		"a code, no words":  {chat, `{"temperature":1}`, 400, `{"error":{"message":"no","param":"temperature","code":"unsupported_value"}}`, `{}`},
		"too large":         {chat, `{"max_tokens":9}`, 400, `{"error":{"message":"max_tokens is too large: 9. This model supports at most 8 completion tokens, whereas you provided 9.","param":"max_tokens","code":"invalid_value"}}`, ``},
		"a wrong value":     {chat, `{"temperature":9}`, 400, `{"error":{"message":"Invalid 'temperature': decimal above maximum value.","param":"temperature","code":"decimal_above_max_value"}}`, ``},
		"another's name":    {chat, `{"max_tokens":9,"tools":[]}`, 400, `{"error":{"message":"tools are not supported with max_tokens","param":"tools"}}`, ``},
		"a longer name":     {chat, `{"max_tokens":9}`, 400, `{"error":{"message":"my_max_tokens and max_tokens_2 are not supported"}}`, ``},
		"not asked for":     {chat, `{"model":"m"}`, 400, `{"error":{"message":"temperature is not supported"}}`, ``},
		"in responses":      {responses, `{"max_tokens":9}`, 400, `{"error":{"message":"max_tokens is not supported"}}`, ``},
		"of Anthropic":      {inference.AnthropicMessages, `{"temperature":1}`, 400, `{"error":{"message":"temperature is not supported"}}`, ``},
		"another status":    {chat, `{"temperature":1}`, 500, `{"error":{"message":"temperature is not supported"}}`, ``},
		"a success":         {chat, `{"temperature":1}`, 200, `{"error":{"message":"temperature is not supported"}}`, ``},
		"nothing to read":   {chat, `{"temperature":1}`, 400, ``, ``},
		"a page":            {chat, `{"temperature":1}`, 400, `<p>temperature not supported`, `{}`},
		"a member's number": {chat, `{"temperature":1}`, 400, `{"error":{"message":"temperature not supported","code":400,"param":""}}`, `{}`},
	} {
		next, ok := inference.Adaptation{}.Learn(c.protocol, []byte(c.request), c.status, []byte(c.refusal))
		if ok != (c.want != "") {
			t.Errorf("%s: learned %+v, %t", name, next, ok)
			continue
		}
		if got := string(next.Apply([]byte(c.request))); ok && got != c.want {
			t.Errorf("%s: %s", name, got)
		}
		if ok && len(next.Changed([]byte(c.request))) != 1 {
			t.Errorf("%s: changed %v", name, next.Changed([]byte(c.request)))
		}
	}
}

// What was learned is added to, and taken back where the provider changes its
// mind.
func TestLearnFurther(t *testing.T) {
	t.Parallel()
	body := []byte(`{"max_tokens":9,"temperature":0.2,"n":1}`)
	var a inference.Adaptation
	for _, refusal := range []string{"max_tokens is unsupported", "temperature is unsupported", "max_completion_tokens is unknown"} {
		next, ok := a.Learn(inference.OpenAIChat, a.Apply(body), 400, []byte(refusal))
		if !ok || next == a {
			t.Fatalf("%s: %+v, %t", refusal, next, ok)
		}
		a = next
	}
	if got := string(a.Apply(body)); got != `{"max_tokens":9,"n":1}` || fmt.Sprint(a.Changed(body)) != "[temperature]" {
		t.Errorf("%s, %v", got, a.Changed(body))
	}
	if _, ok := a.Learn(inference.OpenAIChat, a.Apply(body), 400, []byte("temperature is unsupported")); ok {
		t.Error("it learned again what it does already")
	}
}
