package broker

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/inference/translate"
)

// address makes the body and the path that are sent: as they came where the
// provider speaks the client's protocol, and else translated.
func (x *exchange) address(body []byte) error {
	var err error
	x.spoken = x.api.protocol
	if x.provider.Speaks(x.api.protocol) {
		x.provider = x.provider.As(x.api.protocol)
		x.foreign = x.request.native(x.api.protocol, x.model)
		if x.api.protocol == inference.Gemini {
			x.path, x.body = "models/"+x.model+":"+x.api.path, body
			if x.foreign > 0 {
				x.body = object(x.request.members)
			}
			return nil
		}
		if x.body, err = x.request.rewrite(x.model, x.api.protocol == inference.OpenAIChat); err != nil {
			return &rejected{DeniedRequest, err.Error()}
		}
		return nil
	}
	protocol, ok := translate.Choose(x.api.protocol, x.provider.Protocols())
	if !ok {
		return &rejected{DeniedProtocol, fmt.Sprintf("the request speaks %s, but provider %s speaks %s", x.api.protocol, x.provider.Name, x.provider.Protocol)}
	}
	x.provider, x.spoken = x.provider.As(protocol), protocol
	if !x.api.metered {
		x.counted = true
		return nil
	}
	x.translation, err = translate.New(x.api.protocol, protocol, body, translate.Options{
		Model: x.model, ID: rand.Text(), Created: x.began.Unix(), OpenAI: x.provider.OpenAI(), Stream: x.api.stream,
		Outline: x.request.outline, Observe: x.observe,
	})
	if err != nil {
		return &rejected{DeniedRequest, err.Error()}
	}
	x.path, x.body = x.translation.Path(), x.translation.Body()
	return nil
}

// observe meters an answer that is translated.
func (x *exchange) observe(e *translate.Event) {
	if e.Kind == translate.Failure {
		x.failed = fmt.Errorf("the provider broke its answer off")
		e.Text = "vexa: provider " + x.provider.Name + ": " + x.redact(e.Text)
		return
	}
	x.tally.event(e)
}

// dropped names what a translation left out.
func dropped(lost translate.Lost) string {
	const most = 16
	names := slices.Sorted(maps.Keys(lost))
	if len(names) > most {
		names = append(names[:most], fmt.Sprintf("and %d more", len(names)-most))
	}
	return strings.Join(names, ", ")
}

// count answers a count of tokens for a provider whose protocol has none, with
// the estimate that is used for requests under way.
func (x *exchange) count(ctx context.Context, w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	member := "input_tokens"
	if x.api.protocol == inference.Gemini {
		member = "totalTokens"
	}
	_, err := fmt.Fprintf(w, "{%q:%d}\n", member, x.size/bytesPerToken)
	outcome := "estimated"
	if err != nil {
		outcome = "client-gone"
	}
	x.account(ctx, outcome)
}
