package translate

import (
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/jsoncut"
	"github.com/vexa-ai/vexa/pkg/internal/wirejson"
)

func (messages) decodeRequest(body []byte, o jsoncut.Outline, lost Lost) (*Request, error) {
	if err := judge(body, o, messagesFate, lost); err != nil {
		return nil, err
	}
	var in messagesRequest
	if err := in.read(body); err != nil {
		return nil, err
	}
	r := &Request{
		Model: in.Model, Stream: in.Stream, MaxTokens: in.MaxTokens,
		Temperature: in.Temperature, TopP: in.TopP, Stop: in.StopSequences,
	}
	if in.Metadata != nil {
		r.User = in.Metadata.UserID
	}
	if in.Thinking != nil {
		r.Thinking = Thinking{in.Thinking.Type, in.Thinking.Budget}
	}
	format := in.OutputFormat
	if o := in.OutputConfig; o != nil {
		r.Effort = o.Effort
		if o.Format != nil {
			format = o.Format
		}
	}
	if format != nil {
		r.Format = &Format{Type: format.Type, Schema: format.Schema}
	}
	if err := in.tools(r, lost); err != nil {
		return nil, err
	}
	return r, in.items(r, lost)
}

// read reads a request that is valid JSON.
func (in *messagesRequest) read(body []byte) error {
	if wirejson.Read(body, in) {
		in.settle()
		return nil
	}
	apart, err := split(body, in, "the request", "system", "messages", "tools")
	if err != nil {
		return err
	}
	if in.System, err = readMessagesContent(apart[0], "system", 0); err != nil {
		return err
	}
	err = each(apart[1], "messages", func(element []byte, what string) error {
		var m messagesMessage
		apart, err := split(element, &m, what, "content")
		if err != nil {
			return err
		}
		content, err := readMessagesContent(apart[0], what+".content", 0)
		m.Content = deref(content)
		in.Messages = append(in.Messages, m)
		return err
	})
	if err != nil {
		return err
	}
	return each(apart[2], "tools", func(element []byte, what string) error {
		var t messagesTool
		apart, err := split(element, &t, what, "input_schema")
		t.InputSchema = apart[0]
		in.Tools = append(in.Tools, t)
		return err
	})
}

// settle makes of what was read at once what reading it piece by piece does.
func (in *messagesRequest) settle() {
	in.System.settle(0)
	for i := range in.Messages {
		in.Messages[i].Content.settle(0)
	}
	for i := range in.Tools {
		absent(&in.Tools[i].InputSchema)
	}
}

func (c *messagesContent) settle(depth int) {
	if c == nil {
		return
	}
	for i := range c.all {
		b := &c.all[i]
		b.depth = depth
		absent(&b.Source)
		absent(&b.Input)
		b.Content.settle(depth + 1)
	}
}

func readMessagesContent(raw []byte, what string, depth int) (*messagesContent, error) {
	if raw != nil && depth > maxDepth {
		return nil, malformed(what)
	}
	l, err := readList(raw, what, func(element []byte, what string) (messagesBlock, error) {
		return readMessagesBlock(element, what, depth)
	})
	if l == nil {
		return nil, err
	}
	return &messagesContent{*l}, err
}

func readMessagesBlock(raw []byte, what string, depth int) (b messagesBlock, err error) {
	apart, err := split(raw, &b, what, "text", "source", "input", "content")
	if err != nil {
		return b, err
	}
	b.Source, b.Input = apart[1], apart[2]
	if b.Text, err = readText(apart[0], what+".text"); err != nil {
		return b, err
	}
	b.depth = depth
	b.Content, err = readMessagesContent(apart[3], what+".content", depth+1)
	return b, err
}

func (in *messagesRequest) tools(r *Request, lost Lost) error {
	for i, t := range in.Tools {
		switch {
		case t.Type == "" || t.Type == "custom":
			r.Tools = append(r.Tools, Tool{Name: t.Name, Description: t.Description, Schema: t.InputSchema, Strict: t.Strict})
		case strings.HasPrefix(t.Type, "tool_search_tool_"):
			lost.add("tools[].type " + t.Type) // all tools are offered at once instead
		default:
			return fault.Newf(fault.Invalid, "tools.%d: a tool of type %.64q is known to its own protocol alone", i, t.Type)
		}
	}
	c := in.ToolChoice
	if c == nil {
		return nil
	}
	if c.NoParallel != nil {
		r.Parallel = new(!*c.NoParallel)
	}
	switch mode := ChoiceMode(c.Type); mode {
	case ChooseAuto, ChooseAny, ChooseNone, ChooseTool:
		r.Choice = ToolChoice{mode, c.Name}
		return nil
	default:
		return fault.Newf(fault.Invalid, "tool_choice.type is %.64q", c.Type)
	}
}

func (in *messagesRequest) items(r *Request, lost Lost) error {
	add := func(role Role, c *messagesContent, where string) error {
		all := c.blocks()
		for i := range all {
			var err error
			if r.Items, err = all[i].addTo(r.Items, role, nth(where, i), lost); err != nil {
				return err
			}
		}
		return nil
	}
	room := len(in.System.blocks())
	for i := range in.Messages {
		room += len(in.Messages[i].Content.blocks())
	}
	r.Items = make([]Item, 0, room)
	if err := add(System, in.System, "system"); err != nil {
		return err
	}
	for i := range in.Messages {
		m := &in.Messages[i]
		where := nth("messages", i)
		switch role := Role(m.Role); role {
		case System, User, Assistant:
			if err := add(role, &m.Content, where+".content"); err != nil {
				return err
			}
		default:
			return fault.Newf(fault.Invalid, "%s.role is %.64q", where, m.Role)
		}
	}
	r.Items = normal(r.Items)
	return nil
}

// addTo adds what a block says; a document made of blocks is several items.
func (b *messagesBlock) addTo(out []Item, role Role, where string, lost Lost) ([]Item, error) {
	switch b.Type {
	case "text":
		return append(out, Item{Role: role, Kind: Text, Text: deref(b.Text)}), nil
	case "thinking":
		return append(out, Item{Role: role, Kind: Reasoning, Text: deref(b.Thinking), Opaque: taken(deref(b.Signature), ownMessages)}), nil
	case "redacted_thinking":
		o := taken(b.Data, ownMessages)
		o.Redacted = true
		return append(out, Item{Role: role, Kind: Reasoning, Opaque: o}), nil
	case "tool_use":
		return append(out, Item{Role: role, Kind: Call, Call: ToolCall{ID: b.ID, Name: b.Name, Arguments: compact(b.Input)}}), nil
	case "image", "document":
		items, err := b.media(role, where, lost)
		return append(out, items...), err
	case "tool_result":
		result := ToolResult{CallID: b.ToolUseID, Error: b.IsError}
		all := b.Content.blocks()
		for i := range all {
			var err error
			if result.Content, err = all[i].addTo(result.Content, User, nth(where+".content", i), lost); err != nil {
				return nil, err
			}
		}
		return append(out, Item{Role: role, Kind: Result, Result: result}), nil
	case "tool_reference":
		lost.add("tool_reference")
		return append(out, Item{Role: role, Kind: Text, Text: "The tool " + b.ToolName + " is available."}), nil
	case "search_result":
		lost.add("search_result")
		out = append(out, Item{Role: role, Kind: Text, Text: b.Title + "\n" + strings.Trim(string(b.Source), `"`)})
		for _, c := range b.Content.blocks() {
			out = append(out, Item{Role: role, Kind: Text, Text: deref(c.Text)})
		}
		return out, nil
	default:
		return nil, fault.Newf(fault.Invalid, "%s: a block of type %.64q is known to its own protocol alone", where, b.Type)
	}
}

func (b *messagesBlock) media(role Role, where string, lost Lost) ([]Item, error) {
	var s messagesSource
	apart, err := split(b.Source, &s, where+".source", "data", "content")
	if err != nil {
		return nil, err
	}
	data, err := readText(apart[0], where+".source.data")
	if err != nil {
		return nil, err
	}
	s.Data = deref(data)
	if s.Content, err = readMessagesContent(apart[1], where+".source.content", b.depth+1); err != nil {
		return nil, err
	}
	kind := Image
	if b.Type == "document" {
		kind = File
	}
	switch s.Type {
	case "base64", "url":
		return []Item{{Role: role, Kind: kind, Media: Media{URL: s.URL, Type: s.MediaType, Data: s.Data, Name: b.Title}}}, nil
	case "text":
		return []Item{{Role: role, Kind: Text, Text: strings.TrimPrefix(b.Title+"\n", "\n") + s.Data}}, nil
	case "content":
		var out []Item
		for i, c := range s.Content.blocks() {
			if c.Type != "text" && c.Type != "image" {
				return nil, fault.Newf(fault.Invalid, "%s.source.content.%d is of type %.64q", where, i, c.Type)
			}
			var err error
			if out, err = c.addTo(out, role, where, lost); err != nil {
				return nil, err
			}
		}
		return out, nil
	default:
		return nil, fault.Newf(fault.Invalid, "%s.source.type %.64q names what only its own provider has", where, s.Type)
	}
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
