package translate

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/vexa-ai/vexa/pkg/inference"
)

// gemini is the protocol of that name, as its providers are asked: no client's is
// translated into it. Source: https://ai.google.dev/api/generate-content and
// "Thought signatures" of its guide.
type gemini struct{}

const ownGemini = inference.Gemini

type geminiContent struct {
	Role  string       `json:"role,omitempty"`
	Parts []geminiPart `json:"parts"`
}

type geminiPart struct {
	Text      string          `json:"text,omitempty"`
	Thought   bool            `json:"thought,omitempty"`
	Signature string          `json:"thoughtSignature,omitempty"`
	Inline    *geminiBlob     `json:"inlineData,omitempty"`
	Call      *geminiCall     `json:"functionCall,omitempty"`
	Response  *geminiResponse `json:"functionResponse,omitempty"`
}

type geminiBlob struct {
	Type string `json:"mimeType"`
	Data string `json:"data"`
}

type geminiCall struct {
	ID   string          `json:"id,omitempty"`
	Name string          `json:"name"`
	Args json.RawMessage `json:"args,omitempty"`
}

type geminiResponse struct {
	ID       string `json:"id,omitempty"`
	Name     string `json:"name"`
	Response object `json:"response"`
}

func (gemini) encodeRequest(r *Request, lost Lost) ([]byte, error) {
	out := object{}
	if config := geminiConfig(r); len(config) > 0 {
		out["generationConfig"] = config
	}
	if len(r.Tools) > 0 {
		var declared []object
		for _, t := range r.Tools {
			declared = append(declared, object{"name": t.Name, "description": t.Description, "parameters": schema(t.Schema)})
		}
		out["tools"] = []object{{"functionDeclarations": declared}}
		if mode := geminiChoice(r.Choice); mode != nil {
			out["toolConfig"] = object{"functionCallingConfig": mode}
		}
	}
	system, rest := lead(r.Items)
	if text := joined(system); text != "" {
		out["systemInstruction"] = geminiContent{Parts: []geminiPart{{Text: text}}}
	}
	called := map[string]string{}
	var contents []geminiContent
	for _, run := range runs(rest) {
		c := geminiContent{Role: "user"}
		if run[0].Role == Assistant {
			c.Role = "model"
		}
		for _, i := range run {
			if p, ok := i.geminiPart(called, lost); ok {
				c.Parts = append(c.Parts, p)
			}
		}
		if len(c.Parts) > 0 {
			contents = append(contents, c)
		}
	}
	out["contents"] = contents
	return encode(out)
}

func geminiConfig(r *Request) object {
	config := object{}
	if r.MaxTokens > 0 {
		config["maxOutputTokens"] = r.MaxTokens
	}
	if r.Temperature != nil {
		config["temperature"] = *r.Temperature
	}
	if r.TopP != nil {
		config["topP"] = *r.TopP
	}
	if len(r.Stop) > 0 {
		config["stopSequences"] = r.Stop
	}
	return config
}

func geminiChoice(c ToolChoice) object {
	switch c.Mode {
	case ChooseAuto:
		return object{"mode": "AUTO"}
	case ChooseNone:
		return object{"mode": "NONE"}
	case ChooseAny:
		return object{"mode": "ANY"}
	case ChooseTool:
		return object{"mode": "ANY", "allowedFunctionNames": []string{c.Name}}
	default:
		return nil
	}
}

// geminiPart is the part that an item is. A result is known by the name of what
// was called, which called remembers by its id.
func (i *Item) geminiPart(called map[string]string, lost Lost) (geminiPart, bool) {
	switch i.Kind {
	case Text:
		return geminiPart{Text: i.Text}, true
	case Image, File:
		if i.Media.URL != "" {
			lost.add("url")
			return geminiPart{}, false
		}
		return geminiPart{Inline: &geminiBlob{i.Media.Type, i.Media.Data}}, true
	case Call:
		called[i.Call.ID] = i.Call.Name
		p := geminiPart{Call: &geminiCall{Name: i.Call.Name, Args: arguments(i.Call.Arguments)}}
		if i.Opaque.Origin == ownGemini {
			p.Signature, p.Call.ID = i.Opaque.Data, i.Opaque.ID
		}
		return p, true
	case Result:
		key := "output"
		if i.Result.Error {
			key = "error"
		}
		return geminiPart{Response: &geminiResponse{Name: called[i.Result.CallID], Response: object{key: joined(i.Result.Content)}}}, true
	case Reasoning:
	}
	lost.add(string(i.Kind))
	return geminiPart{}, false
}

// geminiAnswer is an answer, or an event of a streamed one: each is of the same
// form.
type geminiAnswer struct {
	ID         string `json:"responseId"`
	Model      string `json:"modelVersion"`
	Candidates []struct {
		Content      geminiContent `json:"content"`
		FinishReason string        `json:"finishReason"`
	} `json:"candidates"`
	Usage *struct {
		Prompt     *int64 `json:"promptTokenCount"`
		Cached     *int64 `json:"cachedContentTokenCount"`
		Candidates *int64 `json:"candidatesTokenCount"`
		Thoughts   *int64 `json:"thoughtsTokenCount"`
	} `json:"usageMetadata"`
	Feedback *struct {
		Blocked string `json:"blockReason"`
	} `json:"promptFeedback"`
	Error *chatError `json:"error"`
}

// geminiReader decodes a streamed answer.
type geminiReader struct {
	start bool
	next  int  // index of the next item
	open  Kind // of the item before it, while text may follow
	calls int
	stop  string
	usage Usage
}

func (gemini) reader(string) reader { return &geminiReader{} }

func (g *geminiReader) read(data []byte) ([]Event, error) {
	var a geminiAnswer
	if err := json.Unmarshal(data, &a); err != nil {
		return nil, errors.New("an event of the stream is not of the form that gemini has")
	}
	if a.Error != nil {
		return []Event{{Kind: Failure, Text: a.Error.message}}, nil
	}
	var out []Event
	if !g.start {
		g.start = true
		out = append(out, Event{Kind: Start, ID: a.ID, Model: a.Model})
	}
	if u := a.Usage; u != nil {
		thoughts := count(u.Thoughts)
		g.usage = Usage{
			Input: count(u.Prompt), CacheRead: min(count(u.Cached), count(u.Prompt)),
			Output: count(u.Candidates) + thoughts, Reasoning: thoughts, Known: u.Prompt != nil && u.Candidates != nil,
		}
	}
	if a.Feedback != nil && a.Feedback.Blocked != "" {
		g.stop = "SAFETY"
	}
	if len(a.Candidates) == 0 {
		return out, nil
	}
	for _, p := range a.Candidates[0].Content.Parts {
		out = g.part(out, p)
	}
	if reason := a.Candidates[0].FinishReason; reason != "" {
		g.stop = reason
	}
	return out, nil
}

func (g *geminiReader) part(out []Event, p geminiPart) []Event {
	if p.Call != nil {
		out = g.close(out)
		g.calls++
		item := Item{
			Role: Assistant, Kind: Call, Call: ToolCall{ID: fmt.Sprintf("call_%d", g.calls), Name: p.Call.Name},
			Opaque: Opaque{Origin: ownGemini, ID: p.Call.ID, Data: p.Signature},
		}
		i := g.next
		g.next++
		return append(out, Event{Kind: Begin, Index: i, Item: item}, Event{Kind: Delta, Index: i, Text: compact(p.Call.Args)}, Event{Kind: End, Index: i})
	}
	if p.Text == "" {
		return out
	}
	kind := Text
	if p.Thought {
		kind = Reasoning
	}
	if g.open != kind {
		out = append(g.close(out), Event{Kind: Begin, Index: g.next, Item: Item{Role: Assistant, Kind: kind}})
		g.open = kind
		g.next++
	}
	return append(out, Event{Kind: Delta, Index: g.next - 1, Text: p.Text})
}

func (g *geminiReader) close(out []Event) []Event {
	if g.open == "" {
		return out
	}
	g.open = ""
	return append(out, Event{Kind: End, Index: g.next - 1})
}

// end is the end of a stream, which has no event of its own: one that said why
// it stopped is whole.
func (g *geminiReader) end() []Event {
	if g.stop == "" {
		return nil
	}
	stop := StopEnd
	switch {
	case g.stop == "MAX_TOKENS":
		stop = StopLength
	case g.stop == "SAFETY" || g.stop == "RECITATION" || g.stop == "PROHIBITED_CONTENT" || g.stop == "BLOCKLIST":
		stop = StopRefusal
	case g.calls > 0:
		stop = StopTool
	}
	return append(g.close(nil), Event{Kind: Finish, Stop: stop, Usage: g.usage})
}

func (gemini) decodeAnswer(body []byte, _ string) (*Answer, error) {
	g := &geminiReader{}
	events, err := g.read(body)
	if err != nil || len(events) > 0 && events[0].Kind != Failure && g.stop == "" {
		return nil, errors.New("the answer is not of the form that gemini has")
	}
	var c collector
	for _, e := range append(events, g.end()...) {
		if e.Kind == Failure {
			return nil, errors.New(e.Text)
		}
		c.add(e)
	}
	return &c.answer, nil
}
