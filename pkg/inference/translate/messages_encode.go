package translate

import (
	"encoding/json"
	"slices"
	"strings"
)

// defaultMaxTokens is what an answer may have where the client does not say,
// for anthropic-messages asks for a number: what its current models all allow.
const defaultMaxTokens = 32_000

func (messages) encodeRequest(r *Request, lost Lost) ([]byte, error) {
	out := messagesRequest{
		Model: r.Model, Stream: r.Stream, MaxTokens: r.MaxTokens, Messages: make([]messagesMessage, 0, len(r.Items)),
		Temperature: r.Temperature, TopP: r.TopP, StopSequences: r.Stop,
	}
	if out.MaxTokens == 0 {
		out.MaxTokens = defaultMaxTokens
	}
	out.sampling(lost)
	if r.User != "" {
		out.Metadata = &messagesMetadata{r.User}
	}
	if r.Thinking.Type != "" {
		out.Thinking = &messagesThinking{r.Thinking.Type, r.Thinking.Budget}
	}
	lost.all(map[string]bool{"metadata": r.Metadata != nil, "verbosity": r.Verbosity != "", "prompt_cache_key": r.CacheKey != "", "reasoning.summary": r.Summary != ""})
	out.config(r, lost)
	out.Tools = slices.Grow(out.Tools, len(r.Tools))
	for _, t := range r.Tools {
		out.Tools = append(out.Tools, messagesTool{Name: t.Name, Description: t.Description, InputSchema: schema(t.Schema), Strict: t.Strict})
	}
	out.choice(r)
	system, rest := lead(r.Items)
	if len(system) > 0 {
		out.System = blocksOf(messagesBlocks(system, lost))
		cacheUpTo(out.System)
	}
	for _, run := range runs(rest) {
		blocks := messagesBlocks(run, lost)
		if len(blocks) == 0 {
			continue
		}
		out.Messages = append(out.Messages, messagesMessage{string(run[0].Role), *blocksOf(blocks)})
	}
	if n := len(out.Messages); n > 0 {
		cacheUpTo(&out.Messages[n-1].Content)
	}
	return r.encode(&out)
}

// sampling leaves out what the newer models refuse: the default temperature, and top_p
// beside another.
func (out *messagesRequest) sampling(lost Lost) {
	t := out.Temperature
	if t == nil {
		return
	}
	if *t > 1 {
		lost.add("temperature above 1")
	}
	if *t >= 1 {
		out.Temperature = nil
		return
	}
	if out.TopP != nil {
		lost.add("top_p")
		out.TopP = nil
	}
}

// cacheUpTo has the provider keep what it has read up to here: other protocols
// do so without being asked, and without it every turn of an agent is paid for
// in full.
func cacheUpTo(c *messagesContent) {
	last := &c.all[len(c.all)-1]
	if last.Thinking == nil && last.Type != "redacted_thinking" {
		last.CacheControl = &cacheControl{"ephemeral"}
	}
}

// all counts those members that are set.
func (l Lost) all(set map[string]bool) {
	for name, is := range set {
		if is {
			l.add(name)
		}
	}
}

func (out *messagesRequest) config(r *Request, lost Lost) {
	var c messagesOutput
	c.Effort = r.Effort
	switch r.Effort {
	case "none":
		out.Thinking, c.Effort = &messagesThinking{Type: "disabled"}, ""
	case "minimal":
		c.Effort = "low"
	}
	switch f := r.Format; {
	case f == nil:
	case f.Type == "json_schema":
		c.Format = &messagesFormat{f.Type, f.Schema}
	default:
		lost.add("format " + f.Type)
	}
	if c != (messagesOutput{}) {
		out.OutputConfig = &c
	}
}

func (out *messagesRequest) choice(r *Request) {
	if r.Choice == (ToolChoice{}) && r.Parallel == nil || len(r.Tools) == 0 {
		return
	}
	c := messagesChoice{Type: string(r.Choice.Mode), Name: r.Choice.Name}
	if c.Type == "" {
		c.Type = string(ChooseAuto)
	}
	if r.Parallel != nil && r.Choice.Mode != ChooseNone {
		c.NoParallel = new(!*r.Parallel)
	}
	out.ToolChoice = &c
}

// messagesBlocks returns the blocks of a run of items.
func messagesBlocks(items []Item, lost Lost) []messagesBlock {
	out := make([]messagesBlock, 0, len(items))
	for n := range items {
		i := &items[n]
		switch i.Kind {
		case Text:
			out = append(out, messagesBlock{Type: "text", Text: &i.Text})
		case Image, File:
			out = append(out, i.messagesMedia())
		case Call:
			out = append(out, messagesBlock{Type: "tool_use", ID: messagesID(i.Call.ID), Name: i.Call.Name, Input: arguments(i.Call.Arguments)})
		case Result:
			b := messagesBlock{Type: "tool_result", ToolUseID: messagesID(i.Result.CallID), IsError: i.Result.Error}
			if content := messagesBlocks(i.Result.Content, lost); len(content) > 0 {
				b.Content = blocksOf(content)
			}
			out = append(out, b)
		case Reasoning:
			if i.Opaque.Origin != ownMessages || i.Opaque.Data == "" {
				lost.add("reasoning") // a provider refuses thinking that it did not sign
				continue
			}
			out = append(out, i.thinking())
		}
	}
	return out
}

// thinking returns a block of reasoning.
func (i *Item) thinking() messagesBlock {
	data := i.Opaque.carry(ownMessages)
	if i.Opaque.Redacted && i.Opaque.Origin == ownMessages {
		return messagesBlock{Type: "redacted_thinking", Data: data}
	}
	return messagesBlock{Type: "thinking", Thinking: &i.Text, Signature: &data}
}

func (i *Item) messagesMedia() messagesBlock {
	s := messagesSource{Type: "base64", MediaType: i.Media.Type, Data: i.Media.Data}
	if i.Media.URL != "" {
		s = messagesSource{Type: "url", URL: i.Media.URL}
	}
	b := messagesBlock{Type: "image", Source: json.RawMessage(marshal(s))}
	if i.Kind == File {
		b.Type, b.Title = "document", i.Media.Name
	}
	return b
}

// messagesID is an id of a call in the characters that the protocol allows.
func messagesID(id string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return '_'
	}, id)
}
