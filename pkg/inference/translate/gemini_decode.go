package translate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/jsoncut"
)

func (gemini) decodeRequest(body []byte, o jsoncut.Outline, lost Lost) (*Request, error) {
	if err := judge(body, o, geminiFate, lost); err != nil {
		return nil, err
	}
	var in geminiRequest
	apart, err := split(body, &in, "the request", "contents", "systemInstruction")
	if err != nil {
		return nil, err
	}
	r := &Request{}
	if err := in.config(r, lost); err != nil {
		return nil, err
	}
	if err := in.tools(r); err != nil {
		return nil, err
	}
	d := geminiReading{lost: lost}
	if apart[1] != nil {
		if err := d.system(apart[1]); err != nil {
			return nil, err
		}
	}
	if err := each(apart[0], "contents", d.content); err != nil {
		return nil, err
	}
	r.Items = normal(d.items)
	return r, nil
}

func (in *geminiRequest) config(r *Request, lost Lost) error {
	if len(in.Config) == 0 || string(in.Config) == "null" {
		return nil
	}
	if err := judge(in.Config, jsoncut.Outline{}, geminiConfigFate, lost); err != nil {
		return err
	}
	var c geminiConfig
	if err := decode(in.Config, &c, "generationConfig"); err != nil {
		return err
	}
	if c.Candidates > 1 {
		return fault.New(fault.Invalid, `"candidateCount" asks for several answers, which the provider's protocol does not have`, "")
	}
	if slices.ContainsFunc(c.Modalities, func(m string) bool { return m != "TEXT" }) {
		return fault.New(fault.Invalid, `"responseModalities" asks for more than text, which the provider's protocol does not have`, "")
	}
	r.MaxTokens, r.Temperature, r.TopP, r.Stop = c.MaxTokens, c.Temperature, c.TopP, c.Stop
	if t := c.Thinking; t != nil {
		r.Effort = strings.ToLower(t.Level)
		lost.all(map[string]bool{"thinkingBudget": t.Budget != nil, "includeThoughts": t.Shown})
	}
	return c.format(r)
}

func (c *geminiConfig) format(r *Request) error {
	switch c.Type {
	case "", "text/plain":
		return nil
	case "application/json":
	default:
		return fault.Newf(fault.Invalid, "responseMimeType %.64q cannot be carried to the protocol that the provider speaks", c.Type)
	}
	wanted := c.Schema
	if empty(wanted) {
		wanted = c.Former
	}
	if empty(wanted) && !empty(c.OpenAPI) {
		var err error
		if wanted, err = fromOpenAPI(c.OpenAPI, "generationConfig.responseSchema"); err != nil {
			return err
		}
	}
	r.Format = &Format{Type: "json_object"}
	if !empty(wanted) {
		r.Format = &Format{Type: "json_schema", Schema: wanted}
	}
	return nil
}

func (in *geminiRequest) tools(r *Request) error {
	for i, t := range in.Tools {
		if t.Functions == nil {
			return fault.Newf(fault.Invalid, "tools.%d: a tool without functionDeclarations is known to its own protocol alone", i)
		}
		for n, f := range t.Functions {
			schema := f.Schema
			if empty(schema) && !empty(f.Parameters) {
				var err error
				if schema, err = fromOpenAPI(f.Parameters, fmt.Sprintf("tools.%d.functionDeclarations.%d.parameters", i, n)); err != nil {
					return err
				}
			}
			absent(&schema)
			r.Tools = append(r.Tools, Tool{Name: f.Name, Description: f.Description, Schema: schema})
		}
	}
	if in.ToolConfig == nil {
		return nil
	}
	allowed := in.ToolConfig.Calling.Allowed
	switch mode := in.ToolConfig.Calling.Mode; {
	case mode == "" || mode == "MODE_UNSPECIFIED":
	case mode == "ANY" && len(allowed) == 1:
		r.Choice = ToolChoice{ChooseTool, allowed[0]}
	case len(allowed) > 0:
		return fault.New(fault.Invalid, `"allowedFunctionNames" cannot be carried to the protocol that the provider speaks`, "")
	case mode == "AUTO" || mode == "VALIDATED":
		r.Choice.Mode = ChooseAuto
	case mode == "ANY" || mode == "NONE":
		r.Choice.Mode = ChoiceMode(strings.ToLower(mode))
	default:
		return fault.Newf(fault.Invalid, "toolConfig.functionCallingConfig.mode is %.64q", mode)
	}
	return nil
}

// geminiReading reads contents. Calls may have no ids: a result is that of the first
// call before it with its id, else with its name, which has none yet.
type geminiReading struct {
	items []Item
	calls int
	open  []openCall
	lost  Lost
}

type openCall struct{ id, given, name string }

// parts reads a content, and does each with its parts.
func (d *geminiReading) parts(raw []byte, what string, do func(raw []byte, what string) error) (role string, err error) {
	var c struct {
		Role string `json:"role"`
	}
	apart, err := split(raw, &c, what, "parts")
	if err != nil {
		return "", err
	}
	return c.Role, each(apart[0], what+".parts", do)
}

func (d *geminiReading) system(raw []byte) error {
	_, err := d.parts(raw, "systemInstruction", func(raw []byte, what string) error {
		p, err := d.part(raw, what)
		if err != nil || p.Text == nil {
			return orMalformed(err, what)
		}
		d.items = append(d.items, Item{Role: System, Kind: Text, Text: *p.Text})
		return nil
	})
	return err
}

func orMalformed(err error, what string) error {
	if err != nil {
		return err
	}
	return malformed(what)
}

func (d *geminiReading) content(raw []byte, what string) error {
	var found []geminiPart
	role, err := d.parts(raw, what, func(raw []byte, what string) error {
		p, err := d.part(raw, what)
		found = append(found, p)
		return err
	})
	if err != nil {
		return err
	}
	switch role {
	case "model":
		d.said(found)
	case "user", "function", "":
		return d.asked(found, what)
	default:
		return fault.Newf(fault.Invalid, "%s.role is %.64q", what, role)
	}
	return nil
}

func (d *geminiReading) part(raw []byte, what string) (p geminiPart, err error) {
	apart, err := split(raw, &p, what, "text")
	if err != nil {
		return p, err
	}
	if p.Text, err = readText(apart[0], what+".text"); err != nil {
		return p, err
	}
	if p.Text == nil && p.Inline == nil && p.Call == nil && p.Response == nil && p.Signature == "" {
		return p, fault.Newf(fault.Invalid, "%s: a part of this kind is known to its own protocol alone", what)
	}
	return p, nil
}

// said reads what the model said.
func (d *geminiReading) said(parts []geminiPart) {
	thinking := -1 // the reasoning that a signature may follow
	for _, p := range parts {
		if p.Thought {
			d.items = append(d.items, Item{Role: Assistant, Kind: Reasoning, Text: deref(p.Text), Opaque: Opaque{Origin: ownGemini}})
			thinking = len(d.items) - 1
		}
		if p.Signature != "" && p.Signature != unsigned {
			d.signed(geminiTaken(p.Signature), thinking)
		}
		if p.Thought {
			continue
		}
		thinking = -1
		switch {
		case p.Call != nil:
			d.items = append(d.items, Item{Role: Assistant, Kind: Call, Call: d.call(p.Call)})
		case deref(p.Text) != "":
			d.items = append(d.items, Item{Role: Assistant, Kind: Text, Text: *p.Text})
		case p.Inline != nil:
			d.items = append(d.items, Item{Role: Assistant, Kind: p.Inline.kind(), Media: p.Inline.media()})
		}
	}
}

// signed gives reasoning its opaque form. Clients leave its text out: that of
// anthropic-messages is nothing without.
func (d *geminiReading) signed(o Opaque, thinking int) {
	switch {
	case thinking >= 0:
		d.items[thinking].Opaque = o
	case o.Origin == ownMessages && !o.Redacted:
		d.lost.add("reasoning")
	default:
		o.Redacted = o.Redacted || o.Origin == ownGemini
		d.items = append(d.items, Item{Role: Assistant, Kind: Reasoning, Opaque: o})
	}
}

func (d *geminiReading) call(c *geminiCall) ToolCall {
	d.calls++
	id := c.ID
	if id == "" {
		id = fmt.Sprintf("call_%d", d.calls)
	}
	d.open = append(d.open, openCall{id, c.ID, c.Name})
	return ToolCall{ID: id, Name: c.Name, Arguments: compact(c.Args)}
}

// answered is the id of the call that a result is of.
func (d *geminiReading) answered(r *geminiResponse) string {
	i := slices.IndexFunc(d.open, func(c openCall) bool { return r.ID != "" && c.given == r.ID })
	if i < 0 {
		i = slices.IndexFunc(d.open, func(c openCall) bool { return c.name == r.Name })
	}
	if i < 0 {
		return r.ID
	}
	id := d.open[i].id
	d.open = slices.Delete(d.open, i, i+1)
	return id
}

// asked reads what the user said, and what tools returned.
func (d *geminiReading) asked(parts []geminiPart, what string) error {
	for i, p := range parts {
		switch {
		case p.Response != nil:
			result := ToolResult{CallID: d.answered(p.Response)}
			text, failed := p.Response.text()
			result.Error = failed
			if text != "" {
				result.Content = append(result.Content, Item{Role: User, Kind: Text, Text: text})
			}
			for n, q := range p.Response.Parts {
				if q.Inline == nil {
					return malformed(nth(nth(what+".parts", i)+".functionResponse.parts", n))
				}
				result.Content = append(result.Content, Item{Role: User, Kind: q.Inline.kind(), Media: q.Inline.media()})
			}
			d.items = append(d.items, Item{Role: User, Kind: Result, Result: result})
		case p.Inline != nil:
			d.items = append(d.items, Item{Role: User, Kind: p.Inline.kind(), Media: p.Inline.media()})
		case p.Text != nil:
			d.items = append(d.items, Item{Role: User, Kind: Text, Text: *p.Text})
		default:
			return malformed(nth(what+".parts", i))
		}
	}
	return nil
}

// text is what a function returned: by convention the output or the error of its
// response, else all of it.
func (r *geminiResponse) text() (text string, failed bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(r.Response, &members) == nil && len(members) == 1 {
		for _, name := range []string{"output", "result", "error"} {
			var text string
			if json.Unmarshal(members[name], &text) == nil {
				return text, name == "error"
			}
		}
	}
	return compact(r.Response), false
}

func (b *geminiBlob) kind() Kind {
	if strings.HasPrefix(b.Type, "image/") {
		return Image
	}
	return File
}

func (b *geminiBlob) media() Media { return Media{Type: b.Type, Data: b.Data} }
