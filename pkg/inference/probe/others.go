package probe

import (
	"context"

	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/inference/translate"
)

// others asks in each protocol that the provider is not said to speak. Only an
// answer of its form counts: there are servers that answer any path with success.
func (t *test) others(ctx context.Context) {
	if t.o.Provider.Protocol == inference.Rehearsal {
		return
	}
	for _, p := range []inference.Protocol{inference.AnthropicMessages, inference.OpenAIResponses, inference.OpenAIChat, inference.Gemini} {
		if t.o.Provider.Speaks(p) || ctx.Err() != nil {
			continue
		}
		t.begin(Speaks, p)
		t.adaptation = inference.Adaptation{}
		const enough = 16 // tokens
		o := t.ask(ctx, each, p, translate.Request{
			MaxTokens: enough, Items: []translate.Item{{Role: translate.User, Kind: translate.Text, Text: "Hello!"}},
		})
		c := Check{Name: Speaks, Protocol: p, State: Yes, Detail: "not made use of: the provider is not said to"}
		if o.err != nil {
			c.State, c.Detail = No, cause(o.err)
		}
		t.add(c)
	}
}
