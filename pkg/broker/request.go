package broker

import (
	"encoding/json"
	"errors"
	"strconv"

	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/inference/translate"
	"github.com/vexa-ai/vexa/pkg/internal/jsoncut"
)

// parsed is an inference request taken apart as far as the broker needs to.
type parsed struct {
	members []member
	outline jsoncut.Outline // of it as it came
	model   string
	stream  bool
	usage   bool // the client of an openai-chat stream asks for its usage
}

// parseRequest reads the top level of a request. The model is the one that its
// path names, if any; then the body names none.
func parseRequest(body []byte, model string) (*parsed, error) {
	all, outline, err := members(body)
	if err != nil {
		return nil, err
	}
	p := &parsed{members: all, outline: outline}
	if model != "" {
		if p.model = model; p.get("model") != nil {
			return nil, errors.New("the request names its model in the path and has another in its body")
		}
		return p, nil
	}
	if json.Unmarshal(p.get("model"), &p.model) != nil || p.model == "" {
		return nil, errors.New("the request names no model")
	}
	if raw := p.get("stream"); raw != nil && json.Unmarshal(raw, &p.stream) != nil {
		return nil, errors.New("the request's stream is neither true nor false")
	}
	return p, nil
}

// get returns a member's value, nil where there is none. It finds what any
// reader could take for that name.
func (p *parsed) get(name string) []byte {
	return fields(p.members).get(name)
}

func (p *parsed) set(name string, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	key := folded(name)
	for i := range p.members {
		if p.members[i].key == key {
			p.members[i].value = raw
			return nil
		}
	}
	p.members = append(p.members, member{name: name, key: key, raw: []byte(strconv.Quote(name)), value: raw})
	return nil
}

// native leaves out the reasoning of another protocol's provider, and returns how
// much of it there was.
func (p *parsed) native(protocol inference.Protocol, model string) (dropped int) {
	for i, m := range p.members {
		if m.name == "messages" || m.name == "input" || m.name == "contents" {
			var n int
			p.members[i].value, n = translate.Native(protocol, model, m.value)
			dropped += n
		}
	}
	return dropped
}

// rewrite returns the body to send: the model by its provider's name for it,
// and for an openai-chat stream the wish to be told the usage.
func (p *parsed) rewrite(model string, askUsage bool) ([]byte, error) {
	if err := p.set("model", model); err != nil {
		return nil, err
	}
	if askUsage && p.stream {
		options := map[string]json.RawMessage{}
		if raw := p.get("stream_options"); raw != nil {
			if err := json.Unmarshal(raw, &options); err != nil {
				return nil, errors.New("the request's stream_options are not an object")
			}
		}
		if options == nil { // null
			options = map[string]json.RawMessage{}
		}
		p.usage = string(options["include_usage"]) == "true"
		options["include_usage"] = json.RawMessage("true")
		if err := p.set("stream_options", options); err != nil {
			return nil, err
		}
	}
	return object(p.members), nil
}
