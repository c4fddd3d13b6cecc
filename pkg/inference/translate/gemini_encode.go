package translate

import "encoding/json"

func (gemini) encodeRequest(r *Request, lost Lost) ([]byte, error) {
	config, err := geminiConfigOf(r, lost)
	if err != nil {
		return nil, err
	}
	out := geminiRequest{Config: config, Contents: []geminiContent{}}
	lost.all(map[string]bool{
		"metadata": r.Metadata != nil, "prompt_cache_key": r.CacheKey != "", "verbosity": r.Verbosity != "", "user": r.User != "",
		"parallel_tool_calls": r.Parallel != nil,
	})
	if len(r.Tools) > 0 {
		declared := make([]geminiFunction, len(r.Tools)) // which can be encoded
		for i := range r.Tools {
			t := &r.Tools[i]
			declared[i] = geminiFunction{Name: t.Name, Description: t.Description, Schema: schema(t.Schema)}
		}
		out.Tools = marshal([]geminiTool{{marshal(declared)}})
		out.ToolConfig = geminiChoice(r.Choice)
	}
	system, rest := lead(r.Items)
	if len(system) > 0 {
		out.System = &geminiContent{}
		for i := range system {
			out.System.Parts = append(out.System.Parts, geminiText(system[i].Text))
		}
	}
	called := map[string]string{}
	for _, run := range runs(rest) {
		c := geminiContent{Role: "user"}
		if run[0].Role == Assistant {
			c = geminiContent{"model", geminiTurn(run, !geminiFormer(r.Model), called, lost)}
		} else {
			c.Parts = geminiSaid(run, called, lost)
		}
		if len(c.Parts) > 0 {
			out.Contents = append(out.Contents, c)
		}
	}
	return r.encode(&out)
}

func geminiText(text string) geminiPart { return geminiPart{Text: &text} }

func geminiConfigOf(r *Request, lost Lost) (json.RawMessage, error) {
	c := geminiConfig{MaxTokens: r.MaxTokens, Temperature: r.Temperature, TopP: r.TopP, Stop: r.Stop}
	if f := r.Format; f != nil {
		c.Type, c.Schema = "application/json", f.Schema
	}
	var thinking geminiThinking
	switch former := geminiFormer(r.Model); {
	case former || r.Effort == "none":
		lost.all(map[string]bool{"effort": r.Effort != "", "thinking": r.Thinking.on(), "reasoning.summary": r.Summary != ""})
	default:
		thinking = geminiThinking{Level: openAIEffort(r.Effort), Shown: r.Thinking.on() || r.Summary != ""}
		if thinking.Level == "xhigh" {
			thinking.Level = "high"
		}
	}
	if thinking != (geminiThinking{}) {
		c.Thinking = &thinking
	}
	data, err := encode(&c)
	if string(data) == "{}" {
		return nil, err
	}
	return data, err
}

func geminiChoice(c ToolChoice) json.RawMessage {
	var out geminiToolConfig
	switch c.Mode {
	case ChooseAuto:
		out.Calling.Mode = "AUTO"
	case ChooseNone:
		out.Calling.Mode = "NONE"
	case ChooseAny:
		out.Calling.Mode = "ANY"
	case ChooseTool:
		out.Calling.Mode, out.Calling.Allowed = "ANY", []string{c.Name}
	default:
		return nil
	}
	return marshal(&out)
}

// geminiTurn are the parts of what the assistant said. The opaque reasoning before a part
// is its signature. Where the model asks for one, the first call has one in any case.
func geminiTurn(run []Item, strict bool, called map[string]string, lost Lost) []geminiPart {
	var s signer
	for n := range run {
		i := &run[n]
		switch i.Kind {
		case Reasoning:
			if i.Opaque.Origin != ownGemini {
				lost.add("reasoning")
				continue
			}
			s.reason(i.Text, i.Opaque.Data, i.Opaque.Closes)
		case Text:
			s.add(geminiText(i.Text))
		case Call:
			called[i.Call.ID] = i.Call.Name
			if strict && s.signature == "" {
				s.signature = unsigned
			}
			strict = false
			s.add(geminiPart{Call: &geminiCall{i.Call.ID, i.Call.Name, arguments(i.Call.Arguments)}})
		case Image, File, Result:
			lost.add("assistant " + string(i.Kind))
		}
	}
	return s.end()
}

// signer puts parts together with their signatures.
type signer struct {
	parts     []geminiPart
	signature string // of the part that comes
}

func (s *signer) add(p geminiPart) {
	p.Signature, s.signature = s.signature, ""
	s.parts = append(s.parts, p)
}

func (s *signer) reason(text, signature string, closes bool) {
	s.end()
	if text != "" {
		s.parts = append(s.parts, geminiPart{Text: &text, Thought: true})
	}
	if s.signature = signature; closes {
		s.end()
	}
}

// end has a signature that no part came for stand alone.
func (s *signer) end() []geminiPart {
	if s.signature != "" {
		s.add(geminiText(""))
	}
	return s.parts
}

// geminiSaid are the parts of what the user said. A result is known by the name of what
// was called, too. What a tool returned besides text comes after all results.
func geminiSaid(run []Item, called map[string]string, lost Lost) []geminiPart {
	var results, shown, rest []geminiPart
	for n := range run {
		i := &run[n]
		switch i.Kind {
		case Result:
			key := "output"
			if i.Result.Error {
				key = "error"
			}
			results = append(results, geminiPart{Response: &geminiResponse{
				ID: i.Result.CallID, Name: orTool(called[i.Result.CallID]), Response: marshal(object{key: joined(i.Result.Content)}),
			}})
			for c := range i.Result.Content {
				shown = i.Result.Content[c].geminiMedia(shown, lost)
			}
		case Text:
			rest = append(rest, geminiText(i.Text))
		case Image, File:
			rest = i.geminiMedia(rest, lost)
		case Call, Reasoning:
			lost.add("user " + string(i.Kind))
		}
	}
	if len(shown) > 0 {
		results = append(append(results, geminiText(whatTheyReturned)), shown...)
	}
	return append(results, rest...)
}

// orTool is the name of what was called, where it is known.
func orTool(name string) string {
	if name == "" {
		return "tool"
	}
	return name
}

// geminiMedia adds an image or a file, whose bytes are there.
func (i *Item) geminiMedia(out []geminiPart, lost Lost) []geminiPart {
	if i.Kind != Image && i.Kind != File {
		return out
	}
	if i.Media.URL != "" {
		lost.add("url")
		return out
	}
	return append(out, geminiPart{Inline: &geminiBlob{i.Media.Type, i.Media.Data}})
}
