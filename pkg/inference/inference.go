// Package inference knows the models an installation may use: a table of
// providers with their sealed keys, how to reach one, and how to find one.
//
// A provider is a name, the wire protocols it speaks, a base URL, a key and the
// models it serves. A model is named "model" or, where that is ambiguous, by its full
// name "provider/model". Keys never leave this package but through Table.Key,
// to whoever puts them into a request to the provider itself.
package inference

import (
	"fmt"
	"math"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

// Protocol is a wire protocol of inference.
type Protocol string

// The protocols. A rehearsal is a provider without a network: it answers
// anthropic-messages, openai-chat and gemini from a cassette.
const (
	AnthropicMessages Protocol = "anthropic-messages" // POST /v1/messages
	OpenAIResponses   Protocol = "openai-responses"   // POST /v1/responses
	OpenAIChat        Protocol = "openai-chat"        // POST /v1/chat/completions
	Gemini            Protocol = "gemini"             // POST /v1beta/models/MODEL:generateContent
	Rehearsal         Protocol = "rehearsal"
)

// Provider is one row of the table. It never holds the key.
type Provider struct {
	Name     string           `json:"name"`
	Protocol Protocol         `json:"protocol"`
	Also     []Protocol       `json:"also,omitempty"`     // further ones, at the same URL and with the same key
	URL      string           `json:"url,omitempty"`      // base URL; empty for a rehearsal
	Models   []string         `json:"models"`             // at least one; the first is its default
	Cassette string           `json:"cassette,omitempty"` // absolute path, for a rehearsal
	Prices   map[string]Price `json:"prices,omitempty"`   // by model; absent means unknown
	HasKey   bool             `json:"hasKey"`             // set by the table
	Default  bool             `json:"default"`            // set by the table: its first model is the default model
}

// Price is what a model costs, in USD per million tokens. A cache price of 0
// means that of the input.
type Price struct {
	Input      float64 `json:"input"`
	Output     float64 `json:"output"`
	CacheRead  float64 `json:"cacheRead,omitempty"`
	CacheWrite float64 `json:"cacheWrite,omitempty"`
}

// Speaks reports whether the provider can be asked over the protocol.
func (p Provider) Speaks(protocol Protocol) bool {
	return slices.Contains(p.Protocols(), protocol)
}

// Protocols returns the wire protocols the provider can be asked over.
func (p Provider) Protocols() []Protocol {
	if p.Protocol == Rehearsal {
		return []Protocol{AnthropicMessages, OpenAIChat, Gemini}
	}
	return append([]Protocol{p.Protocol}, p.Also...)
}

// As returns the provider as it is asked over one of its protocols: that decides
// the path of a request and the header of its key.
func (p Provider) As(protocol Protocol) Provider {
	if p.Protocol != Rehearsal {
		p.Protocol = protocol
	}
	return p
}

// FullName returns the name of a model that resolves to this provider whatever
// others serve.
func (p Provider) FullName(model string) string { return p.Name + "/" + model }

// Price returns what a model costs and whether that is known. A rehearsal is
// free.
func (p Provider) Price(model string) (Price, bool) {
	if p.Protocol == Rehearsal {
		return Price{}, true
	}
	price, ok := p.Prices[model]
	return price, ok
}

// Endpoint returns the URL of a path of the API such as "messages" or
// "chat/completions". The base URL may end in the API's version or not, and in that of
// another protocol where it is asked over several.
func (p Provider) Endpoint(path string) string {
	version := "/v1"
	if p.Protocol == Gemini {
		version = "/v1beta"
	}
	base := strings.TrimRight(p.URL, "/")
	for _, v := range []string{"/v1", "/v1beta"} {
		if without, ok := strings.CutSuffix(base, v); ok {
			base = without
			break
		}
	}
	return base + version + "/" + path
}

// Local reports whether the provider's URL leads to this machine.
func (p Provider) Local() bool {
	u, err := url.Parse(p.URL)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip.IsLoopback()
}

// OpenAI reports whether the provider's URL is OpenAI's own API, in any region.
func (p Provider) OpenAI() bool {
	u, err := url.Parse(p.URL)
	if err != nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	return host == "api.openai.com" || strings.HasSuffix(host, ".api.openai.com")
}

var (
	namePattern  = textform.Name{First: textform.Lower + textform.Digit, Rest: textform.Lower + textform.Digit + "._-", Max: 64}
	modelPattern = textform.Name{First: textform.Alnum, Rest: textform.Alnum + "._:/@+-", Max: 128}
)

// Check reports what is wrong with a provider that somebody wants to add, as
// fault.Invalid.
func (p Provider) Check() error {
	if !namePattern.MatchString(p.Name) {
		return fault.New(fault.Invalid, fmt.Sprintf("%q is not a provider's name", p.Name),
			"use lower-case letters, digits, dots, dashes and underscores")
	}
	if err := p.checkModels(); err != nil {
		return err
	}
	switch p.Protocol {
	case Rehearsal:
		if p.URL != "" || p.Also != nil {
			return fault.New(fault.Invalid, "a rehearsal has no URL and no further protocol", "name its file with --cassette")
		}
		if !filepath.IsAbs(p.Cassette) {
			return fault.New(fault.Invalid, "a rehearsal needs the absolute path of its cassette", "name the file with --cassette")
		}
		return nil
	default:
		if err := p.checkProtocols(); err != nil {
			return err
		}
		if p.Cassette != "" {
			return fault.New(fault.Invalid, "only a rehearsal has a cassette", "use --protocol rehearsal")
		}
		return checkURL(p.URL)
	}
}

func (p Provider) checkProtocols() error {
	all := p.Protocols()
	for i, protocol := range all {
		switch protocol {
		case AnthropicMessages, OpenAIResponses, OpenAIChat, Gemini:
		default:
			return fault.New(fault.Invalid, fmt.Sprintf("%q is not an inference protocol", protocol),
				"use anthropic-messages, openai-responses, openai-chat, gemini or rehearsal")
		}
		if slices.Contains(all[:i], protocol) {
			return fault.New(fault.Invalid, "protocol "+string(protocol)+" is named twice", "name it once")
		}
	}
	return nil
}

func (p Provider) checkModels() error {
	if len(p.Models) == 0 {
		return fault.New(fault.Invalid, "provider "+p.Name+" needs a model", "name one or more with --model")
	}
	for i, m := range p.Models {
		if !modelPattern.MatchString(m) {
			return fault.New(fault.Invalid, fmt.Sprintf("%q is not a model's name", m), "")
		}
		if slices.Contains(p.Models[:i], m) {
			return fault.New(fault.Invalid, "model "+m+" is named twice", "name it once")
		}
	}
	for m, price := range p.Prices {
		if !slices.Contains(p.Models, m) {
			return fault.New(fault.Invalid, "there is a price for "+m+", which provider "+p.Name+" does not serve", "name it with --model, too, or leave --price out")
		}
		for _, usd := range []float64{price.Input, price.Output, price.CacheRead, price.CacheWrite} {
			if !(usd >= 0) || math.IsInf(usd, 0) { // of NaN every comparison is false
				return fault.New(fault.Invalid, fmt.Sprintf("the price of %s is no amount: %g", m, usd), "give USD per million tokens, as in 3 or 0.5")
			}
		}
	}
	return nil
}

func checkURL(raw string) error {
	const hint = "give the base URL, for example http://127.0.0.1:11434/v1"
	u, err := url.Parse(raw)
	switch {
	case err != nil: // its text would repeat the URL, which may hold a password
		return fault.New(fault.Invalid, "the provider's URL does not parse", hint)
	case u.Scheme != "http" && u.Scheme != "https":
		return fault.New(fault.Invalid, "the provider's URL is neither http nor https", hint)
	case u.Hostname() == "":
		return fault.New(fault.Invalid, "the provider's URL names no host", hint)
	case u.User != nil:
		return fault.New(fault.Invalid, "the provider's URL holds a user or password", "give the key with --key-file")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return fault.New(fault.Invalid, "the provider's URL has a query or a fragment", hint)
	default:
		return nil
	}
}
