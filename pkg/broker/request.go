package broker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// parsed is an inference request taken apart as far as the broker needs to.
type parsed struct {
	members []member
	model   string
	stream  bool
	usage   bool // the client of an openai-chat stream asks for its usage
}

// parseRequest reads the top level of a request.
func parseRequest(body []byte) (*parsed, error) {
	all, err := members(body)
	if err != nil {
		return nil, err
	}
	p := &parsed{members: all}
	if json.Unmarshal(p.get("model"), &p.model) != nil || p.model == "" {
		return nil, errors.New("the request names no model")
	}
	if raw := p.get("stream"); raw != nil && json.Unmarshal(raw, &p.stream) != nil {
		return nil, errors.New("the request's stream is neither true nor false")
	}
	return p, nil
}

// get returns a member's value, nil where there is none.
func (p *parsed) get(name string) []byte {
	for _, m := range p.members {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

func (p *parsed) set(name string, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	for i := range p.members {
		if p.members[i].name == name {
			p.members[i].value = raw
			return nil
		}
	}
	p.members = append(p.members, member{name: name, raw: []byte(strconv.Quote(name)), value: raw})
	return nil
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

// reachingMembers are top-level members that make a provider fetch from the
// network, or answer with another model than the one that was granted.
func reachingMembers() []string {
	return []string{"mcp_servers", "web_search_options", "plugins", "models", "fallbacks"}
}

// egress reports what in a request would have the provider reach the network
// in the container's stead. The container has no network; a provider that
// fetches a URL for it would be one.
func (p *parsed) egress() error {
	for _, name := range reachingMembers() {
		if raw := p.get(name); raw != nil && !emptyJSON(raw) {
			return fmt.Errorf("%s would have the provider reach beyond the granted model", name)
		}
	}
	var tools []struct {
		Type string `json:"type"`
	}
	if raw := p.get("tools"); raw != nil && json.Unmarshal(raw, &tools) != nil {
		return errors.New("the request's tools are not a list")
	}
	for _, t := range tools {
		for _, prefix := range []string{"web_", "mcp", "code_execution"} {
			if strings.HasPrefix(t.Type, prefix) {
				return fmt.Errorf("the tool %s runs at the provider, which has a network", t.Type)
			}
		}
	}
	raw := p.get("messages")
	if !mayHoldURL(raw) {
		return nil
	}
	var messages []struct {
		Content json.RawMessage `json:"content"`
	}
	if err := json.Unmarshal(raw, &messages); err != nil {
		return errors.New("the request's messages are not a list")
	}
	for _, m := range messages {
		if err := contentEgress(m.Content, 0); err != nil {
			return err
		}
	}
	return nil
}

func emptyJSON(raw []byte) bool {
	switch string(raw) {
	case "null", "[]", "{}", `""`, "false":
		return true
	default:
		return false
	}
}

// mayHoldURL spares most requests the second look: a block that refers to a URL
// has the word in a member's name or value, plainly or escaped.
func mayHoldURL(raw []byte) bool {
	return bytes.Contains(raw, []byte("url")) || bytes.Contains(raw, []byte(`\u00`))
}

// contentEgress looks through the blocks of a message, and of tool results
// within it.
func contentEgress(raw json.RawMessage, depth int) error {
	const maxDepth = 8
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '[' {
		return nil
	}
	if depth == maxDepth {
		return errors.New("the request's content is nested too deeply")
	}
	var blocks []struct {
		Source struct {
			Type string `json:"type"`
		} `json:"source"`
		ImageURL json.RawMessage `json:"image_url"`
		Content  json.RawMessage `json:"content"`
	}
	if err := json.Unmarshal(raw, &blocks); err != nil {
		return errors.New("the request's content is not of a known form")
	}
	for _, b := range blocks {
		if b.Source.Type == "url" || remoteImage(b.ImageURL) {
			return errors.New("a URL in a message would be fetched by the provider; send the bytes instead")
		}
		if err := contentEgress(b.Content, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// remoteImage reports whether an image_url, a string or an object with a url,
// is anything but inline data.
func remoteImage(raw json.RawMessage) bool {
	if len(raw) == 0 || string(raw) == "null" {
		return false
	}
	var object struct {
		URL string `json:"url"`
	}
	if json.Unmarshal(raw, &object) != nil && json.Unmarshal(raw, &object.URL) != nil {
		return true
	}
	return !strings.HasPrefix(object.URL, "data:")
}
