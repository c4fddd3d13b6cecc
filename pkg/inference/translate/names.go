package translate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
)

// maxName is the longest name of a tool that every provider takes.
const maxName = 64

// names are the names by which a provider knows the tools of a client: it may
// know neither namespaces nor names as long.
type names struct {
	byTool map[toolKey]string
	byName map[string]Tool
}

type toolKey struct{ namespace, name string }

func newNames(tools []Tool) *names {
	n := &names{byTool: make(map[toolKey]string, len(tools)), byName: make(map[string]Tool, len(tools))}
	for _, t := range tools {
		key := toolKey{t.Namespace, t.Name}
		name := plainName(key)
		if _, taken := n.byName[name]; taken {
			name = digestName(key, name)
		}
		n.byTool[key], n.byName[name] = name, t
	}
	return n
}

// of returns the provider's name of a tool. One that is no longer offered can
// still stand in the conversation.
func (n *names) of(namespace, name string) string {
	key := toolKey{namespace, name}
	if known, ok := n.byTool[key]; ok {
		return known
	}
	return plainName(key)
}

// tool returns the client's tool.
func (n *names) tool(name string) Tool {
	if t, ok := n.byName[name]; ok {
		return t
	}
	return Tool{Name: name}
}

func plainName(key toolKey) string {
	full := key.name
	if key.namespace != "" {
		full = strings.TrimSuffix(key.namespace, "__") + "__" + key.name
	}
	clean := strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return '_'
	}, full)
	if clean == "" || clean[0] == '-' || clean[0] >= '0' && clean[0] <= '9' {
		clean = "_" + clean // gemini takes no other beginning
	}
	if clean != full || len(clean) > maxName {
		return digestName(key, clean)
	}
	return clean
}

// digestName is a name of its own for tools that would otherwise share one.
func digestName(key toolKey, name string) string {
	sum := sha256.Sum256([]byte(key.namespace + "\x00" + key.name))
	tail := "_" + hex.EncodeToString(sum[:4])
	return name[:min(len(name), maxName-len(tail))] + tail
}

// inputSchema is that of a function that stands for a tool which takes text.
const inputSchema = `{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}`

// lower makes a request one that any provider understands: without namespaces,
// and with functions of one text in place of tools that take text.
func (r *Request) lower() *names {
	n := newNames(r.Tools)
	for i := range r.Tools {
		t := &r.Tools[i]
		if t.Freeform {
			t.Schema = json.RawMessage(inputSchema)
			t.Description = strings.TrimSpace(t.Description + formatHint(t.Format))
			t.Freeform, t.Format, t.Strict = false, nil, false
		}
		t.Namespace, t.Name = "", n.of(t.Namespace, t.Name)
	}
	for i := range r.Items {
		item := &r.Items[i]
		if c := &item.Call; item.Kind == Call {
			if c.Freeform {
				c.Arguments = string(marshal(map[string]string{"input": c.Arguments}))
			}
			c.Namespace, c.Name, c.Freeform = "", n.of(c.Namespace, c.Name), false
		}
		item.Result.Freeform = false
	}
	if r.Choice.Mode == ChooseTool {
		r.Choice.Name = n.of("", r.Choice.Name)
	}
	return n
}

// formatHint tells a model in words what a grammar would make sure of.
func formatHint(format json.RawMessage) string {
	var f struct {
		Syntax     string `json:"syntax"`
		Definition string `json:"definition"`
	}
	if json.Unmarshal(format, &f) != nil || f.Definition == "" {
		return ""
	}
	return "\n\nThe input follows this " + f.Syntax + " grammar:\n" + f.Definition
}

// raiser undoes lower on the events of an answer: a tool gets its own name back,
// and one that takes text its text, which is known when the call is complete.
type raiser struct {
	names *names
	input map[int]*strings.Builder
	size  int
}

// raise makes e what stands for it, and reports whether anything does, and what goes
// before it, if anything.
func (r *raiser) raise(e *Event) (before *Event, stands bool) {
	switch e.Kind {
	case Begin:
		if e.Item.Kind != Call {
			break
		}
		t := r.names.tool(e.Item.Call.Name)
		e.Item.Call.Namespace, e.Item.Call.Name, e.Item.Call.Freeform = t.Namespace, t.Name, t.Freeform
		if t.Freeform {
			r.input[e.Index] = &strings.Builder{}
		}
	case Delta:
		if b := r.input[e.Index]; b != nil {
			r.size += len(e.Text)
			b.WriteString(e.Text)
			return nil, false
		}
	case End:
		if b := r.input[e.Index]; b != nil {
			delete(r.input, e.Index)
			return &Event{Kind: Delta, Index: e.Index, Text: inputOf(b.String())}, true
		}
	case Start, Finish, Failure, Spent:
	}
	return nil, true
}

// inputOf takes the text out of a call's arguments; a model that did not write
// them as it was told meant all of it.
func inputOf(args string) string {
	var in struct {
		Input *string `json:"input"`
	}
	if json.Unmarshal([]byte(args), &in) != nil || in.Input == nil {
		return args
	}
	return *in.Input
}
