package translate

import "github.com/vexa-ai/vexa/pkg/fault"

// encryptedReasoning asks for reasoning that can be given back: nothing is kept
// at the provider.
const encryptedReasoning = "reasoning.encrypted_content"

// minOutputTokens is the least that openai-responses takes; clients that ask
// whether a model is there want 1.
const minOutputTokens = 16

func (responses) encodeRequest(r *Request, lost Lost) ([]byte, error) {
	if len(r.Stop) > 0 {
		return nil, fault.New(fault.Invalid, "stop sequences cannot be carried to openai-responses, which has none", "")
	}
	out := responsesRequest{
		Model: r.Model, Stream: r.Stream, Temperature: openAITemperature(r.Temperature), TopP: r.TopP,
		Metadata: r.Metadata, CacheKey: r.CacheKey,
	}
	if r.MaxTokens > 0 {
		out.MaxOutputTokens = max(r.MaxTokens, minOutputTokens)
	}
	if len(r.User) <= maxUser {
		out.User = r.User
	}
	lost.all(map[string]bool{"thinking.budget_tokens": r.Thinking.Budget > 0, "user": len(r.User) > maxUser})
	if r.Effort != "" || r.Summary != "" {
		out.Reasoning = &responsesReasoning{openAIEffort(r.Effort), r.Summary}
	}
	if out.Reasoning != nil || r.Thinking.on() {
		out.Include = []string{encryptedReasoning}
	}
	if r.Format != nil || r.Verbosity != "" {
		out.Text = &responsesText{Verbosity: r.Verbosity}
	}
	if f := r.Format; f != nil {
		out.Text.Format = &responsesFormat{Type: f.Type, Description: f.Description, Schema: f.Schema, Strict: f.Strict}
		if f.Type == "json_schema" {
			out.Text.Format.Name = formatName(f)
		}
	}
	out.Tools = responsesTools(r.Tools)
	if len(r.Tools) > 0 {
		out.Parallel, out.ToolChoice = r.Parallel, responsesChoiceOf(r)
	}
	items := r.Items
	if len(items) > 0 && items[0].Role == System {
		out.Instructions, items = items[0].Text, items[1:]
	}
	out.Input.all = make([]responsesItem, 0, len(items))
	for _, run := range runs(items) {
		out.Input.all = append(out.Input.all, responsesItems(run, lost)...)
	}
	return r.encode(&out)
}

// responsesTools returns the tools, those of a namespace together.
func responsesTools(tools []Tool) []responsesTool {
	var out []responsesTool
	at := map[string]int{}
	for _, t := range tools {
		w := responsesTool{Type: "function", Name: t.Name, Description: t.Description}
		if t.Freeform {
			w.Type, w.Format = "custom", t.Format
		} else {
			w.Parameters, w.Strict = schema(t.Schema), &t.Strict
		}
		if t.Namespace == "" {
			out = append(out, w)
			continue
		}
		i, ok := at[t.Namespace]
		if !ok {
			i = len(out)
			at[t.Namespace] = i
			out = append(out, responsesTool{Type: "namespace", Name: t.Namespace})
		}
		out[i].Tools = append(out[i].Tools, w)
	}
	return out
}

func responsesChoiceOf(r *Request) *responsesChoice {
	switch c := r.Choice; c.Mode {
	case ChooseAuto, ChooseNone:
		return &responsesChoice{Mode: string(c.Mode)}
	case ChooseAny:
		return &responsesChoice{Mode: "required"}
	case ChooseTool:
		out := &responsesChoice{Type: "function", Name: c.Name}
		for _, t := range r.Tools {
			if t.Name == c.Name && t.Freeform {
				out.Type = "custom"
			}
		}
		return out
	default:
		return nil
	}
}

// responsesItems returns the items of a run. What is said in a row is one
// message.
func responsesItems(run []Item, lost Lost) []responsesItem {
	var out []responsesItem
	for _, i := range run {
		switch i.Kind {
		case Text, Image, File:
			if n := len(out) - 1; n >= 0 && out[n].Type == "message" {
				out[n].Content.all = append(out[n].Content.all, i.responsesPart())
				continue
			}
			role := string(i.Role)
			if i.Role == System {
				role = "developer"
			}
			out = append(out, responsesItem{Type: "message", Role: role, Content: &list[responsesPart]{all: []responsesPart{i.responsesPart()}}})
		case Call:
			out = append(out, responsesCall(i.Call))
		case Result:
			out = append(out, responsesResult(i.Result))
		case Reasoning:
			if i.Opaque.Origin != ownResponses || i.Opaque.Data == "" { // an id alone names what is not kept
				lost.add("reasoning")
				continue
			}
			it := i.responsesReasoning()
			it.ID = i.Opaque.ID
			out = append(out, it)
		}
	}
	return out
}

func (i *Item) responsesPart() responsesPart {
	switch {
	case i.Kind == Image:
		return responsesPart{Type: "input_image", ImageURL: i.Media.dataURL()}
	case i.Kind == File && i.Media.URL != "":
		return responsesPart{Type: "input_file", FileURL: i.Media.URL}
	case i.Kind == File:
		return responsesPart{Type: "input_file", FileData: i.Media.dataURL(), Filename: fileName(i.Media)}
	case i.Role == Assistant:
		return responsesPart{Type: "output_text", Text: &i.Text}
	default:
		return responsesPart{Type: "input_text", Text: &i.Text}
	}
}

func responsesCall(c ToolCall) responsesItem {
	text := texts(c.Arguments)
	if c.Freeform {
		return responsesItem{Type: "custom_tool_call", CallID: c.ID, Namespace: c.Namespace, Name: c.Name, Input: &text}
	}
	if text == "" {
		text = "{}"
	}
	return responsesItem{Type: "function_call", CallID: c.ID, Namespace: c.Namespace, Name: c.Name, Arguments: &text}
}

func responsesResult(r ToolResult) responsesItem {
	out := responsesItem{Type: "function_call_output", CallID: r.CallID, Output: &list[responsesPart]{isText: true}}
	if r.Freeform {
		out.Type = "custom_tool_call_output"
	}
	for _, c := range r.Content {
		if r.Error && c.Kind == Text {
			c.Text, r.Error = failed(c.Text), false
		}
		out.Output.all = append(out.Output.all, c.responsesPart())
	}
	switch {
	case len(r.Content) == 0:
	case len(r.Content) == 1 && r.Content[0].Kind == Text:
		out.Output.text = *out.Output.all[0].Text
	default:
		out.Output.isText = false
	}
	return out
}

func (i *Item) responsesReasoning() responsesItem {
	out := responsesItem{Type: "reasoning", Summary: &[]responsesPart{}, EncryptedContent: i.Opaque.carry(ownResponses)}
	if i.Text != "" {
		*out.Summary = append(*out.Summary, responsesPart{Type: "summary_text", Text: &i.Text})
	}
	return out
}
