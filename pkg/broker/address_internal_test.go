package broker

import (
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/inference"
)

// OpenAI itself is asked in the words that its newer models want, which servers
// like it may not know.
func TestAddressesOpenAI(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"https://api.openai.com/v1":        `"max_completion_tokens":99`,
		"https://eu.api.openai.com":        `"max_completion_tokens":99`,
		"https://api.openai.com.evil.test": `"max_tokens":99`,
		"http://127.0.0.1:11434/v1":        `"max_tokens":99`,
	} {
		body := []byte(`{"model":"m","max_tokens":99,"messages":[{"role":"user","content":"hi"}]}`)
		request, err := parseRequest(body, "")
		if err != nil {
			t.Fatal(err)
		}
		x := &exchange{api: anthropicMessages, request: request, model: "m", provider: inference.Provider{Protocol: inference.OpenAIChat, URL: url}}
		err = x.address(body)
		if err != nil || !strings.Contains(string(x.body), want) {
			t.Errorf("%s: %v, %s", url, err, x.body)
		}
	}
}
