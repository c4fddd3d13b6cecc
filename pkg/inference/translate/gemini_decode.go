package translate

import (
	"encoding/json"
	"errors"
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
	absent(&in.Tools)
	r := &Request{}
	if err := in.config(r, lost); err != nil {
		return nil, err
	}
	if err := errors.Join(each(in.Tools, "tools", r.geminiTool), in.choice(r)); err != nil {
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
	if err := plainNames(in.Config, "generationConfig", "thinkingConfig"); err != nil {
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
		if t.Level != "THINKING_LEVEL_UNSPECIFIED" {
			r.Effort = strings.ToLower(t.Level)
		}
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
	wanted, err := either(wanted, c.OpenAPI, "generationConfig.responseSchema")
	if err != nil {
		return err
	}
	r.Format = &Format{Type: "json_object"}
	if !empty(wanted) {
		r.Format = &Format{Type: "json_schema", Schema: wanted}
	}
	return nil
}

// geminiTool reads the functions of a tool.
func (r *Request) geminiTool(raw []byte, what string) error {
	var t geminiTool
	if err := errors.Join(plainNames(raw, what), decode(raw, &t, what)); err != nil {
		return err
	}
	absent(&t.Functions)
	if t.Functions == nil {
		return fault.New(fault.Invalid, what+": a tool without functionDeclarations is known to its own protocol alone", "")
	}
	return each(t.Functions, what+".functionDeclarations", func(raw []byte, what string) error {
		var f geminiFunction
		if err := errors.Join(plainNames(raw, what), decode(raw, &f, what)); err != nil {
			return err
		}
		schema, err := either(f.Schema, f.Parameters, what+".parameters")
		if err != nil {
			return err
		}
		absent(&schema)
		r.Tools = append(r.Tools, Tool{Name: f.Name, Description: f.Description, Schema: schema})
		return nil
	})
}

func (in *geminiRequest) choice(r *Request) error {
	if empty(in.ToolConfig) {
		return nil
	}
	var c geminiToolConfig
	if err := errors.Join(plainNames(in.ToolConfig, "toolConfig", "functionCallingConfig"), decode(in.ToolConfig, &c, "toolConfig")); err != nil {
		return err
	}
	allowed := c.Calling.Allowed
	switch mode := c.Calling.Mode; {
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

// geminiReading reads contents. Calls may have no ids, and results none: a result is that
// of the call with its id in what the model said last, else of the first there with its
// name that has no result.
type geminiReading struct {
	items []Item
	calls int
	waits map[string]bool     // for its result, by the id of the call
	named map[string][]string // ids of calls, by name
	lost  Lost
}

// plainNames refuses an object with members, or with some in those that are named, whose
// names have underscores: the protocol's readers take them, and its clients write none.
func plainNames(raw []byte, what string, within ...string) error {
	for m := range jsoncut.Members(raw) {
		if strings.Contains(strings.TrimPrefix(m.Name, "_"), "_") {
			return fault.Newf(fault.Invalid, "%s: %.64q cannot be carried to another protocol; write the name without underscores", what, m.Name)
		}
		if slices.Contains(within, m.Name) {
			if err := plainNames(m.Value, what+"."+m.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// parts reads a content, and does each with its parts.
func (d *geminiReading) parts(raw []byte, what string, do func(raw []byte, what string) error) (role string, err error) {
	var c struct {
		Role string `json:"role"`
	}
	apart, err := split(raw, &c, what, "parts")
	if err = errors.Join(err, plainNames(raw, what)); err != nil {
		return "", err
	}
	return c.Role, each(apart[0], what+".parts", do)
}

func (d *geminiReading) system(raw []byte) error {
	_, err := d.parts(raw, "systemInstruction", func(raw []byte, what string) error {
		p, err := d.part(raw, what)
		if err != nil {
			return err
		}
		if p.Text == nil {
			return malformed(what)
		}
		d.items = append(d.items, Item{Role: System, Kind: Text, Text: *p.Text})
		return nil
	})
	return err
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
	if err = errors.Join(err, plainNames(raw, what, "inlineData", "functionCall", "functionResponse")); err != nil {
		return p, err
	}
	if p.Text, err = readText(apart[0], what+".text"); err != nil {
		return p, err
	}
	if p.Text == nil && p.Inline == nil && p.Call == nil && p.Response == nil && p.Signature == "" {
		return p, fault.Newf(fault.Invalid, "%s: a part of this kind is known to its own protocol alone", what)
	}
	return p, p.Inline.check(what + ".inlineData")
}

// said reads what the model said.
func (d *geminiReading) said(parts []geminiPart) {
	d.waits, d.named = map[string]bool{}, map[string][]string{} // what has no result yet gets none
	thinking := -1                                              // the reasoning that a signature may follow
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
		case p.Inline != nil || p.Response != nil:
			d.lost.add("what the model showed")
		}
	}
}

// signed gives reasoning its opaque form. Clients leave its text out: that of
// anthropic-messages and openai-chat is nothing without.
func (d *geminiReading) signed(o Opaque, thinking int) {
	switch {
	case thinking >= 0:
		d.items[thinking].Opaque = o
	case (o.Origin == ownMessages || o.Origin == ownChat) && !o.Redacted:
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
		id = fmt.Sprintf("call_unnamed_%d", d.calls) // as no provider names one
	}
	d.waits[id], d.named[c.Name] = true, append(d.named[c.Name], id)
	absent(&c.Args)
	return ToolCall{ID: id, Name: c.Name, Arguments: compact(c.Args)}
}

// answered are the ids of the calls that parts are results of, "" where there is none.
func (d *geminiReading) answered(parts []geminiPart) []string {
	ids := make([]string, len(parts))
	for i, p := range parts {
		if p.Response != nil && d.waits[p.Response.ID] {
			ids[i] = p.Response.ID
			delete(d.waits, ids[i])
		}
	}
	for i, p := range parts {
		if p.Response == nil || ids[i] != "" {
			continue
		}
		for same := d.named[p.Response.Name]; len(same) > 0 && ids[i] == ""; same = d.named[p.Response.Name] {
			if d.waits[same[0]] {
				ids[i] = same[0]
				delete(d.waits, ids[i])
			}
			d.named[p.Response.Name] = same[1:]
		}
	}
	return ids
}

// asked reads what the user said, and what tools returned.
func (d *geminiReading) asked(parts []geminiPart, what string) error {
	ids := d.answered(parts)
	for i, p := range parts {
		switch {
		case p.Response != nil:
			result := ToolResult{CallID: ids[i]}
			if result.CallID == "" { // nothing asked for it, or it is there twice, as Gemini CLI has it in a session that goes on
				d.lost.add("functionResponse")
				continue
			}
			text, failed := p.Response.text()
			result.Error = failed
			if text != "" {
				result.Content = append(result.Content, Item{Role: User, Kind: Text, Text: text})
			}
			for n, q := range p.Response.Parts {
				where := nth(nth(what+".parts", i)+".functionResponse.parts", n)
				if q.Inline == nil {
					return malformed(where)
				}
				if err := q.Inline.check(where + ".inlineData"); err != nil {
					return err
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
	n, name := 0, ""
	for m := range jsoncut.Members(r.Response) {
		if n++; n > 1 {
			break
		}
		if name = m.Name; json.Unmarshal(m.Value, &text) != nil {
			name = ""
		}
	}
	if n == 1 && (name == "output" || name == "result" || name == "error") {
		return text, name == "error"
	}
	return compact(r.Response), false
}

// check refuses an address in the place of bytes, and what no other protocol has.
func (b *geminiBlob) check(what string) error {
	switch {
	case b == nil:
		return nil
	case strings.Contains(b.Data, ":"): // which base64 has not
		return malformed(what + ".data")
	case strings.HasPrefix(b.Type, "audio/") || strings.HasPrefix(b.Type, "video/"):
		return fault.Newf(fault.Invalid, "%s of type %.64q cannot be carried to another protocol", what, b.Type)
	}
	return nil
}

func (b *geminiBlob) kind() Kind {
	if strings.HasPrefix(b.Type, "image/") {
		return Image
	}
	return File
}

func (b *geminiBlob) media() Media { return Media{Type: b.Type, Data: b.Data} }
