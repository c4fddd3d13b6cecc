package translate

import (
	"encoding/json"
	"slices"
)

// maxUser is the longest user that OpenAI takes, in bytes.
const maxUser = 64

// openAIEffort is the effort by the names of OpenAI's models.
func openAIEffort(effort string) string {
	if effort == "max" {
		return "high" // xhigh is not known to all of them
	}
	return effort
}

// openAITemperature leaves the default out: some of OpenAI's models refuse to be
// told any.
func openAITemperature(t *float64) *float64 {
	if t != nil && *t == 1 {
		return nil
	}
	return t
}

func (p chat) encodeRequest(r *Request, lost Lost) ([]byte, error) {
	out := chatRequest{
		Model: r.Model, Stream: r.Stream, MaxTokens: r.MaxTokens, Messages: make([]chatMessage, 0, len(r.Items)),
		Temperature: r.Temperature, TopP: r.TopP, ReasoningEffort: openAIEffort(r.Effort), Verbosity: r.Verbosity,
	}
	if p.openAI { // its newer models refuse the former name, other servers do not know the new one
		out.MaxTokens, out.MaxCompletionTokens = 0, r.MaxTokens
		out.Temperature = openAITemperature(r.Temperature)
	}
	if r.Stream {
		out.StreamOptions = &chatStreamOptions{IncludeUsage: true}
	}
	if len(r.Stop) > 0 {
		out.Stop = &list[string]{all: r.Stop}
	}
	if len(r.User) <= maxUser {
		out.User = r.User
	}
	lost.all(map[string]bool{
		"metadata": r.Metadata != nil, "prompt_cache_key": r.CacheKey != "", "reasoning.summary": r.Summary != "",
		"thinking": r.Thinking.on(), "user": len(r.User) > maxUser,
	})
	out.Tools = slices.Grow(out.Tools, len(r.Tools))
	for i := range r.Tools {
		t := &r.Tools[i]
		if t.Freeform {
			out.Tools = append(out.Tools, chatTool{Type: "custom", Custom: &chatCustom{t.Name, t.Description, t.Format}})
			continue
		}
		out.Tools = append(out.Tools, chatTool{Type: "function", Function: &chatFunction{t.Name, t.Description, schema(t.Schema), t.Strict}})
	}
	if len(r.Tools) > 0 {
		out.Parallel, out.ToolChoice = r.Parallel, chatChoiceOf(r.Choice)
	}
	if f := r.Format; f != nil {
		out.ResponseFormat = chatFormatOf(f)
	}
	system, rest := lead(r.Items)
	if text := joined(system); text != "" {
		out.Messages = append(out.Messages, chatMessage{Role: "system", Content: &list[chatPart]{isText: true, text: text}})
	}
	for _, run := range runs(rest) {
		if run[0].Role == Assistant {
			out.Messages = addAssistant(out.Messages, run, lost)
			continue
		}
		out.Messages = addUser(out.Messages, run)
	}
	return r.encode(&out)
}

func chatChoiceOf(c ToolChoice) *chatChoice {
	var out chatChoice
	switch c.Mode {
	case ChooseAuto, ChooseNone:
		out.Mode = string(c.Mode)
	case ChooseAny:
		out.Mode = "required"
	case ChooseTool:
		out.Type, out.Function.Name = "function", c.Name
	default:
		return nil
	}
	return &out
}

func chatFormatOf(f *Format) *chatFormat {
	out := &chatFormat{Type: f.Type}
	if f.Type == "json_schema" {
		out.Schema = &struct {
			Name        string          `json:"name"`
			Description string          `json:"description,omitempty"`
			Schema      json.RawMessage `json:"schema,omitempty"`
			Strict      bool            `json:"strict,omitempty"`
		}{formatName(f), f.Description, f.Schema, f.Strict}
	}
	return out
}

// formatName is the name of a format: the OpenAI protocols ask for one.
func formatName(f *Format) string {
	if f.Name == "" {
		return "answer"
	}
	return f.Name
}

// addAssistant adds the message of a run of the assistant's items, none where nothing is
// left.
func addAssistant(out []chatMessage, run []Item, lost Lost) []chatMessage {
	m := chatMessage{Role: "assistant"}
	for i := range run {
		i := &run[i]
		switch i.Kind {
		case Reasoning:
			if i.Opaque.Origin != ownChat {
				lost.add("reasoning")
				continue
			}
			m.ReasoningContent += texts(i.Text)
		case Call:
			m.ToolCalls = append(m.ToolCalls, chatCallOf(i.Call))
		case Text: // see below
		case Image, File, Result:
			lost.add("assistant " + string(i.Kind))
		}
	}
	if text := joined(run); text != "" {
		m.Content = &list[chatPart]{isText: true, text: text}
	}
	if m.Content == nil && m.ToolCalls == nil {
		return out
	}
	return append(out, m)
}

func chatCallOf(c ToolCall) chatCall {
	if c.Freeform {
		return chatCall{ID: c.ID, Type: "custom", Custom: &chatCustomCall{c.Name, c.Arguments}}
	}
	args := c.Arguments
	if args == "" {
		args = "{}"
	}
	return chatCall{ID: c.ID, Type: "function", Function: &chatCallBody{c.Name, args}}
}

// whatTheyReturned is said before what cannot stand in a result itself.
const whatTheyReturned = "What the tools returned:"

// addUser adds the messages of a run of the user's items: one for each
// result of a tool, and one for the rest. Images that a tool returned are in the
// latter, for a tool's message holds text alone.
func addUser(out []chatMessage, run []Item) []chatMessage {
	var rest, shown []Item
	for n := range run {
		i := &run[n]
		if i.Kind != Result {
			if rest == nil && !slices.ContainsFunc(run[n:], func(i Item) bool { return i.Kind == Result }) {
				rest = run[n:len(run):len(run)] // mostly
				break
			}
			rest = append(rest, *i)
			continue
		}
		text := joined(i.Result.Content)
		for _, c := range i.Result.Content {
			if c.Kind == Image || c.Kind == File {
				shown = append(shown, c)
			}
		}
		if i.Result.Error {
			text = failed(text)
		}
		out = append(out, chatMessage{Role: "tool", ToolCallID: i.Result.CallID, Content: &list[chatPart]{isText: true, text: text}})
	}
	if len(shown) > 0 {
		rest = append(append([]Item{{Kind: Text, Text: whatTheyReturned}}, shown...), rest...)
	}
	if len(rest) > 0 {
		out = append(out, chatMessage{Role: "user", Content: chatContent(rest)})
	}
	return out
}

// failed marks the result of a call that failed, where there is no member that
// says so.
func failed(text string) string { return "error: " + text }

func chatContent(items []Item) *list[chatPart] {
	out := &list[chatPart]{}
	if !slices.ContainsFunc(items, func(i Item) bool { return i.Kind == Image || i.Kind == File }) {
		return &list[chatPart]{isText: true, text: joined(items)} // some servers take no list
	}
	for n := range items {
		i := &items[n]
		switch i.Kind {
		case Image:
			out.all = append(out.all, chatPart{Type: "image_url", ImageURL: &chatURL{i.Media.dataURL()}})
		case File:
			out.all = append(out.all, chatPart{Type: "file", File: &chatFile{Filename: fileName(i.Media), FileData: i.Media.dataURL()}})
		case Text:
			out.all = append(out.all, chatPart{Type: "text", Text: i.Text})
		case Call, Result, Reasoning:
		}
	}
	return out
}

// fileName is the name of a file: the OpenAI protocols ask for one.
func fileName(m Media) string {
	if m.Name == "" {
		return "document"
	}
	return m.Name
}
