package broker

import (
	"net/http"
	"strings"

	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

// What every request says of itself, whoever made it.
const (
	userAgent = "vexa"
	accepts   = "application/json, text/event-stream"
)

// version is what a client may say in a header of anthropic-messages: dates and names of
// betas.
var version = textform.Regexp(`^[A-Za-z0-9._-]{1,64}$`)

// maxVersions is how many of these one header may name.
const maxVersions = 32

// passed are the client's headers that go on to the provider: those without which it
// would answer otherwise. They are recorded with the body, since a container could put
// anything into them.
func (x *exchange) passed() map[string]string {
	if x.translation != nil || x.api.protocol != inference.AnthropicMessages {
		return nil
	}
	out := map[string]string{"Anthropic-Version": inference.AnthropicVersion}
	if v := x.in.Header.Get("Anthropic-Version"); version.MatchString(v) {
		out["Anthropic-Version"] = v
	}
	if betas := versions(x.in.Header.Values("Anthropic-Beta")); betas != "" {
		out["Anthropic-Beta"] = betas
	}
	return out
}

// versions are those of a header that are some.
func versions(values []string) string {
	var out []string
	for _, value := range values {
		for v := range strings.SplitSeq(value, ",") {
			if v = strings.TrimSpace(v); version.MatchString(v) && len(out) < maxVersions {
				out = append(out, v)
			}
		}
	}
	return strings.Join(out, ",")
}

// header makes the header of the request that is sent.
func (x *exchange) header(h http.Header) {
	h.Set("User-Agent", userAgent)
	h.Set("Accept", accepts)
	h.Set("Content-Type", "application/json")
	if x.provider.Protocol == inference.AnthropicMessages {
		h.Set("Anthropic-Version", inference.AnthropicVersion)
	}
	for name, value := range x.passed() {
		h.Set(name, value)
	}
	x.provider.Authorize(h, x.key)
}
