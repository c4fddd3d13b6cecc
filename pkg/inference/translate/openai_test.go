package translate

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/vexa-ai/vexa/pkg/inference"
)

// What OpenAI answers with 400 is not sent to it, and other servers of its
// protocols get what they know.
func TestOpenAITakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		provider inference.Protocol
		openAI   bool
		asked    string
		want     string
	}{
		"a probe":         {ownResponses, false, `"max_tokens":1`, `"max_output_tokens":16`},
		"an answer":       {ownResponses, false, `"max_tokens":17`, `"max_output_tokens":17`},
		"no bound":        {ownResponses, false, `"stream":false`, ``},
		"default warmth":  {ownResponses, false, `"temperature":1`, ``},
		"a temperature":   {ownResponses, false, `"temperature":0.5`, `"temperature":0.5`},
		"greatest effort": {ownResponses, false, `"output_config":{"effort":"max"}`, `"effort":"high"`},
		"its own chat":    {ownChat, true, `"max_tokens":1,"temperature":1`, `"max_completion_tokens":1`},
		"temperature, chat": {
			ownChat, true, `"temperature":0.5`, `"temperature":0.5`,
		},
		"another's chat": {ownChat, false, `"max_tokens":1,"temperature":1`, `"max_tokens":1,"temperature":1`},
		"effort, chat":   {ownChat, false, `"output_config":{"effort":"max"}`, `"reasoning_effort":"high"`},
	} {
		body := fmt.Sprintf(`{"model":"m","messages":[{"role":"user","content":"hi"}],%s}`, c.asked)
		o := options()
		o.OpenAI = c.openAI
		tr, err := New(ownMessages, c.provider, []byte(body), o)
		if err != nil {
			t.Fatal(name, err)
		}
		got := map[string]any{}
		if err := json.Unmarshal(tr.Body(), &got); err != nil {
			t.Fatal(err)
		}
		for _, other := range []string{"model", "messages", "input", "include", "store", "stream"} {
			delete(got, other)
		}
		if r, ok := got["reasoning"].(map[string]any); ok {
			got = r
		}
		want := map[string]any{}
		if err := json.Unmarshal([]byte("{"+c.want+"}"), &want); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %s", name, tr.Body())
		}
	}
}
