package inference

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/vexa-ai/vexa/pkg/internal/jsoncut"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

// Adaptation is how the requests to one model differ from what was asked,
// because its provider refuses a member by its name. The zero value is not at
// all. It is about the OpenAI protocols, whose servers and models do not agree on
// the name of the bound of an answer, nor on whether a temperature can be asked
// for.
type Adaptation struct {
	Bound         string // the bound's name: max_tokens or max_completion_tokens; empty: as it came
	NoTemperature bool
	NoTopP        bool
}

// The names of the bound.
const (
	maxTokens           = "max_tokens"
	maxCompletionTokens = "max_completion_tokens"
)

// Apply returns a request as it is sent. The request is a valid JSON object; it
// is returned as it is where nothing has to differ.
func (a Adaptation) Apply(request []byte) []byte {
	if a == (Adaptation{}) {
		return request
	}
	had := map[string]bool{}
	for m := range jsoncut.Members(request) {
		had[m.Name] = true
	}
	out := append(make([]byte, 0, len(request)+len(maxCompletionTokens)), '{')
	for m := range jsoncut.Members(request) {
		name := m.Raw
		switch {
		case m.Name == "temperature" && a.NoTemperature, m.Name == "top_p" && a.NoTopP:
			continue
		case a.Bound == "" || m.Name == a.Bound:
		case m.Name == maxTokens || m.Name == maxCompletionTokens:
			if had[a.Bound] { // both were said
				continue
			}
			name = []byte(`"` + a.Bound + `"`)
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, name...), ':'), m.Value...)
	}
	return append(out, '}')
}

// Changed names what Apply leaves out of a request or calls otherwise.
func (a Adaptation) Changed(request []byte) []string {
	if a == (Adaptation{}) {
		return nil
	}
	var out []string
	for m := range jsoncut.Members(request) {
		bound := m.Name == maxTokens || m.Name == maxCompletionTokens
		if m.Name == "temperature" && a.NoTemperature || m.Name == "top_p" && a.NoTopP || bound && a.Bound != "" && a.Bound != m.Name {
			out = append(out, m.Name)
		}
	}
	return out
}

// Learn reads a refusal: the status and the body of an answer to a request as
// it was sent. It reports whether another form of the request may be taken, and
// which. Whether it is, only another attempt tells.
func (a Adaptation) Learn(protocol Protocol, request []byte, status int, refusal []byte) (Adaptation, bool) {
	if protocol != OpenAIChat && protocol != OpenAIResponses {
		return a, false
	}
	if status != http.StatusBadRequest && status != http.StatusUnprocessableEntity {
		return a, false
	}
	for m := range jsoncut.Members(request) {
		next := a
		switch m.Name {
		case maxTokens:
			next.Bound = maxCompletionTokens
		case maxCompletionTokens:
			next.Bound = maxTokens
		case "temperature":
			next.NoTemperature = true
		case "top_p":
			next.NoTopP = true
		default:
			continue
		}
		if next != a && (protocol == OpenAIChat || next.Bound == a.Bound) && refuses(refusal, m.Name) {
			return next, true
		}
	}
	return a, false
}

// unwanted is how servers say that they do not know a member, or do not take it
// from this model. That its value is too large, or of the wrong type, is none of it.
var unwanted = textform.Regexp(`(?i)unsupported|not support|unrecogni[sz]ed|unknown|unexpected|not permitted|not allowed|extra_forbidden|deprecated`)

// refuses reports whether a provider's error says that it does not take a member.
func refuses(refusal []byte, member string) bool {
	var e struct {
		Error struct {
			Param string `json:"param"`
			Code  any    `json:"code"`
		} `json:"error"`
	}
	if json.Unmarshal(refusal, &e) == nil && e.Error.Param != "" {
		code, _ := e.Error.Code.(string) // of some servers it is a number
		if e.Error.Param != member {
			return false
		}
		if code == "unsupported_parameter" || code == "unsupported_value" || code == "unknown_parameter" {
			return true
		}
	}
	return unwanted.MatchString(string(refusal)) && names(refusal, member)
}

// names reports whether a text has a name that is not part of a longer one.
func names(text []byte, name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
	for rest := text; ; {
		i := bytes.Index(rest, []byte(name))
		if i < 0 {
			return false
		}
		end := i + len(name)
		before := i > 0 && strings.IndexByte(letters, rest[i-1]) >= 0
		after := end < len(rest) && strings.IndexByte(letters, rest[end]) >= 0
		if !before && !after {
			return true
		}
		rest = rest[end:]
	}
}
