package dialect

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

// tells are, for each dialect of JSON lines, the members that tell events of one type
// apart, each as a path; a list on the way stands for each of its elements.
func tells(name string) [][]string {
	paths := map[string]string{
		ClaudeNDJSON:   "subtype event.type event.delta.type event.content_block.type message.content.type",
		CodexJSONL:     "item.type",
		OpencodeNDJSON: "part.type part.state.status",
		GeminiNDJSON:   "role status",
		PiJSONL:        "message.role message.content.type assistantMessageEvent.type",
		ACP:            "update.sessionUpdate update.status update.content.type",
	}
	var out [][]string
	for path := range strings.FieldsSeq(paths[name]) {
		out = append(out, strings.Split(path, "."))
	}
	return out
}

// Types are the types of the events in an output, sorted: what "type" says, and after a
// slash each of what the dialect tells such events apart by, as in
// "item.completed/agent_message". What the dialect does not know has none, since a parser
// passes it on by its name; neither has a line that is no event, nor any output of the
// dialect text. An unknown dialect is fault.Invalid.
func Types(s runnerv2.Stream, output []byte) ([]string, error) {
	if s.Dialect == Text {
		return nil, nil
	}
	seen, paths := map[string]bool{}, tells(s.Dialect)
	for line := range bytes.Lines(output) {
		p, err := New(s)
		if err != nil {
			return nil, err
		}
		bodies := p.Feed(line)
		rest, _ := p.End() // of a last line without its end
		bodies = append(bodies, rest...)
		if slices.ContainsFunc(bodies, func(b wsv2.Body) bool { _, strange := b.(wsv2.Opaque); return strange }) {
			continue
		}
		var event map[string]any
		if json.Unmarshal(line, &event) != nil {
			continue
		}
		name, _ := event["type"].(string)
		if name == "" || s.Dialect == ACP && name == ACPNoise {
			continue
		}
		name = typeName(name)
		seen[name] = true
		for _, path := range paths {
			for _, kind := range at(event, path) {
				seen[name+"/"+typeName(kind)] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(seen)), nil
}

// at are the strings at a path.
func at(value any, path []string) (out []string) {
	switch v := value.(type) {
	case string:
		if len(path) == 0 && v != "" {
			return []string{v}
		}
	case []any:
		for _, element := range v {
			out = append(out, at(element, path)...)
		}
	case map[string]any:
		if len(path) > 0 {
			return at(v[path[0]], path[1:])
		}
	}
	return out
}
