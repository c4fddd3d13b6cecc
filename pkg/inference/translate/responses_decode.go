package translate

import (
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/jsoncut"
	"github.com/vexa-ai/vexa/pkg/internal/wirejson"
)

func (responses) decodeRequest(body []byte, o jsoncut.Outline, lost Lost) (*Request, error) {
	if err := judge(body, o, responsesFate, lost); err != nil {
		return nil, err
	}
	var in responsesRequest
	if err := in.read(body); err != nil {
		return nil, err
	}
	r := &Request{
		Model: in.Model, Stream: in.Stream, MaxTokens: in.MaxOutputTokens, Temperature: in.Temperature, TopP: in.TopP,
		Parallel: in.Parallel, User: in.User, Metadata: in.Metadata, CacheKey: in.CacheKey,
	}
	if r.User == "" {
		r.User = in.SafetyIdentifier
	}
	if in.Reasoning != nil {
		r.Effort, r.Summary = in.Reasoning.Effort, in.Reasoning.Summary
	}
	if t := in.Text; t != nil {
		r.Verbosity = t.Verbosity
		if f := t.Format; f != nil && f.Type != "text" {
			r.Format = &Format{f.Type, f.Name, f.Description, f.Schema, f.Strict}
		}
	}
	if err := r.addResponsesTools(in.Tools, "", lost); err != nil {
		return nil, err
	}
	if c := in.ToolChoice; c != nil {
		if err := r.choose(c.Mode, c.Type, c.Name); err != nil {
			return nil, err
		}
	}
	r.Items = make([]Item, 0, len(in.Input.all)+1)
	if in.Instructions != "" {
		r.Items = append(r.Items, Item{Role: System, Kind: Text, Text: in.Instructions})
	}
	if in.Input.isText {
		r.Items = append(r.Items, Item{Role: User, Kind: Text, Text: in.Input.text})
	}
	for i := range in.Input.all {
		if err := in.Input.all[i].addTo(r, nth("input", i), lost); err != nil {
			return nil, err
		}
	}
	r.Items = normal(r.Items)
	return r, nil
}

// read reads a request that is valid JSON.
func (in *responsesRequest) read(body []byte) error {
	if wirejson.Read(body, in) && in.settle() {
		return nil
	}
	*in = responsesRequest{}
	apart, err := split(body, in, "the request", "input", "tools", "instructions")
	if err != nil {
		return err
	}
	input, err := readList(apart[0], "input", readResponsesItem)
	if err != nil {
		return err
	}
	in.Input = deref(input)
	if in.Tools, err = readResponsesTools(apart[1], "tools", false); err != nil {
		return err
	}
	instructions, err := readText(apart[2], "instructions")
	in.Instructions = deref(instructions)
	return err
}

// settle makes of what was read at once what reading it piece by piece does, and reports
// whether it could.
func (in *responsesRequest) settle() bool {
	ok := settleResponsesTools(in.Tools)
	for i := range in.Input.all {
		ok = ok && settleResponsesTools(in.Input.all[i].Tools)
	}
	return ok
}

func settleResponsesTools(tools []responsesTool) bool {
	for i := range tools {
		t := &tools[i]
		absent(&t.Parameters)
		for j := range t.Tools {
			absent(&t.Tools[j].Parameters)
			if t.Tools[j].Tools != nil {
				return false // a namespace holds none
			}
		}
	}
	return true
}

func readResponsesItem(raw []byte, what string) (it responsesItem, err error) {
	apart, err := split(raw, &it, what, "content", "output", "tools")
	if err != nil {
		return it, err
	}
	if it.Content, err = readList(apart[0], what+".content", readResponsesPart); err != nil {
		return it, err
	}
	if it.Output, err = readList(apart[1], what+".output", readResponsesPart); err != nil {
		return it, err
	}
	it.Tools, err = readResponsesTools(apart[2], what+".tools", false)
	return it, err
}

func readResponsesPart(raw []byte, what string) (p responsesPart, err error) {
	apart, err := split(raw, &p, what, "text", "image_url")
	if err != nil {
		return p, err
	}
	if p.Text, err = readText(apart[0], what+".text"); err != nil {
		return p, err
	}
	url, err := readText(apart[1], what+".image_url")
	p.ImageURL = deref(url)
	return p, err
}

func readResponsesTools(raw []byte, what string, inNamespace bool) ([]responsesTool, error) {
	var out []responsesTool
	err := each(raw, what, func(element []byte, what string) error {
		var t responsesTool
		apart, err := split(element, &t, what, "parameters", "tools")
		if err != nil {
			return err
		}
		t.Parameters = apart[0]
		if inNamespace && apart[1] != nil {
			return malformed(what + ".tools") // a namespace holds none
		}
		t.Tools, err = readResponsesTools(apart[1], what+".tools", true)
		out = append(out, t)
		return err
	})
	return out, err
}

// addResponsesTools adds tools. A namespace is tools that share one.
func (r *Request) addResponsesTools(tools []responsesTool, namespace string, lost Lost) error {
	for i, t := range tools {
		tool := Tool{Namespace: namespace, Name: t.Name, Description: t.Description}
		switch {
		case t.Type == "function":
			tool.Schema, tool.Strict = t.Parameters, deref(t.Strict)
		case t.Type == "custom":
			tool.Freeform, tool.Format = true, t.Format
		case t.Type == "namespace" && namespace == "":
			if err := r.addResponsesTools(t.Tools, t.Name, lost); err != nil {
				return err
			}
			continue
		case t.Type == "tool_search":
			lost.add("tools[].type tool_search") // what it would find is not offered
			continue
		default:
			return fault.Newf(fault.Invalid, "tools.%d: a tool of type %.64q is known to its own protocol alone", i, t.Type)
		}
		r.Tools = append(r.Tools, tool)
	}
	return nil
}

// addTo adds what an item says.
func (it *responsesItem) addTo(r *Request, where string, lost Lost) error {
	add := func(i Item) error {
		r.Items = append(r.Items, i)
		return nil
	}
	switch it.Type {
	case "message", "":
		return it.message(r, where)
	case "function_call", "custom_tool_call":
		return add(Item{Role: Assistant, Kind: Call, Call: it.call()})
	case "function_call_output", "custom_tool_call_output":
		content, err := responsesContent(it.Output, User, where+".output")
		if err != nil {
			return err
		}
		return add(Item{Role: User, Kind: Result, Result: ToolResult{CallID: it.CallID, Content: content, Freeform: it.Type == "custom_tool_call_output"}})
	case "reasoning":
		return add(it.reasoning())
	case "additional_tools":
		return r.addResponsesTools(it.Tools, "", lost)
	case "tool_search_call", "tool_search_output", "web_search_call", "file_search_call", "image_generation_call",
		"code_interpreter_call", "mcp_list_tools", "mcp_call":
		lost.add("input[].type " + it.Type) // what the provider did; the answer that came of it is beside
		return nil
	default:
		return fault.Newf(fault.Invalid, "%s: an item of type %.64q is known to its own provider alone", where, it.Type)
	}
}

func (it *responsesItem) message(r *Request, where string) error {
	role := Role(it.Role)
	switch it.Role {
	case "developer":
		role = System
	case "system", "user", "assistant":
	default:
		return fault.Newf(fault.Invalid, "%s.role is %.64q", where, it.Role)
	}
	items, err := responsesContent(it.Content, role, where+".content")
	r.Items = append(r.Items, items...)
	return err
}

func (it *responsesItem) call() ToolCall {
	c := ToolCall{ID: it.CallID, Namespace: it.Namespace, Name: it.Name, Freeform: it.Type == "custom_tool_call"}
	if c.Freeform {
		c.Arguments = string(deref(it.Input))
	} else {
		c.Arguments = string(deref(it.Arguments))
	}
	return c
}

func (it *responsesItem) reasoning() Item {
	o := taken(it.EncryptedContent, ownResponses)
	if o.Origin == ownResponses {
		o.ID = it.ID
	}
	i := Item{Role: Assistant, Kind: Reasoning, Opaque: o}
	parts := deref(it.Summary)
	if len(parts) == 0 && it.Content != nil {
		parts = it.Content.all
	}
	for n, p := range parts {
		if n > 0 {
			i.Text += "\n\n"
		}
		i.Text += deref(p.Text)
	}
	return i
}

func responsesContent(c *list[responsesPart], role Role, where string) ([]Item, error) {
	if c == nil {
		return nil, nil
	}
	if c.isText && c.text != "" {
		return []Item{{Role: role, Kind: Text, Text: c.text}}, nil
	}
	var out []Item
	for i, p := range c.all {
		item := Item{Role: role, Kind: Text}
		switch {
		case p.Type == "input_text" || p.Type == "output_text" || p.Type == "text":
			item.Text = deref(p.Text)
		case p.Type == "refusal":
			item.Text = p.Refusal
		case p.Type == "input_image" && p.ImageURL != "":
			item.Kind, item.Media = Image, media(p.ImageURL, "")
		case p.Type == "input_file" && p.FileURL != "":
			item.Kind, item.Media = File, media(p.FileURL, p.Filename)
		case p.Type == "input_file" && p.FileData != "":
			item.Kind = File
			var err error
			if item.Media, err = bytesOf(p.FileData, p.Filename, nth(where, i)); err != nil {
				return nil, err
			}
		default:
			return nil, fault.Newf(fault.Invalid, "%s.%d: a part of type %.64q is known to its own provider alone", where, i, p.Type)
		}
		out = append(out, item)
	}
	return out, nil
}
