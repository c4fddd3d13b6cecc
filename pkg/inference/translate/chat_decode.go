package translate

import (
	"fmt"
	"slices"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/jsoncut"
	"github.com/vexa-ai/vexa/pkg/internal/wirejson"
)

func (chat) decodeRequest(body []byte, o jsoncut.Outline, lost Lost) (*Request, error) {
	if err := judge(body, o, chatFate, lost); err != nil {
		return nil, err
	}
	var in chatRequest
	if err := in.read(body); err != nil {
		return nil, err
	}
	if deref(in.N) > 1 {
		return nil, fault.New(fault.Invalid, `"n" asks for several answers, which the provider's protocol does not have`, "")
	}
	if slices.ContainsFunc(in.Modalities, func(m string) bool { return m != "text" }) {
		return nil, fault.New(fault.Invalid, `"modalities" asks for more than text, which the provider's protocol does not have`, "")
	}
	r := &Request{
		Model: in.Model, Stream: in.Stream, StreamUsage: in.StreamOptions != nil && in.StreamOptions.IncludeUsage,
		MaxTokens: max(in.MaxTokens, in.MaxCompletionTokens), Temperature: in.Temperature, TopP: in.TopP,
		Parallel: in.Parallel, Effort: in.ReasoningEffort, Verbosity: in.Verbosity, User: in.User,
		Metadata: in.Metadata, CacheKey: in.CacheKey,
	}
	if r.User == "" {
		r.User = in.SafetyIdentifier
	}
	if s := in.Stop; s != nil {
		r.Stop = s.all
		if s.isText {
			r.Stop = []string{s.text}
		}
	}
	if err := in.tools(r); err != nil {
		return nil, err
	}
	if f := in.ResponseFormat; f != nil && f.Type != "text" {
		r.Format = &Format{Type: f.Type}
		if s := f.Schema; s != nil {
			r.Format = &Format{f.Type, s.Name, s.Description, s.Schema, s.Strict}
		}
	}
	r.Items = make([]Item, 0, len(in.Messages))
	for i := range in.Messages {
		items, err := in.Messages[i].items(nth("messages", i))
		if err != nil {
			return nil, err
		}
		r.Items = append(r.Items, items...)
	}
	r.Items = normal(r.Items)
	return r, nil
}

// read reads a request that is valid JSON.
func (in *chatRequest) read(body []byte) error {
	if wirejson.Read(body, in) {
		for i := range in.Tools {
			if f := in.Tools[i].Function; f != nil {
				absent(&f.Parameters)
			}
		}
		return nil
	}
	apart, err := split(body, in, "the request", "messages", "tools")
	if err != nil {
		return err
	}
	err = each(apart[0], "messages", func(element []byte, what string) error {
		var m chatMessage
		apart, err := split(element, &m, what, "content")
		if err != nil {
			return err
		}
		m.Content, err = readList(apart[0], what+".content", readChatPart)
		in.Messages = append(in.Messages, m)
		return err
	})
	if err != nil {
		return err
	}
	return each(apart[1], "tools", func(element []byte, what string) error {
		var t chatTool
		apart, err := split(element, &t, what, "function")
		if err == nil && apart[0] != nil {
			t.Function = &chatFunction{}
			apart, err = split(apart[0], t.Function, what+".function", "parameters")
			t.Function.Parameters = apart[0]
		}
		in.Tools = append(in.Tools, t)
		return err
	})
}

func readChatPart(raw []byte, what string) (p chatPart, err error) {
	apart, err := split(raw, &p, what, "text")
	if err != nil {
		return p, err
	}
	text, err := readText(apart[0], what+".text")
	p.Text = deref(text)
	return p, err
}

func (in *chatRequest) tools(r *Request) error {
	for i, t := range in.Tools {
		switch {
		case t.Type == "function" && t.Function != nil:
			f := t.Function
			r.Tools = append(r.Tools, Tool{Name: f.Name, Description: f.Description, Schema: f.Parameters, Strict: f.Strict})
		case t.Type == "custom" && t.Custom != nil:
			r.Tools = append(r.Tools, Tool{Name: t.Custom.Name, Description: t.Custom.Description, Freeform: true, Format: t.Custom.Format})
		default:
			return fault.Newf(fault.Invalid, "tools.%d: a tool of type %.64q is known to its own protocol alone", i, t.Type)
		}
	}
	c := in.ToolChoice
	if c == nil {
		return nil
	}
	return r.choose(c.Mode, c.Type, c.Function.Name+c.Custom.Name)
}

// choose reads the tool_choice of either OpenAI protocol: a word, or the type and the
// name of a tool.
func (r *Request) choose(mode, kind, name string) error {
	switch {
	case mode == "auto" || mode == "none":
		r.Choice.Mode = ChoiceMode(mode)
	case mode == "required":
		r.Choice.Mode = ChooseAny
	case mode == "" && (kind == "function" || kind == "custom"):
		r.Choice = ToolChoice{ChooseTool, name}
	default:
		return fault.Newf(fault.Invalid, "tool_choice %.64q cannot be carried to the protocol that the provider speaks", mode+kind)
	}
	return nil
}

// items returns what a message says.
func (m *chatMessage) items(where string) ([]Item, error) {
	role := Role(m.Role)
	switch m.Role {
	case "developer":
		role = System
	case "system", "user", "assistant":
	case "tool":
		content, err := m.content(User, where)
		return []Item{{Role: User, Kind: Result, Result: ToolResult{CallID: m.ToolCallID, Content: content}}}, err
	default:
		return nil, fault.Newf(fault.Invalid, "%s.role is %.64q", where, m.Role)
	}
	if m.FunctionCall != nil && !empty(*m.FunctionCall) {
		return nil, fault.Newf(fault.Invalid, "%s.function_call is of a former form of the protocol; use tool_calls", where)
	}
	out := m.reasoning()
	content, err := m.content(role, where)
	if err != nil {
		return nil, err
	}
	out = append(out, content...)
	for _, c := range m.ToolCalls {
		out = append(out, Item{Role: role, Kind: Call, Call: c.call()})
	}
	return out, nil
}

func (m *chatMessage) reasoning() []Item {
	text := m.ReasoningContent
	if text == "" {
		text = m.Reasoning
	}
	if text == "" || m.Role != "assistant" {
		return nil
	}
	return []Item{{Role: Assistant, Kind: Reasoning, Text: string(text), Opaque: Opaque{Origin: ownChat}}}
}

func (m *chatMessage) content(role Role, where string) ([]Item, error) {
	var out []Item
	add := func(text string) {
		if text != "" {
			out = append(out, Item{Role: role, Kind: Text, Text: text})
		}
	}
	if m.Content != nil {
		add(m.Content.text)
		for i, p := range m.Content.all {
			switch {
			case p.Type == "text":
				add(p.Text)
			case p.Type == "refusal":
				add(p.Refusal)
			case p.Type == "image_url" && p.ImageURL != nil:
				out = append(out, Item{Role: role, Kind: Image, Media: media(p.ImageURL.URL, "")})
			case p.Type == "file" && p.File != nil && p.File.FileData != "":
				m, err := bytesOf(p.File.FileData, p.File.Filename, fmt.Sprintf("%s.content.%d.file", where, i))
				if err != nil {
					return nil, err
				}
				out = append(out, Item{Role: role, Kind: File, Media: m})
			case p.Type == "thinking": // Mistral's
			default:
				return nil, fault.Newf(fault.Invalid, "%s.content.%d: a part of type %.64q is known to its own provider alone", where, i, p.Type)
			}
		}
	}
	add(string(m.Refusal))
	return out, nil
}

func (c *chatCall) call() ToolCall {
	switch {
	case c.Custom != nil:
		return ToolCall{ID: c.ID, Name: c.Custom.Name, Arguments: c.Custom.Input, Freeform: true}
	case c.Function != nil:
		return ToolCall{ID: c.ID, Name: c.Function.Name, Arguments: c.Function.Arguments}
	default:
		return ToolCall{ID: c.ID}
	}
}
